// A newcomer ran `serve --dev`: set-up link, first administrator, playground from start to end.

import assert from 'node:assert/strict'

export async function newcomer({ page, refusals, picture, env }) {
  const { ISSUER, SETUP } = env
  const [username, password] = ['ada', 'a lighthouse in the fog']
  // What is folded is on the page, too.
  const text = () => page.evaluate(() => document.querySelector('main').textContent)
  const inView = async (selector) => {
    const box = await page.locator(selector).boundingBox()
    return box.y >= 0 && box.y + box.height <= page.viewportSize().height
  }
  const setUp = async (again) => {
    await page.fill('[name=username]', username)
    await page.fill('[name=email]', 'ada@people.example')
    await page.fill('[name=password]', password)
    await page.fill('[name=password_again]', again)
    await page.click('#setup [type=submit]')
  }

  // Two different passwords are told, and what was typed otherwise is still there.
  await page.goto(SETUP)
  await picture('setup')
  await setUp('another password')
  assert.equal(await page.inputValue('[name=username]'), username)
  assert.equal(await page.inputValue('[name=password]'), '')
  await picture('setup-errors')
  await setUp(password)
  await page.waitForURL(`${ISSUER}/account**`)
  assert.match(await page.innerText('#flash'), /Welcome/)
  assert.match(await page.innerText('#first-steps'), /latchway client create/)
  await picture('account-welcome')

  // The link died with its use.
  await page.goto(SETUP)
  assert.equal(await page.locator('[name=password_again]').count(), 0, 'the link works once')
  await picture('setup-used')

  // The playground, step by step, as a third-party app.
  const done = (step) => page.waitForSelector(`#step-${step}[data-state=done]`)
  const ready = () => page.waitForSelector('main[data-ready="true"]')
  const act = async (step) => {
    await page.click(`#${step}`)
    await done(step)
  }
  await page.goto(`${ISSUER}/playground`)
  await ready()
  await picture('playground')
  assert.equal(await page.innerText('#start'), 'Start')
  await page.click('#start')
  await page.waitForSelector('#consent')
  await picture('playground-consent')
  await page.click('[name=decision][value=approve]')
  await page.waitForURL(`${ISSUER}/playground/callback`)
  await ready()
  for (const step of ['prepare', 'authorize', 'callback']) await done(step)
  // Whoever comes back is at the next step: in sight, with the focus, what is finished folded away.
  assert.ok(await inView('#exchange'), 'the next button is in sight')
  assert.ok(await page.evaluate(() => document.activeElement.closest('#step-exchange')), 'the next step has the focus')
  for (const step of ['prepare', 'authorize']) assert.ok(await page.isHidden(`#body-${step}`), `${step} is folded`)
  await page.setViewportSize({ width: 390, height: 844 })
  await page.reload()
  await ready()
  await picture('playground-back')
  await page.click('#step-authorize .toggle')
  assert.ok(await page.isVisible('#start'), 'and opens again')
  assert.ok(!(await page.getAttribute('#start', 'class')).includes('primary'), 'its button is not the next thing to do')
  await act('exchange')
  await done('tokens')

  // What was got survives a reload, as a browser's "back" and "reload" do it.
  await page.reload()
  await ready()
  for (const step of ['callback', 'exchange', 'tokens']) await done(step)
  for (const step of ['userinfo', 'introspect', 'refresh']) await act(step)
  assert.equal(await page.locator('#introspection .response').filter({ hasText: '"active": true' }).count(), 1)

  // The thief and then the app are refused by the token endpoint, which Chromium tells in its console.
  refusals.push('400 /oauth2/token', '400 /oauth2/token')
  await act('replay')
  await act('revoke')
  const steps = await page.$$eval('.step', (all) => all.map(({ id, dataset }) => [id, dataset.state]))
  assert.equal(steps.length, 10)
  for (const [id, state] of steps) assert.equal(state, 'done', id)
  assert.equal(await page.locator('[data-ok=false]').count(), 0, 'no check failed')
  assert.ok(await page.isHidden('#problem'), await page.innerText('#problem'))
  const story = await text()
  for (const telling of ['code_challenge', 'at+jwt', '"active": false', 'lwrt_', 'invalid_grant']) {
    assert.ok(story.includes(telling), `the playground shows ${telling}: ${story}`)
  }
  assert.ok(await page.isVisible('#next'), 'what comes next')
  await picture('playground-done')
  await page.$$eval('.toggle[aria-expanded=false]', (all) => all.forEach((toggle) => toggle.click()))
  await picture('playground-open')

  // Once more from the start, and this time a no.
  await page.click('#restart')
  await ready()
  assert.equal(await page.locator('#step-callback[data-state=done]').count(), 0, 'forgotten')
  await page.click('#start')
  await page.click('[name=decision][value=deny]')
  await page.waitForURL(`${ISSUER}/playground/callback`)
  await page.waitForSelector('#step-callback[data-state=failed]')
  assert.match(await text(), /access_denied/)
  assert.ok(await page.isDisabled('#exchange'))
  await picture('playground-denied')

  // The first page of the server leads to all of this.
  await page.goto(ISSUER)
  assert.match(await page.innerText('main'), /First steps/)
  await picture('home')
  await page.click('a[href="/account"]')
  await page.waitForSelector('.panel[data-client-id=playground]')
}
