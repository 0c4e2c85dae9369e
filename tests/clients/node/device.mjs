// A device without a browser, by openid-client: it asks, shows a code, polls until a person has decided, and uses what it gets.
//
// It fails if the endpoint is not in the metadata, if an answer has other members or errors than RFC 8628 says, if the person
// is not asked, or if the tokens are not those of that person.

import assert from 'node:assert/strict'
import * as oidc from 'openid-client'

import { walk } from './person.mjs'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, LOGIN, PASSWORD, SUBJECT } = process.env

const authentication = CLIENT_SECRET ? oidc.ClientSecretBasic(CLIENT_SECRET) : oidc.None()
const config = await oidc.discovery(new URL(ISSUER), CLIENT_ID, {}, authentication, {
  execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
})
assert.ok(config.serverMetadata().device_authorization_endpoint)

const asked = await oidc.initiateDeviceAuthorization(config, { scope: 'openid profile email offline_access' })
assert.match(asked.user_code, /^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/)
assert.equal(asked.verification_uri, `${ISSUER}/device`)

// It polls while the person walks.
const polling = oidc.pollDeviceAuthorizationGrant(config, asked)
const page = await walk(new URL(asked.verification_uri_complete), { issuer: ISSUER, username: LOGIN, password: PASSWORD })
assert.match(page, /Your device is connected/)
const tokens = await polling
assert.equal(tokens.claims().sub, SUBJECT)
assert.ok(tokens.refresh_token, 'a refresh token')

const person = await oidc.fetchUserInfo(config, tokens.access_token, SUBJECT)
assert.ok(person.email?.includes('@'), JSON.stringify(person))
const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token)
assert.notEqual(refreshed.refresh_token, tokens.refresh_token)

// Once.
await assert.rejects(oidc.pollDeviceAuthorizationGrant(config, { ...asked, interval: 1 }), { error: 'invalid_grant' })

await oidc.tokenRevocation(config, refreshed.refresh_token)
await assert.rejects(oidc.fetchUserInfo(config, refreshed.access_token, SUBJECT), { status: 401 })
console.log('openid-client is content')
