/**
 * What a producer must do against any broker: run against Samsa and a real Kafka, on Bun and on Node. What was written is read
 * back by the consumer. Each scenario uses topics and ids of its own, so that they can share a broker.
 */
import assert from 'node:assert/strict'
import { parseBootstrap } from '../../../src/client/address.ts'
import { Cluster } from '../../../src/client/cluster.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import type { ProducerOptions } from '../../../src/client/producer/options.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../../src/protocol/messages/09-offset-fetch.ts'
import { type Bench, consumerOf, type Scenario, uniqueName, withTopic } from '../consumer/scenarios.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

async function withProducer<T>(
  bench: Bench,
  options: ProducerOptions,
  run: (producer: Producer) => Promise<T>,
): Promise<T> {
  const producer = new Producer({ bootstrap: bench.bootstrap, ...options })
  try {
    return await run(producer)
  } finally {
    await producer.close()
  }
}

interface Read {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly timestamp: number
  readonly headers: readonly (readonly [string, string | null])[]
}

/** The first `count` records of the partitions, each partition in order. */
async function read(
  bench: Bench,
  topic: string,
  options: { count: number; partitions?: number; readCommitted?: boolean },
): Promise<Read[]> {
  const consumer = consumerOf(bench, { readCommitted: options.readCommitted ?? false })
  const records: Read[] = []
  try {
    const partitions = Array.from({ length: options.partitions ?? 1 }, (_, partition) => partition)
    await consumer.assign(partitions.map((partition) => ({ topic, partition })))
    for await (const { partition, offset, key, value, timestamp, headers } of consumer.messages()) {
      records.push({
        partition,
        offset,
        key: key?.toString() ?? null,
        value: value?.toString() ?? null,
        timestamp,
        headers: headers.map((header) => [header.key, header.value?.toString() ?? null] as const),
      })
      if (records.length === options.count) break
    }
  } finally {
    await consumer.close()
  }
  return records
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof KafkaError) return error.code
    throw error
  }
  return 'no error'
}

/** Null where the group has none. */
async function committedOffset(bench: Bench, groupId: string, topic: string): Promise<number | null> {
  const bootstrap = parseBootstrap(bench.bootstrap)
  assert(typeof bootstrap !== 'string')
  const cluster = await Cluster.connect({ bootstrap })
  try {
    const coordinator = await cluster.groupCoordinator(groupId)
    const answer = await coordinator.send(
      OffsetFetchRequest,
      OffsetFetchResponse,
      { groupId, topics: [{ name: topic, partitionIndexes: [0] }], requireStable: true },
      { maxVersion: 7 },
    )
    const offset = answer.topics[0]?.partitions[0]?.committedOffset ?? -1
    return offset < 0 ? null : offset
  } finally {
    await cluster.close()
  }
}

async function everyCodec(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 1)
  const value = (codec: string): string => `${codec} `.repeat(2_000)
  for (const compression of CODECS) {
    await withProducer(bench, { compression }, (producer) =>
      producer.send([0, 1, 2].map((part) => ({ topic, key: `${part}`, value: value(compression) }))),
    )
  }
  const records = await read(bench, topic, { count: CODECS.length * 3 })
  assert.deepEqual(
    records.map((record) => record.value),
    CODECS.flatMap((codec) => [codec, codec, codec]).map(value),
  )
}

async function placesAreTrue(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 3)
  const count = 2_000
  const startMs = Date.now()
  const places = await withProducer(bench, { batchBytes: 4_000 }, async (producer) => {
    const sent = Array.from({ length: count }, (_, index) => {
      return producer.send({
        topic,
        key: `k${index % 50}`,
        value: `${index}`,
        headers: { index: `${index}` },
        timestamp: startMs + index,
      })
    })
    return Promise.all(sent)
  })
  const records = await read(bench, topic, { count, partitions: 3 })
  const found = new Map(records.map((record) => [`${record.partition}/${record.offset}`, record]))
  assert.equal(found.size, count)
  for (const [index, { partition, offset, timestamp }] of places.entries()) {
    const record = found.get(`${partition}/${offset}`)
    assert.equal(record?.value, `${index}`)
    assert.deepEqual(record.headers, [['index', `${index}`]])
    assert.equal(record.timestamp, startMs + index)
    assert.equal(timestamp, startMs + index)
  }
  for (const partition of [0, 1, 2]) {
    const values = records.filter((record) => record.partition === partition).map((record) => Number(record.value))
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
    )
  }
}

async function nullsAndBytes(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 1)
  await withProducer(bench, {}, (producer) =>
    producer.send([
      { topic, key: null, value: null },
      { topic, key: '', value: '' },
      { topic, key: 'ключ', value: new Uint8Array([228, 189, 160]), headers: [{ key: 'h', value: null }] },
    ]),
  )
  const records = await read(bench, topic, { count: 3 })
  assert.deepEqual(
    records.map(({ key, value, headers }) => ({ key, value, headers })),
    [
      { key: null, value: null, headers: [] },
      { key: '', value: '', headers: [] },
      { key: 'ключ', value: '你', headers: [['h', null]] },
    ],
  )
}

async function splitsWhatIsTooLarge(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 1, { 'max.message.bytes': '10000' })
  const values = Array.from({ length: 100 }, (_, index) => String(index).padStart(1_000, '.'))
  await withProducer(bench, {}, async (producer) => {
    const places = await producer.send(values.map((value) => ({ topic, value })))
    assert.deepEqual(
      places.map(({ offset }) => offset),
      values.map((_, index) => index),
    )
    assert.equal(await codeOf(producer.send({ topic, value: 'x'.repeat(20_000) })), 'MESSAGE_TOO_LARGE')
    // What comes after a batch that was refused for good is taken all the same.
    assert.equal((await producer.send({ topic, value: 'after' })).offset, 100)
  })
  const records = await read(bench, topic, { count: 101 })
  assert.deepEqual(
    records.map(({ value }) => value),
    [...values, 'after'],
  )
}

async function appendTime(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 1, { 'message.timestamp.type': 'LogAppendTime' })
  const { timestamp } = await withProducer(bench, {}, (producer) => producer.send({ topic, value: 'x', timestamp: 5 }))
  assert.ok(timestamp > 1_600_000_000_000)
  const [record] = await read(bench, topic, { count: 1 })
  assert.equal(record?.timestamp, timestamp)
}

async function acknowledgements(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 1)
  for (const acks of ['all', 1, 0] as const) {
    await withProducer(bench, { acks }, (producer) => producer.send({ topic, value: `acks ${acks}` }))
  }
  const records = await read(bench, topic, { count: 3 })
  assert.deepEqual(
    records.map(({ value }) => value),
    ['acks all', 'acks 1', 'acks 0'],
  )
}

async function commitAndAbort(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 2)
  const groupId = uniqueName('group')
  await withProducer(bench, { transactionalId: uniqueName('tx') }, async (producer) => {
    for (let round = 0; round < 4; round++) {
      const run = producer.transaction(async (transaction) => {
        await transaction.send([0, 1].map((partition) => ({ topic, partition, value: `round ${round}` })))
        await transaction.sendOffsets(groupId, [{ topic, partition: 0, offset: round + 1 }])
        if (round % 2 === 1) throw new Error('changed my mind')
        // Nobody waits for this one: the commit does.
        void transaction.send({ topic, partition: 1, value: `last of ${round}` })
      })
      if (round % 2 === 1) await assert.rejects(run, /changed my mind/)
      else await run
    }
  })
  const records = await read(bench, topic, { count: 6, partitions: 2, readCommitted: true })
  const of = (wanted: number) => records.filter(({ partition }) => partition === wanted).map(({ value }) => value)
  assert.deepEqual(of(0), ['round 0', 'round 2'])
  assert.deepEqual(of(1), ['round 0', 'last of 0', 'round 2', 'last of 2'])
  assert.equal(await committedOffset(bench, groupId, topic), 3)
}

async function emptyTransactions(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 1)
  await withProducer(bench, { transactionalId: uniqueName('tx') }, async (producer) => {
    assert.equal(await codeOf(producer.send({ topic, value: 'outside' })), 'ERR_INVALID_STATE')
    await producer.transaction(async () => undefined)
    await producer.transaction((transaction) => transaction.send({ topic, value: 'inside' }))
    await producer.beginTransaction()
    assert.equal(await codeOf(producer.beginTransaction()), 'ERR_INVALID_STATE')
    await producer.abortTransaction()
  })
  const records = await read(bench, topic, { count: 1, readCommitted: true })
  assert.equal(records[0]?.value, 'inside')
}

async function fencing(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 1)
  const transactionalId = uniqueName('tx')
  await withProducer(bench, { transactionalId }, async (old) => {
    await old.beginTransaction()
    await old.send({ topic, value: 'of the old one' })
    await withProducer(bench, { transactionalId }, (young) =>
      young.transaction((transaction) => transaction.send({ topic, value: 'of the young one' })),
    )
    assert.equal(await codeOf(old.commitTransaction()), 'ERR_FENCED')
    assert.equal(await codeOf(old.beginTransaction()), 'ERR_FENCED')
  })
  const records = await read(bench, topic, { count: 1, readCommitted: true })
  assert.equal(records[0]?.value, 'of the young one')
}

async function failedRecordAborts(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 1, { 'max.message.bytes': '10000' })
  await withProducer(bench, { transactionalId: uniqueName('tx') }, async (producer) => {
    const failing = producer.transaction(async (transaction) => {
      await transaction.send({ topic, value: 'small' })
      void transaction.send({ topic, value: 'x'.repeat(20_000) })
    })
    assert.equal(await codeOf(failing), 'ERR_TRANSACTION_ABORTABLE')
    await producer.transaction((transaction) => transaction.send({ topic, value: 'next' }))
  })
  const records = await read(bench, topic, { count: 1, readCommitted: true })
  assert.equal(records[0]?.value, 'next')
}

async function refusedRecordAborts(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 1)
  await withProducer(bench, { transactionalId: uniqueName('tx'), maxRequestBytes: 10_000 }, async (producer) => {
    const failing = producer.transaction(async (transaction) => {
      await transaction.send({ topic, value: 'small' })
      void transaction.send({ topic, value: 'x'.repeat(20_000) })
    })
    assert.equal(await codeOf(failing), 'ERR_TRANSACTION_ABORTABLE')
    await producer.transaction((transaction) => transaction.send({ topic, value: 'next' }))
  })
  const records = await read(bench, topic, { count: 1, readCommitted: true })
  assert.equal(records[0]?.value, 'next')
}

/** What is serialized only after the abort, and what is sent only after the commit was called, is in no transaction. */
async function lateRecords(bench: Bench): Promise<void> {
  const topic = await withTopic(bench, 1)
  const { promise: serialized, resolve } = Promise.withResolvers<void>()
  const serialize = async (value: string | Uint8Array): Promise<string | Uint8Array> => {
    if (value === 'serialized late') await serialized
    return value
  }
  await withProducer(
    bench,
    { transactionalId: uniqueName('tx'), serdes: { value: { serialize } } },
    async (producer) => {
      await producer.beginTransaction()
      await producer.send({ topic, value: 'first' })
      const aborted = codeOf(producer.send({ topic, value: 'serialized late' }))
      const aborting = producer.abortTransaction()
      resolve()
      await aborting
      assert.equal(await aborted, 'ERR_INVALID_STATE')
      await producer.beginTransaction()
      await producer.send({ topic, value: 'second' })
      const committing = producer.commitTransaction()
      assert.equal(await codeOf(producer.send({ topic, value: 'sent late' })), 'ERR_INVALID_STATE')
      await committing
      await producer.transaction((transaction) => transaction.send({ topic, value: 'third' }))
    },
  )
  const records = await read(bench, topic, { count: 2, readCommitted: true })
  assert.deepEqual(
    records.map(({ value }) => value),
    ['second', 'third'],
  )
}

async function createsTopics(bench: Bench): Promise<void> {
  const topic = uniqueName('created')
  const { offset } = await withProducer(bench, {}, (producer) => producer.send({ topic, value: 'first' }))
  assert.equal(offset, 0)
  const missing = withProducer(bench, { createTopics: false }, (producer) =>
    producer.send({ topic: uniqueName('missing'), value: 'x' }),
  )
  assert.equal(await codeOf(missing), 'UNKNOWN_TOPIC_OR_PARTITION')
}

export const PRODUCER_SCENARIOS: readonly Scenario[] = [
  { name: 'every codec', run: everyCodec },
  { name: 'records are where the answers say, in order, with headers and timestamps', run: placesAreTrue },
  { name: 'nulls, empty values and bytes', run: nullsAndBytes },
  { name: 'a batch that is too large is split, a record that is fails alone', run: splitsWhatIsTooLarge },
  { name: "the broker's timestamp where the topic asks for it", run: appendTime },
  { name: 'acks all, 1 and 0', run: acknowledgements },
  { name: 'transactions: records and offsets, committed and aborted', run: commitAndAbort },
  { name: 'transactions: nothing in them, nothing outside of them', run: emptyTransactions },
  { name: 'transactions: a second producer fences the first', run: fencing },
  { name: 'transactions: a record that fails aborts', run: failedRecordAborts },
  { name: 'transactions: a record that is refused at once aborts', run: refusedRecordAborts },
  { name: 'transactions: records that come too late are in none', run: lateRecords },
  { name: 'topics are created, if asked', run: createsTopics },
]
