// Calls /api/v1 for one of the operator's own apps in the browser. The tokens are in HttpOnly cookies: nothing here, and
// nothing that somebody might inject here, can read them.

const BASE = '/api/v1'
const CLIENT_ID = document.body.dataset.clientId

/** A refusal, with the code of the answer. */
export class Refused extends Error {
  constructor(status, { error, error_description }) {
    super(error_description ?? 'The server did not say why.')
    this.status = status
    this.code = error
  }
}

/** What proves that this page sent a request: the one cookie that it can read. */
function csrfToken() {
  return document.cookie.match(/(?:^|; )(?:__Host-)?latchway_csrf=([^;]+)/)?.[1] ?? ''
}

async function send(method, path, body) {
  const headers = method === 'GET' ? {} : { 'Content-Type': 'application/json', 'X-CSRF-Token': csrfToken() }
  const answer = await fetch(BASE + path, { method, headers, body: body && JSON.stringify(body) })
  if (answer.ok) return answer.status === 204 ? undefined : answer.json()
  throw new Refused(answer.status, await answer.json().catch(() => ({})))
}

let refreshing
let refreshes = 0

/** New tokens. However many calls wait for them, they are asked for once. */
function refresh() {
  refreshing ??= send('POST', '/token/refresh', { client_id: CLIENT_ID })
    .then(() => (refreshes += 1))
    .finally(() => (refreshing = undefined))
  return refreshing
}

/** A call with the access token. When that has expired it is renewed and the call repeated. */
export async function call(path) {
  const before = refreshes
  try {
    return await send('GET', path)
  } catch (error) {
    if (error.status !== 401) throw error
    // A refusal that arrives after new tokens is about the old one: the call is repeated without asking for others.
    if (refreshes === before) await refresh()
    return send('GET', path)
  }
}

export const login = (username, password) => send('POST', '/login', { client_id: CLIENT_ID, username, password })
export const logout = () => send('POST', '/logout', { client_id: CLIENT_ID })
