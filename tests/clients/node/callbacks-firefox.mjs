// callbacks.mjs in headless Firefox, as Debian has it.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'

import { walk } from './callbacks.mjs'
import { launch } from './marionette.mjs'

const executable = [process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox'].find((path) => path && existsSync(path))
assert.ok(executable, 'Firefox: install firefox-esr, or name it in FIREFOX')
const browser = await launch(executable, 'com.example.app')

const until = async (what, look) => {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((done) => setTimeout(done, 50))) {
    const found = await look()
    if (found) return found
  }
  throw new Error(`${what} did not happen`)
}

try {
  await walk(
    {
      open: browser.open,
      submit: async (form, fields, button) => {
        for (const [name, value] of Object.entries(fields)) await browser.fill(`${form} [name=${name}]`, value)
        await browser.click(button ? `${form} [value=${button}]` : `${form} [type=submit]`)
      },
      arrives: (address) => until(`arriving at ${address}`, async () => (await browser.url()).split('?')[0] === address),
      tried: (scheme) => until(`a way to ${scheme}`, async () => (await browser.opened()).find((url) => url.startsWith(scheme))),
    },
    process.env,
  )
} catch (error) {
  console.error(`at ${await browser.url().catch(String)}\n${await browser.source().catch(String)}`)
  throw error
} finally {
  await browser.close()
}
process.exit(0)
