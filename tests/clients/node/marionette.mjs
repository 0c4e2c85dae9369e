// Debian's Firefox, driven by Marionette: length-prefixed JSON over TCP. No driver is packaged for it, and none is needed.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'
const PREFERENCES = {
  'app.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.proxy.type': 0,
  'toolkit.telemetry.enabled': false,
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds))

async function freePort() {
  const server = createServer()
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address()
  await new Promise((done) => server.close(done))
  return port
}

/** A connection to the browser, once it listens. */
async function connected(port, firefox) {
  for (const end = Date.now() + 90_000; Date.now() < end; await pause(100)) {
    if (firefox.exitCode !== null) throw new Error(`Firefox ended with ${firefox.exitCode}`)
    const socket = connect(port, '127.0.0.1')
    const opened = await new Promise((done) => socket.once('connect', () => done(true)).once('error', () => done(false)))
    if (opened) return socket
  }
  throw new Error('Firefox does not listen')
}

// A program opens the addresses of this scheme, as if an app were installed. What Firefox would hand to it is written down
// instead of starting it.
const installed = (scheme) => `
  const { nsContentDispatchChooser } = ChromeUtils.importESModule("resource://gre/modules/ContentDispatchChooser.sys.mjs");
  const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
  file.initWithPath("/bin/true");
  const program = Cc["@mozilla.org/uriloader/local-handler-app;1"].createInstance(Ci.nsILocalHandlerApp);
  program.name = "App";
  program.executable = file;
  const protocols = Cc["@mozilla.org/uriloader/external-protocol-service;1"].getService(Ci.nsIExternalProtocolService);
  const info = protocols.getProtocolHandlerInfo(${JSON.stringify(scheme)});
  info.possibleApplicationHandlers.appendElement(program);
  info.preferredApplicationHandler = program;
  info.preferredAction = Ci.nsIHandlerInfo.useHelperApp;
  info.alwaysAskBeforeHandling = false;
  Cc["@mozilla.org/uriloader/handler-service;1"].getService(Ci.nsIHandlerService).store(info);
  globalThis.openedElsewhere = [];
  nsContentDispatchChooser.prototype.handleURI = async (handler, uri) => { globalThis.openedElsewhere.push(uri.spec); };
`

/** Starts Firefox with a profile of its own, and an app for a scheme. */
export async function launch(executable, scheme) {
  const profile = mkdtempSync(join(tmpdir(), 'lw-firefox-'))
  const port = await freePort()
  const preferences = { ...PREFERENCES, 'marionette.port': port }
  const lines = Object.entries(preferences).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`)
  writeFileSync(join(profile, 'user.js'), lines.join('\n'))
  const environment = { ...process.env, HOME: profile }
  const args = ['--headless', '--no-remote', '--profile', profile, '--marionette', '--remote-allow-system-access']
  const firefox = spawn(executable, args, { env: environment, stdio: 'ignore' })

  const close = async () => {
    const ended = new Promise((done) => (firefox.exitCode === null ? firefox.once('exit', done) : done()))
    firefox.kill('SIGKILL')
    await ended
    rmSync(profile, { recursive: true, force: true })
  }
  try {
    const socket = await connected(port, firefox)
    const call = caller(socket)
    await call.hello
    await call.send('WebDriver:NewSession', { strictFileInteractability: true })
    await call.send('WebDriver:SetTimeouts', { implicit: 30_000, pageLoad: 60_000, script: 30_000 })
    const privileged = async (script) => {
      await call.send('Marionette:SetContext', { value: 'chrome' })
      const { value } = await call.send('WebDriver:ExecuteScript', { script, args: [], sandbox: 'system', newSandbox: false })
      await call.send('Marionette:SetContext', { value: 'content' })
      return value
    }
    await privileged(installed(scheme))
    return { ...verbs(call.send), opened: () => privileged('return globalThis.openedElsewhere'), close }
  } catch (error) {
    await close()
    throw error
  }
}

function caller(socket) {
  let [buffer, last] = [Buffer.alloc(0), 0]
  const waiting = new Map()
  const hello = new Promise((done) => waiting.set('hello', done))
  socket.on('data', (data) => {
    buffer = Buffer.concat([buffer, data])
    for (;;) {
      const colon = buffer.indexOf(':')
      const length = Number(buffer.subarray(0, Math.max(colon, 0)))
      if (colon < 0 || buffer.length < colon + 1 + length) return
      const message = JSON.parse(buffer.subarray(colon + 1, colon + 1 + length))
      buffer = buffer.subarray(colon + 1 + length)
      const id = Array.isArray(message) ? message[1] : 'hello'
      waiting.get(id)?.(message)
      waiting.delete(id)
    }
  })
  const send = (command, parameters = {}) =>
    new Promise((done, fail) => {
      const id = ++last
      waiting.set(id, ([, , error, result]) => (error ? fail(new Error(`${command}: ${error.error}: ${error.message}`)) : done(result)))
      const text = JSON.stringify([0, id, command, parameters])
      socket.write(`${Buffer.byteLength(text)}:${text}`)
    })
  return { hello, send }
}

function verbs(send) {
  const find = async (selector) => {
    const { value } = await send('WebDriver:FindElement', { using: 'css selector', value: selector })
    return value[ELEMENT]
  }
  return {
    open: (url) => send('WebDriver:Navigate', { url }),
    fill: async (selector, text) => send('WebDriver:ElementSendKeys', { id: await find(selector), text }),
    click: async (selector) => send('WebDriver:ElementClick', { id: await find(selector) }),
    url: async () => (await send('WebDriver:GetCurrentURL')).value,
    source: async () => (await send('WebDriver:GetPageSource')).value,
  }
}
