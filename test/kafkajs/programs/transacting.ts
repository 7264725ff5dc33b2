/** Transactions: all or nothing, also of the offsets that were read. */
import assert from 'node:assert/strict'
import {
  committed,
  connect,
  eventually,
  failureOf,
  type Kafka,
  makeTopic,
  numbered,
  type Program,
  type Programs,
  produce,
  QUICK,
  Seen,
} from './program.ts'

async function read(kafka: Kafka, groupId: string, topic: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  await consumer.run({ eachMessage: async ({ message }) => seen.add(String(message.value)) })
  await seen.count(count)
  await consumer.disconnect()
  return seen.items
}

const allOrNothing: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('transactions')
  await makeTopic(kafka, topic)
  const options = { transactionalId: setting.name('id'), maxInFlightRequests: 1, idempotent: true }
  const producer = kafka.producer(options)
  await producer.connect()
  const kept = await producer.transaction()
  assert.equal(kept.isActive(), true)
  const [row] = await kept.send({ topic, messages: [{ value: 'kept 1' }] })
  assert.equal(row!.baseOffset, '0')
  await kept.sendBatch({ topicMessages: [{ topic, messages: [{ value: 'kept 2' }] }] })
  const busy = await failureOf(() => producer.transaction())
  assert.equal(busy.name, 'KafkaJSNonRetriableError')
  await kept.commit()
  assert.equal(kept.isActive(), false)
  for (const call of [
    () => kept.send({ topic, messages: [{ value: 'x' }] }),
    () => kept.commit(),
    () => kept.abort(),
  ]) {
    const { name, message } = await failureOf(call)
    assert.deepEqual([name, message], ['KafkaJSNonRetriableError', 'Cannot continue to use transaction once ended'])
  }
  const dropped = await producer.transaction()
  await dropped.send({ topic, messages: [{ value: 'dropped' }] })
  await dropped.abort()
  const again = await producer.transaction()
  await again.send({ topic, messages: [{ value: 'kept 3' }] })
  await again.commit()
  // Outside of a transaction the same producer sends at once.
  await producer.send({ topic, messages: [{ value: 'plain' }] })
  await producer.disconnect()
  const groupId = setting.name('group')
  assert.deepEqual(await read(kafka, groupId, topic, 4), ['kept 1', 'kept 2', 'kept 3', 'plain'])
  // Everything is read, the markers of transactions included.
  await eventually(() => committed(kafka, groupId, topic), ['8'])
}

const readProcessWrite: Program = async (setting) => {
  const kafka = connect(setting)
  const [source, target, groupId] = [setting.name('source'), setting.name('target'), setting.name('group')]
  await makeTopic(kafka, source)
  await makeTopic(kafka, target)
  await produce(kafka, source, numbered('order ', 4))
  const producer = kafka.producer({ transactionalId: setting.name('id'), maxInFlightRequests: 1, idempotent: true })
  await producer.connect()
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic: source, fromBeginning: true })
  const done = new Seen<string>()
  let hasFailed = false
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ topic, partition, message }) => {
      const transaction = await producer.transaction()
      try {
        await transaction.send({ topic: target, messages: [{ value: `paid ${message.value}` }] })
        if (message.offset === '2' && !hasFailed) {
          hasFailed = true
          throw new Error('the power went out')
        }
        const offset = String(Number(message.offset) + 1)
        const topics = [{ topic, partitions: [{ partition, offset }] }]
        await transaction.sendOffsets({ consumerGroupId: groupId, topics })
        await transaction.commit()
        done.add(message.offset)
      } catch (error) {
        await transaction.abort()
        throw error
      }
    },
  })
  await done.count(4)
  await consumer.disconnect()
  await producer.disconnect()
  assert.equal(hasFailed, true)
  await eventually(() => committed(kafka, groupId, source), ['4'])
  assert.deepEqual(await read(kafka, setting.name('reader'), target, 4), numbered('paid order ', 4))
}

const offsetsOfABatch: Program = async (setting) => {
  const kafka = connect(setting)
  const [source, groupId] = [setting.name('source'), setting.name('group')]
  await makeTopic(kafka, source)
  await produce(kafka, source, numbered('m', 3))
  const producer = kafka.producer({ transactionalId: setting.name('id'), maxInFlightRequests: 1, idempotent: true })
  await producer.connect()
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic: source, fromBeginning: true })
  const left = new Seen<unknown>()
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, resolveOffset, uncommittedOffsets }) => {
      for (const { offset } of batch.messages) resolveOffset(offset)
      const transaction = await producer.transaction()
      await transaction.sendOffsets({ consumerGroupId: groupId, ...uncommittedOffsets() })
      await transaction.commit()
      // The transaction has committed them: nothing is left for the consumer.
      left.add(uncommittedOffsets())
    },
  })
  await left.count(1)
  await consumer.disconnect()
  await producer.disconnect()
  assert.deepEqual(left.items, [{ topics: [] }])
  await eventually(() => committed(kafka, groupId, source), ['3'])
}

const refusedRecord: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('small')
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, configEntries: [{ name: 'max.message.bytes', value: '1000' }] }] })
  await admin.disconnect()
  const producer = kafka.producer({ transactionalId: setting.name('id'), maxInFlightRequests: 1, idempotent: true })
  await producer.connect()
  const broken = await producer.transaction()
  await broken.send({ topic, messages: [{ value: 'small' }] })
  const { type } = await failureOf(() => broken.send({ topic, messages: [{ value: 'x'.repeat(5_000) }] }))
  assert.equal(type, 'MESSAGE_TOO_LARGE')
  await broken.abort()
  assert.equal(broken.isActive(), false)
  const next = await producer.transaction()
  await next.send({ topic, messages: [{ value: 'after' }] })
  await next.commit()
  await producer.disconnect()
  assert.deepEqual(await read(kafka, setting.name('group'), topic, 1), ['after'])
}

const fenced: Program = async (setting) => {
  const kafka = connect(setting, { retry: { initialRetryTime: 5, retries: 1 } })
  const topic = setting.name('fenced')
  await makeTopic(kafka, topic)
  const options = { transactionalId: setting.name('id'), maxInFlightRequests: 1, idempotent: true }
  const [old, young] = [kafka.producer(options), kafka.producer(options)]
  await old.connect()
  const begun = await old.transaction()
  await begun.send({ topic, messages: [{ value: 'old' }] })
  await young.connect()
  const other = await young.transaction()
  await other.send({ topic, messages: [{ value: 'young' }] })
  await other.commit()
  const error = await failureOf(() => begun.commit())
  const cause = (error.type === undefined ? error.cause : error) as { type?: string }
  assert.ok(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'].includes(cause.type ?? ''), String(cause.type))
  await Promise.all([old.disconnect(), young.disconnect()])
  assert.deepEqual(await read(kafka, setting.name('group'), topic, 1), ['young'])
}

export const transacting: Programs = {
  'a transaction is committed or aborted as a whole': allOrNothing,
  'read, process, write: each message once': readProcessWrite,
  'offsets that a transaction commits are committed': offsetsOfABatch,
  'a record that the broker refuses: abort, and go on': refusedRecord,
  'a producer whose id was taken over cannot commit': fenced,
}
