// An app that receives the answers of authorization requests.

import { createServer } from 'node:http'

/** The app: keeps what it is sent back with. */
export async function app() {
  const received = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (data) => (body += data))
    request.on('end', () => {
      const params = request.method === 'POST' ? new URLSearchParams(body) : new URL(request.url, 'http://app').searchParams
      if (request.url.startsWith('/cb')) received.push(params)
      response.setHeader('content-type', 'text/html')
      response.end('<!doctype html><link rel="icon" href="data:,"><title>The app</title><h1>The app</h1>')
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { received, origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}
