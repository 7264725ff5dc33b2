/** Handlers that throw, brokers that are not there, consumers that crash and come back. */
import assert from 'node:assert/strict'
import {
  committed,
  connect,
  failureOf,
  makeTopic,
  numbered,
  type Program,
  type Programs,
  produce,
  QUICK,
  Seen,
} from './program.ts'

const throwing: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('throwing'), setting.name('group')]
  await makeTopic(kafka, topic)
  await produce(kafka, topic, numbered('m', 4))
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  const commits: string[] = []
  consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
    commits.push(payload.topics[0]!.partitions[0]!.offset)
  })
  let failures = 0
  await consumer.run({
    eachMessage: async ({ message }) => {
      seen.add(message.offset)
      if (message.offset === '2' && failures++ < 2) throw new Error('not yet')
    },
  })
  await seen.count(6)
  await consumer.disconnect()
  // What came before the failure is committed and not repeated.
  assert.deepEqual(seen.items, ['0', '1', '2', '2', '2', '3'])
  assert.deepEqual(commits, ['2', '4'])
  assert.deepEqual(await committed(kafka, groupId, topic), ['4'])
}

const throwingBatch: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('throwing')
  await makeTopic(kafka, topic)
  await produce(kafka, topic, numbered('m', 4))
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  let failures = 0
  await consumer.run({
    eachBatch: async ({ batch, resolveOffset }) => {
      for (const { offset } of batch.messages) {
        seen.add(offset)
        if (offset === '2' && failures++ === 0) throw new Error('not yet')
        resolveOffset(offset)
      }
    },
  })
  await seen.count(5)
  await consumer.disconnect()
  assert.deepEqual(seen.items, ['0', '1', '2', '2', '3'])
}

const crashing: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('crashing')
  await makeTopic(kafka, topic)
  await produce(kafka, topic, ['poison'])
  const retry = { initialRetryTime: 5, maxRetryTime: 10, retries: 2 }
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK, retry })
  const told = new Seen<string>()
  const { STOP, DISCONNECT, CRASH, GROUP_JOIN } = consumer.events
  for (const name of [STOP, DISCONNECT, GROUP_JOIN]) consumer.on(name, ({ type }) => told.add(type))
  const crashes = new Seen<{ error: Error; groupId: string; restart: boolean }>()
  consumer.on(CRASH, ({ type, payload }) => {
    told.add(type)
    crashes.add(payload)
  })
  await consumer.subscribe({ topic, fromBeginning: true })
  let attempts = 0
  const handled = new Seen<number>()
  await consumer.run({
    eachMessage: async () => {
      attempts += 1
      if (attempts <= 3) throw new Error('poison')
      handled.add(attempts)
    },
  })
  await crashes.count(1)
  const { error, restart } = crashes.items[0]!
  assert.deepEqual([error.name, error.message, restart], ['KafkaJSNumberOfRetriesExceeded', 'poison', true])
  assert.ok(error instanceof setting.kafkajs.KafkaJSNumberOfRetriesExceeded)
  assert.deepEqual([error.retriable, error.retryCount], [false, 2])
  // It comes back by itself, and the message again.
  await handled.count(1)
  await consumer.disconnect()
  assert.equal(attempts, 4)
  const expected = [GROUP_JOIN, STOP, DISCONNECT, CRASH, GROUP_JOIN, STOP, DISCONNECT]
  assert.deepEqual(told.items, expected)
}

const mistake: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('mistake')
  await makeTopic(kafka, topic)
  await produce(kafka, topic, ['x'])
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  const crashes = new Seen<{ error: Error; restart: boolean }>()
  consumer.on(consumer.events.CRASH, ({ payload }) => crashes.add(payload))
  await consumer.subscribe({ topic, fromBeginning: true })
  let attempts = 0
  await consumer.run({
    eachMessage: async ({ message }) => {
      attempts += 1
      // A mistake of the program does not pass by itself.
      ;(message as unknown as { nothing: { there(): void } }).nothing.there()
    },
  })
  await crashes.count(1)
  const { error, restart } = crashes.items[0]!
  assert.deepEqual([error.name, restart, attempts], ['KafkaJSNonRetriableError', false, 1])
  assert.equal((error.cause as Error).name, 'TypeError')
  await consumer.disconnect()
}

const restartRefused: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('refused')
  await makeTopic(kafka, topic)
  await produce(kafka, topic, ['x'])
  const asked: string[] = []
  const retry = {
    initialRetryTime: 5,
    retries: 0,
    restartOnFailure: async (error: Error) => {
      asked.push(error.name)
      return false
    },
  }
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK, retry })
  const crashes = new Seen<boolean>()
  consumer.on(consumer.events.CRASH, ({ payload }) => crashes.add(payload.restart))
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async () => {
      throw new Error('no')
    },
  })
  await crashes.count(1)
  assert.deepEqual([crashes.items, asked], [[false], ['KafkaJSNumberOfRetriesExceeded']])
  await consumer.disconnect()
}

const nobodyThere: Program = async (setting) => {
  // Port 1 is nobody's.
  const kafka = connect(setting, { brokers: ['127.0.0.1:1'], retry: { retries: 1, initialRetryTime: 5 } })
  for (const client of [kafka.producer(), kafka.consumer({ groupId: 'g' }), kafka.admin()]) {
    const error = await failureOf(() => client.connect())
    assert.deepEqual([error.name, error.retriable], ['KafkaJSNumberOfRetriesExceeded', false])
    assert.equal((error.cause as Error).name, 'KafkaJSConnectionError')
    await client.disconnect()
  }
  const bad = async (brokers: never): Promise<void> => {
    const { name } = await failureOf(() => connect(setting, { brokers }).producer().connect())
    assert.equal(name, 'KafkaJSNonRetriableError')
  }
  await bad([] as never)
  await bad([7] as never)
  await bad(null as never)
}

const lookedUp: Program = async (setting) => {
  let asked = 0
  const brokers = async () => {
    asked += 1
    return setting.brokers
  }
  const admin = connect(setting, { brokers }).admin()
  await admin.connect()
  assert.ok(Array.isArray(await admin.listTopics()))
  await admin.disconnect()
  assert.ok(asked > 0)
  const failing = connect(setting, { brokers: () => Promise.reject(new Error('no discovery')), retry: { retries: 0 } })
  const error = await failureOf(() => failing.admin().connect())
  assert.match(error.message, /"config\.brokers" threw: no discovery/)
}

const unknownTopic: Program = async (setting) => {
  const kafka = connect(setting, { retry: { retries: 0 } })
  const topic = setting.name('nowhere')
  const consumer = kafka.consumer({ groupId: setting.name('group'), allowAutoTopicCreation: false })
  await consumer.connect()
  const error = await failureOf(() => consumer.subscribe({ topic }))
  const cause = (error.type === undefined ? error.cause : error) as { type?: string; code?: number }
  assert.deepEqual([cause.type, cause.code], ['UNKNOWN_TOPIC_OR_PARTITION', 3])
  await consumer.disconnect()
}

/** What programs tell by the error's `type`, and what would otherwise be read as offset 0. */
const refusals: Program = async (setting) => {
  const kafka = connect(setting)
  const [topic, groupId] = [setting.name('refusals'), setting.name('group')]
  const admin = kafka.admin()
  await admin.connect()
  const unknown = setting.name('unknown')
  const calls = [
    () => admin.fetchTopicMetadata({ topics: [unknown] }),
    () => admin.fetchOffsets({ groupId, topics: [unknown] }),
  ]
  for (const call of calls) {
    const { name, type, code, retriable } = await failureOf(call)
    const expected = { name: 'KafkaJSProtocolError', type: 'UNKNOWN_TOPIC_OR_PARTITION', code: 3, retriable: true }
    assert.deepEqual({ name, type, code, retriable }, expected)
  }
  await makeTopic(kafka, topic)
  await produce(kafka, topic, ['x'])
  const consumer = kafka.consumer({ groupId, ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  await consumer.run({ eachMessage: async ({ message }) => seen.add(message.offset) })
  await seen.count(1)
  for (const offset of ['', '1.5', 'x']) {
    const place = { topic, partition: 0, offset }
    for (const call of [() => consumer.seek(place), () => consumer.commitOffsets([place])]) {
      const { name, message } = await failureOf(call)
      assert.deepEqual(
        [name, message],
        ['KafkaJSNonRetriableError', `Invalid offset, expected a long received ${offset}`],
      )
    }
  }
  await consumer.disconnect()
  assert.deepEqual(await committed(kafka, groupId, topic), ['1'])
  await admin.disconnect()
}

export const failing: Programs = {
  'a handler that throws gets the same message again': throwing,
  'eachBatch that throws goes on with what it did not resolve': throwingBatch,
  'after too many failures a consumer crashes and restarts': crashing,
  'a mistake in a handler is not repeated': mistake,
  'restartOnFailure decides': restartRefused,
  'brokers that are not there, and lists that are none': nobodyThere,
  'brokers that are looked up': lookedUp,
  'a topic that does not exist and shall not be made': unknownTopic,
  'a topic that is not there, and an offset that is none': refusals,
}
