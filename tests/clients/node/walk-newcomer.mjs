// A newcomer ran `serve --dev`: set-up link, first administrator, playground from start to end.

import assert from 'node:assert/strict'

export async function newcomer({ page, picture, env }) {
  const { ISSUER, SETUP } = env
  const [username, password] = ['ada', 'a lighthouse in the fog']
  const text = () => page.innerText('main')
  const setUp = async (again) => {
    await page.fill('[name=username]', username)
    await page.fill('[name=email]', 'ada@people.example')
    await page.fill('[name=password]', password)
    await page.fill('[name=password_again]', again)
    await page.click('form[action$="/setup"] [type=submit]')
  }

  // Two different passwords are told, and what was typed otherwise is still there.
  await page.goto(SETUP)
  await picture('setup')
  await setUp('another password')
  assert.equal(await page.inputValue('[name=username]'), username)
  assert.equal(await page.inputValue('[name=password]'), '')
  await picture('setup-errors')
  await setUp(password)
  await page.waitForLoadState()
  assert.equal(await page.locator('[name=password_again]').count(), 0, `the account was made: ${await text()}`)

  // The link died with its use.
  await page.goto(SETUP)
  assert.equal(await page.locator('[name=password_again]').count(), 0, 'the link works once')
  await picture('setup-used')

  // The playground, step by step, as a third-party app.
  await page.goto(`${ISSUER}/playground`)
  await picture('playground')
  await page.click('#start')
  if (await page.isVisible('[name=password]')) {
    await page.fill('[name=username]', username)
    await page.fill('[name=password]', password)
    await page.click('form[action$="/login"] [type=submit]')
  }
  await page.click('[name=decision][value=approve]')
  await page.waitForURL(`${ISSUER}/playground**`)
  for (const step of ['exchange', 'introspect', 'userinfo', 'refresh']) {
    const button = page.locator(`#${step}`)
    if ((await button.count()) === 0) continue
    await button.click()
    await page.waitForSelector(`#${step}-answer`)
  }
  const story = await text()
  for (const telling of ['code_challenge', 'at+jwt', 'active', 'refresh_token']) {
    assert.ok(story.includes(telling), `the playground shows ${telling}: ${story}`)
  }
  await picture('playground-done')
}
