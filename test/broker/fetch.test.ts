import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Broker } from '../../src/broker/server.ts'
import type { Connection } from '../../src/client/connection.ts'
import type { ErrorCode } from '../../src/protocol/errors.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../src/protocol/messages/21-delete-records.ts'
import {
  batchOf,
  batchOfSize,
  bytesOf,
  connect,
  createTopic,
  type FetchOf,
  type FetchTermsOf,
  fetchAll,
  fetchOne,
  produce,
  startBroker,
  valuesOf,
} from './support/test-broker.ts'

let broker: Broker
let client: Connection
let topicId: string
/** Bytes of each of the ten equal batches in `sized`. */
let batchBytes = 0

beforeAll(async () => {
  broker = await startBroker()
  client = await connect(broker)
  topicId = await createTopic(client, 'letters')
  for (const value of ['a', 'b', 'c']) await produce(client, batchOf([value]), { topic: 'letters' })
  await createTopic(client, 'sized', { partitions: 3 })
  for (let i = 0; i < 10; i++) {
    const batch = batchOfSize(1000)
    batchBytes = batch.length
    for (const partition of [0, 1]) await produce(client, Buffer.from(batch), { topic: 'sized', partition })
  }
  await createTopic(client, 'trimmed')
  await produce(client, batchOf(['1', '2', '3', '4']), { topic: 'trimmed' })
  await deleteRecords('trimmed', 2)
  await createTopic(client, 'packed', { configs: { 'compression.type': 'zstd' } })
})

afterAll(async () => {
  await client.close()
  await broker.stop()
})

async function deleteRecords(name: string, offset: number, partitionIndex = 0) {
  const request = { topics: [{ name, partitions: [{ partitionIndex, offset }] }], timeoutMs: 1000 }
  const answer = await client.send(DeleteRecordsRequest, DeleteRecordsResponse, request)
  const { errorCode, lowWatermark } = answer.topics[0]!.partitions[0]!
  return { errorCode, lowWatermark }
}

describe('fetch', () => {
  for (let version = 4; version <= 12; version++) {
    test(`version ${version} reads by name`, async () => {
      const row = await fetchOne(client, { topic: 'letters', offset: 1 }, { version })
      expect(valuesOf(row)).toEqual(['b', 'c'])
      expect([row.highWatermark, row.lastStableOffset]).toEqual([3, 3])
      expect(row.abortedTransactions).toBeNull()
      expect(row.preferredReadReplica).toBe(-1)
    })
  }

  for (let version = 13; version <= 18; version++) {
    test(`version ${version} reads by id`, async () => {
      const answer = await fetchAll(client, [{ topicId, offset: 2 }], { version })
      expect(answer.responses[0]!.topicId).toBe(topicId)
      expect(valuesOf(answer.responses[0]!.partitions[0]!)).toEqual(['c'])
    })
  }

  test('at the end there is nothing, and that is no error', async () => {
    const row = await fetchOne(client, { topic: 'letters', offset: 3 })
    expect([row.errorCode, bytesOf(row).length, row.highWatermark]).toEqual([0, 0, 3])
  })

  test('read_committed lists aborted transactions, of which there are none', async () => {
    const row = await fetchOne(client, { topic: 'letters' }, { isolationLevel: 1 })
    expect(row.abortedTransactions).toEqual([])
    expect(valuesOf(row)).toEqual(['a', 'b', 'c'])
  })

  test('an unknown isolation level is an error of the whole and of every partition', async () => {
    const answer = await fetchAll(client, [{ topic: 'letters' }], { isolationLevel: 7 })
    expect(answer.errorCode).toBe(-1)
    expect(answer.responses[0]?.partitions[0]?.errorCode).toBe(-1)
  })

  test('a zstd topic is served to versions that knew no zstd: their clients may have learnt it', async () => {
    expect((await fetchOne(client, { topic: 'packed' }, { version: 9 })).errorCode).toBe(0)
  })

  test('the middle of a batch is answered with the batch from its start', async () => {
    const row = await fetchOne(client, { topic: 'trimmed', offset: 3 })
    expect(valuesOf(row)).toEqual(['1', '2', '3', '4'])
  })

  const failures: [string, FetchOf, FetchTermsOf, ErrorCode][] = [
    ['an unknown topic', { topic: 'nowhere' }, {}, 3],
    ['an unknown partition', { topic: 'letters', partition: 5 }, {}, 3],
    ['an unknown topic id', { topicId: 'abcdefghijklmnopqrstuA' }, { version: 13 }, 100],
    ['an offset beyond the end', { topic: 'letters', offset: 4 }, {}, 1],
    ['a negative offset', { topic: 'letters', offset: -1 }, {}, 1],
    ['an offset below the log start', { topic: 'trimmed', offset: 1 }, {}, 1],
    ['a leader epoch of the future', { topic: 'letters', currentLeaderEpoch: 5 }, {}, 75],
    ['a last fetched epoch of the future', { topic: 'letters', lastFetchedEpoch: 9, offset: 1 }, {}, 1],
    ['negative max_bytes', { topic: 'letters' }, { maxBytes: -1 }, 42],
  ]
  for (const [name, partition, terms, errorCode] of failures) {
    test(`${name} is answered ${errorCode}`, async () => {
      const row = await fetchOne(client, partition, terms)
      expect(row.errorCode).toBe(errorCode)
      expect([row.highWatermark, row.lastStableOffset, row.logStartOffset]).toEqual([-1, -1, -1])
      expect(bytesOf(row).length).toBe(0)
    })
  }

  test('an offset beyond the end of its epoch diverges rather than being out of range', async () => {
    const row = await fetchOne(client, { topic: 'letters', lastFetchedEpoch: 0, offset: 9 })
    expect([row.errorCode, row.highWatermark, row.logStartOffset]).toEqual([0, 3, 0])
    expect(row.divergingEpoch).toEqual({ epoch: 0, endOffset: 3 })
  })

  test('the end of the last fetched epoch is no divergence', async () => {
    const row = await fetchOne(client, { topic: 'letters', lastFetchedEpoch: 0, offset: 3 })
    expect(row.errorCode).toBe(0)
    expect(row.divergingEpoch).toEqual({ epoch: -1, endOffset: -1 })
  })
})

describe('sizes', () => {
  const inBatches = (row: { records: readonly Uint8Array[] | null }): number => bytesOf(row).length / batchBytes

  test('a partition gets no more than its limit, in whole batches', async () => {
    const row = await fetchOne(client, { topic: 'sized', partitionMaxBytes: Math.floor(3.5 * batchBytes) })
    expect(inBatches(row)).toBe(3)
  })

  for (const limits of [{ partitionMaxBytes: 0 }, { partitionMaxBytes: 1 }]) {
    test(`the first batch comes whole even with ${JSON.stringify(limits)}`, async () => {
      expect(inBatches(await fetchOne(client, { topic: 'sized', ...limits }))).toBe(1)
    })
  }

  for (const maxBytes of [0, 1]) {
    test(`the first batch comes whole even with max_bytes ${maxBytes}, and only that one`, async () => {
      const partitions = [2, 1, 0].map((partition) => ({ topic: 'sized', partition }))
      const answer = await fetchAll(client, partitions, { maxBytes })
      const rows = answer.responses.flatMap((topic) => topic.partitions)
      expect(rows.map((row) => [row.partitionIndex, inBatches(row)])).toEqual([
        [2, 0],
        [1, 1],
        [0, 0],
      ])
    })
  }

  test('partitions are read in the order of the request, each with what is left', async () => {
    const partitions = [1, 0].map((partition) => ({ topic: 'sized', partition, partitionMaxBytes: 4 * batchBytes }))
    const answer = await fetchAll(client, partitions, { maxBytes: 6 * batchBytes })
    const rows = answer.responses.flatMap((topic) => topic.partitions)
    expect(rows.map((row) => [row.partitionIndex, inBatches(row)])).toEqual([
      [1, 4],
      [0, 2],
    ])
  })

  test('fetch.max.bytes of the broker bounds what a client may ask for', async () => {
    const strict = await startBroker({ set: { 'fetch.max.bytes': '2048' } })
    const connection = await connect(strict)
    await createTopic(connection, 't')
    for (let i = 0; i < 5; i++) await produce(connection, batchOfSize(900), { topic: 't' })
    const row = await fetchOne(connection, { topic: 't' }, { maxBytes: 1_000_000 })
    expect(valuesOf(row).length).toBe(2)
    await connection.close()
    await strict.stop()
  })
})

describe('sessions over the wire', () => {
  test('after the full answer only news comes, and forgotten partitions stay away', async () => {
    const connection = await connect(broker)
    await createTopic(connection, 'news', { partitions: 2 })
    const partitions = [0, 1].map((partition) => ({ topic: 'news', partition }))
    const full = await fetchAll(connection, partitions, { sessionId: 0, sessionEpoch: 0 })
    expect(full.sessionId).toBeGreaterThan(0)
    expect(full.responses[0]!.partitions.length).toBe(2)
    const { sessionId } = full
    const quiet = await fetchAll(connection, [], { sessionId, sessionEpoch: 1 })
    expect([quiet.sessionId, quiet.responses.length]).toEqual([sessionId, 0])
    await produce(connection, batchOf(['x']), { topic: 'news', partition: 1 })
    const news = await fetchAll(connection, [], { sessionId, sessionEpoch: 2 })
    expect(news.responses.flatMap((topic) => topic.partitions.map((row) => row.partitionIndex))).toEqual([1])
    const wrong = await fetchAll(connection, [], { sessionId, sessionEpoch: 2 })
    expect([wrong.errorCode, wrong.sessionId]).toEqual([71, 0])
    const other = await connect(broker)
    const elsewhere = await fetchAll(other, [{ topic: 'news', partition: 1, offset: 1 }], {
      sessionId,
      sessionEpoch: 3,
    })
    expect(elsewhere.errorCode).toBe(0)
    await connection.close()
    await other.close()
  })
})

describe('DeleteRecords', () => {
  test('moves the log start, never backwards', async () => {
    await createTopic(client, 'shrinking')
    await produce(client, batchOf(['1', '2', '3', '4']), { topic: 'shrinking' })
    expect(await deleteRecords('shrinking', 2)).toEqual({ errorCode: 0, lowWatermark: 2 })
    expect(await deleteRecords('shrinking', 1)).toEqual({ errorCode: 0, lowWatermark: 2 })
    expect(await deleteRecords('shrinking', -1)).toEqual({ errorCode: 0, lowWatermark: 4 })
    const row = await fetchOne(client, { topic: 'shrinking', offset: 4 })
    expect([row.errorCode, row.logStartOffset]).toEqual([0, 4])
  })

  const refusals: [string, string, number, number, ErrorCode][] = [
    ['beyond the high watermark', 'letters', 0, 4, 1],
    ['below -1', 'letters', 0, -2, 1],
    ['an unknown topic', 'nowhere', 0, 0, 3],
    ['an unknown partition', 'letters', 4, 0, 3],
    ['a topic that is only compacted', 'kept', 0, 0, 44],
  ]
  for (const [name, topic, partition, offset, errorCode] of refusals) {
    test(`${name} is refused with ${errorCode}`, async () => {
      if (topic === 'kept') await createTopic(client, 'kept', { configs: { 'cleanup.policy': 'compact' } })
      expect(await deleteRecords(topic, offset, partition)).toEqual({ errorCode, lowWatermark: -1 })
    })
  }
})
