// The peer of the benchmark: npm oidc-provider with the in-memory adapter that comes with it, configured to issue what
// Latchway issues in the same run: JWT access tokens and ID tokens by ES256, PKCE, refresh tokens that rotate.
//
//   node server.mjs PORT CLIENTS.json
//
// CLIENTS.json: {"service": …, "web": …, "api": …}, each with client_id, client_secret and, for web, redirect_uri.

import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const clients = JSON.parse(readFileSync(process.argv[3], 'utf8'));
const issuer = `http://127.0.0.1:${port}`;
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const confidential = (client, rest) => ({
  client_id: client.client_id,
  client_secret: client.client_secret,
  token_endpoint_auth_method: 'client_secret_basic',
  redirect_uris: [],
  response_types: [],
  ...rest,
});

const provider = new Provider(issuer, {
  clients: [
    confidential(clients.service, { grant_types: ['client_credentials'], scope: 'orders' }),
    confidential(clients.api, { grant_types: [] }),
    confidential(clients.web, {
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: [clients.web.redirect_uri],
      id_token_signed_response_alg: 'ES256',
      scope: 'openid orders',
    }),
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'bench' }] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  cookies: { keys: ['a key of the benchmark alone'] },
  scopes: ['openid', 'orders'],
  responseTypes: ['code'],
  pkce: { required: () => true },
  // Every refresh token is used once, by every client, as Latchway does it.
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  routes: {
    authorization: '/oauth2/authorize',
    token: '/oauth2/token',
    introspection: '/oauth2/introspect',
    jwks: '/.well-known/jwks.json',
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'orders',
        audience: resource,
        accessTokenTTL: 900,
        // It does not introspect JWTs of its own, so the tokens for that scenario are opaque.
        ...(resource.endsWith('/opaque')
          ? { accessTokenFormat: 'opaque' }
          : { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
      }),
    },
  },
  ttl: { AccessToken: 900, AuthorizationCode: 60, ClientCredentials: 900, Grant: 86400, IdToken: 3600,
    Interaction: 600, RefreshToken: 2592000, Session: 43200 },
});

// Login and consent without a person: everybody is who they say and allows everything that is asked for.
let people = 0;
async function interact(req, res) {
  const { params, prompt, session } = await provider.interactionDetails(req, res);
  if (prompt.name === 'login') {
    people += 1;
    return provider.interactionFinished(req, res, { login: { accountId: `person-${people}` } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  const grantId = await grant.save();
  return provider.interactionFinished(req, res, { consent: { grantId } }, { mergeWithLastSubmission: true });
}

const callback = provider.callback();
createServer((req, res) => {
  if (req.url === '/readyz') {
    res.end('ok');
  } else if (req.url.startsWith('/interaction/')) {
    interact(req, res).catch((error) => {
      console.error(error);
      res.statusCode = 500;
      res.end();
    });
  } else {
    callback(req, res);
  }
}).listen(port, '127.0.0.1');
