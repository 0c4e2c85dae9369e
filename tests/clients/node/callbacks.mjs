// What becomes of an answer once the app has it: it redirects on to a third origin, listens on [::1], or has a scheme of its own.
// A browser must arrive each time, whatever policy the server's own pages have.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'

/** Listens on an address of this machine; everything that arrives is kept, by path. */
async function listen(address, answer, port = 0) {
  const received = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (data) => (body += data))
    request.on('end', () => {
      if (request.url === '/favicon.ico') return response.writeHead(404).end()
      const { pathname, search } = new URL(request.url, 'http://app')
      received.push({ pathname, params: new URLSearchParams(request.method === 'POST' ? body : search) })
      answer(pathname, response)
    })
  })
  await new Promise((done) => server.listen(port, address, done))
  return { received, port: server.address().port, close: () => server.close() }
}

/** The app's servers: `app` and `gate` redirect on to `third`, which is another origin. */
async function servers(gatePort) {
  const page = (title) => (_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><title>${title}</title><h1>${title}</h1>`)
  const third = await listen('127.0.0.1', page('third'))
  const onward = (_, response) => response.writeHead(302, { location: `http://localhost:${third.port}/home` }).end()
  const app = await listen('127.0.0.1', onward)
  const gate = await listen('127.0.0.1', onward, gatePort)
  const six = await listen('::1', page('six'))
  return { third, app, gate, six, close: () => [third, app, gate, six].forEach((server) => server.close()) }
}

function authorize({ issuer, clientId, redirectUri, ...extra }) {
  const request = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: 'openid profile',
    state: randomBytes(8).toString('hex'),
    nonce: randomBytes(8).toString('hex'),
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
    ...extra,
  }
  return `${issuer}/oauth2/authorize?${new URLSearchParams(request)}`
}

/**
 * The walk, in whichever browser: `open` an address, `submit` fields into a form, `arrives` at an address, and what the browser
 * tried to open of another scheme.
 */
export async function walk({ open, submit, arrives, tried }, env) {
  const { ISSUER, NATIVE_ID, GATE_PORT, LOGIN, PASSWORD } = env
  const sites = await servers(Number(GATE_PORT))
  const { third, app, gate, six } = sites
  const native = { issuer: ISSUER, clientId: NATIVE_ID }
  const login = { username: LOGIN, password: PASSWORD }
  try {
    // The login is the last step, for an app behind forward authentication, whose callback leads on to a third origin.
    const to = { return_to: `http://localhost:${gate.port}/`, state: randomBytes(32).toString('base64url') }
    await open(`${ISSUER}/api/v1/forward-auth/login?${new URLSearchParams(to)}`)
    await submit('#login', login)
    await arrives(`http://localhost:${third.port}/home`)
    assert.ok(gate.received.at(-1).params.get('ticket'), 'the app has its ticket')

    // So does the callback after a person's yes, by either response mode, and of a person's no.
    for (const [extra, button] of [[{}, 'approve'], [{ response_mode: 'form_post' }, 'approve'], [{}, 'deny']]) {
      const before = third.received.length
      await open(authorize({ ...native, redirectUri: `http://127.0.0.1:${app.port}/cb`, ...extra }))
      await submit('#consent', {}, button)
      await arrives(`http://localhost:${third.port}/home`)
      const { params } = app.received.at(-1)
      assert.ok(button === 'deny' ? params.get('error') === 'access_denied' : params.get('code'), `${button} ${params}`)
      assert.equal(third.received.length, before + 1)
    }

    // A loopback address of IPv6, which no content security policy can name.
    for (const extra of [{}, { response_mode: 'form_post' }]) {
      await open(authorize({ ...native, redirectUri: `http://[::1]:${six.port}/cb`, ...extra }))
      await submit('#consent', {}, 'approve')
      await arrives(`http://[::1]:${six.port}/cb`)
      assert.ok(six.received.at(-1).params.get('code'), 'the program has its code')
    }

    // A scheme of its own: nothing here opens it, but the browser tried to.
    await open(authorize({ ...native, redirectUri: 'com.example.app:/cb' }))
    await submit('#consent', {}, 'approve')
    const address = await tried('com.example.app:')
    assert.match(address, /^com\.example\.app:\/cb\?code=[^&]+&state=/)
  } finally {
    sites.close()
  }
}
