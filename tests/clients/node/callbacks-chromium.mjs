// callbacks.mjs in headless Chromium.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'

import { walk } from './callbacks.mjs'

const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = candidates.find((path) => path && existsSync(path))
assert.ok(executablePath, 'Chromium: install it, or name it in CHROMIUM')
const root = process.getuid?.() === 0
const browser = await chromium.launch({ executablePath, args: root ? ['--no-sandbox'] : [] })
const context = await browser.newContext()
context.setDefaultTimeout(60_000)
const page = await context.newPage()
const violations = []
page.on('console', (message) => {
  if (/content security policy/i.test(message.text())) violations.push(message.text())
})
const session = await context.newCDPSession(page)
await session.send('Page.enable')
const wanted = []
for (const event of ['Page.frameRequestedNavigation', 'Page.frameScheduledNavigation', 'Page.frameStartedNavigating']) {
  session.on(event, ({ url }) => wanted.push(url))
}

const until = async (what, look) => {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((done) => setTimeout(done, 50))) {
    const found = look()
    if (found) return found
  }
  throw new Error(`${what} did not happen: ${JSON.stringify(wanted)}`)
}

try {
  await walk(
    {
      open: (address) => page.goto(address),
      submit: async (form, fields, button) => {
        for (const [name, value] of Object.entries(fields)) await page.fill(`${form} [name=${name}]`, value)
        await page.click(button ? `${form} [value=${button}]` : `${form} [type=submit]`)
      },
      arrives: (address) => page.waitForURL((url) => url.href.split('?')[0] === address),
      tried: (scheme) => until(`a way to ${scheme}`, () => wanted.find((url) => url.startsWith(scheme))),
    },
    process.env,
  )
  assert.deepEqual(violations, [])
} catch (error) {
  console.error(`at ${page.url()}\n${await page.content()}\n${violations.join('\n')}`)
  throw error
} finally {
  await browser.close()
}
