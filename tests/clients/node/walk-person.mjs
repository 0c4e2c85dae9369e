// A person comes from an app: wrong password, login, deny, "not you?", allow, account, revoke, logout.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'

import { app } from './app.mjs'

export async function person({ page, context, origins, picture, env }) {
  const { ISSUER, CLIENT_ID, LOGIN, PASSWORD, OTHER_LOGIN, OTHER_PASSWORD } = env
  const notes = await app()
  origins.add(notes.origin)

  const start = (extra = {}) => {
    const challenge = createHash('sha256').update(randomBytes(32)).digest('base64url')
    const request = {
      response_type: 'code',
      client_id: CLIENT_ID,
      redirect_uri: `${notes.origin}/cb`,
      scope: 'openid profile email offline_access',
      state: randomBytes(8).toString('hex'),
      nonce: randomBytes(8).toString('hex'),
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...extra,
    }
    return page.goto(`${ISSUER}/oauth2/authorize?${new URLSearchParams(request)}`)
  }
  const login = async (username, password) => {
    await page.fill('[name=username]', username)
    await page.fill('[name=password]', password)
    await page.click('#login [type=submit]')
  }
  const decide = (decision) => page.click(`[name=decision][value=${decision}]`)
  const text = () => page.innerText('main')

  // A wrong password is told on the login page, and the right one then works there.
  await start()
  await picture('login')
  await login(LOGIN, 'not the password')
  assert.ok(await page.isVisible('[name=password]'), 'the login page again')
  assert.equal(await page.inputValue('[name=username]'), LOGIN, 'the name need not be typed again')
  assert.equal(await page.inputValue('[name=password]'), '', 'the password is not sent back')
  await picture('login-wrong-password')
  await login(LOGIN, PASSWORD)

  // The consent page tells who asks, for what, who is logged in and where it leads; Allow and Deny weigh the same.
  const consent = await text()
  for (const telling of ['Demo Notes', LOGIN, '127.0.0.1']) assert.ok(consent.includes(telling), `${telling} in: ${consent}`)
  assert.match(consent, /stay connected when you are away/i)
  const [allow, deny] = await Promise.all(
    ['approve', 'deny'].map((decision) => page.locator(`[name=decision][value=${decision}]`).boundingBox()),
  )
  assert.equal(allow.height, deny.height, 'buttons of equal height')
  assert.ok(Math.abs(allow.width - deny.width) <= 1, 'buttons of equal width')
  await picture('consent')
  await start({ resource: 'https://api.notes.example' })
  await picture('consent-for-an-api')

  // Deny: the app is told, by a redirect that the page's own policy lets through.
  await decide('deny')
  await page.waitForURL(`${notes.origin}/cb?**`)
  assert.equal(notes.received.at(-1).get('error'), 'access_denied')
  assert.equal(notes.received.at(-1).get('iss'), ISSUER)

  // Not you? Somebody else logs in and is asked for themself.
  await start()
  await page.click('#switch')
  await picture('login-somebody-else')
  await login(OTHER_LOGIN, OTHER_PASSWORD)
  assert.ok((await text()).includes(OTHER_LOGIN), 'the other person is logged in')
  await decide('approve')
  await page.waitForURL(`${notes.origin}/cb?**`)
  assert.ok(notes.received.at(-1).get('code'))

  // The answer comes by a form that posts itself, if the app wants that.
  await start({ response_mode: 'form_post' })
  await decide('approve')
  await page.waitForURL(`${notes.origin}/cb`)
  assert.ok(notes.received.at(-1).get('code'))

  // An app may ask who it is once more; and it may be somebody else then, too.
  await start({ prompt: 'login' })
  assert.equal(await page.inputValue('[name=username]'), OTHER_LOGIN)
  await picture('login-again')
  await page.click('form[action="/login/switch"] [type=submit]')
  assert.equal(await page.inputValue('[name=username]'), '', 'anybody')
  await login(OTHER_LOGIN, OTHER_PASSWORD)
  await decide('approve')
  await page.waitForURL(`${notes.origin}/cb?**`)

  // The account lists the app and the browsers, ends the other ones, and takes the app's access back.
  const elsewhere = await context.browser().newContext()
  const other = await elsewhere.newPage()
  await other.goto(`${ISSUER}/login`)
  await other.fill('[name=username]', OTHER_LOGIN)
  await other.fill('[name=password]', OTHER_PASSWORD)
  await other.click('#login [type=submit]')
  await other.waitForURL(`${ISSUER}/account`)
  await page.goto(`${ISSUER}/account`)
  assert.ok((await text()).includes('Demo Notes'))
  await picture('account')
  await page.click(`[data-client-id="${CLIENT_ID}"] summary`)
  await picture('account-app-open')
  await page.click('#revoke-others')
  await picture('account-confirm-others')
  await page.click('#confirm [type=submit]')
  await page.waitForSelector('#flash')
  await picture('account-others-ended')
  await other.reload()
  assert.equal(new URL(other.url()).pathname, '/login', 'the other browser is out')
  await elsewhere.close()
  await page.click(`[data-client-id="${CLIENT_ID}"] form [type=submit]`)
  await picture('account-confirm-remove')
  await page.click('#confirm [type=submit]')
  await page.waitForURL(`${ISSUER}/account?**`)
  assert.equal(await page.locator(`[data-client-id="${CLIENT_ID}"]`).count(), 0, 'the app is gone')
  await picture('account-empty')

  // So the app has to ask again.
  await start()
  assert.ok(await page.isVisible('[name=decision][value=approve]'), 'asks again after the revocation')

  // Unknown app, expired page, missing cookie: pages that say what to do.
  await page.goto(`${ISSUER}/oauth2/authorize?client_id=nobody`)
  await picture('error-unknown-client')
  await page.goto(`${ISSUER}/nowhere`)
  await picture('error-not-found')
  await start()
  await context.clearCookies()
  await decide('approve')
  assert.ok((await text()).length > 40, 'a page that says what to do next')
  await picture('error-cookie-missing')

  // Logged out.
  await page.goto(`${ISSUER}/login`)
  await login(LOGIN, PASSWORD)
  await page.waitForURL(`${ISSUER}/account`)
  await page.goto(`${ISSUER}/logout`)
  await picture('logout')
  await page.click('#logout [type=submit]')
  await page.waitForURL(`${ISSUER}/logged-out`)
  assert.match(await text(), /logged out/i)
  await picture('logged-out')
  await page.goto(`${ISSUER}/account`)
  assert.ok(await page.isVisible('[name=password]'), 'the session is over')
  notes.close()
}
