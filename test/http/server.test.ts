/** The port itself: when it is ready, whom it answers, what it closes. */
import { afterEach, describe, expect, test } from 'bun:test'
import { connect as connectTcp } from 'node:net'
import { HttpServer } from '../../src/http/server.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { silentLogger } from '../../src/storage/logger.ts'
import { ManualTimers } from '../../src/storage/timers-manual.ts'
import { type Serving, serving, until } from './support.ts'

const servers: HttpServer[] = []
const running: Serving[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
  for (const each of running.splice(0)) await each.stop()
})

function manual() {
  const clock = new ManualClock()
  return { clock, timers: new ManualTimers(clock) }
}

async function start(options: ReturnType<typeof manual> = manual(), port = 0): Promise<HttpServer> {
  const server = await HttpServer.start({ listen: { host: '127.0.0.1', port }, logger: silentLogger, ...options })
  servers.push(server)
  return server
}

describe('health', () => {
  test('is not ready before the broker is, and nothing else is served', async () => {
    const server = await start()
    const at = `http://127.0.0.1:${server.port}`
    const health = await fetch(`${at}/healthz`)
    expect([health.status, await health.text()]).toEqual([503, 'not ready\n'])
    expect((await fetch(`${at}/v1/topics/t/partitions`)).status).toBe(503)
  })

  test('is ready while it serves', async () => {
    const samsa = await serving()
    running.push(samsa)
    const health = await fetch(samsa.url('/healthz'))
    expect([health.status, await health.text()]).toEqual([200, 'ready\n'])
    expect((await fetch(samsa.url('/healthz'), { method: 'HEAD' })).status).toBe(200)
  })
})

describe('whom it answers', () => {
  test.each([
    ['localhost:1', 200],
    ['127.0.0.1', 200],
    ['[::1]:9080', 200],
    ['rebound.example', 421],
    ['rebound.example:9080', 421],
  ])('Host %s: %d', async (host, status) => {
    const samsa = await serving()
    running.push(samsa)
    expect((await fetch(samsa.url('/healthz'), { headers: { host } })).status).toBe(status)
  })
})

describe('connections', () => {
  test('that send no whole request, or nothing more, are closed', async () => {
    const options = manual()
    const server = await start(options)
    const sockets = ['', 'GET /healthz HT', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'].map((text) => {
      const socket = connectTcp(server.port, '127.0.0.1', () => socket.write(text))
      socket.on('error', () => undefined)
      socket.resume()
      return new Promise<void>((resolve) => socket.on('close', () => resolve()))
    })
    await until(() => server.connectionCount === 3)
    options.timers.advance(35_000)
    await Promise.all(sockets)
    expect(server.connectionCount).toBe(0)
  })

  test('that send rubbish are answered with an error, and others go on', async () => {
    const server = await start()
    for (const rubbish of [
      '\x00\x01\x02\r\n\r\n',
      'GET nowhere\r\n\r\n',
      `GET / HTTP/1.1\r\nA: ${'x'.repeat(100_000)}\r\n\r\n`,
    ]) {
      const socket = connectTcp(server.port, '127.0.0.1', () => socket.write(rubbish))
      socket.on('error', () => undefined)
      const chunks: string[] = []
      socket.on('data', (chunk) => chunks.push(chunk.toString('latin1')))
      await new Promise<void>((resolve) => socket.on('close', () => resolve()))
      expect(chunks.join('')).toMatch(/^HTTP\/1\.1 4\d\d |^$/)
    }
    expect((await fetch(`http://127.0.0.1:${server.port}/healthz`)).status).toBe(503)
  })
})

describe('a request', () => {
  test('with a body that nobody asked for is refused, and its connection closed', async () => {
    const server = await start()
    const { status, answer } = await raw(
      server,
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nGET /evil',
    )
    expect(status).toBe(400)
    expect(answer).toContain('unexpected_body')
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
  })

  test.each([
    ['GET http://localhost/healthz HTTP/1.1', 503],
    ['GET //healthz HTTP/1.1', 404],
    ['GET /healthz/../../etc/passwd HTTP/1.1', 404],
    ['GET /healthz?x=%00 HTTP/1.1', 503],
  ])('%s: %d', async (line, expected) => {
    const { status } = await raw(await start(), `${line}\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    expect(status).toBe(expected)
  })
})

/** Sends the text as it is, and reads until the server closes. */
async function raw(server: HttpServer, text: string): Promise<{ status: number; answer: string }> {
  const socket = connectTcp(server.port, '127.0.0.1', () => socket.write(text))
  const chunks: string[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk.toString('latin1')))
  socket.on('error', () => undefined)
  await new Promise<void>((resolve) => socket.on('close', () => resolve()))
  const answer = chunks.join('')
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]), answer }
}

describe('a port that is taken', () => {
  test('is an error that names it', async () => {
    const first = await start()
    const second = HttpServer.start({
      listen: { host: '127.0.0.1', port: first.port },
      logger: silentLogger,
      ...manual(),
    })
    expect(second).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: `cannot listen on 127.0.0.1:${first.port} (http): the port is in use`,
    })
  })
})
