/** Transactions as clients meet them: what readers at read_committed see and when, and who may write. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Broker } from '../../src/broker/server.ts'
import type { Connection } from '../../src/client/connection.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/02-list-offsets.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/20-delete-topics.ts'
import { WriteTxnMarkersRequest, WriteTxnMarkersResponse } from '../../src/protocol/messages/27-write-txn-markers.ts'
import {
  DescribeProducersRequest,
  DescribeProducersResponse,
} from '../../src/protocol/messages/61-describe-producers.ts'
import { ListTransactionsRequest, ListTransactionsResponse } from '../../src/protocol/messages/66-list-transactions.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { ask, readCommitted, stableOffset, TransactionSession } from '../crash/transaction-session.ts'
import {
  batchOf,
  connect,
  createTopic,
  type FetchTermsOf,
  fetchAll,
  fetchOne,
  produce,
  startBroker,
  valuesOf,
} from './support/test-broker.ts'

const LONG_MS = 20_000
/** The one after it is kept for fencing. */
const LAST_EPOCH = 32_766
const BOTH = [
  { protocol: 'old', isNew: false },
  { protocol: 'version 2', isNew: true },
] as const

let broker: Broker
let client: Connection
let reader: Connection

beforeAll(async () => {
  broker = await startBroker({
    set: { 'transaction.state.log.num.partitions': '3', 'offsets.topic.num.partitions': '3' },
  })
  client = await connect(broker)
  reader = await connect(broker)
})

afterAll(async () => {
  await reader.close()
  await client.close()
  await broker.stop()
})

const open = (id: string, isNew: boolean): Promise<TransactionSession> =>
  TransactionSession.open(client, id, { isNew, timeoutMs: 60_000 })

/** Sends a Fetch and returns once the broker holds it, or has answered it. */
async function startFetch(topic: string, terms: FetchTermsOf) {
  const held = broker.context.fetchWaits.size
  const waiting = {
    answer: fetchAll(reader, [{ topic }], { maxWaitMs: LONG_MS, isolationLevel: 1, ...terms }),
    isAnswered: false,
  }
  void waiting.answer.then(() => {
    waiting.isAnswered = true
  })
  while (broker.context.fetchWaits.size === held && !waiting.isAnswered) await Bun.sleep(1)
  return waiting
}

async function latest(topic: string, isolationLevel: 0 | 1): Promise<number | undefined> {
  const topics = [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1 }] }]
  const value = { replicaId: -1, isolationLevel, topics }
  const answer = await client.send(ListOffsetsRequest, ListOffsetsResponse, value, { version: 4 })
  return answer.topics[0]?.partitions[0]?.offset
}

describe.each(BOTH)('readers, protocol $protocol', ({ isNew, protocol }) => {
  const topicOf = async (name: string): Promise<string> => {
    const topic = `${name}-${protocol.replace(' ', '')}`
    await createTopic(client, topic)
    return topic
  }

  test('at read_committed see nothing of an open transaction, nor what lies behind it', async () => {
    const topic = await topicOf('held-back')
    const session = await open(topic, isNew)
    await session.write(topic, 0, ['in a transaction'])
    await produce(client, batchOf(['plain']), { topic })
    expect(valuesOf(await fetchOne(reader, { topic }, { isolationLevel: 0 }))).toEqual(['in a transaction', 'plain'])
    expect(await fetchOne(reader, { topic }, { isolationLevel: 1 })).toMatchObject({
      highWatermark: 2,
      lastStableOffset: 0,
    })
    expect(valuesOf(await fetchOne(reader, { topic }, { isolationLevel: 1 }))).toEqual([])
    expect([await latest(topic, 0), await latest(topic, 1)]).toEqual([2, 0])
    await session.end(true)
    while ((await latest(topic, 1)) !== 3) await Bun.sleep(1)
  })

  test('that wait are woken by the end of the transaction, not by its data', async () => {
    const topic = await topicOf('woken')
    const session = await open(topic, isNew)
    await session.write(topic, 0, ['one'])
    const waiting = await startFetch(topic, {})
    await session.write(topic, 0, ['two'])
    expect(waiting.isAnswered).toBe(false)
    await session.end(true)
    expect(valuesOf((await waiting.answer).responses[0]!.partitions[0]!).slice(0, 2)).toEqual(['one', 'two'])
  })

  test('that want many bytes get them when the transaction ends, though its marker is small', async () => {
    const topic = await topicOf('many-bytes')
    const session = await open(topic, isNew)
    await session.write(topic, 0, ['x'.repeat(5_000)])
    const waiting = await startFetch(topic, { minBytes: 5_000 })
    expect(waiting.isAnswered).toBe(false)
    await session.end(true)
    expect(valuesOf((await waiting.answer).responses[0]!.partitions[0]!)[0]).toHaveLength(5_000)
  })

  test('that want more than there is go on waiting', async () => {
    const topic = await topicOf('more-bytes')
    const session = await open(topic, isNew)
    await session.write(topic, 0, ['small'])
    const waiting = await startFetch(topic, { minBytes: 5_000 })
    await session.end(true)
    while ((await latest(topic, 1)) !== 2) await Bun.sleep(1)
    expect(waiting.isAnswered).toBe(false)
    await produce(client, batchOf(['x'.repeat(5_000)]), { topic })
    expect(valuesOf((await waiting.answer).responses[0]!.partitions[0]!)).toContain('small')
  })

  test('are told of aborted transactions', async () => {
    const topic = await topicOf('aborted')
    const session = await open(topic, isNew)
    await session.write(topic, 0, ['dropped'])
    await session.end(false)
    while ((await latest(topic, 1)) !== 2) await Bun.sleep(1)
    const row = await fetchOne(reader, { topic }, { isolationLevel: 1 })
    expect(row.abortedTransactions).toMatchObject([{ firstOffset: 0 }])
    expect((await fetchOne(reader, { topic }, { isolationLevel: 0 })).abortedTransactions).toBeNull()
  })

  test('of positions wait for the end of the transaction that commits them', async () => {
    const topic = await topicOf('positions')
    const session = await open(topic, isNew)
    await session.commitOffset(topic, topic, 0, 42)
    const position = stableOffset(reader, topic, topic, 0)
    await session.end(true)
    expect(await position).toBe(42)
  })

  test('are not held up by a partition that was deleted in the middle', async () => {
    const [gone, kept] = [await topicOf('deleted'), await topicOf('kept')]
    const session = await open(gone, isNew)
    await session.write(gone, 0, ['gone'])
    await session.write(kept, 0, ['kept'])
    const deletion = { topics: [{ name: gone, topicId: ZERO_UUID }], timeoutMs: 5_000 }
    await client.send(DeleteTopicsRequest, DeleteTopicsResponse, deletion, { version: 6 })
    await session.end(true)
    while ((await latest(kept, 1)) !== 2) await Bun.sleep(1)
    await session.write(kept, 0, ['next'])
    await session.end(true)
  })
})

describe('writers', () => {
  test('several batches at once go in in their order, though the partition has to be added first', async () => {
    const topic = 'in-order'
    await createTopic(client, topic)
    await open(topic, true)
    const { producerId, producerEpoch } = producerOf(topic)
    const batches = Array.from({ length: 5 }, (_, baseSequence) =>
      batchOf([`value ${baseSequence}`], { producerId, producerEpoch, baseSequence, isTransactional: true }),
    )
    const rows = await Promise.all(
      batches.map((batch) => produce(client, batch, { topic, transactionalId: topic, version: 12 })),
    )
    expect(rows.map(({ errorCode, baseOffset }) => [errorCode, baseOffset])).toEqual(
      [0, 1, 2, 3, 4].map((offset) => [0, offset]),
    )
  })

  test('an operator can end a transaction that no coordinator knows', async () => {
    const topic = 'hanging'
    await createTopic(client, topic)
    const session = await open(topic, true)
    await session.write(topic, 0, ['hanging'])
    const { producerId, producerEpoch } = producerOf(topic)
    const marker = { producerId, producerEpoch, transactionResult: false, coordinatorEpoch: 0 }
    const value = { markers: [{ ...marker, topics: [{ name: topic, partitionIndexes: [0] }] }] }
    const answer = await client.send(WriteTxnMarkersRequest, WriteTxnMarkersResponse, value, { version: 1 })
    expect(answer.markers[0]?.topics[0]?.partitions).toEqual([{ partitionIndex: 0, errorCode: ErrorCode.NONE }])
    expect(await latest(topic, 1)).toBe(2)
    const asked = { topics: [{ name: topic, partitionIndexes: [0] }] }
    const described = await client.send(DescribeProducersRequest, DescribeProducersResponse, asked, { version: 0 })
    expect(described.topics[0]?.partitions[0]?.activeProducers).toMatchObject([
      { producerId, currentTxnStartOffset: -1 },
    ])
  })

  test('a producer that uses up its epochs goes on with another id, in the middle of its work', async () => {
    const topic = 'many-epochs'
    await createTopic(client, topic)
    const session = await open(topic, true)
    const { producerId } = producerOf(topic)
    while (producerOf(topic).producerEpoch < LAST_EPOCH - 1) await session.end(false)
    for (const [index, committed] of [true, true, false, true].entries()) {
      await session.write(topic, 0, [`value ${index}`])
      await session.end(committed)
    }
    expect(producerOf(topic).producerId).not.toBe(producerId)
    while ((await latest(topic, 1)) !== 8) await Bun.sleep(1)
    const { records } = await readCommitted(reader, topic, 0, 0)
    expect(records.map(({ value }) => value)).toEqual(['value 0', 'value 1', 'value 3'])
  }, 30_000)

  test('ListTransactions filters by state', async () => {
    const call = [ListTransactionsRequest, ListTransactionsResponse, 2] as const
    const listed = await ask(
      client,
      call,
      { stateFilters: ['Ongoing'], producerIdFilters: [] },
      ({ errorCode }) => errorCode,
    )
    const ids = listed.transactionStates.map(({ transactionalId }) => transactionalId)
    expect(ids).toContain('in-order')
    expect(ids).not.toContain('held-back-old')
  })

  /** What the coordinator knows of the id. */
  function producerOf(transactionalId: string): { producerId: number; producerEpoch: number } {
    const described = broker.context.transactions.describe(transactionalId)
    if (typeof described === 'number') throw new Error(`no such transaction: ${described}`)
    return { producerId: described.producerId, producerEpoch: described.producerEpoch }
  }
})
