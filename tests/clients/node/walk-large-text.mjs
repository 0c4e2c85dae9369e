// An app and a person with names of 90 characters, on every page that shows them, with text of twice the size.

import assert from 'node:assert/strict'

import { app } from './app.mjs'

export async function largeText({ page, origins, refusals, picture, env }) {
  const { ISSUER, CLIENT_ID, LOGIN, PASSWORD } = env
  const notes = await app()
  origins.add(notes.origin)
  const request = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT_ID,
    redirect_uri: `${notes.origin}/cb`,
    scope: 'openid profile email offline_access',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  })
  const authorize = () => page.goto(`${ISSUER}/oauth2/authorize?${request}`)
  await authorize()
  await picture('large-login')
  await page.fill('[name=username]', LOGIN)
  await page.fill('[name=password]', PASSWORD)
  await page.click('#login [type=submit]')
  await page.waitForSelector('#consent')
  const name = await page.innerText('h1 bdi')
  assert.equal(name.length, 90, name)
  await picture('large-consent')

  await page.click('[name=decision][value=approve]')
  await page.waitForURL(`${notes.origin}/cb?**`)
  await page.goto(`${ISSUER}/account`)
  await page.waitForSelector(`[data-client-id="${CLIENT_ID}"]`)
  await picture('large-account')
  await page.click(`[data-client-id="${CLIENT_ID}"] summary`)
  await picture('large-account-open')
  await page.click(`[data-client-id="${CLIENT_ID}"] form [type=submit]`)
  await picture('large-confirm')

  await page.goto(`${ISSUER}/account/api-keys`)
  await page.fill('[name=name]', name)
  await page.check('[name=scope] >> nth=0')
  await page.check('[name=audience] >> nth=0')
  await page.click('#create [type=submit]')
  await page.waitForSelector('#api-key')
  await picture('large-api-keys')

  request.set('prompt', 'login')
  await authorize()
  await picture('large-login-again')
  request.set('redirect_uri', `${notes.origin}/cb/${'elsewhere'.repeat(9)}`)
  await authorize()
  await page.click('summary')
  await picture('large-error')
  refusals.length = 0
  notes.close()
}
