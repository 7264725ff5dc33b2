/** A broker with its HTTP port inside the test process, and raw connections to it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Broker } from '../../src/broker/server.ts'
import type { Connection } from '../../src/client/connection.ts'
import { HttpServer, type HttpServerOptions } from '../../src/http/server.ts'
import type { Log } from '../../src/log/log.ts'
import { realClock } from '../../src/storage/clock-real.ts'
import { silentLogger } from '../../src/storage/logger.ts'
import { RealTimers } from '../../src/storage/timers-real.ts'
import { connect, startBroker, type TestBrokerOptions } from '../broker/support/test-broker.ts'

export interface Serving {
  readonly broker: Broker
  readonly http: HttpServer
  readonly connection: Connection
  /** Of the data; empty with memory storage. */
  readonly folder: string
  url(path: string): string
  log(topic: string, partition?: number): Log
  /** Smaller segments than topics may be configured to have. */
  rollAt(topic: string, segmentBytes: number): void
  stop(): Promise<void>
}

export interface ServingOptions extends TestBrokerOptions {
  readonly http?: Partial<HttpServerOptions>
  readonly onDisk?: boolean
}

export async function serving({
  http: httpOptions = {},
  onDisk = false,
  ...options
}: ServingOptions = {}): Promise<Serving> {
  const folder = onDisk ? mkdtempSync(join(tmpdir(), 'samsa-http-')) : ''
  const stored = onDisk ? ({ storage: 'disk', durability: 'os', dataDirectory: folder } as const) : {}
  const broker = await startBroker({ ...stored, ...options })
  const http = await HttpServer.start({
    listen: { host: '127.0.0.1', port: 0 },
    clock: realClock,
    timers: new RealTimers(realClock),
    logger: silentLogger,
    ...httpOptions,
  })
  http.ready(broker.context)
  const connection = await connect(broker)
  const log = (topic: string, partition = 0): Log => {
    const found = broker.context.partitions.get(topic, partition)?.log
    if (found === undefined || found === null) throw new Error(`no log of ${topic}-${partition}`)
    return found
  }
  return {
    broker,
    http,
    connection,
    folder,
    url: (path) => `http://127.0.0.1:${http.port}${path}`,
    log,
    rollAt(topic, segmentBytes) {
      const { config } = log(topic)
      log(topic).config = { ...config, segmentBytes }
    },
    async stop() {
      await connection.close()
      await http.stop()
      await broker.stop()
      if (folder !== '') rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A reader that takes bytes only when it is told to. */
export class SlowReader {
  readonly #socket: Socket
  readonly #chunks: Buffer[] = []
  readonly closed: Promise<void>

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
    socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()))
  }

  static async get(port: number, path: string): Promise<SlowReader> {
    const socket = connectTcp(port, '127.0.0.1')
    const reader = new SlowReader(socket)
    await new Promise<void>((resolve) => socket.once('connect', resolve))
    socket.pause()
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    return reader
  }

  read(): void {
    this.#socket.resume()
  }

  leave(): void {
    this.#socket.destroy()
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get head(): string {
    const text = this.received.subarray(0, 4096).toString('latin1')
    return text.slice(0, text.indexOf('\r\n\r\n'))
  }

  get body(): Buffer {
    const received = this.received
    return received.subarray(received.indexOf('\r\n\r\n') + 4)
  }
}

/** Looks again after every turn of the event loop until it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => setImmediate(resolve))
}
