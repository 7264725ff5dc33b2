/** What goes wrong around a producer: topics that change, answers that never come, sessions that cannot be renewed, memory that is used up. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import { Admin } from '../../../src/client/admin/admin.ts'
import { Connection } from '../../../src/client/connection.ts'
import { Consumer } from '../../../src/client/consumer/consumer.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import type { ProducerOptions } from '../../../src/client/producer/options.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import type { Serializer } from '../../../src/client/serdes/serde.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ProduceRequest } from '../../../src/protocol/messages/00-produce.ts'
import { MetadataRequest } from '../../../src/protocol/messages/03-metadata.ts'
import { SaslHandshakeRequest, SaslHandshakeResponse } from '../../../src/protocol/messages/17-sasl-handshake.ts'
import { EndTxnRequest } from '../../../src/protocol/messages/26-end-txn.ts'
import {
  SaslAuthenticateRequest,
  SaslAuthenticateResponse,
} from '../../../src/protocol/messages/36-sasl-authenticate.ts'
import type { Infer } from '../../../src/protocol/schema.ts'
import { FakeBroker } from '../fake-broker.ts'
import { serveMetadata } from '../fake-metadata.ts'
import { serveLogs, type Verdict } from '../model-log.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(180_000)

const topic = 'orders'
let fake: FakeBroker
let partitions = 1
const open: { close(): Promise<void> }[] = []

beforeEach(() => {
  fake = new FakeBroker()
  partitions = 1
  serveMetadata(fake, {
    topic,
    get partitions() {
      return partitions
    },
  })
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((producer) => producer.close()))
  fake.stop()
})

function producerWith(options: ProducerOptions = {}): Producer {
  const retry = { backoffMs: 1, backoffMaxMs: 5 }
  const producer = new Producer({ bootstrap: `127.0.0.1:${fake.port}`, retry, ...options })
  open.push({ close: () => producer.close({ timeoutMs: 1 }) })
  return producer
}

async function failureOf(promise: Promise<unknown>): Promise<KafkaError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof KafkaError) return error
    throw error
  }
  throw new Error('expected a KafkaError')
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1)
}

describe('topics that change', () => {
  test('a partition that was added is found when it is asked for', async () => {
    const { logs } = serveLogs(fake, 3)
    const producer = producerWith()
    await producer.send({ topic, value: 'x', partition: 0 })
    partitions = 3
    expect(await producer.send({ topic, value: 'y', partition: 2 })).toMatchObject({ partition: 2, offset: 0 })
    expect(logs[2]!.values).toEqual(['y'])
    expect((await failureOf(producer.send({ topic, value: 'z', partition: 3 }))).code).toBe('ERR_INVALID_RECORD')
  })

  test('partitions that were added get records, whoever asked for the metadata', async () => {
    serveLogs(fake, 3)
    const producer = producerWith({ partitioner: 'round-robin' })
    await producer.send({ topic, value: 'x' })
    partitions = 3
    await producer.send({ topic, value: 'y', partition: 2 })
    const places = await producer.send([1, 2, 3].map((n) => ({ topic, value: String(n) })))
    expect(places.map(({ partition }) => partition).sort()).toEqual([0, 1, 2])
  })

  test('a topic that came again with fewer partitions gets records in those', async () => {
    partitions = 3
    serveLogs(fake, 3)
    const producer = producerWith({ partitioner: 'round-robin' })
    await producer.send({ topic, value: 'x', partition: 2 })
    partitions = 1
    await failureOf(producer.send({ topic, value: 'y', partition: 3 }))
    const places = await producer.send([1, 2, 3].map((n) => ({ topic, value: String(n) })))
    expect(places.map(({ partition }) => partition)).toEqual([0, 0, 0])
  })

  test('what is on the way to a topic that was deleted is stored in the one that took its place, and first', async () => {
    await using broker = await EmbeddedBroker.start()
    await using admin = new Admin({ bootstrap: broker.bootstrap })
    await admin.createTopics([{ name: topic, partitions: 1 }])
    const producer = producerWith({ bootstrap: broker.bootstrap })
    await producer.send({ topic, value: 'before', partition: 0 })
    await admin.deleteTopics([topic])
    await admin.createTopics([{ name: topic, partitions: 1 }])
    const sent: Promise<unknown>[] = []
    for (const value of ['1', '2', '3', '4']) {
      sent.push(producer.send({ topic, value, partition: 0 }))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(sent)
    expect((await broker.topic(topic).records()).map(({ value }) => String(value))).toEqual(['1', '2', '3', '4'])
  })

  test('many topics are asked for together', async () => {
    serveLogs(fake, 1)
    const names = Array.from({ length: 500 }, (_, index) => `topic-${index}`)
    const handle = fake.handlerOf(MetadataRequest.key)
    // All of them are there.
    fake.onRaw(MetadataRequest.key, async (body, seen) => {
      const asked = (body as Infer<typeof MetadataRequest>).topics ?? []
      const known = (await handle({ topics: [{ name: topic }] }, seen)) as { topics: { name: string }[] }
      return {
        ...known,
        topics: asked.map(({ name }) => ({
          ...known.topics[0],
          name,
          topicId: `AAAAAAAAAAAAAAA${name?.slice(-3).replace('-', '_').padStart(6, '0')}w`,
        })),
      }
    })
    const producer = producerWith({ acks: 1 })
    const sent = names.map((name) => producer.send({ topic: name, value: 'x' }))
    const settled = Promise.allSettled(sent)
    await until(() => fake.requests(ProduceRequest.key).length > 0)
    expect(fake.requests(MetadataRequest.key).length).toBeLessThanOrEqual(2)
    await producer.close({ timeoutMs: 1 })
    await settled
  })
})

describe('a transaction that is aborted', () => {
  /** What was committed, and which requests the abort took. */
  async function abortWithLostBatches(version: 1 | 2): Promise<{ committed: string[]; apiKeys: number[] }> {
    await using broker = await EmbeddedBroker.start()
    await using admin = new Admin({ bootstrap: broker.bootstrap })
    if (version === 1) {
      await admin.updateFeatures([{ name: 'transaction.version', level: 1, type: 'safe-downgrade' }])
    }
    const apiKeys: number[] = []
    const producer = producerWith({
      bootstrap: broker.bootstrap,
      transactionalId: 'id',
      hooks: { onRequest: ({ apiKey }) => void apiKeys.push(apiKey) },
    })
    await producer.transaction(async ({ send }) => void (await send({ topic, value: 'kept', partition: 0 })))
    const fault = broker.inject({ api: 'Produce', drop: 'answer', ...(version === 1 ? { times: 3 } : {}) })
    await producer.beginTransaction()
    const sent = producer.send({ topic, value: 'lost', partition: 0 }).then(
      () => 'stored',
      (error: KafkaError) => error.code,
    )
    await until(() => fault.hits > 0)
    apiKeys.length = 0
    await producer.abortTransaction()
    // Version 1 learns that it was stored, version 2 does not need to know.
    expect(await sent).toBe(version === 1 ? 'stored' : 'ERR_TRANSACTION_ABORTABLE')
    const during = [...apiKeys]
    fault.remove()
    await producer.transaction(async ({ send }) => void (await send({ topic, value: 'kept, too', partition: 0 })))
    await using consumer = new Consumer({ bootstrap: broker.bootstrap, readCommitted: true })
    const [end] = await consumer.endOffsets([{ topic, partition: 0 }])
    await consumer.assign([{ topic, partition: 0, offset: 0, until: end!.offset }])
    const committed: string[] = []
    for await (const { value } of consumer.messages()) committed.push(String(value))
    return { committed, apiKeys: during }
  }

  test('version 2: batches whose answers are lost are not sent again', async () => {
    // The fault stays all the time: repetitions would never end.
    const { committed, apiKeys } = await abortWithLostBatches(2)
    expect(committed).toEqual(['kept', 'kept, too'])
    expect(apiKeys).toContain(EndTxnRequest.key)
  })

  test('version 1: they are, until it is known what became of them', async () => {
    const { committed, apiKeys } = await abortWithLostBatches(1)
    expect(committed).toEqual(['kept', 'kept, too'])
    expect(apiKeys.indexOf(ProduceRequest.key)).toBeLessThan(apiKeys.indexOf(EndTxnRequest.key))
  })

  test('what never left is given up in both', async () => {
    await using broker = await EmbeddedBroker.start()
    const producer = producerWith({ bootstrap: broker.bootstrap, transactionalId: 'id', lingerMs: 60_000 })
    await producer.beginTransaction()
    const sent = failureOf(producer.send({ topic, value: 'x' }))
    await producer.abortTransaction()
    expect((await sent).code).toBe('ERR_TRANSACTION_ABORTABLE')
  })
})

describe('memory', () => {
  test('a broker that stops answering: what is taken stays within bufferBytes, and is stored when it goes on', async () => {
    await using broker = await EmbeddedBroker.start()
    const bufferBytes = 1024 * 1024
    const producer = producerWith({ bootstrap: broker.bootstrap, bufferBytes })
    const value = Buffer.alloc(1_000, 'x')
    await producer.send({ topic, value, partition: 0 })
    broker.pause()
    let taken = 1
    let most = 0
    // Several turns, so that batches leave and are on their way.
    for (let turn = 0; turn < 50; turn++) {
      while (producer.trySend({ topic, value, partition: 0 })) taken += 1
      most = Math.max(most, producer.bufferedBytes)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(taken).toBeGreaterThan(bufferBytes / 1_000 / 2)
    // Waiting records have a budget of their own, of the same size.
    expect(taken * 1_000).toBeLessThan(2 * bufferBytes)
    expect(most).toBeLessThanOrEqual(bufferBytes + 2_000)
    broker.resume()
    await producer.flush()
    expect(producer.bufferedBytes).toBe(0)
    expect(await broker.topic(topic).records()).toHaveLength(taken)
  })

  test('records whose serializers are not done yet count', async () => {
    serveLogs(fake, 1)
    const release = Promise.withResolvers<void>()
    const value: Serializer<string> = {
      serialize: async (text) => {
        await release.promise
        return text
      },
    }
    const producer = new Producer({ bootstrap: `127.0.0.1:${fake.port}`, bufferBytes: 50_000, serdes: { value } })
    open.push({ close: () => producer.close({ timeoutMs: 1 }) })
    let taken = 0
    while (producer.trySend({ topic, value: 'x'.repeat(100), partition: 0 })) taken += 1
    expect(taken).toBeLessThan(1_000)
    expect((await failureOf(producer.send({ topic, value: 'y', partition: 0 }))).code).toBe('ERR_BUFFER_FULL')
    release.resolve()
    await producer.whenWritable()
    await producer.flush()
    expect(await producer.send({ topic, value: 'z', partition: 0 })).toMatchObject({ offset: taken })
  })

  test('what waits has bytes of its own: key, headers and value', async () => {
    const { batches } = serveLogs(fake, 1)
    const seen: string[] = []
    const produce = fake.handlerOf(ProduceRequest.key)
    fake.onRaw(ProduceRequest.key, (body, request) => {
      const { topicData } = body as Infer<typeof ProduceRequest>
      seen.push(Buffer.concat(topicData[0]!.partitionData[0]!.records ?? []).toString('latin1'))
      return produce(body, request)
    })
    const bytes = Buffer.from('aaaa')
    const later: Serializer<Buffer> = { serialize: async (value) => Buffer.from(value) }
    const plain = producerWith()
    const serializing = new Producer({ bootstrap: `127.0.0.1:${fake.port}`, serdes: { value: later } })
    open.push({ close: () => serializing.close({ timeoutMs: 1 }) })
    const record = { topic, key: bytes, value: bytes, headers: { h: bytes }, partition: 0 }
    const sent = [plain.send(record), serializing.send(record)]
    bytes.fill('b')
    await Promise.all(sent)
    expect(batches).toHaveLength(2)
    for (const text of seen) expect(text).not.toContain('bbbb')
  })

  test('headers that wait count', async () => {
    const producer = producerWith({ bufferBytes: 10_000 })
    fake.onRaw(MetadataRequest.key, () => null)
    const sent = Array.from({ length: 20 }, () => {
      return failureOf(producer.send({ topic, value: 'x', headers: { large: Buffer.alloc(2_000) } }))
    })
    expect((await sent.at(-1)!).code).toBe('ERR_BUFFER_FULL')
    await producer.close({ timeoutMs: 1 })
    await Promise.all(sent)
  })
})

describe('brokers', () => {
  test('what keeps a record waiting is told when it has waited too long', async () => {
    const producer = producerWith({ bootstrap: '127.0.0.1:1', maxBlockMs: 50 })
    let error = await failureOf(producer.send({ topic, value: 'x' }))
    // On a busy machine the time may be up before anybody was asked.
    while (error.cause === undefined) error = await failureOf(producer.send({ topic, value: 'x' }))
    expect(error.message).toContain('no connection to 127.0.0.1:1')
    expect(error.cause).toMatchObject({ code: 'ERR_CONNECT' })
  })

  test('an idle connection that the broker closed is replaced', async () => {
    serveLogs(fake, 1)
    const producer = producerWith()
    await producer.send({ topic, value: 'x', partition: 0 })
    fake.hangUp()
    await until(() => fake.connectionCount === 0)
    expect((await producer.send({ topic, value: 'y', partition: 0 })).offset).toBe(1)
  })

  test('a broker that asks for a pause gets nothing until it is over', async () => {
    serveLogs(fake, 1)
    const produce = fake.handlerOf(ProduceRequest.key)
    fake.onRaw(ProduceRequest.key, async (body, seen) => ({
      ...((await produce(body, seen)) as object),
      throttleTimeMs: 60_000,
    }))
    const producer = producerWith()
    await producer.send({ topic, value: 'x', partition: 0 })
    const sent = failureOf(producer.send({ topic, value: 'y', partition: 0 }))
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(fake.requests(ProduceRequest.key)).toHaveLength(1)
    await producer.close({ timeoutMs: 1 })
    expect((await sent).code).toBe('ERR_CLOSED')
  })

  test('each record that is too large together is stored in batches small enough, in order, compressed or not', async () => {
    for (const compression of ['none', 'gzip'] as const) {
      const verdict = ({ values }: { values: readonly string[] }): Verdict =>
        values.length > 2 ? { refuse: ErrorCode.MESSAGE_TOO_LARGE } : 'take'
      const { logs } = serveLogs(fake, 1, verdict)
      const producer = producerWith({ compression })
      const values = Array.from({ length: 9 }, (_, index) => String(index))
      await producer.send(values.map((value) => ({ topic, value, partition: 0 })))
      expect(logs[0]!.values).toEqual(values)
    }
  })
})

describe('sessions', () => {
  function serveSasl(lifetimeMs: () => number): void {
    fake.on(SaslHandshakeRequest, SaslHandshakeResponse, () => ({ errorCode: 0, mechanisms: ['OAUTHBEARER'] }))
    fake.on(SaslAuthenticateRequest, SaslAuthenticateResponse, () => {
      return { errorCode: 0, errorMessage: null, authBytes: Buffer.alloc(0), sessionLifetimeMs: lifetimeMs() }
    })
  }

  test('a renewal that fails costs no record: what waited for it goes over another connection', async () => {
    serveSasl(() => 50)
    const { logs } = serveLogs(fake, 1)
    const noToken = Promise.withResolvers<string>()
    let isHeld = false
    let held = 0
    const token = (): string | Promise<string> => {
      if (!isHeld) return 'token'
      held += 1
      return noToken.promise
    }
    const producer = producerWith({ sasl: { mechanism: 'OAUTHBEARER', token } })
    await producer.send({ topic, value: 'before', partition: 0 })
    isHeld = true
    // The first connection and that to the leader.
    await until(() => held === 2)
    const sent = producer.send({ topic, value: 'during', partition: 0 })
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    isHeld = false
    noToken.reject(new Error('no token today'))
    expect((await sent).offset).toBe(1)
    expect(logs[0]!.values).toEqual(['before', 'during'])
  })

  test('whoever makes the token may hang: the wait has an end', async () => {
    serveSasl(() => 0)
    const token = (): Promise<string> => new Promise(() => undefined)
    const { host, port } = fake
    let message = ''
    // On a busy machine the time may be up before the token is asked for.
    while (!message.includes('not done within 200 ms')) {
      const connecting = Connection.connect({ host, port, timeoutMs: 200, sasl: { mechanism: 'OAUTHBEARER', token } })
      message = (await failureOf(connecting)).message
    }
  })

  test('a token that is refused is told at once', async () => {
    fake.on(SaslHandshakeRequest, SaslHandshakeResponse, () => ({ errorCode: 0, mechanisms: ['OAUTHBEARER'] }))
    fake.on(SaslAuthenticateRequest, SaslAuthenticateResponse, () => {
      const refusal = { errorMessage: 'expired', authBytes: Buffer.alloc(0), sessionLifetimeMs: 0 }
      return { errorCode: ErrorCode.SASL_AUTHENTICATION_FAILED, ...refusal }
    })
    const producer = producerWith({ sasl: { mechanism: 'OAUTHBEARER', token: () => 'old' } })
    const error = await failureOf(producer.send({ topic, value: 'x' }))
    expect(error).toMatchObject({ code: 'ERR_AUTHENTICATION', retriable: false })
    expect(error.message).toContain('expired')
  })
})
