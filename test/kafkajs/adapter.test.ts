// What `samsa/kafkajs` does beyond kafkajs, together with it, or not at all.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import * as original from 'kafkajs'
import { KafkaError } from '../../src/client/errors.ts'
import { Broker } from '../../src/index.ts'
import { adminEvents, Events } from '../../src/kafkajs/events.ts'
import * as adapter from '../../src/kafkajs/index.ts'
import { resolveConfig } from '../../src/kafkajs/link.ts'
import { failureOf as failureFor, translated } from '../../src/kafkajs/translate.ts'
import { Awaited, failureOf, type KafkaJS, makeTopic, naming, produce, QUICK, Seen } from './programs/program.ts'

// A loaded machine takes its time.
const TIMEOUT_MS = 120_000
setDefaultTimeout(TIMEOUT_MS)
const { Kafka, CompressionTypes, logLevel } = adapter
const name = naming()
let broker: Broker

beforeAll(async () => {
  broker = await Broker.start()
}, TIMEOUT_MS)
afterAll(() => broker.stop(), TIMEOUT_MS)

function connect(config: Partial<adapter.KafkaConfig> = {}, module: KafkaJS = adapter): adapter.Kafka {
  const patient = { connectionTimeout: 30_000, retry: { initialRetryTime: 10, retries: 3 } }
  return new module.Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING, ...patient, ...config })
}

describe('codecs', () => {
  test.each(['GZIP', 'Snappy', 'LZ4', 'ZSTD'] as const)('%s needs no package and no registration', async (codec) => {
    const topic = name(codec)
    const producer = connect().producer()
    await producer.connect()
    const messages = Array.from({ length: 50 }, (_, index) => ({ value: `again and again ${index}` }))
    await producer.send({ topic, messages, compression: CompressionTypes[codec] })
    await producer.disconnect()
    expect(await broker.topic(topic).values()).toEqual(messages.map(({ value }) => value))
  })
})

describe('one group with members of kafkajs', () => {
  test('they share the partitions, and what a member did not subscribe to is not given to its handler', async () => {
    process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
    const [groupId, both, other] = [name('group'), name('both'), name('other')]
    const theirs = connect({}, original as unknown as KafkaJS)
    const ours = connect()
    for (const topic of [both, other]) await makeTopic(ours, topic, 2)
    const changed = new Awaited()
    const seen = new Seen<string>()
    const assigned = new Map<string, adapter.IMemberAssignment>()
    const strange: string[][] = []
    const open = async (module: string, kafka: adapter.Kafka, topics: string[]) => {
      const consumer = kafka.consumer({ groupId, ...QUICK })
      const { GROUP_JOIN, RECEIVED_UNSUBSCRIBED_TOPICS } = consumer.events
      consumer.on(GROUP_JOIN, ({ payload }) => {
        assigned.set(module, payload.memberAssignment)
        changed.changed()
      })
      consumer.on(RECEIVED_UNSUBSCRIBED_TOPICS, ({ payload }) => void strange.push(payload.topicsNotSubscribed))
      await consumer.connect()
      await consumer.subscribe({ topics, fromBeginning: true })
      await consumer.run({
        eachMessage: async ({ topic, partition }) => seen.add(`${module}: ${topic} ${partition}`),
      })
      return consumer
    }
    // kafkajs leads the group, and deals all topics out to everybody, whatever they subscribed to.
    const first = await open('kafkajs', theirs, [both, other])
    const second = await open('samsa', ours, [both])
    const isShared = (): boolean => ['kafkajs', 'samsa'].every((each) => assigned.get(each)?.[both]?.length === 1)
    await changed.until('each has one partition', isShared)
    for (const topic of [both, other]) {
      for (const partition of [0, 1]) await produce(ours, topic, ['x'], partition)
    }
    await seen.count(3)
    await second.disconnect()
    await first.disconnect()
    const [mine] = assigned.get('samsa')![both]!
    expect(seen.items).toContain(`samsa: ${both} ${mine}`)
    expect(seen.items.filter((item) => item.startsWith('samsa'))).toHaveLength(1)
    expect(strange.length).toBeGreaterThan(0)
    expect(strange.every((topics) => topics.join() === other)).toBe(true)
  })
})

describe('what cannot be mapped is refused', () => {
  test.each<[string, Partial<adapter.KafkaConfig>]>([
    ['socketFactory', { socketFactory: () => undefined }],
    ["'aws'", { sasl: { mechanism: 'aws', authorizationIdentity: 'a', accessKeyId: 'b', secretAccessKey: 'c' } }],
    ['sasl.authenticationProvider', { sasl: { mechanism: 'x', authenticationProvider: () => undefined } }],
    ['ssl.ciphers', { ssl: { ciphers: 'x' } }],
  ])('%s', async (what, config) => {
    const error = await failureOf(() => connect(config))
    expect(error.name).toBe('KafkaJSNotImplemented')
    expect(error.message).toContain(what)
  })

  test('an assigner of your own', async () => {
    const partitionAssigners = [adapter.PartitionAssigners.roundRobin, () => ({}) as adapter.Assigner]
    const error = await failureOf(() => connect().consumer({ groupId: 'g', partitionAssigners }))
    expect(`${error.name}: ${error.message}`).toMatch(/^KafkaJSNotImplemented: partitionAssigners/)
    expect(connect().consumer({ groupId: 'g', partitionAssigners: partitionAssigners.slice(0, 1) })).toBeDefined()
  })
})

describe('configuration', () => {
  const brokers = ['localhost:9092']

  test("security is put into the client's words", async () => {
    const ssl = { ca: ['pem'], servername: 's', rejectUnauthorized: false }
    expect(resolveConfig({ brokers, ssl }).tls).toEqual(ssl)
    expect([resolveConfig({ brokers, ssl: true }).tls, resolveConfig({ brokers }).tls]).toEqual([true, false])
    const named = { username: 'u', password: 'p' }
    const saslOf = (sasl: adapter.SASLOptions) => resolveConfig({ brokers, sasl }).sasl
    expect(saslOf({ mechanism: 'plain', ...named })).toEqual({ mechanism: 'PLAIN', ...named })
    expect(saslOf({ mechanism: 'scram-sha-256', ...named })).toEqual({ mechanism: 'SCRAM-SHA-256', ...named })
    expect(saslOf({ mechanism: 'scram-sha-512', ...named })).toEqual({ mechanism: 'SCRAM-SHA-512', ...named })
    const token = saslOf({ mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: 'jwt' }) })
    expect(token?.mechanism === 'OAUTHBEARER' ? await token.token() : null).toBe('jwt')
  })

  test('times', () => {
    const { connectTimeoutMs, timeoutMs } = resolveConfig({ brokers })
    expect([connectTimeoutMs, timeoutMs]).toEqual([1_000, 30_000])
    expect(resolveConfig({ brokers, requestTimeout: 5, enforceRequestTimeout: false }).timeoutMs).toBe(0x7fffffff)
  })
})

describe('errors', () => {
  const tried = { retries: 3, retryTime: 100 }

  test.each([
    ['ERR_CONNECT', 'KafkaJSConnectionError'],
    ['ERR_CONNECTION_CLOSED', 'KafkaJSConnectionClosedError'],
    ['ERR_TIMEOUT', 'KafkaJSRequestTimeoutError'],
    ['ERR_AUTHENTICATION', 'KafkaJSSASLAuthenticationError'],
    ['ERR_UNSUPPORTED_VERSION', 'KafkaJSServerDoesNotSupportApiKey'],
    ['ERR_CODEC_UNAVAILABLE', 'KafkaJSNotImplemented'],
    ['ERR_INVALID_RECORD', 'KafkaJSNonRetriableError'],
  ] as const)('%s is a %s', (code, expected) => {
    const failure = failureFor(new KafkaError(code, 'why')) as adapter.KafkaJSError
    expect([failure.name, failure.message]).toEqual([expected, 'why'])
    // What may pass has been tried again by the client.
    const { name, cause } = translated(new KafkaError(code, 'why'), tried) as adapter.KafkaJSError
    expect(name).toBe(failure.retriable ? 'KafkaJSNumberOfRetriesExceeded' : expected)
    if (failure.retriable) expect(cause?.name).toBe(expected)
  })

  test.each([
    [6, 'NOT_LEADER_FOR_PARTITION'],
    [14, 'GROUP_LOAD_IN_PROGRESS'],
    [15, 'GROUP_COORDINATOR_NOT_AVAILABLE'],
    [16, 'NOT_COORDINATOR_FOR_GROUP'],
    [29, 'TOPIC_AUTHORIZATION_FAILED'],
  ])('code %d has the name that kafkajs gives it', (errorCode, type) => {
    const known = errorCode === 29 ? 'TOPIC_AUTHORIZATION_FAILED' : 'NOT_COORDINATOR'
    const failure = failureFor(new KafkaError(known, 'why', { errorCode })) as adapter.KafkaJSProtocolError
    expect([failure.name, failure.type, failure.code]).toEqual(['KafkaJSProtocolError', type, errorCode])
  })

  test('a request without an answer is told', () => {
    const events = new Events('admin', adminEvents, connect().logger())
    const timeouts: unknown[] = []
    events.on(adminEvents.REQUEST_TIMEOUT, ({ type, payload }) => void timeouts.push([type, payload]))
    const at = { address: 'localhost:9092', version: 4, correlationId: 7, bytes: 0 }
    events.request('c', 16, 10, new KafkaError('ERR_TIMEOUT', 'no answer'), at)
    events.request('c', 16, 10, new KafkaError('ERR_CONNECTION_CLOSED', 'gone'), at)
    events.request('c', 16, 10, null, at)
    const expected = {
      apiKey: 16,
      apiName: 'ListGroups',
      apiVersion: 4,
      broker: 'localhost:9092',
      clientId: 'c',
      correlationId: 7,
    }
    expect(timeouts).toEqual([['admin.network.request_timeout', expect.objectContaining(expected)]])
  })
})

test('a commit that fails leaves the transaction to be aborted, as in kafkajs', async () => {
  const topic = name('transaction')
  const producer = connect().producer({ transactionalId: name('id'), idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const transaction = await producer.transaction()
  const fault = broker.inject({ api: 'Produce', topic, error: 'INVALID_RECORD', times: 1 })
  // Nobody waits for this record: the commit is where it is told.
  transaction.send({ topic, messages: [{ value: 'lost' }] }).catch(() => undefined)
  const error = await failureOf(() => transaction.commit())
  expect(error).toBeInstanceOf(adapter.KafkaJSError)
  expect(transaction.isActive()).toBe(true)
  await transaction.abort()
  expect(transaction.isActive()).toBe(false)
  fault.remove()
  const next = await producer.transaction()
  await next.send({ topic, messages: [{ value: 'kept' }] })
  await next.commit()
  await producer.disconnect()
  const stored = await broker.topic(topic).records({ isolation: 'read_committed' })
  expect(stored.map(({ value }) => String(value))).toEqual(['kept'])
})

test('a consumer keeps its partitions through a handler that takes longer than a session', async () => {
  const topic = name('slow')
  const kafka = connect()
  await makeTopic(kafka, topic)
  await produce(kafka, topic, ['one', 'two'])
  const sessionTimeout = 6_000
  const consumer = kafka.consumer({ groupId: name('group'), ...QUICK, sessionTimeout })
  const beats = new Seen<null>()
  consumer.on(consumer.events.HEARTBEAT, () => beats.add(null))
  const joins = new Seen<null>()
  consumer.on(consumer.events.GROUP_JOIN, () => joins.add(null))
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = new Seen<string>()
  await consumer.run({
    eachMessage: async ({ message }) => {
      // Heartbeats leave while the handler is at work.
      await beats.count(beats.items.length + 3)
      seen.add(String(message.value))
    },
  })
  await seen.count(2)
  await consumer.disconnect()
  expect([seen.items, joins.items.length]).toEqual([['one', 'two'], 1])
})

test('new Kafka needs nothing but brokers', () => {
  expect(new Kafka({ brokers: ['localhost:9092'] }).logger().info).toBeFunction()
})
