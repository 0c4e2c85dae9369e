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
import { largeText } from './walk-large-text.mjs'
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

/** Words of buttons, badges and the brand that stand on more than one line. A name (in bdi) may be broken, because it may be endless. */
const splitWords = () => {
  const split = []
  for (const box of document.querySelectorAll('button, .button, .badge, .link, .brand')) {
    const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.parentElement.closest('bdi, .only-read') || !node.parentElement.checkVisibility()) continue
      for (const { 0: word, index } of node.data.matchAll(/[^\s-]+/g)) {
        const range = document.createRange()
        range.setStart(node, index)
        range.setEnd(node, index + word.length)
        if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) split.push(word)
      }
    }
  }
  return split
}

/** Large text on a phone: no word is split, nothing sticks out sideways. */
async function readable(name) {
  await resize(390)
  // Swagger UI is not ours.
  const percents = name.startsWith('api-docs') ? [] : [100, 150, 200]
  for (const percent of percents) {
    await page.evaluate((size) => (document.documentElement.style.fontSize = size), `${percent}%`)
    assert.deepEqual(await page.evaluate(splitWords), [], `${name}: words split at ${percent} %`)
    const wide = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement
      const reach = (element) => element.getBoundingClientRect().right
      const outside = [...document.querySelectorAll('main *')].filter((element) => reach(element) > clientWidth)
      return scrollWidth > clientWidth ? outside.map(({ tagName, id, className }) => `${tagName}#${id}.${className}`) : []
    })
    assert.deepEqual(wide, [], `${name} sticks out at ${percent} %`)
    if (SCREENSHOTS && percent === 200) await shoot(`${name}-390-large`)
  }
  await page.evaluate(() => (document.documentElement.style.fontSize = ''))
}

/** The size is the page's own only after a frame. */
async function resize(width) {
  await page.setViewportSize({ width, height: 900 })
  await page.waitForFunction((width) => innerWidth === width, width)
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
}

async function shoot(name) {
  mkdirSync(SCREENSHOTS, { recursive: true })
  await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true })
}

/** Takes the page's picture at both widths in both schemes, and sees that nothing sticks out, with large text either. */
async function picture(name) {
  await readable(name)
  for (const width of [390, 1280]) {
    for (const colorScheme of ['light', 'dark']) {
      await resize(width)
      await page.emulateMedia({ colorScheme })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert.ok(wide <= 0, `${name} sticks out by ${wide} px at ${width}`)
      if (SCREENSHOTS) await shoot(`${name}-${width}-${colorScheme}`)
    }
  }
}

try {
  await { device, firstParty, keys, largeText, mockJournal, newcomer, person }[SCENARIO]({ page, context, origins, refusals, picture, env: process.env })
  assert.deepEqual(problems, [])
  assert.deepEqual(refusals, [], 'refusals that were announced and did not come')
  // Our pages send none at all, so no query of ours stands in anybody's log.
  const told = (await Promise.all(referers)).filter((referer) => referer?.startsWith(ISSUER))
  assert.deepEqual(told, [])
} catch (error) {
  console.error(`at ${page.url()}\n${await page.content().catch(() => '')}\n${problems.join('\n')}`)
  throw error
} finally {
  await browser.close()
}
