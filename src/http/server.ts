/**
 * The HTTP port: turns requests into routes and their replies into bytes, and bounds connections and downloads. Opened by `samsa serve`
 * beside the broker, before it, so that "not ready" can be asked for.
 *
 * node:http and not Bun.serve, which drops the Content-Length of a body that is streamed (docs/adr/0011-http-downloads.md).
 *
 * What must hold: nothing here waits on the event loop for a disk or a reader; an error in a request never reaches beyond it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isIP, type Socket } from 'node:net'
import type { BrokerContext } from '../broker/api.ts'
import { BrokerStartError } from '../broker/start-error.ts'
import { LogDamage } from '../log/log-read.ts'
import { type Clock, elapsedMs } from '../storage/clock.ts'
import { DiskError } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import { Downloads } from './downloads.ts'
import { HTTP_CONNECTIONS_MAX, HTTP_IDLE_MS, HTTP_STOP_GRACE_MS, HTTP_SWEEP_MS } from './limits.ts'
import { BytesGone } from './log-bytes.ts'
import { errorReply, HttpError, type HttpRequest, type Reply } from './reply.ts'
import { answer } from './routes.ts'

export interface HttpServerOptions {
  readonly listen: { readonly host: string; readonly port: number }
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
  /** Smaller ones for tests; those of limits.ts unless given. */
  readonly limits?: { readonly downloads?: number; readonly stallMs?: number; readonly idleMs?: number }
}

interface Connected {
  /** Downloads under way: they have a clock of their own. */
  downloads: number
  /** When a request last came or its answer left. */
  lastActiveMs: number
}

const SWEEP_TIMER = 'http/sweep'
const STOP_TIMER = 'http/stop'

export class HttpServer {
  readonly host: string
  readonly port: number
  readonly #options: HttpServerOptions
  readonly #server: Server
  readonly #downloads: Downloads
  readonly #connections: Map<Socket, Connected>
  readonly #idleMs: number
  #broker: BrokerContext | null = null

  private constructor(options: HttpServerOptions, server: Server, port: number) {
    const { listen, clock, timers, logger, limits = {} } = options
    this.#options = options
    this.#server = server
    this.host = listen.host
    this.port = port
    this.#connections = new Map()
    this.#idleMs = limits.idleMs ?? HTTP_IDLE_MS
    this.#downloads = new Downloads({
      clock,
      timers,
      logger,
      ...(limits.downloads === undefined ? {} : { most: limits.downloads }),
      ...(limits.stallMs === undefined ? {} : { stallMs: limits.stallMs }),
    })
    server.on('connection', (socket) => this.#connected(socket))
    server.on('request', (request, response) => void this.#handle(request, response))
    // Whoever sends what is no request has been answered with 400 already.
    server.on('clientError', (_error, socket) => socket.destroy())
    this.#scheduleSweep()
  }

  /** Throws BrokerStartError. */
  static async start(options: HttpServerOptions): Promise<HttpServer> {
    const { host, port } = options.listen
    const server = createServer()
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(listenError(host, port, error)))
      server.listen(port, host, resolve)
    })
    const bound = server.address()
    return new HttpServer(options, server, typeof bound === 'object' && bound !== null ? bound.port : port)
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  get downloadCount(): number {
    return this.#downloads.count
  }

  /** The broker takes clients from now on. */
  ready(broker: BrokerContext): void {
    this.#broker = broker
  }

  /** Refuses what is new, cuts the downloads, and closes. */
  async stop(): Promise<void> {
    this.#broker = null
    const { timers, clock } = this.#options
    timers.cancel(SWEEP_TIMER)
    this.#downloads.stop()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const [socket, { downloads }] of this.#connections) if (downloads === 0) socket.destroy()
    timers.schedule(STOP_TIMER, clock.now() + HTTP_STOP_GRACE_MS, () => this.#server.closeAllConnections())
    await closed
    timers.cancel(STOP_TIMER)
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const connected = this.#connections.get(incoming.socket)
    const active = (): void => {
      if (connected !== undefined) connected.lastActiveMs = this.#options.clock.monotonic()
    }
    active()
    response.on('close', active)
    // A reader that goes away in the middle is no failure of ours.
    response.on('error', () => undefined)
    const reply = await this.#reply(incoming)
    if (response.destroyed) {
      if (typeof reply.body !== 'string') reply.body.release()
      return
    }
    if (connected !== undefined) connected.downloads++
    await this.#send(incoming.method ?? '', response, reply)
    if (connected !== undefined) connected.downloads--
  }

  async #reply(incoming: IncomingMessage): Promise<Reply> {
    try {
      const request = requestFrom(incoming)
      this.#checkHost(request)
      return await answer(this.#broker, request)
    } catch (error) {
      return errorReply(this.#httpError(error, incoming))
    }
  }

  async #send(method: string, response: ServerResponse, reply: Reply): Promise<void> {
    const { status, headers, body } = reply
    if (typeof body === 'string') {
      const isEmpty = status === 304 || status === 204
      // Whatever body came with a refused method is not read: the connection cannot be used again.
      const closing = method === 'GET' || method === 'HEAD' ? {} : { connection: 'close' }
      const length = isEmpty ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      response.writeHead(status, { ...headers, ...length, ...closing })
      response.end(method === 'HEAD' || isEmpty ? undefined : body)
      return
    }
    if (method === 'HEAD') {
      body.release()
      response.writeHead(status, { ...headers, 'content-length': String(body.sizeBytes) })
      response.end()
      return
    }
    try {
      this.#downloads.checkRoom()
    } catch (error) {
      body.release()
      if (!(error instanceof HttpError)) throw error
      return this.#send(method, response, errorReply(error))
    }
    response.writeHead(status, { ...headers, 'content-length': String(body.sizeBytes) })
    await this.#downloads.send(response, body)
  }

  /**
   * A page that a browser loaded from elsewhere may point a name of its own at the loopback address, and would then read topics as if
   * it came from here (DNS rebinding). It cannot change the Host header.
   */
  #checkHost(request: HttpRequest): void {
    if (!isLoopback(this.host)) return
    const name = hostIn(request.header('host') ?? '')
    if (name === '' || name === 'localhost' || name === this.host || isIP(name) !== 0) return
    throw new HttpError(421, 'wrong_host', `this port serves local clients, not '${name}'`)
  }

  #httpError(error: unknown, incoming: IncomingMessage): HttpError {
    if (error instanceof HttpError) return error
    const { logger } = this.#options
    if (error instanceof BytesGone) {
      const message = 'segments went away meanwhile; ask again'
      return new HttpError(503, 'log_changed', message, { headers: { 'retry-after': '0' } })
    }
    if (error instanceof LogDamage || error instanceof DiskError) {
      logger.error('an HTTP request found data that cannot be read', { path: incoming.url, reason: error.message })
      return new HttpError(500, 'storage_error', 'the data cannot be read; the log of the broker says why')
    }
    logger.error('an HTTP request failed: this is a bug in Samsa', { path: incoming.url, error })
    return new HttpError(500, 'internal_error', 'the request failed; the log of the broker says why')
  }

  #connected(socket: Socket): void {
    if (this.#connections.size >= HTTP_CONNECTIONS_MAX) {
      socket.destroy()
      return
    }
    this.#connections.set(socket, { downloads: 0, lastActiveMs: this.#options.clock.monotonic() })
    socket.on('close', () => this.#connections.delete(socket))
    socket.on('error', () => undefined)
  }

  #scheduleSweep(): void {
    const { timers, clock } = this.#options
    timers.schedule(SWEEP_TIMER, clock.now() + Math.min(HTTP_SWEEP_MS, this.#idleMs), () => {
      for (const [socket, { downloads, lastActiveMs }] of this.#connections) {
        if (downloads === 0 && elapsedMs(lastActiveMs, clock.monotonic()) >= this.#idleMs) socket.destroy()
      }
      this.#scheduleSweep()
    })
  }
}

function requestFrom(incoming: IncomingMessage): HttpRequest {
  const { headers, method = '' } = incoming
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  if (hasBody && (method === 'GET' || method === 'HEAD')) {
    // Nobody reads it, so nothing that follows on the connection could be told from it.
    throw new HttpError(400, 'unexpected_body', `a ${method} has no body here`, { headers: { connection: 'close' } })
  }
  const url = URL.parse(incoming.url ?? '/', 'http://localhost')
  if (url === null) throw new HttpError(400, 'bad_path', `'${incoming.url}' is not a path`)
  return {
    method,
    url,
    header: (name) => {
      const value = headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
  }
}

/** The name in a Host header, without port and brackets. */
function hostIn(header: string): string {
  const match = /^\[([^\]]*)\]|^([^:]*)/.exec(header.trim().toLowerCase())
  return match?.[1] ?? match?.[2] ?? ''
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function listenError(host: string, port: number, error: Error): BrokerStartError {
  const code = 'code' in error ? String(error.code) : ''
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  if (code === 'EADDRINUSE') {
    return new BrokerStartError('PORT_IN_USE', `cannot listen on ${address} (http): the port is in use`, {
      cause: error,
    })
  }
  return new BrokerStartError('ADDRESS_UNUSABLE', `cannot listen on ${address} (http): ${error.message}`, {
    cause: error,
  })
}
