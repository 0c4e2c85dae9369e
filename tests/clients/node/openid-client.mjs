// The whole flow by openid-client: a certified relying party, strict about everything that it is told.
//
// It fails if discovery, PKCE, `iss`, `state`, `nonce`, the ID token's claims or signature, the type of the access
// token, userinfo's subject, refresh, introspection or revocation is not as the standards have it.

import assert from 'node:assert/strict'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as oidc from 'openid-client'

import { walk } from './person.mjs'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, MACHINE_SCOPE, LOGIN, PASSWORD, SUBJECT } = process.env

const authentication = CLIENT_SECRET ? oidc.ClientSecretBasic(CLIENT_SECRET) : oidc.None()
const config = await oidc.discovery(new URL(ISSUER), CLIENT_ID, {}, authentication, {
  execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
})
const server = config.serverMetadata()
assert.equal(server.issuer, ISSUER)

// Authorization code with PKCE.
const verifier = oidc.randomPKCECodeVerifier()
const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
const start = oidc.buildAuthorizationUrl(config, {
  redirect_uri: REDIRECT_URI,
  scope: 'openid profile email offline_access',
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  prompt: 'consent',
  max_age: '600',
  state,
  nonce,
})
const back = await walk(start, { issuer: ISSUER, username: LOGIN, password: PASSWORD })
assert.ok(back.href.startsWith(REDIRECT_URI), back.href)

const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true, maxAge: 600 }
const tokens = await oidc.authorizationCodeGrant(config, back, checks)
assert.equal(tokens.claims().sub, SUBJECT)
assert.equal(tokens.claims().iss, ISSUER)
assert.ok(tokens.refresh_token, 'a refresh token')

// The access token, as an API verifies it (RFC 9068).
const keys = createRemoteJWKSet(new URL(server.jwks_uri))
const access = await jwtVerify(tokens.access_token, keys, { issuer: ISSUER, typ: 'at+jwt' })
assert.equal(access.payload.client_id, CLIENT_ID)
assert.equal(access.payload.sub, SUBJECT)
for (const claim of ['aud', 'exp', 'iat', 'jti', 'scope', 'auth_time']) assert.ok(access.payload[claim], claim)

// Userinfo.
const person = await oidc.fetchUserInfo(config, tokens.access_token, SUBJECT)
assert.ok(person.email?.includes('@'), JSON.stringify(person))

// Introspection, by those who can authenticate.
if (CLIENT_SECRET) {
  const told = await oidc.tokenIntrospection(config, tokens.access_token)
  assert.equal(told.active, true)
  assert.equal(told.client_id, CLIENT_ID)
  assert.equal(told.sub, SUBJECT)
}

// Refresh: rotated, narrower on request, the same person.
const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token, { scope: 'openid email' })
assert.notEqual(refreshed.refresh_token, tokens.refresh_token)
assert.notEqual(refreshed.access_token, tokens.access_token)
assert.deepEqual(refreshed.scope.split(' ').sort(), ['email', 'openid'])
assert.equal(refreshed.claims()?.sub ?? SUBJECT, SUBJECT)

// Revocation of the refresh token: everything of this grant is dead.
await oidc.tokenRevocation(config, refreshed.refresh_token)
await assert.rejects(oidc.refreshTokenGrant(config, refreshed.refresh_token), { error: 'invalid_grant' })
for (const token of [tokens.access_token, refreshed.access_token]) {
  await assert.rejects(oidc.fetchUserInfo(config, token, SUBJECT), { status: 401 })
  if (CLIENT_SECRET) assert.deepEqual(await oidc.tokenIntrospection(config, token), { active: false })
}

// A token of the app's own.
if (CLIENT_SECRET) {
  const own = await oidc.clientCredentialsGrant(config, { scope: MACHINE_SCOPE })
  const { payload } = await jwtVerify(own.access_token, keys, { issuer: ISSUER, typ: 'at+jwt' })
  assert.equal(payload.sub, CLIENT_ID)
  assert.equal(own.refresh_token, undefined)
}
console.log('openid-client is content')
