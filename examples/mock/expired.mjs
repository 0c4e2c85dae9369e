// What does the app do when the session ends? Time is the mock's to set.
import assert from 'node:assert/strict'

const mock = process.env.MOCK ?? 'http://127.0.0.1:8080'
const send = (method, path, body) =>
  fetch(mock + path, { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } })
const call = (token) => fetch(`${mock}/greeting`, { headers: { Authorization: `Bearer ${token}` } })

const { access_token } = await (await send('POST', '/mock/token', { sub: 'alice' })).json()
assert.equal((await (await call(access_token)).json()).text, 'Hello alice')

// Ten minutes pass at once: the token has expired, and the API says so.
await send('PUT', '/mock/clock', { advance: '10m' })
const late = await call(access_token)
assert.equal(late.status, 401)
assert.match(late.headers.get('www-authenticate'), /error="invalid_token"/)

// The next refresh fails, too, so that the app has to send its person to the login page.
await send('POST', '/mock/rules', { times: 1, then: 'refresh_token_expired' })
const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'shop', refresh_token: 'any' })
const refused = await fetch(`${mock}/oauth2/token`, { method: 'POST', body: form })
assert.equal((await refused.json()).error, 'invalid_grant')

await send('POST', '/mock/reset')
console.log('expired, refused, and as good as new')
