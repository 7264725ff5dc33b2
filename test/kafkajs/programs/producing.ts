/** Producing: places, records, partitions, codecs, refusals. */
import assert from 'node:assert/strict'
import {
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

const readme: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('readme')
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ value: 'Hello KafkaJS user!' }] })
  await producer.disconnect()

  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<object>()
  await consumer.run({
    eachMessage: async ({ topic: from, partition, message }) => {
      seen.add({ from, partition, offset: message.offset, value: message.value?.toString() })
    },
  })
  await seen.count(1)
  await consumer.disconnect()
  assert.deepEqual(seen.items, [{ from: topic, partition: 0, offset: '0', value: 'Hello KafkaJS user!' }])
}

const places: Program = async (setting) => {
  const kafka = connect(setting)
  const [one, two] = [setting.name('one'), setting.name('two')]
  await makeTopic(kafka, one, 2)
  await makeTopic(kafka, two)
  const producer = kafka.producer()
  await producer.connect()
  const messages = [0, 1, 0].map((partition) => ({ value: 'v', partition }))
  const expected = (topicName: string, partition: number, baseOffset: string) => {
    return { topicName, partition, errorCode: 0, baseOffset, logAppendTime: '-1' }
  }
  const shown = (rows: readonly object[]) =>
    rows
      .map((row) => ({ ...row, logStartOffset: undefined }))
      .map(({ logStartOffset: _, ...rest }) => rest as ReturnType<typeof expected>)
      .sort((a, b) => (a.topicName === b.topicName ? a.partition - b.partition : a.topicName < b.topicName ? -1 : 1))
  assert.deepEqual(shown(await producer.send({ topic: one, messages })), [expected(one, 0, '0'), expected(one, 1, '0')])
  assert.deepEqual(shown(await producer.send({ topic: one, messages })), [expected(one, 0, '2'), expected(one, 1, '1')])
  const topicMessages = [
    { topic: one, messages: [{ value: 'w', partition: 1 }] },
    { topic: two, messages: [{ value: 'w' }] },
    { topic: one, messages: [{ value: 'x', partition: 1 }] },
  ]
  const rows = [expected(one, 1, '2'), expected(two, 0, '0')]
  assert.deepEqual(shown(await producer.sendBatch({ topicMessages, acks: 1 })), rows)
  assert.deepEqual(await producer.send({ topic: two, acks: 0, messages: [{ value: 'unanswered' }] }), [])
  assert.deepEqual(await producer.sendBatch({ topicMessages: [] }), [])
  await producer.disconnect()
}

const records: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('records')
  await makeTopic(kafka, topic)
  const producer = kafka.producer({ idempotent: true })
  assert.equal(producer.isIdempotent(), true)
  await producer.connect()
  const headers = { trace: 'abc', bytes: Buffer.from([0, 255]), several: ['x', Buffer.from('y')] }
  await producer.send({
    topic,
    messages: [
      { key: 'k', value: 'text', headers, timestamp: '1700000000000' },
      { key: Buffer.from([1, 2]), value: Buffer.from([3, 4]) },
      { value: null },
    ],
  })
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const seen = new Seen<
    Parameters<NonNullable<Parameters<typeof consumer.run>[0]>['eachMessage'] & object>[0]['message']
  >()
  await consumer.run({ eachMessage: async ({ message }) => seen.add(message) })
  await seen.count(3)
  await consumer.disconnect()
  const [first, second, third] = seen.items
  assert.ok(Buffer.isBuffer(first!.key) && Buffer.isBuffer(first!.value))
  assert.deepEqual([String(first!.key), String(first!.value), first!.timestamp], ['k', 'text', '1700000000000'])
  assert.deepEqual([first!.attributes, first!.offset], [0, '0'])
  assert.deepEqual(first!.headers, {
    trace: Buffer.from('abc'),
    bytes: Buffer.from([0, 255]),
    several: [Buffer.from('x'), Buffer.from('y')],
  })
  assert.deepEqual([second!.key, second!.value], [Buffer.from([1, 2]), Buffer.from([3, 4])])
  assert.deepEqual([third!.key, third!.value, third!.headers, third!.offset], [null, null, {}, '2'])
  assert.ok(Math.abs(Number(third!.timestamp) - Date.now()) < 3_600_000)
}

const partitioning: Program = async (setting) => {
  const { Partitioners } = setting.kafkajs
  const kafka = connect(setting)
  const topic = setting.name('partitions')
  await makeTopic(kafka, topic, 10)
  const keys = ['', 'a', 'ab', 'abc', 'customer-4711', 'schlüssel', '1234567890123456']
  const partitionMetadata = Array.from({ length: 10 }, (_, partitionId) => {
    return { partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] }
  })
  const chosen = (partitioner: ReturnType<typeof Partitioners.DefaultPartitioner>) =>
    keys.map((key) => partitioner({ topic, partitionMetadata, message: { key, value: null } }))
  assert.deepEqual(chosen(Partitioners.DefaultPartitioner()), [1, 4, 4, 7, 6, 6, 0])
  assert.deepEqual(chosen(Partitioners.JavaCompatiblePartitioner()), [1, 4, 4, 7, 6, 6, 0])
  assert.deepEqual(chosen(Partitioners.LegacyPartitioner()), [4, 5, 5, 7, 6, 8, 6])

  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const rows = await producer.send({ topic, messages: keys.map((key) => ({ key, value: 'v' })) })
  assert.deepEqual(rows.map(({ partition }) => partition).sort(), [0, 1, 4, 6, 7])
  // Without a key: all in turn.
  const spread = await producer.send({ topic, messages: numbered('v', 20).map((value) => ({ value })) })
  assert.equal(spread.length, 10)
  await producer.disconnect()

  const asked: unknown[] = []
  const custom = kafka.producer({
    createPartitioner: () => (given) => {
      asked.push([given.topic, given.partitionMetadata.length, given.message.key])
      return 7
    },
  })
  await custom.connect()
  const [row] = await custom.send({ topic, messages: [{ key: 'k', value: 'v' }] })
  assert.deepEqual([row!.partition, asked], [7, [[topic, 10, 'k']]])
  await custom.disconnect()
}

const compression: Program = async (setting) => {
  const { CompressionTypes } = setting.kafkajs
  const kafka = connect(setting)
  const topic = setting.name('gzip')
  await makeTopic(kafka, topic)
  const producer = kafka.producer()
  await producer.connect()
  const values = numbered('the same again and again ', 200)
  const messages = values.map((value) => ({ value }))
  await producer.send({ topic, compression: CompressionTypes.GZIP, messages })
  await producer.send({ topic, compression: CompressionTypes.None, messages: [{ value: 'plain' }] })
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: setting.name('group'), ...QUICK })
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  await consumer.run({ eachMessage: async ({ message }) => seen.add(String(message.value)) })
  await seen.count(201)
  await consumer.disconnect()
  assert.deepEqual(seen.items, [...values, 'plain'])
}

const refusals: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('refused')
  const producer = kafka.producer({ idempotent: true })
  const early = await failureOf(() => producer.send({ topic, messages: [{ value: 'v' }] }))
  assert.deepEqual([early.name, early.retriable], ['KafkaJSError', true])
  await producer.connect()
  const bad = async (call: () => unknown): Promise<void> => {
    const error = await failureOf(call)
    assert.deepEqual([error.name, error.retriable], ['KafkaJSNonRetriableError', false], error.message)
    assert.ok(
      error instanceof setting.kafkajs.KafkaJSNonRetriableError && error instanceof setting.kafkajs.KafkaJSError,
    )
  }
  await bad(() => producer.send({ topic: '', messages: [{ value: 'v' }] }))
  await bad(() => producer.send({ topic, acks: 1, messages: [{ value: 'v' }] }))
  await bad(() => producer.send({ topic, messages: undefined as never }))
  await bad(() => producer.send({ topic, messages: [{ value: undefined as never }] }))
  await bad(() => producer.transaction())
  await bad(() => producer.on('producer.nothing' as never, () => undefined))
  await producer.disconnect()
  await bad(() => kafka.producer({ idempotent: true, retry: { retries: 0 } }))
}

const brokerRefuses: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('small')
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = [{ name: 'max.message.bytes', value: '1000' }]
  await admin.createTopics({ topics: [{ topic, configEntries }] })
  await admin.disconnect()
  const producer = kafka.producer()
  await producer.connect()
  const error = await failureOf(() => producer.send({ topic, messages: [{ value: 'x'.repeat(5_000) }] }))
  const { name, type, code, retriable } = error
  assert.deepEqual(
    { name, type, code, retriable },
    {
      name: 'KafkaJSProtocolError',
      type: 'MESSAGE_TOO_LARGE',
      code: 10,
      retriable: false,
    },
  )
  assert.ok(error instanceof setting.kafkajs.KafkaJSProtocolError)
  // The next one is taken.
  const [row] = await producer.send({ topic, messages: [{ value: 'small' }] })
  assert.equal(row!.baseOffset, '0')
  await producer.disconnect()
}

const reconnecting: Program = async (setting) => {
  const kafka = connect(setting)
  const topic = setting.name('again')
  const producer = kafka.producer()
  const told: string[] = []
  producer.on(producer.events.CONNECT, ({ type }) => void told.push(type))
  const remove = producer.on(producer.events.DISCONNECT, ({ type }) => void told.push(type))
  for (const value of ['one', 'two']) {
    await producer.connect()
    await producer.send({ topic, messages: [{ value }] })
    await producer.disconnect()
    const after = await failureOf(() => producer.send({ topic, messages: [{ value }] }))
    assert.equal(after.name, 'KafkaJSError')
    remove()
  }
  assert.deepEqual(told, ['producer.connect', 'producer.disconnect', 'producer.connect'])
  await produce(kafka, topic, ['three'])
}

export const producing: Programs = {
  'the example of the README': readme,
  'send answers a row for each partition': places,
  'keys, values, headers and times arrive as they were sent': records,
  'partitioners choose what kafkajs chooses': partitioning,
  'a codec for each send': compression,
  'what is wrong is refused before it is sent': refusals,
  'what the broker refuses says so by type and code': brokerRefuses,
  'a producer connects, disconnects and connects again': reconnecting,
}
