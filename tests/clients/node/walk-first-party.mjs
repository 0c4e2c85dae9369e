// The example of a first-party app in the browser: wrong password, login, quiet refresh, logout. And the API's document.

import assert from 'node:assert/strict'

export async function firstParty({ page, context, refusals, picture, env }) {
  const { ISSUER, LOGIN, PASSWORD } = env
  const text = () => page.innerText('main')
  const cookie = async (name) => (await context.cookies()).find((cookie) => cookie.name === `latchway_${name}`)
  const visit = async () => {
    await page.goto(`${ISSUER}/examples/first-party/`)
    await page.waitForSelector('body[data-ready=true]')
  }
  const idle = () => page.waitForSelector('body:not([aria-busy])')
  const login = async (password) => {
    await page.fill('[name=username]', LOGIN)
    await page.fill('[name=password]', password)
    await page.click('#login button')
    await idle()
  }
  const asked = []
  page.on('request', (request) => {
    const { pathname } = new URL(request.url())
    if (pathname.startsWith('/api/v1/')) asked.push(`${request.method()} ${pathname}`)
  })
  // All that scripts of the page are answered with, as they see it.
  const bodies = []
  await page.exposeFunction('told', (body) => bodies.push(body))
  await page.addInitScript(() => {
    const plain = window.fetch
    window.fetch = async (...request) => {
      const answer = await plain(...request)
      await window.told(await answer.clone().text())
      return answer
    }
  })

  // Nobody is logged in: that is asked for once, and then the form is there.
  refusals.push('401 /api/v1/me', '400 /api/v1/token/refresh')
  await visit()
  await picture('example-login')
  refusals.push('400 /api/v1/login')
  await login('not the password')
  assert.match(await text(), /user name or the password is wrong/)
  await picture('example-wrong-password')
  await login(PASSWORD)
  await page.waitForSelector('#account:not([hidden])')
  assert.ok((await text()).includes(LOGIN))
  await picture('example-account')

  // The tokens are cookies that no script reads.
  for (const name of ['access', 'refresh']) {
    const { httpOnly, sameSite, path } = await cookie(name)
    assert.deepEqual({ httpOnly, sameSite, path }, { httpOnly: true, sameSite: 'Strict', path: '/' }, name)
  }
  const readable = await page.evaluate(() => document.cookie)
  assert.match(readable, /latchway_csrf=/)
  for (const name of ['latchway_access', 'latchway_refresh']) assert.ok(!readable.includes(name), readable)
  const stored = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage]))
  assert.equal(stored, '[{},{}]')

  // An access token that is no good any more is renewed once, for all three calls that wait, and nobody notices.
  const before = await cookie('refresh')
  await context.addCookies([{ ...(await cookie('access')), value: 'expired' }])
  asked.length = 0
  refusals.push('401 /api/v1/me', '401 /api/v1/me', '401 /api/v1/me')
  await page.click('#again')
  await idle()
  assert.ok(await page.isVisible('#account') && (await page.isHidden('#problem')), await text())
  const refreshes = asked.filter((request) => request === 'POST /api/v1/token/refresh')
  assert.equal(refreshes.length, 1, asked.join(', '))
  assert.notEqual((await cookie('refresh')).value, before.value)

  // It survives a reload; and a page of elsewhere can do nothing with it.
  await visit()
  assert.ok(await page.isVisible('#account'))
  refusals.push('403 /api/v1/logout')
  const forged = await page.evaluate(async () => {
    const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }
    return (await fetch('/api/v1/logout', options)).status
  })
  assert.equal(forged, 403, 'without the CSRF token')

  await page.click('#logout')
  await page.waitForSelector('#login:not([hidden])')
  assert.deepEqual((await context.cookies()).map(({ name }) => name), ['latchway_device'], 'nothing but that the browser is known')
  assert.ok(bodies.filter((body) => body.includes('csrf_token')).length >= 2, 'the answers were read')
  for (const body of bodies) {
    assert.ok(!/eyJ|lwrt_|access_token|refresh_token/.test(body), `a token in a body: ${body}`)
  }

  // The document as a page: everything of it comes from here, and nothing that its policy forbids.
  await page.goto(`${ISSUER}/api/docs`)
  await page.waitForSelector('.opblock')
  const operations = await page.$$eval('.opblock-summary-path', (all) => all.map((each) => each.innerText.replace(/\u200b/g, '')))
  for (const path of ['/api/v1/login', '/api/v1/token/refresh', '/api/v1/logout', '/api/v1/me']) {
    assert.ok(operations.includes(path), `${path} in ${operations}`)
  }
  await picture('api-docs')
  await page.click('.opblock-post .opblock-summary-control')
  await page.waitForSelector('.opblock-body')
  await picture('api-docs-login')
}
