// Headless Chromium through the pages. SCENARIO names the walk.
//
// Each walk fails if a page is not where it should be, if a form does not work without a reload of what it said, if the
// console shows an error or a violated content security policy, if anything is requested from another origin than the
// server's (and the app's, once the person is back there), or if a page is wider than a phone.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync } from 'node:fs'
import { chromium } from 'playwright-core'

import { device } from './walk-device.mjs'
import { firstParty } from './walk-first-party.mjs'
import { keys } from './walk-keys.mjs'
import { mockJournal } from './walk-mock-journal.mjs'
import { newcomer } from './walk-newcomer.mjs'
import { person } from './walk-person.mjs'

const { ISSUER, SCENARIO, SCREENSHOTS, CHROMIUM } = process.env
const candidates = [CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = candidates.find((path) => path && existsSync(path))
assert.ok(executablePath, 'Chromium: install it, or name it in CHROMIUM')

const root = process.getuid?.() === 0
const browser = await chromium.launch({ executablePath, args: root ? ['--no-sandbox'] : [] })
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' })
context.setDefaultTimeout(15_000)
const page = await context.newPage()

const problems = []
const refusals = []
const referers = []
const origins = new Set([new URL(ISSUER).origin])
page.on('pageerror', (error) => problems.push(`script: ${error}`))
page.on('console', (message) => {
  if (!['error', 'warning'].includes(message.type())) return
  // Chromium reports a 4xx as an error too: pages are looked at by the walks, and other refusals announced by them.
  const { url } = message.location()
  const refusal = /the server responded with a status of (4\d\d)/.exec(message.text())?.[1]
  const announced = refusals.indexOf(`${refusal} ${new URL(url || 'about:blank').pathname}`)
  if (announced >= 0) refusals.splice(announced, 1)
  else if (!refusal || url !== page.url()) problems.push(`console: ${message.text()} at ${url}`)
})
context.on('request', (request) => {
  const url = new URL(request.url())
  if (/^https?:/.test(url.protocol) && !origins.has(url.origin)) problems.push(`request to ${url.origin}`)
  referers.push(request.allHeaders().then(({ referer }) => referer, () => undefined))
})
await context.addInitScript(() => {
  document.addEventListener('securitypolicyviolation', (event) =>
    console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`),
  )
})

/** Takes the page's picture at both widths in both schemes, and sees that nothing sticks out. */
async function picture(name) {
  for (const width of [390, 1280]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert.ok(wide <= 0, `${name} sticks out by ${wide} px at ${width}`)
      if (!SCREENSHOTS) continue
      mkdirSync(SCREENSHOTS, { recursive: true })
      await page.screenshot({ path: `${SCREENSHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: true })
    }
  }
}

try {
  await { device, firstParty, keys, mockJournal, newcomer, person }[SCENARIO]({ page, context, origins, refusals, picture, env: process.env })
  assert.deepEqual(problems, [])
  assert.deepEqual(refusals, [], 'refusals that were announced and did not come')
  // Our pages send none at all, so no query of ours stands in anybody's log.
  const told = (await Promise.all(referers)).filter((referer) => referer?.startsWith(ISSUER))
  assert.deepEqual(told, [])
} catch (error) {
  console.error(`at ${page.url()}\n${await page.content()}\n${problems.join('\n')}`)
  throw error
} finally {
  await browser.close()
}
