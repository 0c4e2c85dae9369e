// A person makes an API key, keeps it, renews it and takes it back; the script that copies it is all the JavaScript there is.

import assert from 'node:assert/strict'

export async function keys({ page, context, picture, refusals, env }) {
  const { ISSUER, LOGIN, PASSWORD } = env
  const path = '/account/api-keys'
  const text = () => page.innerText('main')

  // Whoever is not logged in comes back here after the login.
  await page.goto(`${ISSUER}${path}`)
  await page.fill('[name=username]', LOGIN)
  await page.fill('[name=password]', PASSWORD)
  await page.click('#login [type=submit]')
  await page.waitForURL(`${ISSUER}${path}`)
  await picture('api-keys-empty')

  // A form without a choice comes back with what was typed, and says what is missing.
  await page.fill('[name=name]', 'Nightly backup of the orders')
  await page.fill('[name=networks]', '10.0.0.0/8, 2001:db8::/32')
  await page.click('#create [type=submit]')
  assert.match(await text(), /Choose at least one/)
  assert.equal(await page.inputValue('[name=name]'), 'Nightly backup of the orders')
  await picture('api-keys-mistake')

  await page.check('[name=scope][value="orders:read"]')
  await page.check('[name=audience] >> nth=0')
  await page.click('#create [type=submit]')
  const first = await page.innerText('#api-key')
  assert.match(first, /^lw_[0-9A-Za-z]{22}_[0-9A-Za-z]{49}$/)
  // A button copies it, and gets its script without any other becoming one.
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.click('#copy')
  await page.waitForFunction(() => document.getElementById('copied').textContent === 'Copied.')
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), first)
  await picture('api-keys-shown')

  // A reload sends the form again: it makes no second key, and within a minute shows the first one again.
  await page.reload()
  assert.equal(await page.innerText('#api-key'), first)
  assert.equal(await page.locator('[data-key-id]').count(), 1)
  await picture('api-keys-reloaded')

  await page.click('form[action="/account/api-keys/rotate"] [type=submit]')
  const second = await page.innerText('#api-key')
  assert.notEqual(second, first)
  await picture('api-keys-renewed')
  // The browser has kept no page with a key: going back shows an error of its own, or a page without one.
  const back = await page.goBack().then(() => page.locator('#api-key').count(), (error) => String(error))
  assert.ok(back === 0 || /ERR_CACHE_MISS/.test(back), String(back))

  // The browser's own error page may still be on its way, and would interrupt the next.
  await page.waitForURL('chrome-error://**', { timeout: 3000 }).catch(() => {})
  await page.goto(`${ISSUER}${path}`)
  await page.click('form[action="/account/api-keys/revoke"] [type=submit]')
  assert.match(await text(), /Revoke the key/)
  await picture('api-keys-revoke')
  await page.click('#confirm a')
  assert.equal(await page.locator('[data-key-id]').count(), 1, 'Cancel leaves the key')
  await page.click('form[action="/account/api-keys/revoke"] [type=submit]')
  await page.click('#confirm [type=submit]')
  await page.waitForSelector('#flash')
  assert.equal(await page.locator('[data-key-id]').count(), 0)
  await page.goto(`${ISSUER}/account`)
  await picture('account-with-keys')
  refusals.length = 0
}
