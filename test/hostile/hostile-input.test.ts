/**
 * Bytes that no honest client sends. Each time three things are asked: that connection closes or gets an error, the
 * process stays small, and everybody else is served as before.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import type { Socket } from 'bun'
import { Connection } from '../../src/client/connection.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { encodeRequest } from '../../src/protocol/frame.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest } from '../../src/protocol/messages/01-fetch.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { batchCrc, buildBatch } from '../../src/records/batch.ts'
import { codecId, compress } from '../../src/records/codecs/index.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { createTopic } from '../crash/crash-clients.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'

const TOPIC = 'target'
const CLOSE_WITHIN_MS = 60_000
/**
 * Above the idle process, whatever is thrown at it: a few times the 64 MiB that requests in flight, or one expanded batch, may
 * take, because the collector lags. Whatever grew with the number of attempts would soon be beyond it.
 */
const GROWTH_LIMIT_MEGABYTES = 400

let broker: SamsaProcess
let honest: Connection

beforeAll(async () => {
  broker = await startSamsaWith({})
  honest = await Connection.connect({ host: broker.host, port: broker.port })
  await createTopic(honest, TOPIC, 1)
})

afterAll(async () => {
  await honest.close()
  const exitCode = await broker.child.stop()
  await broker.stop()
  expect(exitCode).toBe(0)
})

/** Whatever a test did: a connection opened long before is still answered. */
afterEach(async () => {
  const answer = await honest.send(MetadataRequest, MetadataResponse, { topics: [{ name: TOPIC }] }, { version: 5 })
  expect(answer.topics[0]).toMatchObject({ name: TOPIC, errorCode: 0 })
})

/** Sends bytes on a connection of their own; resolves when the broker has closed it, with what it sent before. */
async function untilClosed(...pieces: Uint8Array[]): Promise<Buffer> {
  const received: Buffer[] = []
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const timer = setTimeout(() => reject(new Error(`not closed within ${CLOSE_WITHIN_MS} ms`)), CLOSE_WITHIN_MS)
  const socket = await Bun.connect({
    hostname: broker.host,
    port: broker.port,
    socket: {
      open: (opened) => {
        for (const piece of pieces) opened.write(piece)
      },
      data: (_socket, chunk) => {
        received.push(chunk)
      },
      close: () => resolve(Buffer.concat(received)),
      error: () => undefined,
    },
  })
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket.terminate()
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** A request header v1 (key, version, correlation id, client id "x") and a body, with its length in front. */
function frame(apiKey: number, apiVersion: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(11)
  header.writeInt16BE(apiKey, 0)
  header.writeInt16BE(apiVersion, 2)
  header.writeInt32BE(7, 4)
  header.writeInt16BE(1, 8)
  header.write('x', 10)
  return Buffer.concat([int32(header.length + body.length), header, body])
}

const residentMegabytes = (): number => {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${broker.child.pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) / 1024
}
const measuresMemory = existsSync(`/proc/${process.pid}/status`)

async function staysSmall(work: () => Promise<void>): Promise<void> {
  const before = measuresMemory ? residentMegabytes() : 0
  let most = before
  const sampling = setInterval(() => {
    if (measuresMemory) most = Math.max(most, residentMegabytes())
  }, 10)
  try {
    await work()
  } finally {
    clearInterval(sampling)
  }
  if (measuresMemory) most = Math.max(most, residentMegabytes())
  expect(most - before).toBeLessThan(GROWTH_LIMIT_MEGABYTES)
}

describe('frames', () => {
  const cases: [name: string, bytes: Buffer][] = [
    ['length 0', int32(0)],
    ['length -1', int32(-1)],
    ['the smallest length', int32(-(2 ** 31))],
    ['the largest length', int32(2 ** 31 - 1)],
    ['one byte above the limit', int32(104_857_601)],
    ['a payload shorter than a request header', Buffer.concat([int32(5), Buffer.alloc(5)])],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a TLS ClientHello', Buffer.from('16030100c8010000c40303', 'hex')],
    ['an unknown API key', frame(999, 0, Buffer.alloc(0))],
    ['an API that only controllers serve', frame(53, 0, Buffer.alloc(16))],
    ['a version that is not served', frame(1, 99, Buffer.alloc(64))],
    ['a negative version', frame(3, -1, Buffer.alloc(64))],
    ['a Produce version of the past', frame(0, 2, Buffer.alloc(64))],
    ['an array of 2^31-1 topics', frame(3, 5, int32(2 ** 31 - 1))],
    ['an array of -2 topics', frame(3, 5, Buffer.concat([int32(-2), Buffer.alloc(1)]))],
    ['a topic name longer than the frame', frame(3, 5, Buffer.from('000000017fff61', 'hex'))],
    ['a compact array of 2^28 topics', frame(3, 9, Buffer.from('00ffffffff0f', 'hex'))],
    ['a varint without an end', frame(3, 9, Buffer.from('00ffffffffffffffffffff', 'hex'))],
    ['a body that ends early', frame(3, 5, Buffer.from('00000001', 'hex'))],
    [
      'a record set longer than the frame',
      frame(0, 7, Buffer.from('ffff00010000753000000001000161000000010000000070000000', 'hex')),
    ],
  ]
  test.each(cases)('%s closes that connection without an answer', async (_name, bytes) => {
    expect((await untilClosed(bytes)).length).toBe(0)
  })

  test('a valid request sent byte by byte is answered', async () => {
    const connection = await Connection.connect({ host: broker.host, port: broker.port, negotiate: false })
    const bytes = Buffer.concat(encodeRequest(MetadataRequest, 5, 1, 'slow', { topics: [] }))
    const answer = connection.sendRaw(bytes.subarray(0, 1))
    for (const byte of bytes.subarray(1)) {
      connection.writeBytes(Uint8Array.of(byte))
      await connection.drained()
    }
    expect((await answer).readInt32BE(0)).toBe(1)
    await connection.close()
  })

  test('requests before a malformed one are answered, then the connection closes', async () => {
    const good = Buffer.concat(encodeRequest(MetadataRequest, 5, 42, null, { topics: [] }))
    const answer = await untilClosed(Buffer.concat([good, int32(-1)]))
    expect(answer.readInt32BE(4)).toBe(42)
  })

  test('random bytes on many connections', async () => {
    const random = new SeededRandom(4711)
    await staysSmall(async () => {
      for (let round = 0; round < 20; round++) {
        await Promise.all(
          Array.from({ length: 10 }, () => {
            const noise = Buffer.from(Array.from({ length: 20 + random.below(2_000) }, () => random.below(256)))
            // A length that is plausible and complete, so that the noise is parsed and not only waited for.
            noise.writeInt32BE(noise.length - 4, 0)
            noise.writeInt16BE(random.below(93), 4)
            noise.writeInt16BE(random.below(14), 6)
            // Noise may happen to be a request; a wrong length after it closes in any case.
            return untilClosed(noise, int32(-1))
          }),
        )
      }
    })
  })
})

describe('memory', () => {
  test('40 connections that announce 100 MB each and send nothing', async () => {
    const sockets: Socket[] = []
    await staysSmall(async () => {
      for (let index = 0; index < 40; index++) {
        const socket = await Bun.connect({
          hostname: broker.host,
          port: broker.port,
          socket: { data() {}, error() {} },
        })
        socket.write(Buffer.concat([int32(100_000_000), Buffer.alloc(1000)]))
        sockets.push(socket)
      }
      // A round trip behind them: they have been read.
      await honest.send(MetadataRequest, MetadataResponse, { topics: [] }, { version: 5 })
    })
    for (const socket of sockets) socket.terminate()
  })

  test('10,000 fetches of a megabyte on a connection that never reads its answers', async () => {
    for (let index = 0; index < 4; index++) await produce(buildBatch({ records: plainRecords(900, 1000) }))
    const fetch = Buffer.concat(
      encodeRequest(FetchRequest, 11, 1, null, {
        replicaId: -1,
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1 << 20,
        isolationLevel: 0,
        sessionId: 0,
        sessionEpoch: -1,
        topics: [
          {
            topic: TOPIC,
            partitions: [
              { partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, logStartOffset: -1, partitionMaxBytes: 1 << 20 },
            ],
          },
        ],
        forgottenTopicsData: [],
        rackId: '',
      }),
    )
    await staysSmall(async () => {
      let unsent = Buffer.concat(Array.from({ length: 10_000 }, () => fetch))
      const push = (socket: Socket) => {
        const written = socket.write(unsent)
        if (written > 0) unsent = unsent.subarray(written)
      }
      const socket = await Bun.connect({
        hostname: broker.host,
        port: broker.port,
        socket: {
          open: (opened) => {
            opened.pause()
            push(opened)
          },
          drain: push,
          data() {},
          error() {},
        },
      })
      // Fifty round trips of others behind it: whatever it could make the broker hold, it holds by now.
      for (let index = 0; index < 50; index++) {
        await honest.send(MetadataRequest, MetadataResponse, { topics: [{ name: TOPIC }] }, { version: 5 })
      }
      socket.terminate()
    })
  })
})

async function produce(records: Buffer): Promise<number> {
  const answer = await honest.send(
    ProduceRequest,
    ProduceResponse,
    {
      transactionalId: null,
      acks: 1,
      timeoutMs: 5_000,
      topicData: [{ name: TOPIC, partitionData: [{ index: 0, records: [records] }] }],
    },
    { version: 9 },
  )
  return answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1
}

function plainRecords(count: number, bytes: number) {
  return Array.from({ length: count }, () => ({ timestamp: Date.now(), key: null, value: Buffer.alloc(bytes, 0x78) }))
}

/** Changes a batch in place and makes its checksum right again, so that only the lie is wrong. */
function lying(change: (batch: Buffer) => void): Buffer {
  const batch = buildBatch({ records: plainRecords(3, 20) })
  change(batch)
  batch.writeUInt32BE(batchCrc([batch]) >>> 0, 17)
  return batch
}

describe('batches that lie', () => {
  const cases: [name: string, batch: Buffer, errorCode: number][] = [
    ['a length beyond the record set', lying((batch) => batch.writeInt32BE(1_000_000, 8)), ErrorCode.INVALID_RECORD],
    ['a record count too high', lying((batch) => batch.writeInt32BE(4, 57)), ErrorCode.INVALID_RECORD],
    [
      'a record count of 2^31-1 and the offset delta to match',
      lying((batch) => {
        batch.writeInt32BE(2 ** 31 - 1, 57)
        batch.writeInt32BE(2 ** 31 - 2, 23)
      }),
      ErrorCode.INVALID_RECORD,
    ],
    ['a negative record count', lying((batch) => batch.writeInt32BE(-1, 57)), ErrorCode.INVALID_RECORD],
    ['a negative last offset delta', lying((batch) => batch.writeInt32BE(-1, 23)), ErrorCode.INVALID_RECORD],
    ['a first record longer than the batch', lying((batch) => batch.writeUInt8(0xfe, 61)), ErrorCode.INVALID_RECORD],
    ['a control batch', lying((batch) => batch.writeInt16BE(0x20, 21)), ErrorCode.INVALID_RECORD],
    [
      'a checksum that does not match',
      (() => {
        const batch = buildBatch({ records: plainRecords(1, 10) })
        batch[batch.length - 1] = (batch[batch.length - 1] ?? 0) ^ 0xff
        return batch
      })(),
      ErrorCode.CORRUPT_MESSAGE,
    ],
  ]
  test.each(cases)('%s', async (_name, batch, errorCode) => {
    expect(await produce(batch)).toBe(errorCode)
  })
})

describe('decompression bombs', () => {
  const EXPANDED_BYTES = 256 * 1024 * 1024
  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    '%s: a quarter of a gigabyte in a batch that fits the limits',
    async (codec) => {
      const batch = bomb(codec, EXPANDED_BYTES)
      await staysSmall(async () => {
        for (let attempt = 0; attempt < 10; attempt++) {
          expect([ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.INVALID_RECORD] as number[]).toContain(await produce(batch))
        }
      })
    },
    30_000,
  )

  /** A batch header over a compressed stream of zeros; snappy and lz4 cannot shrink it below the batch limit, so theirs are cut. */
  function bomb(codec: 'gzip' | 'snappy' | 'lz4' | 'zstd', expandedBytes: number): Buffer {
    const MOST_COMPRESSED = 900_000
    const RATIO = { gzip: 1000, zstd: 10_000, lz4: 250, snappy: 20 }
    const bytes = Math.min(expandedBytes, MOST_COMPRESSED * RATIO[codec])
    const payload = compress(codecId(codec), Buffer.alloc(bytes))
    const header = buildBatch({ records: plainRecords(1, 1) })
    const batch = Buffer.concat([header.subarray(0, 61), payload])
    batch.writeInt32BE(batch.length - 12, 8)
    batch.writeInt16BE(codecId(codec), 21)
    batch.writeInt32BE(0, 23)
    batch.writeInt32BE(1, 57)
    batch.writeUInt32BE(batchCrc([batch]) >>> 0, 17)
    return batch
  }
})
