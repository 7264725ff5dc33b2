import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Broker } from '../../src/broker/server.ts'
import type { Connection } from '../../src/client/connection.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../src/protocol/messages/22-init-producer-id.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { buildBatch } from '../../src/records/batch.ts'
import {
  batchOf,
  batchOfSize,
  connect,
  createTopic,
  fetchOne,
  produce,
  produceRequest,
  recordingLogger,
  recordsOf,
  startBroker,
  valuesOf,
} from './support/test-broker.ts'

const HOUR_MS = 3_600_000

let broker: Broker
let client: Connection
let topicId: string
const lines: string[] = []

beforeAll(async () => {
  broker = await startBroker({ logger: recordingLogger(lines) })
  client = await connect(broker)
  topicId = await createTopic(client, 'plain', { partitions: 2 })
  await createTopic(client, 'compacted', { configs: { 'cleanup.policy': 'compact' } })
  await createTopic(client, 'small', { configs: { 'max.message.bytes': '1000' } })
  await createTopic(client, 'stamped', { configs: { 'message.timestamp.type': 'LogAppendTime' } })
  await createTopic(client, 'demanding', { configs: { 'min.insync.replicas': '3' } })
})

afterAll(async () => {
  await client.close()
  await broker.stop()
})

function corrupted(batch: Buffer): Buffer {
  batch[batch.length - 1]! ^= 0xff
  return batch
}

/** The batch with a field of its header changed, and no checksum that covers it. */
function withBaseOffset(batch: Buffer, offset: number): Buffer {
  batch.writeInt32BE(offset, 4)
  return batch
}

function withMagic(batch: Buffer, magic: number): Buffer {
  batch[16] = magic
  return batch
}

function transactional(): Buffer {
  return batchOf(['t'], { isTransactional: true, producerId: 77, producerEpoch: 0, baseSequence: 0 })
}

function stampedAt(timestamp: number): Buffer {
  return buildBatch({ records: [{ timestamp, key: null, value: Buffer.from('v') }] })
}

describe('produce', () => {
  for (let version = 3; version <= 12; version++) {
    test(`version ${version} appends and answers the offset`, async () => {
      const first = await produce(client, batchOf(['a', 'b']), { topic: 'plain', partition: 1, version })
      const second = await produce(client, batchOf(['c']), { topic: 'plain', partition: 1, version })
      expect(first.errorCode).toBe(ErrorCode.NONE)
      expect(second.baseOffset).toBe(first.baseOffset + 2)
      expect(second.logAppendTimeMs).toBe(-1)
      if (version >= 5) expect(second.logStartOffset).toBe(0)
      const row = await fetchOne(client, { topic: 'plain', partition: 1, offset: first.baseOffset })
      expect(valuesOf(row)).toEqual(['a', 'b', 'c'])
    })
  }

  test('version 13 names topics by id', async () => {
    const row = await produce(client, batchOf(['by id']), { topicId, version: 13 })
    expect(row.errorCode).toBe(ErrorCode.NONE)
    expect(valuesOf(await fetchOne(client, { topic: 'plain', offset: row.baseOffset }))).toEqual(['by id'])
  })

  test('a topic with LogAppendTime answers and stores the time of the append', async () => {
    const before = Date.now()
    const row = await produce(client, stampedAt(1), { topic: 'stamped' })
    expect(row.logAppendTimeMs).toBeGreaterThanOrEqual(before)
    const fetched = await fetchOne(client, { topic: 'stamped', offset: row.baseOffset })
    expect(recordsOf(fetched)[0]!.timestamp).toBe(row.logAppendTimeMs)
  })

  test('min.insync.replicas above the replication factor asks for what there is', async () => {
    const row = await produce(client, batchOf(['v']), { topic: 'demanding', acks: -1 })
    expect(row.errorCode).toBe(ErrorCode.NONE)
  })

  const refusals: [string, () => Buffer | null, Parameters<typeof produce>[2], ErrorCode, number][] = [
    ['an unknown topic', () => batchOf(['v']), { topic: 'nowhere' }, 3, -1],
    ['a malformed topic name', () => batchOf(['v']), { topic: 'a b' }, 3, -1],
    ['an unknown partition', () => batchOf(['v']), { topic: 'plain', partition: 9 }, 3, -1],
    ['a negative partition', () => batchOf(['v']), { topic: 'plain', partition: -1 }, 3, -1],
    ['an unknown topic id', () => batchOf(['v']), { topicId: 'abcdefghijklmnopqrstuA', version: 13 }, 100, -1],
    ['the zero topic id', () => batchOf(['v']), { topicId: ZERO_UUID, version: 13 }, 100, -1],
    ['null records', () => null, { topic: 'plain' }, 87, -1],
    ['empty records', () => Buffer.alloc(0), { topic: 'plain' }, 87, -1],
    ['two batches', () => Buffer.concat([batchOf(['v']), batchOf(['w'])]), { topic: 'plain' }, 87, -1],
    ['half a batch', () => batchOf(['v']).subarray(0, 65), { topic: 'plain' }, 87, -1],
    ['magic 1', () => withMagic(batchOf(['v']), 1), { topic: 'plain' }, 87, -1],
    ['magic 3', () => withMagic(batchOf(['v']), 3), { topic: 'plain' }, 2, -1],
    ['acks 2', () => batchOf(['v']), { topic: 'plain', acks: 2 }, 21, -1],
    ['acks -2', () => batchOf(['v']), { topic: 'plain', acks: -2 }, 21, -1],
    ['acks 2 with an empty batch: the shape counts first', () => Buffer.alloc(0), { topic: 'plain', acks: 2 }, 87, -1],
    ['a batch above max.message.bytes', () => batchOfSize(2000), { topic: 'small' }, 10, -1],
    ['a wrong checksum', () => corrupted(batchOf(['v'])), { topic: 'plain' }, 2, -1],
    ['a base offset', () => withBaseOffset(batchOf(['v']), 5), { topic: 'plain' }, 87, 0],
    ['a record without key on a compacted topic', () => batchOf(['v']), { topic: 'compacted' }, 87, 0],
    ['a timestamp of two hours ahead', () => stampedAt(Date.now() + 2 * HOUR_MS), { topic: 'plain' }, 32, 0],
    ['a transaction nobody named', transactional, { topic: 'plain' }, 53, -1],
    ['no coordinator, in version 10', transactional, { topic: 'plain', transactionalId: 'x', version: 10 }, 19, -1],
    ['no coordinator, in version 11', transactional, { topic: 'plain', transactionalId: 'x', version: 11 }, 19, -1],
    ['no coordinator, in version 12', transactional, { topic: 'plain', transactionalId: 'x', version: 12 }, 19, -1],
  ]
  for (const [name, build, to, errorCode, logStartOffset] of refusals) {
    test(`${name} is refused with ${errorCode}`, async () => {
      const row = await produce(client, build(), to)
      expect(row.errorCode).toBe(errorCode)
      expect([row.baseOffset, row.logAppendTimeMs, row.logStartOffset]).toEqual([-1, -1, logStartOffset])
    })
  }

  test('record errors name every bad record', async () => {
    const row = await produce(client, batchOf(['a', 'b']), { topic: 'compacted' })
    expect(row.recordErrors.map((error) => error.batchIndex)).toEqual([0, 1])
    expect(row.errorMessage).not.toBeNull()
  })

  test('one bad partition does not fail the others', async () => {
    const partitionData = [
      { index: 0, records: [batchOf(['good'])] },
      { index: 1, records: [corrupted(batchOf(['bad']))] },
      { index: 7, records: [batchOf(['nowhere'])] },
    ]
    const request = { transactionalId: null, acks: 1, timeoutMs: 1000, topicData: [{ name: 'plain', partitionData }] }
    const answer = await client.send(ProduceRequest, ProduceResponse, request, { version: 9 })
    const rows = answer.responses[0]!.partitionResponses
    expect(rows.map(({ index, errorCode }) => [index, errorCode])).toEqual([
      [0, 0],
      [1, 2],
      [7, 3],
    ])
  })

  test('a partition named twice takes the last data, and is answered once', async () => {
    const topicData = [
      { name: 'plain', partitionData: [{ index: 0, records: [batchOf(['first'])] }] },
      { name: 'plain', partitionData: [{ index: 0, records: [batchOf(['last'])] }] },
    ]
    const request = { transactionalId: null, acks: 1, timeoutMs: 1000, topicData }
    const answer = await client.send(ProduceRequest, ProduceResponse, request, { version: 9 })
    expect(answer.responses.length).toBe(1)
    const row = answer.responses[0]!.partitionResponses[0]!
    expect(valuesOf(await fetchOne(client, { topic: 'plain', offset: row.baseOffset }))).toEqual(['last'])
  })

  test('internal topics are written only by the admin client', async () => {
    await createTopic(client, '__consumer_offsets', { configs: { 'cleanup.policy': 'delete' } })
    expect((await produce(client, batchOf(['v']), { topic: '__consumer_offsets' })).errorCode).toBe(17)
    const admin = await connect(broker, '__admin_client')
    expect((await produce(admin, batchOf(['v']), { topic: '__consumer_offsets' })).errorCode).toBe(0)
    await admin.close()
  })

  test('a batch of 900 KB arrives in many pieces and is stored byte for byte', async () => {
    const batch = batchOfSize(900_000)
    const row = await produce(client, Buffer.from(batch), { topic: 'plain' })
    expect(row.errorCode).toBe(0)
    const [record] = recordsOf(await fetchOne(client, { topic: 'plain', offset: row.baseOffset }))
    expect(record!.value!.equals(Buffer.alloc(900_000, 'v'))).toBe(true)
  })
})

describe('idempotent producers', () => {
  test('get different ids, and a repeated batch is answered with its first offset', async () => {
    const request = { transactionalId: null, transactionTimeoutMs: 1000 }
    const [first, second] = await Promise.all([
      client.send(InitProducerIdRequest, InitProducerIdResponse, request),
      client.send(InitProducerIdRequest, InitProducerIdResponse, request),
    ])
    expect([first!.errorCode, first!.producerEpoch]).toEqual([0, 0])
    expect(second!.producerId).not.toBe(first!.producerId)
    const batch = (): Buffer => batchOf(['once'], { producerId: first!.producerId, producerEpoch: 0, baseSequence: 0 })
    const row = await produce(client, batch(), { topic: 'plain' })
    const repeated = await produce(client, batch(), { topic: 'plain' })
    expect(repeated.errorCode).toBe(0)
    expect(repeated.baseOffset).toBe(row.baseOffset)
    const gap = batchOf(['later'], { producerId: first!.producerId, producerEpoch: 0, baseSequence: 5 })
    const refused = await produce(client, gap, { topic: 'plain' })
    expect([refused.errorCode, refused.logStartOffset, refused.errorMessage]).toEqual([45, 0, null])
  })

  test('a repeated batch is answered with the timestamp of the first time', async () => {
    const request = { transactionalId: null, transactionTimeoutMs: 1000 }
    const { producerId } = await client.send(InitProducerIdRequest, InitProducerIdResponse, request)
    const timestamp = Date.now() - HOUR_MS
    const records = [{ timestamp, key: null, value: Buffer.from('once') }]
    const batch = (): Buffer => buildBatch({ records, producerId, producerEpoch: 0, baseSequence: 0 })
    expect((await produce(client, batch(), { topic: 'plain' })).logAppendTimeMs).toBe(-1)
    expect((await produce(client, batch(), { topic: 'plain' })).logAppendTimeMs).toBe(timestamp)
  })

  test('a batch larger than a segment is refused before the log is asked', async () => {
    const configs = { 'segment.bytes': '1048576', 'max.message.bytes': '4000000' }
    await createTopic(client, 'segments', { configs })
    const row = await produce(client, batchOfSize(2_000_000), { topic: 'segments' })
    expect([row.errorCode, row.logStartOffset, row.errorMessage]).toEqual([18, -1, null])
  })

  const inits: [string, object, ErrorCode][] = [
    ['an id without an epoch', { transactionalId: null, producerId: 5 }, 42],
    ['an epoch without an id', { transactionalId: null, producerEpoch: 5 }, 42],
    ['an empty transactional id', { transactionalId: '' }, 42],
    ['a transactional id without a coordinator', { transactionalId: 'tx' }, 16],
  ]
  for (const [name, fields, errorCode] of inits) {
    test(`InitProducerId with ${name} is answered ${errorCode}`, async () => {
      const request = { transactionalId: null, transactionTimeoutMs: 1000, ...fields }
      const answer = await client.send(InitProducerIdRequest, InitProducerIdResponse, request)
      expect([answer.errorCode, answer.producerId, answer.producerEpoch]).toEqual([errorCode, -1, -1])
    })
  }
})

describe('acks=0', () => {
  test('gets no answer: the next answer belongs to the next request', async () => {
    const connection = await connect(broker)
    for (let i = 0; i < 10; i++) {
      connection.sendNoReply(ProduceRequest, produceRequest([batchOf([`quiet ${i}`])], { topic: 'plain', acks: 0 }), {
        version: 9,
      })
    }
    const row = await produce(connection, batchOf(['loud']), { topic: 'plain' })
    const values = valuesOf(await fetchOne(connection, { topic: 'plain', offset: row.baseOffset - 10 }))
    expect(values).toEqual([...Array.from({ length: 10 }, (_, index) => `quiet ${index}`), 'loud'])
    await connection.close()
  })

  const failures: [string, Parameters<typeof produceRequest>][] = [
    ['an unknown topic', [[batchOf(['v'])], { topic: 'nowhere', acks: 0 }]],
    ['a corrupt batch', [[corrupted(batchOf(['v']))], { topic: 'plain', acks: 0 }]],
    ['a transaction nobody named', [[transactional()], { topic: 'plain', acks: 0 }]],
  ]
  for (const [name, args] of failures) {
    test(`${name} closes the connection, which says why in the log`, async () => {
      const connection = await connect(broker)
      lines.length = 0
      connection.sendNoReply(ProduceRequest, produceRequest(...args), { version: 9 })
      await connection.whenClosed()
      expect(lines.filter((line) => line.includes('acks=0')).length).toBe(1)
    })
  }
})
