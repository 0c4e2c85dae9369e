// A person with a browser that has cookies and forms and nothing else.

/**
 * Walks from an authorization request through login and consent to the redirect back to the app; or from a device's address
 * through the code, the login and the decision to the page that says so.
 */
export async function walk(start, { issuer, username, password }) {
  const cookies = new Map()
  let [url, form] = [new URL(start), undefined]
  for (let steps = 0; steps < 20; steps++) {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    if (form) {
      // A page with `Referrer-Policy: no-referrer` posts its forms so.
      Object.assign(headers, { origin: 'null', 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' })
    }
    const answer = await fetch(url, { method: form ? 'POST' : 'GET', body: form, headers, redirect: 'manual' })
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)
      value && !/max-age=0/i.test(cookie) ? cookies.set(name, value) : cookies.delete(name)
    }
    const location = answer.headers.get('location')
    if (location) {
      ;[url, form] = [new URL(location, url), undefined]
      if (url.origin !== issuer) return url
      continue
    }
    const page = await answer.text()
    const onward = goesOnTo(page)
    if (onward) {
      ;[url, form] = [new URL(onward, url), undefined]
      if (url.origin !== issuer) return url
      continue
    }
    ;[url, form] = fillIn(page, url, { username, password })
    if (!form && url.pathname === '/device/decision') return page
    if (!form) throw new Error(`${answer.status} ${url}: neither a login nor a consent form\n${page}`)
  }
  throw new Error('no way through login and consent in twenty steps')
}

/** Where a page goes on to by itself. */
function goesOnTo(page) {
  const refresh = /<meta http-equiv="refresh"[^>]*>/.exec(page)?.[0]
  return refresh && attribute(refresh, 'content').replace(/^0;url=/, '')
}

function fillIn(page, url, { username, password }) {
  for (const [, attributes, content] of page.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)) {
    const action = new URL(attribute(attributes, 'action') ?? '', url)
    if (!['/login', '/consent', '/device', '/device/decision'].includes(action.pathname)) continue
    const form = new URLSearchParams()
    for (const [, input] of content.matchAll(/<input([^>]*)>/gs)) {
      if (attribute(input, 'name')) form.set(attribute(input, 'name'), attribute(input, 'value') ?? '')
    }
    if (action.pathname === '/login') {
      form.set('username', username)
      form.set('password', password)
    } else if (action.pathname !== '/device') {
      form.set('decision', 'approve')
    }
    return [action, form]
  }
  return [url, undefined]
}

function attribute(tag, name) {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]
  const entities = { amp: '&', quot: '"', lt: '<', gt: '>' }
  return value
    ?.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(code))
    .replace(/&(amp|quot|lt|gt);/g, (_, entity) => entities[entity])
}
