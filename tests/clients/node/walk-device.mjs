// A device's code on a telephone: typed, mistyped, from a link; allowed, refused. The pages have no line of JavaScript.

import assert from 'node:assert/strict'

export async function device({ page, picture, refusals, env }) {
  const { ISSUER, CLIENT_ID, LOGIN, PASSWORD } = env
  const text = () => page.innerText('main')
  const ask = async () => {
    const scope = 'openid profile email offline_access'
    const body = new URLSearchParams({ client_id: CLIENT_ID, scope, resource: 'https://api.video.example' })
    const answer = await fetch(`${ISSUER}/oauth2/device_authorization`, { method: 'POST', body })
    assert.equal(answer.status, 200)
    return answer.json()
  }
  const poll = async ({ device_code }) => {
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
    const body = new URLSearchParams({ client_id: CLIENT_ID, grant_type, device_code })
    return (await fetch(`${ISSUER}/oauth2/token`, { method: 'POST', body })).json()
  }
  const type = async (code) => {
    await page.goto(`${ISSUER}/device`)
    await page.fill('[name=user_code]', code)
    await page.click('#device [type=submit]')
  }

  const tv = await ask()
  await page.goto(`${ISSUER}/device`)
  assert.ok(await page.evaluate(() => document.activeElement?.id === 'user_code'), 'the code can be typed at once')
  await picture('device')

  await type('no code')
  assert.match(await text(), /does not look like a code/)
  await picture('device-no-code')

  // To log in comes before any code is looked at.
  await type(tv.user_code.toLowerCase().replace('-', ' '))
  assert.match(await text(), /to continue to your device/)
  await picture('device-login')
  await page.fill('[name=username]', LOGIN)
  await page.fill('[name=password]', PASSWORD)
  await page.click('#login [type=submit]')
  await page.waitForSelector('#decision')
  assert.equal(await page.innerText('#user-code'), tv.user_code)
  await picture('device-confirm')
  await page.reload()
  await page.waitForSelector('#decision')
  await page.click('#decision [value=approve]')
  assert.match(await text(), /Your device is connected/)
  await picture('device-done')
  assert.ok((await poll(tv)).access_token)

  // A link fills in, and asks.
  const console_ = await ask()
  await page.goto(console_.verification_uri_complete)
  assert.equal(await page.inputValue('[name=user_code]'), console_.user_code)
  await picture('device-link')
  await page.click('#device [type=submit]')
  await page.click('#decision [value=deny]')
  assert.match(await text(), /The device was refused/)
  await picture('device-refused')
  assert.equal((await poll(console_)).error, 'access_denied')

  for (const status of [422, 422, 422, 429]) {
    await type('BBBB-BBBB')
    assert.match(await text(), status === 422 ? /This code does not work/ : /Too many codes did not work/)
    await picture(`device-${status}`)
  }

  await page.goto(`${ISSUER}/account`)
  assert.match(await text(), /Demo TV/)
}
