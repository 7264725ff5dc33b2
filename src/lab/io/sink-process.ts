// Takes bytes from a socket and forgets them: the other end of the lab's `send-` methods, started as a process by sink.ts through `samsa lab io-sink`.
// One transfer at a time: what is left of the one before is forgotten when the next begins.

import type { Socket, TCPSocketListener } from 'bun'
import { crc32cOf } from '../../storage/crc32c.ts'
import type { SinkNews, SinkOrder } from './sink.ts'

const HEADER_END = Buffer.from('\r\n\r\n')
const HEADER_BYTES_MAX = 64 * 1024

class Transfer {
  readonly id: number
  readonly #withChecksum: boolean
  /** Bytes of an HTTP header seen so far; null where there is none, or it is over. */
  #header: Buffer | null
  #received = 0
  #expected = Number.POSITIVE_INFINITY
  #checksum = 0

  constructor(id: number, withChecksum: boolean, hasHeader: boolean) {
    this.id = id
    this.#withChecksum = withChecksum
    this.#header = hasHeader ? Buffer.alloc(0) : null
  }

  take(bytes: Buffer): void {
    const body = this.#header === null ? bytes : this.#skipHeader(bytes)
    if (this.#withChecksum) this.#checksum = crc32cOf(body, 0, body.length, this.#checksum)
    this.#received += body.length
    this.#report()
  }

  expect(bytes: number): void {
    this.#expected = bytes
    this.#report()
  }

  fail(reason: string): void {
    tell({ kind: 'failed', id: this.id, reason })
  }

  #report(): void {
    if (this.#received < this.#expected) return
    this.#expected = Number.POSITIVE_INFINITY
    tell({ kind: 'completed', id: this.id, checksum: this.#withChecksum ? this.#checksum : null })
  }

  #skipHeader(bytes: Buffer): Buffer {
    const header = Buffer.concat([this.#header ?? Buffer.alloc(0), bytes])
    const end = header.indexOf(HEADER_END)
    if (end < 0 && header.length < HEADER_BYTES_MAX) {
      this.#header = header
      return Buffer.alloc(0)
    }
    this.#header = null
    const isOk = header.toString('latin1', 0, 12) === 'HTTP/1.1 200'
    if (end < 0 || !isOk) this.fail(`the server answered ${header.toString('latin1', 0, 40)}`)
    return header.subarray(end + HEADER_END.length)
  }
}

let transfer: Transfer | null = null
let listener: TCPSocketListener | null = null
let download: Socket | null = null

function tell(news: SinkNews): void {
  process.send?.(news)
}

const handlers = {
  data: (_: Socket, bytes: Buffer) => transfer?.take(bytes),
  error: (_: Socket, error: Error) => transfer?.fail(error.message),
}

async function obey(order: SinkOrder): Promise<void> {
  if (order.kind === 'expect') {
    if (transfer?.id === order.id) transfer.expect(order.bytes)
    return
  }
  download?.terminate()
  transfer = new Transfer(order.id, order.checksum, order.kind === 'download')
  if (order.kind === 'receive') {
    listener ??= Bun.listen({ hostname: '127.0.0.1', port: 0, socket: handlers })
    tell({ kind: 'listening', id: order.id, port: listener.port })
    return
  }
  download = await Bun.connect({ hostname: '127.0.0.1', port: order.port, socket: handlers })
  tell({ kind: 'listening', id: order.id, port: 0 })
  download.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
}

/** Resolves when the process that started this one lets go of it. */
export function serveSink(): Promise<void> {
  process.on('message', (order: SinkOrder) => {
    obey(order).catch((error) => transfer?.fail(String(error)))
  })
  // Ctrl-C goes to both processes; the other one decides when this one ends.
  process.on('SIGINT', () => undefined)
  tell({ kind: 'ready', id: 0 })
  return new Promise((resolve) => process.on('disconnect', resolve))
}
