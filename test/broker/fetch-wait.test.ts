/** Long polls: when a Fetch answers, and when it goes on waiting. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Broker } from '../../src/broker/server.ts'
import type { Connection } from '../../src/client/connection.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/20-delete-topics.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../src/protocol/messages/21-delete-records.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import {
  batchOf,
  batchOfSize,
  bytesOf,
  connect,
  createTopic,
  type FetchAnswer,
  type FetchOf,
  type FetchTermsOf,
  fetchAll,
  produce,
  startBroker,
  valuesOf,
} from './support/test-broker.ts'

const LONG_MS = 20_000

let broker: Broker
let producer: Connection
let consumer: Connection

beforeAll(async () => {
  broker = await startBroker()
  producer = await connect(broker)
  consumer = await connect(broker)
})

afterAll(async () => {
  await consumer.close()
  await producer.close()
  await broker.stop()
})

interface Waiting {
  readonly answer: Promise<FetchAnswer>
  isAnswered: boolean
}

/** Sends a Fetch and returns once the broker holds it, or has answered it. */
async function startFetch(partitions: readonly FetchOf[], terms: FetchTermsOf): Promise<Waiting> {
  const held = broker.context.fetchWaits.size
  const waiting: Waiting = {
    answer: fetchAll(consumer, partitions, { maxWaitMs: LONG_MS, ...terms }),
    isAnswered: false,
  }
  void waiting.answer.then(() => {
    waiting.isAnswered = true
  })
  while (broker.context.fetchWaits.size === held && !waiting.isAnswered) await Bun.sleep(1)
  return waiting
}

let topicNumber = 0
async function freshTopic(partitions = 1): Promise<string> {
  const name = `wait-${topicNumber++}`
  await createTopic(producer, name, { partitions })
  return name
}

function rowsOf(answer: FetchAnswer) {
  return answer.responses.flatMap((topic) => topic.partitions)
}

describe('a fetch waits', () => {
  test('until data comes, and answers with it', async () => {
    const topic = await freshTopic()
    const waiting = await startFetch([{ topic }], {})
    expect(waiting.isAnswered).toBe(false)
    await produce(producer, batchOf(['news']), { topic })
    expect(valuesOf(rowsOf(await waiting.answer)[0]!)).toEqual(['news'])
    expect(broker.context.fetchWaits.size).toBe(0)
  })

  test('on all its partitions, and answers for all of them', async () => {
    const topic = await freshTopic(3)
    const waiting = await startFetch(
      [0, 1, 2].map((partition) => ({ topic, partition })),
      {},
    )
    await produce(producer, batchOf(['x']), { topic, partition: 2 })
    const rows = rowsOf(await waiting.answer)
    expect(rows.map((row) => bytesOf(row).length > 0)).toEqual([false, false, true])
  })

  test('for min_bytes over several appends and partitions', async () => {
    const topic = await freshTopic(2)
    const batch = batchOfSize(1000)
    const partitions = [0, 1].map((partition) => ({ topic, partition }))
    const waiting = await startFetch(partitions, { minBytes: 3 * batch.length })
    await produce(producer, Buffer.from(batch), { topic, partition: 0 })
    await produce(producer, Buffer.from(batch), { topic, partition: 1 })
    await Bun.sleep(20)
    expect(waiting.isAnswered).toBe(false)
    await produce(producer, Buffer.from(batch), { topic, partition: 1 })
    const rows = rowsOf(await waiting.answer)
    expect(rows.map((row) => bytesOf(row).length / batch.length)).toEqual([1, 2])
  })

  test('no longer than max_wait, and then answers with what there is', async () => {
    const topic = await freshTopic()
    await produce(producer, batchOf(['little']), { topic })
    const began = performance.now()
    const answer = await fetchAll(consumer, [{ topic }], { maxWaitMs: 120, minBytes: 1_000_000 })
    expect(performance.now() - began).toBeGreaterThanOrEqual(115)
    expect(valuesOf(rowsOf(answer)[0]!)).toEqual(['little'])
  })

  test('though one of its partitions is unknown: that row waits like the others', async () => {
    const topic = await freshTopic()
    const waiting = await startFetch([{ topic: 'nowhere' }, { topic }], {})
    expect(waiting.isAnswered).toBe(false)
    await produce(producer, batchOf(['x']), { topic })
    expect(rowsOf(await waiting.answer).map((row) => row.errorCode)).toEqual([3, 0])
  })

  test('a second fetch of another connection is woken by the same append', async () => {
    const topic = await freshTopic()
    const others = await Promise.all([connect(broker), connect(broker)])
    const answers = others.map((other) => fetchAll(other, [{ topic }], { maxWaitMs: LONG_MS }))
    while (broker.context.fetchWaits.size < 2) await Bun.sleep(1)
    await produce(producer, batchOf(['both']), { topic })
    for (const answer of await Promise.all(answers)) expect(valuesOf(rowsOf(answer)[0]!)).toEqual(['both'])
    for (const other of others) await other.close()
  })
})

describe('a fetch answers at once', () => {
  test('with min_bytes 0', async () => {
    const topic = await freshTopic()
    const waiting = await startFetch([{ topic }], { minBytes: 0 })
    expect(rowsOf(await waiting.answer)[0]!.errorCode).toBe(0)
  })

  test('with max_wait 0', async () => {
    const topic = await freshTopic()
    const waiting = await startFetch([{ topic }], { maxWaitMs: 0 })
    expect(bytesOf(rowsOf(await waiting.answer)[0]!).length).toBe(0)
  })

  test('when nothing is asked for', async () => {
    expect((await (await startFetch([], {})).answer).responses).toEqual([])
  })

  test('when nothing that is asked for exists', async () => {
    expect(rowsOf(await (await startFetch([{ topic: 'nowhere' }], {})).answer)[0]!.errorCode).toBe(3)
  })

  test('when there is enough, counting no more than max_bytes', async () => {
    const topic = await freshTopic()
    await produce(producer, batchOfSize(5000), { topic })
    const waiting = await startFetch([{ topic }], { minBytes: 1_000_000, maxBytes: 1000 })
    expect(bytesOf(rowsOf(await waiting.answer)[0]!).length).toBeGreaterThan(5000)
  })

  test('when a partition cannot be read, whatever the others have', async () => {
    const topic = await freshTopic()
    const broken = await freshTopic()
    const waiting = await startFetch([{ topic }, { topic: broken, offset: 99 }], {})
    expect(rowsOf(await waiting.answer).map((row) => row.errorCode)).toEqual([0, 1])
  })
})

describe('a waiting fetch is ended', () => {
  test('by the deletion of its topic', async () => {
    const topic = await freshTopic()
    const waiting = await startFetch([{ topic }], {})
    const request = { topicNames: [], topics: [{ name: topic, topicId: ZERO_UUID }], timeoutMs: 1000 }
    await producer.send(DeleteTopicsRequest, DeleteTopicsResponse, request)
    expect(rowsOf(await waiting.answer)[0]!.errorCode).toBe(3)
  })

  test('by DeleteRecords beyond its offset', async () => {
    const topic = await freshTopic()
    await produce(producer, batchOf(['1', '2']), { topic })
    const waiting = await startFetch([{ topic, offset: 0 }], { minBytes: 1_000_000 })
    const request = { topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset: 2 }] }], timeoutMs: 1000 }
    await producer.send(DeleteRecordsRequest, DeleteRecordsResponse, request)
    expect(rowsOf(await waiting.answer)[0]!.errorCode).toBe(1)
  })

  test('by the end of its connection, leaving nothing behind', async () => {
    const topic = await freshTopic()
    const other = await connect(broker)
    const answer = fetchAll(other, [{ topic }], { maxWaitMs: LONG_MS }).catch((error: Error) => error)
    while (broker.context.fetchWaits.size === 0) await Bun.sleep(1)
    await other.close()
    expect(await answer).toBeInstanceOf(Error)
    while (broker.context.fetchWaits.size > 0) await Bun.sleep(1)
    await produce(producer, batchOf(['nobody listens']), { topic })
  })

  test('by the stop of the broker, with an answer', async () => {
    const stopping = await startBroker()
    const connection = await connect(stopping)
    await createTopic(connection, 't')
    const answer = fetchAll(connection, [{ topic: 't' }], { maxWaitMs: LONG_MS })
    while (stopping.context.fetchWaits.size === 0) await Bun.sleep(1)
    const began = performance.now()
    await stopping.stop()
    expect(performance.now() - began).toBeLessThan(LONG_MS)
    expect(rowsOf(await answer)[0]!.errorCode).toBe(0)
  })
})
