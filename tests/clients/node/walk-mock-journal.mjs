// The journal of mock mode: it shows what comes without a reload, keeps its filter, and works without JavaScript.

import assert from 'node:assert/strict'

export async function mockJournal({ page, context, picture, refusals, env }) {
  const { ISSUER } = env
  const journal = `${ISSUER}/mock/journal`
  // Requests of an app, which is not this page.
  const ask = (path, options) => fetch(`${ISSUER}${path}`, options)
  const line = (path) => page.locator('li.entry', { has: page.locator(`.path:text-is("${path}")`) })

  await page.goto(journal)
  assert.equal(await page.locator('li.entry').count(), 1)
  await page.waitForSelector('#live:not([hidden])')

  const begin = Date.now()
  await ask('/orders?page=2')
  await line('/orders').waitFor()
  const took = Date.now() - begin
  assert.ok(took < 3000, `a new request shows after ${took} ms`)
  await ask('/payments')
  await ask('/oauth2/token', { method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'x' }) })
  await line('/oauth2/token').waitFor()
  const paths = await page.locator('li.entry .path').allInnerTexts()
  assert.deepEqual(paths.slice(0, 3), ['/oauth2/token', '/payments', '/orders'], 'the newest first')
  assert.equal(await page.innerText('#count'), '4')

  // It is told, and not more often than every few seconds.
  await page.waitForFunction(() => /new request/.test(document.getElementById('news').textContent), null, { timeout: 7000 })

  await line('/payments').locator('summary').click()
  assert.match(await line('/payments').innerText(), /rule down[\s\S]*Request[\s\S]*Response[\s\S]*"error": "down"/)
  await picture('mock-journal')

  // What is open stays open when more comes.
  await ask('/later')
  await line('/later').waitFor()
  assert.ok(await line('/payments').locator('details').evaluate((details) => details.open))

  await page.click('#pause')
  await ask('/unseen')
  await page.waitForTimeout(800)
  assert.equal(await line('/unseen').count(), 0)
  await page.click('#pause')
  await line('/unseen').waitFor()

  // By the keyboard, and with a filter that holds for what comes, too.
  await page.focus('#text')
  await page.keyboard.type('pay')
  await page.keyboard.press('Enter')
  await page.waitForURL(/text=pay/)
  assert.equal(await page.locator('li.entry').count(), 1)
  await ask('/other')
  await ask('/payments/2')
  await line('/payments/2').waitFor()
  assert.equal(await line('/other').count(), 0)

  await line('/payments/2').locator('summary').click()
  await line('/payments/2').locator('dd a').click()
  await page.waitForURL(/\/mock\/journal\/\d+$/)
  await picture('mock-journal-one')
  await page.goto(journal)
  await page.waitForSelector('#clear:not([hidden])')
  await page.click('#clear')
  await page.waitForSelector('#empty:not([hidden])')
  await picture('mock-journal-empty')

  // Without JavaScript: a page with a link to load it again.
  await ask('/plain')
  const plain = await context.browser().newContext({ javaScriptEnabled: false })
  const still = await plain.newPage()
  await still.goto(journal)
  assert.equal(await still.locator('li.entry').count(), 1)
  await ask('/plain')
  await still.click('#reload')
  assert.equal(await still.locator('li.entry').count(), 2)
  await plain.close()
  refusals.length = 0
}
