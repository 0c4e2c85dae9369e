// A mobile app's login (RFC 8252), as a test of it runs on a laptop: no device, no browser, no page to click through.
import assert from 'node:assert/strict'
import * as oidc from 'openid-client'

const mock = process.env.MOCK ?? 'http://127.0.0.1:8080'
const redirect_uri = 'com.example.shop:/callback'

const config = await oidc.discovery(new URL(mock), 'shop-mobile', {}, oidc.None(), { execute: [oidc.allowInsecureRequests] })
const verifier = oidc.randomPKCECodeVerifier()
const state = oidc.randomState()
const start = oidc.buildAuthorizationUrl(config, {
  redirect_uri,
  scope: 'openid profile offline_access orders:read',
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  login_hint: 'alice',
  state,
})

// The system's browser would open the first address and hand the second one to the app.
const answer = await fetch(start, { redirect: 'manual' })
const back = new URL(answer.headers.get('location'))
assert.equal(`${back.protocol}${back.pathname}`, redirect_uri)

const tokens = await oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state })
const alice = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
const later = await oidc.refreshTokenGrant(config, tokens.refresh_token)
const orders = await fetch(`${mock}/orders`, { headers: { Authorization: `Bearer ${later.access_token}` } })
console.log(`${alice.name} has ${(await orders.json()).length} order`)
