// What happens to `samsa/kafkajs` at the edges: handlers that outlive their partitions, programs that disconnect in the middle of something.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { Admin, Broker } from '../../src/index.ts'
import {
  type ConsumerConfig,
  type ConsumerCrashEvent,
  Kafka,
  type KafkaConfig,
  logLevel,
} from '../../src/kafkajs/index.ts'
import { committed, failureOf, makeTopic, naming, numbered, produce, QUICK, Seen } from './programs/program.ts'

// A loaded machine takes its time.
const TIMEOUT_MS = 120_000
setDefaultTimeout(TIMEOUT_MS)
const name = naming()
let broker: Broker

beforeAll(async () => {
  broker = await Broker.start()
}, TIMEOUT_MS)
afterAll(() => broker.stop(), TIMEOUT_MS)

function connect(config: Partial<KafkaConfig> = {}): Kafka {
  const patient = { connectionTimeout: 30_000, retry: { initialRetryTime: 10, retries: 3 } }
  return new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING, ...patient, ...config })
}

test('a handler whose partition was lost handles no more of it, and moves nothing when it comes back', async () => {
  const kafka = connect()
  const [topic, groupId] = [name('lost'), name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, numbered('m', 4))
  const release = Promise.withResolvers<void>()
  const [seen, members, ended] = [new Seen<string>(), new Seen<string>(), new Seen<string>()]
  // So long it is waited for a handler whose partition is lost.
  const consumer = kafka.consumer({ groupId, ...QUICK, rebalanceTimeout: 1_000 })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => members.add(payload.memberId))
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    partitionsConsumedConcurrently: 2,
    eachMessage: async ({ message, heartbeat }) => {
      seen.add(message.offset)
      if (seen.items.length > 1) return
      await release.promise
      await heartbeat().catch((error: { type: string }) => ended.add(error.type))
    },
  })
  await seen.count(1)
  await using admin = new Admin({ bootstrap: broker.bootstrap })
  await admin.removeMembers(groupId, [{ memberId: members.items.at(-1)! }])
  // It joins again, and what was not handled is handled by another worker.
  await seen.count(5)
  release.resolve()
  await ended.count(1)
  await produce(kafka, topic, ['new'])
  await seen.count(6)
  await consumer.disconnect()
  expect(seen.items).toEqual(['0', '0', '1', '2', '3', '4'])
  expect(ended.items).toEqual(['REBALANCE_IN_PROGRESS'])
  expect(await committed(kafka, groupId, topic)).toEqual(['5'])
})

test.each([undefined, null, 'text'])('a handler that throws %p is called again', async (thrown) => {
  const kafka = connect()
  const topic = name('throwing')
  await makeTopic(kafka, topic)
  await produce(kafka, topic, ['x'])
  const consumer = kafka.consumer({ groupId: name('group'), ...QUICK, retry: { initialRetryTime: 5, retries: 1 } })
  const seen = new Seen<unknown>()
  consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }: ConsumerCrashEvent) => {
    seen.add([error.name, error.message, restart])
  })
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      seen.add(message.offset)
      if (seen.items.length < 4) throw thrown
    },
  })
  await seen.count(4)
  await consumer.disconnect()
  expect(seen.items).toEqual(['0', '0', ['KafkaJSNumberOfRetriesExceeded', String(thrown), true], '0'])
})

/** A consumer that crashes; `restarts` counts how often it has begun. */
async function crashing(retry: ConsumerConfig['retry'] = {}) {
  const kafka = connect()
  const topic = name('crashing')
  await makeTopic(kafka, topic)
  await produce(kafka, topic, ['x'])
  const consumer = kafka.consumer({
    groupId: name('group'),
    ...QUICK,
    retry: { initialRetryTime: 1, retries: 0, ...retry },
  })
  await consumer.subscribe({ topic, fromBeginning: true })
  const calls = new Seen<string>()
  const run = () =>
    consumer.run({
      eachMessage: async ({ message }) => {
        calls.add(message.offset)
        if (calls.items.length === 1) throw new Error('no')
      },
    })
  return { consumer, run, calls }
}

test('a consumer that is disconnected because of its crash stays so', async () => {
  const { consumer, run, calls } = await crashing()
  const disconnected = new Promise<void>((resolve) => {
    consumer.on(consumer.events.CRASH, () => void consumer.disconnect().then(resolve))
  })
  const begun = new Seen<number>()
  await run()
  await disconnected
  consumer.on(consumer.events.CONNECT, () => begun.add(1))
  // It can be run again, which is then the only time.
  await run()
  await calls.count(2)
  await consumer.disconnect()
  expect([calls.items.length, begun.items.length]).toEqual([2, 1])
})

test('a consumer that is disconnected while it is asked whether to restart stays so', async () => {
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<boolean>()
  const restartOnFailure = () => {
    asked.resolve()
    return answer.promise
  }
  const { consumer, run, calls } = await crashing({ restartOnFailure })
  const crashed = new Promise<void>((resolve) => void consumer.on(consumer.events.CRASH, () => resolve()))
  await run()
  await asked.promise
  await consumer.disconnect()
  answer.resolve(true)
  await crashed
  const begun = new Seen<number>()
  consumer.on(consumer.events.CONNECT, () => begun.add(1))
  await run()
  await calls.count(2)
  await consumer.disconnect()
  expect(begun.items).toHaveLength(1)
})

test('headers may be called as what every object has', async () => {
  const kafka = connect()
  const topic = name('headers')
  const producer = kafka.producer()
  await producer.connect()
  const headers = Object.fromEntries([
    ['constructor', 'a'],
    ['__proto__', 'b'],
    ['toString', ['c', 'd']],
  ])
  await producer.send({ topic, messages: [{ value: 'x', headers }] })
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: name('group'), ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<unknown>()
  await consumer.run({ eachMessage: async ({ message }) => seen.add(Object.entries(message.headers!)) })
  await seen.count(1)
  await consumer.disconnect()
  const bytes = (text: string) => Buffer.from(text)
  const expected = [
    ['constructor', bytes('a')],
    ['__proto__', bytes('b')],
    ['toString', [bytes('c'), bytes('d')]],
  ]
  expect(seen.items).toEqual([expected])
})

test('what is sent before a disconnect arrives, and the producer can be connected again', async () => {
  const topic = name('leaving')
  const producer = connect().producer()
  await producer.connect()
  const sent = producer.send({ topic, messages: [{ value: 'before' }] })
  await producer.disconnect()
  expect((await sent)[0]!.baseOffset).toBe('0')
  expect((await failureOf(() => producer.send({ topic, messages: [{ value: 'never' }] }))).name).toBe('KafkaJSError')
  await producer.connect()
  await producer.send({ topic, messages: [{ value: 'after' }] })
  await producer.disconnect()
  expect(await broker.topic(topic).values()).toEqual(['before', 'after'])
})

test('a transaction that is begun while its producer disconnects does not spoil the next', async () => {
  const topic = name('leaving')
  const producer = connect().producer({ transactionalId: name('id'), idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const begun = failureOf(() => producer.transaction())
  await producer.disconnect()
  expect((await begun).message).toMatch(/disconnect/)
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ value: 'x' }] })
  const offsets = { topics: [{ topic, partitions: [{ partition: 0, offset: '1' }] }] }
  const failure = await failureOf(() => transaction.sendOffsets(offsets as never))
  expect([failure.name, failure.message]).toEqual(['KafkaJSNonRetriableError', 'Missing consumerGroupId'])
  await transaction.commit()
  await producer.disconnect()
  expect(await broker.topic(topic).values()).toEqual(['x'])
})

test('an attempt to connect that fails late leaves the connection of the next one alone', async () => {
  const late = Promise.withResolvers<string[]>()
  let lookups = 0
  const brokers = () => (++lookups === 1 ? late.promise : Promise.resolve([broker.bootstrap]))
  const admin = connect({ brokers, retry: { retries: 0 } }).admin()
  const first = failureOf(() => admin.connect())
  const disconnected = admin.disconnect()
  await admin.connect()
  late.reject(new Error('too late'))
  await Promise.all([first, disconnected])
  await admin.listTopics()
  await admin.disconnect()
  expect(lookups).toBe(2)
})
