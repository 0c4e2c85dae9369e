// examples/mock/react in headless Chromium, against a mock: oidc-client-ts logs in, the app calls the API, time passes.
//
// It fails if the app cannot log in by a click, if CORS keeps it from the issuer or the API, if Alice sees what is not hers, if
// an expired token is not refused or cannot be renewed in silence, or if the console shows an error that was not provoked.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'

const { MOCK, CHROMIUM } = process.env
const here = dirname(fileURLToPath(import.meta.url))
const example = join(here, '../../../examples/mock/react')
const bundle = await build({
  entryPoints: [join(example, 'app.jsx')],
  bundle: true,
  write: false,
  format: 'esm',
  jsx: 'automatic',
  nodePaths: [join(here, 'node_modules')],
  define: { 'process.env.NODE_ENV': '"production"' },
})
const files = {
  '/': ['text/html', readFileSync(join(example, 'index.html'))],
  '/app.js': ['text/javascript', bundle.outputFiles[0].contents],
}
const site = createServer((request, response) => {
  const [type, body] = files[new URL(request.url, 'http://x').pathname] ?? []
  response.writeHead(type ? 200 : 404, { 'Content-Type': type ?? 'text/plain' }).end(body)
})
await new Promise((done) => site.listen(0, '127.0.0.1', done))
const app = `http://localhost:${site.address().port}`

const executablePath = [CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => path && existsSync(path))
const root = process.getuid?.() === 0
const browser = await chromium.launch({ executablePath, args: root ? ['--no-sandbox'] : [] })
const page = await browser.newPage()
page.setDefaultTimeout(15_000)
const problems = []
page.on('pageerror', (error) => problems.push(String(error)))
page.on('console', (message) => {
  if (message.type() === 'error' && !/status of 40[14]/.test(message.text())) problems.push(message.text())
})
const drive = (method, path, body) =>
  fetch(MOCK + path, { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } })

/** The mock's own page, at both widths in both schemes; nothing may stick out. */
async function picture(name) {
  for (const width of [390, 1280]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert.ok(wide <= 0, `${name} sticks out by ${wide} px at ${width}`)
      if (process.env.SCREENSHOTS) {
        await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: true })
      }
    }
  }
}

try {
  await page.goto(`${MOCK}/mock`)
  await picture('mock-about')
  await page.goto(`${app}/?mock=${encodeURIComponent(MOCK)}`)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('button', { name: /^Alice/ }).waitFor()
  await picture('mock-login')
  // The mock's own pages: one click for Alice, one to allow the app.
  await page.getByRole('button', { name: /^Alice/ }).click()
  await page.getByRole('button', { name: /allow/i }).click()
  await page.getByRole('heading', { name: 'Hello Alice' }).waitFor()
  await page.getByRole('button', { name: 'Show my orders' }).click()
  await page.getByText('tea: 12').waitFor()
  assert.equal(await page.getByRole('listitem').count(), 1, 'her own order alone')
  assert.equal(await page.getByText('margin').count(), 0, 'and not what an admin sees')

  // The access token expires; a new one comes without a click, by a frame that the mock answers at once or by a refresh.
  await drive('PUT', '/mock/clock', { advance: '6m' })
  const refused = page.waitForResponse((response) => response.url() === `${MOCK}/orders` && response.status() === 401)
  await page.getByRole('button', { name: 'Show my orders' }).click()
  await refused
  await page.getByText('tea: 12').waitFor()

  // The API fails, and the app says so.
  await drive('POST', '/mock/rules', { match: { path: '/orders' }, times: 1, then: { status: 503 } })
  await page.getByRole('button', { name: 'Show my orders' }).click()
  await page.getByRole('alert').getByText('The API says 503.').waitFor()
  assert.deepEqual(problems.filter((problem) => !/status of 503/.test(problem)), [])
} finally {
  await browser.close()
  site.close()
}
