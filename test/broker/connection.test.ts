/** One connection over a socket that the test plays: order, overlap, closing, and what it may hold. */

import { describe, expect, test } from 'bun:test'
import apiVersions from '../../src/broker/api/18-api-versions.ts'
import { type Api, type BrokerContext, defineApi, type Reply } from '../../src/broker/api.ts'
import { Connection, type ConnectionHost, type ConnectionSocket } from '../../src/broker/connection.ts'
import { Dispatcher } from '../../src/broker/dispatch.ts'
import { CLOSE_GRACE_MS, CONNECTION_REQUEST_BYTES_MAX, CONNECTION_UNREAD_BYTES_MAX } from '../../src/broker/limits.ts'
import { RequestBudget } from '../../src/broker/request-budget.ts'
import { unthrottled } from '../../src/broker/throttle.ts'
import { Features } from '../../src/metadata/features.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { decodeResponse, encodeRequest, FrameReader } from '../../src/protocol/frame.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/18-api-versions.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import type { Logger } from '../../src/storage/logger.ts'
import { ManualTimers } from '../../src/storage/timers-manual.ts'

const features = await Features.load(new MemoryMetadataStore({ clock: new ManualClock(0) }), 1)

const PRODUCE_VERSION = 9
const HEARTBEAT_VERSION = 4
const FETCH_VERSION = 11

class FakeSocket implements ConnectionSocket {
  readonly remoteAddress = '::ffff:10.0.0.7'
  readonly remotePort = 40_000
  readonly localAddress = '::ffff:10.0.0.1'
  readonly localPort = 9092
  room = Number.POSITIVE_INFINITY
  isPaused = false
  isShut = false
  isTerminated = false
  readonly frames: Buffer[] = []
  writes = 0
  readonly #reader = new FrameReader(1 << 30)

  write(bytes: Uint8Array, offset: number, length: number): number {
    const taken = Math.min(length, this.room)
    this.room -= taken
    if (taken > 0) this.writes++
    this.#reader.push(Buffer.from(bytes.subarray(offset, offset + taken)), (chunks) => {
      this.frames.push(Buffer.concat(chunks))
    })
    return taken
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  shutdown(): void {
    this.isShut = true
  }

  terminate(): void {
    this.isTerminated = true
  }

  /** Correlation ids of the answers, in the order they were sent. */
  get answered(): number[] {
    return this.frames.map((frame) => frame.readInt32BE(0))
  }
}

/** A connection, its requests that wait for the test to answer them, and what was logged. */
class Bench {
  readonly socket = new FakeSocket()
  readonly clock = new ManualClock(1_000_000)
  readonly timers = new ManualTimers(this.clock)
  readonly warnings: string[] = []
  readonly produces: {
    correlationId: number
    reply: Reply<typeof ProduceResponse>
    refuse: (reason: string) => void
  }[] = []
  readonly fetches: { correlationId: number; reply: Reply<typeof FetchResponse> }[] = []
  /** Correlation ids in the order in which requests began. */
  readonly begun: number[] = []
  readonly abandoned: number[] = []
  readonly budget = new RequestBudget()
  readonly connection: Connection
  isClosed = false
  #dirty: Connection[] = []

  constructor(options: { maxRequestBytes?: number } = {}) {
    const logger: Logger = {
      debug() {},
      info() {},
      warn: (_message, fields) => this.warnings.push(String(fields?.reason)),
      error: (message, fields) => this.warnings.push(`${message}: ${fields?.error}`),
    }
    const apis = this.#apis()
    const broker = { apis, logger, clock: this.clock, image: { revision: 1 }, features } as unknown as BrokerContext
    const host: ConnectionHost = {
      broker,
      dispatcher: new Dispatcher(apis, unthrottled),
      budget: this.budget,
      logger,
      timers: this.timers,
      maxRequestBytes: options.maxRequestBytes ?? 100 * 1024 * 1024,
      nowMs: () => this.clock.now(),
      monotonicMs: () => this.clock.monotonic(),
      flushLater: (connection) => this.#dirty.push(connection),
      closed: () => {
        this.isClosed = true
      },
    }
    this.connection = new Connection(host, this.socket, 1)
  }

  /** What the listener does at the end of a turn. */
  flush(): void {
    const dirty = this.#dirty
    this.#dirty = []
    for (const connection of dirty) connection.flush()
  }

  receive(...frames: Buffer[]): void {
    this.connection.onData(Buffer.concat(frames))
    this.flush()
  }

  #apis(): Api[] {
    return [
      defineApi({
        key: 0,
        name: 'Produce',
        request: ProduceRequest,
        response: ProduceResponse,
        versions: [3, 13],
        handleLater: (context, _request, reply) => {
          this.begun.push(context.correlationId)
          this.produces.push({
            correlationId: context.correlationId,
            reply,
            refuse: (reason) => context.refuse(reason),
          })
        },
      }),
      defineApi({
        key: 1,
        name: 'Fetch',
        request: FetchRequest,
        response: FetchResponse,
        versions: [4, 18],
        handleLater: (context, _request, reply) => {
          this.begun.push(context.correlationId)
          context.onAbandoned(() => this.abandoned.push(context.correlationId))
          this.fetches.push({ correlationId: context.correlationId, reply })
        },
      }),
      defineApi({
        key: 12,
        name: 'Heartbeat',
        request: HeartbeatRequest,
        response: HeartbeatResponse,
        versions: [0, 4],
        handle: (context, request) => {
          this.begun.push(context.correlationId)
          if (request.groupId === 'throw') throw new Error('a bug')
          if (request.groupId === 'reject') return Promise.reject(new Error('a later bug'))
          return { errorCode: 0 }
        },
      }),
      apiVersions,
    ]
  }
}

function produce(correlationId: number, recordBytes = 0): Buffer {
  const records = recordBytes === 0 ? [] : [Buffer.alloc(recordBytes)]
  const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }]
  const request = { transactionalId: null, acks: 1, timeoutMs: 0, topicData }
  return Buffer.concat(encodeRequest(ProduceRequest, PRODUCE_VERSION, correlationId, 'test', request))
}

function heartbeat(correlationId: number, groupId = 'g'): Buffer {
  const request = { groupId, generationId: 1, memberId: 'm', groupInstanceId: null }
  return Buffer.concat(encodeRequest(HeartbeatRequest, HEARTBEAT_VERSION, correlationId, 'test', request))
}

function fetch(correlationId: number): Buffer {
  const request = { maxWaitMs: 0, minBytes: 0, topics: [] }
  return Buffer.concat(encodeRequest(FetchRequest, FETCH_VERSION, correlationId, 'test', request))
}

/** Key, version, correlation id, null client id; then whatever follows. */
function rawRequest(key: number, version: number, correlationId: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(14)
  head.writeInt32BE(10 + body.length, 0)
  head.writeInt16BE(key, 4)
  head.writeInt16BE(version, 6)
  head.writeInt32BE(correlationId, 8)
  head.writeInt16BE(-1, 12)
  return Buffer.concat([head, body])
}

function lengthPrefix(length: number): Buffer {
  const prefix = Buffer.alloc(4)
  prefix.writeInt32BE(length)
  return prefix
}

const PRODUCED = { responses: [], throttleTimeMs: 0 }

function fetched(bytes: number) {
  const records = [Buffer.alloc(bytes)]
  const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 0, abortedTransactions: null, records }
  return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses: [{ topic: 't', partitions: [partition] }] }
}

describe('order', () => {
  test('pipelined requests are answered in order, in one write', () => {
    const bench = new Bench()
    bench.receive(heartbeat(1), heartbeat(2), heartbeat(3))
    expect(bench.socket.answered).toEqual([1, 2, 3])
    expect(bench.socket.writes).toBe(1)
  })

  test('a request behind a waiting one does not begin before that one is answered', () => {
    const bench = new Bench()
    bench.receive(fetch(1), heartbeat(2))
    expect(bench.begun).toEqual([1])
    bench.fetches[0]!.reply(fetched(10))
    bench.flush()
    expect(bench.begun).toEqual([1, 2])
    expect(bench.socket.answered).toEqual([1, 2])
  })

  test('Produces begin while earlier Produces wait, and are answered in order all the same', () => {
    const bench = new Bench()
    bench.receive(produce(1), produce(2), produce(3))
    expect(bench.begun).toEqual([1, 2, 3])
    bench.produces[2]!.reply(PRODUCED)
    bench.produces[1]!.reply(PRODUCED)
    bench.flush()
    expect(bench.socket.answered).toEqual([])
    bench.produces[0]!.reply(PRODUCED)
    bench.flush()
    expect(bench.socket.answered).toEqual([1, 2, 3])
  })

  test('nothing else overlaps: not a request behind a Produce, not a Produce behind a request', () => {
    const bench = new Bench()
    bench.receive(produce(1), heartbeat(2), produce(3), fetch(4), produce(5))
    expect(bench.begun).toEqual([1])
    bench.produces[0]!.reply(PRODUCED)
    expect(bench.begun).toEqual([1, 2, 3])
    bench.produces[1]!.reply(PRODUCED)
    expect(bench.begun).toEqual([1, 2, 3, 4])
    bench.fetches[0]!.reply(fetched(1))
    expect(bench.begun).toEqual([1, 2, 3, 4, 5])
    bench.produces[2]!.reply(PRODUCED)
    bench.flush()
    expect(bench.socket.answered).toEqual([1, 2, 3, 4, 5])
  })

  test('a Produce that gets no answer leaves no gap', () => {
    const bench = new Bench()
    bench.receive(produce(1), produce(2), heartbeat(3))
    bench.produces[0]!.reply(null)
    bench.produces[1]!.reply(PRODUCED)
    bench.flush()
    expect(bench.socket.answered).toEqual([2, 3])
  })

  test('frames that arrive byte by byte are requests like others', () => {
    const bench = new Bench()
    for (const byte of Buffer.concat([heartbeat(1), heartbeat(2)])) bench.receive(Buffer.from([byte]))
    expect(bench.socket.answered).toEqual([1, 2])
  })

  test('thousands of pipelined requests are answered once each', () => {
    const bench = new Bench()
    const frames = Array.from({ length: 5_000 }, (_, index) => heartbeat(index))
    bench.receive(...frames)
    expect(bench.socket.answered).toEqual(Array.from({ length: 5_000 }, (_, index) => index))
    expect(bench.connection.heldBytes).toBe(0)
    expect(bench.budget.totalBytes).toBe(0)
  })
})

describe('closing', () => {
  const bad: [string, Buffer, RegExp][] = [
    ['an unknown key', rawRequest(999, 0, 7), /unknown key 999/],
    ['a key that is not served', rawRequest(17, 0, 7), /unknown key 17/],
    ['a version above the range', rawRequest(12, 99, 7, Buffer.from([0])), /Heartbeat request of version 99/],
    ['a negative version', rawRequest(12, -1, 7), /version -1/],
    ['a body that ends early', rawRequest(12, 4, 7, Buffer.from([0])), /cannot be read/],
    ['a header that ends early', Buffer.concat([lengthPrefix(3), Buffer.alloc(3)]), /header cannot be read/],
    ['an empty frame', lengthPrefix(0), /header cannot be read/],
    ['a negative length', lengthPrefix(-5), /./],
    ['an absurd length', lengthPrefix(0x7fffffff), /./],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), /./],
    ['a TLS greeting', Buffer.from('16030100c8010000c40303', 'hex'), /./],
  ]
  for (const [name, bytes, reason] of bad) {
    test(`${name} closes after the earlier answers, with one log line`, () => {
      const bench = new Bench()
      bench.receive(heartbeat(1), bytes, heartbeat(2))
      expect(bench.socket.answered).toEqual([1])
      expect(bench.socket.isShut).toBe(true)
      expect(bench.warnings.length).toBe(1)
      expect(bench.warnings[0]).toMatch(reason)
    })
  }

  test('the earlier request may still be waiting: its answer leaves first', () => {
    const bench = new Bench()
    bench.receive(fetch(1), lengthPrefix(-1))
    expect(bench.socket.isShut).toBe(false)
    bench.fetches[0]!.reply(fetched(5))
    bench.flush()
    expect(bench.socket.answered).toEqual([1])
    expect(bench.socket.isShut).toBe(true)
  })

  test('a Produce that fails without an answer closes after the earlier answers', () => {
    const bench = new Bench()
    bench.receive(produce(1), produce(2), produce(3))
    bench.produces[1]!.refuse('acks=0 failed')
    bench.produces[0]!.reply(PRODUCED)
    bench.flush()
    expect(bench.socket.answered).toEqual([1])
    bench.produces[2]!.reply(PRODUCED)
    bench.flush()
    expect(bench.socket.isShut).toBe(true)
    expect(bench.warnings).toEqual(['acks=0 failed'])
  })

  test('a handler that throws, now or later, closes its connection and says why', async () => {
    for (const groupId of ['throw', 'reject']) {
      const bench = new Bench()
      bench.receive(heartbeat(1, groupId), heartbeat(2))
      await Promise.resolve()
      await Promise.resolve()
      expect(bench.socket.answered).toEqual([])
      expect(bench.socket.isShut).toBe(true)
      expect(bench.warnings[0]).toMatch(/request failed: Error: a (later )?bug/)
    }
  })

  test('the answers are drained before FIN, and a peer that never closes is reset', () => {
    const bench = new Bench()
    bench.socket.room = 3
    bench.receive(heartbeat(1))
    bench.connection.close(null)
    bench.flush()
    expect(bench.socket.isShut).toBe(false)
    bench.socket.room = Number.POSITIVE_INFINITY
    bench.connection.onDrain()
    expect(bench.socket.answered).toEqual([1])
    expect(bench.socket.isShut).toBe(true)
    expect(bench.socket.isTerminated).toBe(false)
    bench.timers.advance(CLOSE_GRACE_MS)
    expect(bench.socket.isTerminated).toBe(true)
    expect(bench.isClosed).toBe(true)
  })

  test('after FIN the socket is read on, or the close of the peer would go unnoticed', () => {
    const bench = new Bench()
    bench.connection.close('test')
    expect(bench.socket.isShut).toBe(true)
    expect(bench.socket.isPaused).toBe(false)
    bench.receive(heartbeat(1))
    expect(bench.begun).toEqual([])
    bench.connection.onClosed()
    expect(bench.timers.names()).toEqual([])
  })

  test('when the peer goes away, what waits is abandoned and late answers are ignored', () => {
    const bench = new Bench()
    bench.receive(fetch(1), heartbeat(2))
    bench.connection.onClosed()
    expect(bench.abandoned).toEqual([1])
    bench.fetches[0]!.reply(fetched(5))
    bench.flush()
    expect(bench.socket.frames).toEqual([])
    expect(bench.begun).toEqual([1])
    expect(bench.budget.totalBytes).toBe(0)
    expect(bench.isClosed).toBe(true)
  })
})

describe('ApiVersions', () => {
  for (const version of [5, 99, 32767, -1]) {
    test(`version ${version} is answered in version 0 with error 35 and the one row, and the connection lives on`, () => {
      const bench = new Bench()
      bench.receive(rawRequest(18, version, 9, Buffer.from([0, 1, 1])), heartbeat(10))
      expect(bench.socket.answered).toEqual([9, 10])
      const reader = new Reader([bench.socket.frames[0]!.subarray(4)])
      const answer = decodeResponse(ApiVersionsResponse, 0, reader)
      expect(answer.errorCode).toBe(35)
      expect(answer.apiKeys).toEqual([{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
      expect(reader.remaining).toBe(0)
    })
  }

  const names: [string, string, number][] = [
    ['kafka-client', '4.3.1', 0],
    ['a', '1', 0],
    ['', '1', 42],
    ['x', '', 42],
    ['-x', '1', 42],
    ['x.', '1', 42],
    ['a b', '1', 42],
  ]
  for (const [name, softwareVersion, errorCode] of names) {
    test(`software '${name}' '${softwareVersion}' is answered ${errorCode}`, () => {
      const bench = new Bench()
      const request = { clientSoftwareName: name, clientSoftwareVersion: softwareVersion }
      bench.receive(Buffer.concat(encodeRequest(ApiVersionsRequest, 3, 1, null, request)))
      const answer = decodeResponse(ApiVersionsResponse, 3, new Reader([bench.socket.frames[0]!.subarray(4)]))
      expect(answer.errorCode).toBe(errorCode)
      expect(answer.apiKeys.length).toBe(errorCode === 0 ? 4 : 0)
    })
  }

  test('only the features that are served are finalized; version 3 hides ranges that begin at 0', () => {
    for (const version of [3, 4]) {
      const bench = new Bench()
      const request = { clientSoftwareName: 'a', clientSoftwareVersion: '1' }
      bench.receive(Buffer.concat(encodeRequest(ApiVersionsRequest, version, 1, null, request)))
      const answer = decodeResponse(ApiVersionsResponse, version, new Reader([bench.socket.frames[0]!.subarray(4)]))
      expect(answer.finalizedFeatures).toContainEqual({
        name: 'metadata.version',
        maxVersionLevel: 30,
        minVersionLevel: 30,
      })
      if (version === 3) expect(answer.supportedFeatures.every((feature) => feature.minVersion > 0)).toBe(true)
    }
  })
})

describe('bounds', () => {
  test('answers that the peer does not take stop the execution and the reading, until they are taken', () => {
    const bench = new Bench()
    bench.socket.room = 0
    const answerBytes = 1024 * 1024
    const requests = 100
    bench.receive(...Array.from({ length: requests }, (_, index) => fetch(index)))
    let answered = 0
    while (bench.fetches.length > answered) {
      bench.fetches[answered++]!.reply(fetched(answerBytes))
      bench.flush()
    }
    expect(answered).toBeLessThanOrEqual(CONNECTION_UNREAD_BYTES_MAX / answerBytes + 1)
    expect(bench.connection.unreadBytes).toBeLessThanOrEqual(CONNECTION_UNREAD_BYTES_MAX + answerBytes + 1000)
    expect(bench.socket.isPaused).toBe(true)
    bench.socket.room = Number.POSITIVE_INFINITY
    bench.connection.onDrain()
    while (bench.fetches.length > answered) {
      bench.fetches[answered++]!.reply(fetched(answerBytes))
      bench.flush()
    }
    expect(bench.socket.answered.length).toBe(requests)
    expect(bench.socket.isPaused).toBe(false)
  })

  test('whole requests that wait beyond the limit stop the reading; answering them resumes it', () => {
    const bench = new Bench()
    const frame = produce(1, 1024 * 1024)
    let sent = 0
    while (!bench.socket.isPaused && sent < 100) {
      bench.receive(frame)
      sent++
    }
    expect(sent * frame.length).toBeGreaterThan(CONNECTION_REQUEST_BYTES_MAX)
    expect(sent * frame.length).toBeLessThan(CONNECTION_REQUEST_BYTES_MAX + 2 * frame.length)
    for (const pending of bench.produces) pending.reply(PRODUCED)
    bench.flush()
    expect(bench.socket.isPaused).toBe(false)
    expect(bench.connection.heldBytes).toBe(0)
  })

  test('one request larger than the limit is received whole', () => {
    const bench = new Bench()
    const frame = produce(1, CONNECTION_REQUEST_BYTES_MAX + 1_000_000)
    for (let offset = 0; offset < frame.length; offset += 512 * 1024) {
      expect(bench.socket.isPaused).toBe(false)
      bench.receive(frame.subarray(offset, offset + 512 * 1024))
    }
    expect(bench.produces.length).toBe(1)
  })

  test('a large chunk of Produces is freed when the last of them is answered, one that holds anything else is not', () => {
    const chunkOf = (...frames: Buffer[]): Buffer => {
      const bytes = Buffer.concat(frames)
      const chunk = Buffer.allocUnsafeSlow(bytes.length)
      bytes.copy(chunk)
      return chunk
    }
    const bench = new Bench()
    const chunk = chunkOf(produce(1, 30_000), produce(2, 30_000))
    bench.connection.onData(chunk)
    bench.produces[1]!.reply(PRODUCED)
    expect(chunk.buffer.byteLength).toBeGreaterThan(60_000)
    bench.produces[0]!.reply(PRODUCED)
    expect(chunk.buffer.byteLength).toBe(0)

    const mixed = chunkOf(produce(3, 60_000), heartbeat(4))
    bench.connection.onData(mixed)
    bench.produces[2]!.reply(PRODUCED)
    expect(bench.begun).toEqual([1, 2, 3, 4])
    expect(mixed.buffer.byteLength).toBeGreaterThan(60_000)

    const abandoned = chunkOf(produce(5, 60_000))
    bench.connection.onData(abandoned)
    bench.connection.onClosed()
    bench.produces[3]!.reply(PRODUCED)
    expect(abandoned.buffer.byteLength).toBeGreaterThan(60_000)
  })

  test('a frame above socket.request.max.bytes is refused at its announcement', () => {
    const bench = new Bench({ maxRequestBytes: 1000 })
    bench.receive(lengthPrefix(1001))
    expect(bench.socket.isShut).toBe(true)
  })
})

test('addresses are shown without the IPv6 mapping of IPv4', () => {
  const { connection } = new Bench()
  expect(connection.clientHost).toBe('/10.0.0.7')
  expect(connection.peer).toBe('10.0.0.7:40000')
  expect([connection.localAddress, connection.localPort]).toEqual(['10.0.0.1', 9092])
})
