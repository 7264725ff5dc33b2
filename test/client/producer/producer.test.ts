import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Cluster } from '../../../src/client/cluster.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import { clientMetrics } from '../../../src/client/observe/metrics.ts'
import type { ProducerOptions } from '../../../src/client/producer/options.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import { jsonSerde, stringSerde } from '../../../src/client/serdes/basic.ts'
import { msgpackSerde } from '../../../src/client/serdes/msgpack.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../../src/protocol/messages/00-produce.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../../src/protocol/messages/22-init-producer-id.ts'
import type { Infer } from '../../../src/protocol/schema.ts'
import { codecOf, iterateRecords, type Record, readBatchHeader } from '../../../src/records/batch.ts'
import { FakeBroker } from '../fake-broker.ts'
import { serveMetadata } from '../fake-metadata.ts'
import { serveLogs } from '../model-log.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(60_000)

let fake: FakeBroker
const open: { close(): Promise<void> }[] = []

beforeEach(() => {
  fake = new FakeBroker()
  serveMetadata(fake, { topic: 'orders', partitions: 2 })
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((producer) => producer.close()))
  fake.stop()
})

function producerWith<V = string | Uint8Array, K = string | Uint8Array>(
  options: ProducerOptions<V, K> = {},
): Producer<V, K> {
  const producer = new Producer<V, K>({
    bootstrap: `127.0.0.1:${fake.port}`,
    retry: { backoffMs: 1, backoffMaxMs: 5 },
    ...options,
  })
  open.push({ close: () => producer.close({ timeoutMs: 100 }) })
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

/** Every record that arrives, in order, as it was in its batch. */
function collectRecords(): { records: Record[]; codecs: number[]; versions: number[] } {
  const seen = { records: [] as Record[], codecs: [] as number[], versions: [] as number[] }
  serveLogs(fake, 2)
  const original = fake.handlerOf(ProduceRequest.key)
  fake.onRaw(ProduceRequest.key, (body, request) => {
    const { topicData } = body as Infer<typeof ProduceRequest>
    for (const { records } of topicData.flatMap((topic) => topic.partitionData)) {
      const bytes = Buffer.concat(records ?? [])
      seen.codecs.push(codecOf(readBatchHeader(bytes, 0)))
      seen.records.push(...iterateRecords(bytes))
    }
    seen.versions.push(request.version)
    return original(body, request)
  })
  return seen
}

const topic = 'orders'

describe('batches', () => {
  test('all records of one turn to a partition are one batch, without linger', async () => {
    const { batches } = serveLogs(fake, 2)
    const producer = producerWith()
    await producer.send({ topic, value: 'first', partition: 0 })
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => producer.send({ topic, value: `${index}`, partition: 0 })),
    )
    expect(batches.map(({ values }) => values.length)).toEqual([1, 50])
  })

  test('records of several partitions share a request', async () => {
    serveLogs(fake, 2)
    const producer = producerWith()
    await producer.send([0, 1].map((partition) => ({ topic, value: 'x', partition })))
    await producer.send([0, 1].map((partition) => ({ topic, value: 'x', partition })))
    expect(fake.requests(ProduceRequest.key)).toHaveLength(2)
  })

  test('linger gathers records of several turns; flush does not wait for it', async () => {
    const { batches } = serveLogs(fake, 2)
    const producer = producerWith({ lingerMs: 60_000 })
    const sent: Promise<unknown>[] = []
    for (let index = 0; index < 3; index++) {
      sent.push(producer.send({ topic, value: `${index}`, partition: 0 }))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(batches).toHaveLength(0)
    await producer.flush()
    await Promise.all(sent)
    expect(batches.map(({ values }) => values)).toEqual([['0', '1', '2']])
  })

  test('a full batch leaves before linger is over, and linger ends by itself', async () => {
    const { batches } = serveLogs(fake, 2)
    const producer = producerWith({ lingerMs: 20, batchBytes: 400 })
    const value = 'x'.repeat(100)
    await producer.send(Array.from({ length: 6 }, () => ({ topic, value, partition: 0 })))
    expect(batches.length).toBeGreaterThan(1)
    expect(batches.reduce((sum, { values }) => sum + values.length, 0)).toBe(6)
  })

  test('what stays behind a full batch leaves when its own linger is over, whenever the full one began', async () => {
    serveLogs(fake, 2)
    const producer = producerWith({ lingerMs: 200, batchBytes: 400, deliveryTimeoutMs: 20_000 })
    await producer.send({ topic, value: 'the partitions are known', partition: 0 })
    const first = producer.send({ topic, value: 'x'.repeat(200), partition: 0 })
    await Bun.sleep(100)
    const last = producer.send({ topic, value: 'y'.repeat(200), partition: 0 })
    expect((await first).offset).toBe(1)
    expect((await last).offset).toBe(2)
  })

  test('a batch that is too large for the topic is split until it fits', async () => {
    const { logs } = serveLogs(fake, 2, ({ values }) =>
      values.length > 3 ? { refuse: ErrorCode.MESSAGE_TOO_LARGE } : 'take',
    )
    const producer = producerWith()
    const sent = Array.from({ length: 20 }, (_, index) => ({ topic, value: `${index}`, partition: 0 }))
    const places = await producer.send(sent)
    expect(logs[0]!.values).toEqual(sent.map(({ value }) => value))
    expect(places.map(({ offset }) => offset)).toEqual(sent.map((_, index) => index))
  })

  test('one record that is too large fails alone', async () => {
    serveLogs(fake, 2, ({ values }) => (values.includes('big') ? { refuse: ErrorCode.MESSAGE_TOO_LARGE } : 'take'))
    const producer = producerWith()
    const outcomes = await Promise.allSettled(
      ['a', 'big', 'b'].map((value) => producer.send({ topic, value, partition: 0 })),
    )
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((outcomes[1] as PromiseRejectedResult).reason.code).toBe('MESSAGE_TOO_LARGE')
  })

  test.each([
    ['none', 0],
    ['gzip', 1],
    ['snappy', 2],
    ['lz4', 3],
    ['zstd', 4],
  ] as const)('codec %s', async (compression, codec) => {
    const seen = collectRecords()
    const producer = producerWith({ compression })
    const values = Array.from({ length: 500 }, (_, index) => `value ${index} `.repeat(30))
    await producer.send(values.map((value) => ({ topic, value, partition: 0 })))
    expect(seen.records.map(({ value }) => value?.toString())).toEqual(values)
    expect(new Set(seen.codecs)).toEqual(new Set([codec]))
  })

  test('keys, values, headers and timestamps arrive as they were given', async () => {
    const seen = collectRecords()
    const producer = producerWith()
    const long = 'ä'.repeat(3_000)
    const bytes = Buffer.from([0, 255, 128])
    const headers = [
      { key: 'a', value: 'text' },
      { key: 'a', value: null },
      { key: 'ü', value: bytes },
    ]
    await producer.send({ topic, key: 'k', value: bytes, headers, timestamp: 1_000, partition: 0 })
    await producer.send({ topic, key: long, value: long, headers: { one: '1' }, timestamp: 5, partition: 0 })
    await producer.send([
      { topic, key: bytes, value: null, timestamp: 9_000_000_000_000, partition: 0 },
      { topic, value: '', timestamp: 0, partition: 0 },
    ])
    const [first, second, third, fourth] = seen.records
    expect(first).toMatchObject({ key: Buffer.from('k'), value: bytes, timestamp: 1_000 })
    expect(first!.headers.map(({ key, value }) => [key, value?.toString('hex') ?? null])).toEqual([
      ['a', '74657874'],
      ['a', null],
      ['ü', '00ff80'],
    ])
    expect([second!.key?.toString(), second!.value?.toString(), second!.timestamp]).toEqual([long, long, 5])
    expect(second!.headers.map(({ key, value }) => [key, value?.toString()])).toEqual([['one', '1']])
    expect([third!.key, third!.value, third!.timestamp]).toEqual([bytes, null, 9_000_000_000_000])
    expect([fourth!.key, fourth!.value?.length, fourth!.timestamp]).toEqual([null, 0, 0])
  })

  test('the caller may use its buffers again at once', async () => {
    const seen = collectRecords()
    const producer = producerWith()
    const buffer = Buffer.from('before')
    const sent = producer.send({ topic, value: buffer, partition: 0 })
    buffer.fill('x')
    await sent
    expect(seen.records[0]?.value?.toString()).toBe('before')
  })
})

describe('partitions', () => {
  test('records of one key stay in one partition and in order', async () => {
    const { logs } = serveLogs(fake, 2)
    const producer = producerWith({ batchBytes: 1_000 })
    const values = Array.from({ length: 100 }, (_, index) => String(index))
    const places = await producer.send(values.map((value) => ({ topic, key: 'same', value })))
    expect(new Set(places.map(({ partition }) => partition)).size).toBe(1)
    expect(logs[places[0]!.partition]!.values).toEqual(values)
  })

  test('a function decides; null leaves it to the sticky choice', async () => {
    serveLogs(fake, 2)
    const producer = producerWith({ partitioner: ({ key }) => (key === null ? null : Number(key.toString())) })
    const places = await producer.send([
      { topic, key: '1', value: 'x' },
      { topic, key: '0', value: 'x' },
    ])
    expect(places.map(({ partition }) => partition)).toEqual([1, 0])
    expect((await producer.send({ topic, value: 'x' })).partition).toBeOneOf([0, 1])
    expect((await failureOf(producer.send({ topic, key: '7', value: 'x' }))).code).toBe('ERR_INVALID_RECORD')
  })

  test('round robin goes round, whatever the key', async () => {
    serveLogs(fake, 2)
    const producer = producerWith({ partitioner: 'round-robin' })
    const places = await producer.send(Array.from({ length: 10 }, () => ({ topic, key: 'k', value: 'x' })))
    expect(places.filter(({ partition }) => partition === 0)).toHaveLength(5)
  })

  test('a partition that there is not', async () => {
    serveLogs(fake, 2)
    const failure = await failureOf(producerWith().send({ topic, value: 'x', partition: 2 }))
    expect(failure.code).toBe('ERR_INVALID_RECORD')
    expect(failure.message).toContain('no partition 2, only 0 to 1')
  })

  test('a topic that there is not', async () => {
    serveLogs(fake, 2)
    const failure = await failureOf(producerWith({ createTopics: false }).send({ topic: 'nowhere', value: 'x' }))
    expect(failure.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(failure.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })
})

describe('acks and idempotence', () => {
  test('sequences have no gap', async () => {
    const { batches } = serveLogs(fake, 2)
    const producer = producerWith({ batchBytes: 300 })
    await producer.send(Array.from({ length: 50 }, () => ({ topic, value: 'x'.repeat(50), partition: 1 })))
    let next = 0
    for (const { baseSequence, values } of batches) {
      expect(baseSequence).toBe(next)
      next += values.length
    }
    expect(next).toBe(50)
  })

  test('who is refused a producer id is told, and does not go on asking', async () => {
    serveLogs(fake, 2)
    fake.on(InitProducerIdRequest, InitProducerIdResponse, () => {
      const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
      return { throttleTimeMs: 0, errorCode, producerId: -1, producerEpoch: -1 }
    })
    const producer = producerWith({ createTopics: false })
    const failure = await failureOf(producer.send({ topic, value: 'refused', partition: 0 }))
    expect(failure.code).toBe('CLUSTER_AUTHORIZATION_FAILED')
    // Each of these takes its turn behind whatever the producer would still send.
    for (let turn = 0; turn < 20; turn++) await failureOf(producer.send({ topic: 'none', value: 'x' }))
    expect(fake.requests(InitProducerIdRequest.key)).toHaveLength(1)
  })

  test('acks 1 asks for no producer id and keeps the order with one batch at a time', async () => {
    let refusals = 3
    const { logs } = serveLogs(fake, 2, () => (refusals-- > 0 ? { refuse: ErrorCode.NOT_ENOUGH_REPLICAS } : 'take'))
    const producer = producerWith({ acks: 1, batchBytes: 200 })
    const values = Array.from({ length: 30 }, (_, index) => String(index))
    await producer.send(values.map((value) => ({ topic, value, partition: 0 })))
    expect(logs[0]!.values).toEqual(values)
    expect(fake.requests(InitProducerIdRequest.key)).toHaveLength(0)
  })

  test('acks 0 waits for no answer', async () => {
    const { logs } = serveLogs(fake, 2)
    const producer = producerWith({ acks: 0 })
    expect((await producer.send({ topic, value: 'x', partition: 0 })).offset).toBe(-1)
    while (logs[0]!.values.length === 0) await Bun.sleep(1)
    expect(logs[0]!.values).toEqual(['x'])
  })

  test('options that contradict each other', () => {
    for (const options of [
      { acks: 1, idempotence: true },
      { idempotence: false, transactionalId: 't' },
      { maxInFlight: 6 },
      { batchBytes: 0 },
      { bootstrap: 'not:a:port' },
    ] as const) {
      expect(() => new Producer({ bootstrap: 'h:1', ...options })).toThrow(KafkaError)
    }
  })
})

describe('memory', () => {
  test('trySend refuses when the memory is full, and takes records again when there is room', async () => {
    const release = Promise.withResolvers<void>()
    serveLogs(fake, 2)
    const original = fake.handlerOf(ProduceRequest.key)
    fake.on(ProduceRequest, ProduceResponse, async () => null)
    fake.onRaw(ProduceRequest.key, async (body, seen) => {
      await release.promise
      return original(body, seen)
    })
    const producer = producerWith({ bufferBytes: 64 * 1024 })
    const value = Buffer.alloc(1_000)
    let taken = 0
    while (producer.trySend({ topic, value, partition: 0 })) {
      taken += 1
      if (taken % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(taken).toBeGreaterThan(30)
    expect(taken).toBeLessThan(200)
    release.resolve()
    await producer.whenWritable()
    expect(producer.trySend({ topic, value, partition: 0 })).toBe(true)
    await producer.flush()
  })

  test('send waits for memory, and gives up after maxBlockMs', async () => {
    serveLogs(fake, 2, () => 'take in silence')
    const producer = producerWith({ bufferBytes: 8 * 1024, maxBlockMs: 50 })
    const value = Buffer.alloc(4_000)
    const outcomes = Array.from({ length: 4 }, () => producer.send({ topic, value, partition: 0 }))
    // The others fail when the producer is closed.
    for (const outcome of outcomes) outcome.catch(() => undefined)
    const failure = await failureOf(Promise.race(outcomes))
    expect(failure.code).toBe('ERR_BUFFER_FULL')
    expect(failure.retriable).toBe(true)
  })

  test('many more records than fit pass through, in order', async () => {
    const { logs } = serveLogs(fake, 2)
    const producer = producerWith({ bufferBytes: 16 * 1024, batchBytes: 2_000 })
    const sent: Promise<unknown>[] = []
    for (let index = 0; index < 400; index++) {
      sent.push(producer.send({ topic, value: String(index).padStart(100, '0'), partition: 0 }))
      if (sent.length % 50 === 0) await sent.at(-1)
    }
    await Promise.all(sent)
    expect(logs[0]!.values.map(Number)).toEqual(Array.from({ length: 400 }, (_, index) => index))
  })
})

describe('how sends end', () => {
  test('the error of a send shows where it was called', async () => {
    serveLogs(fake, 2, () => ({ refuse: ErrorCode.INVALID_RECORD }))
    const producer = producerWith()
    async function whereTheUserIs(): Promise<void> {
      await producer.send({ topic, value: 'x', partition: 0 })
    }
    const failure = await failureOf(whereTheUserIs())
    expect(failure.code).toBe('INVALID_RECORD')
    expect(failure.retriable).toBe(false)
    expect(failure.stack?.split('\n')[1]).toContain('whereTheUserIs')
  })

  test('flush tells of records that nobody waited for', async () => {
    serveLogs(fake, 2, ({ values }) => (values[0] === 'bad' ? { refuse: ErrorCode.INVALID_RECORD } : 'take'))
    const producer = producerWith()
    producer.trySend({ topic, value: 'bad', partition: 0 })
    expect((await failureOf(producer.flush())).code).toBe('INVALID_RECORD')
    await producer.flush()
  })

  test('an AbortSignal ends the wait', async () => {
    serveLogs(fake, 2, () => 'take in silence')
    const producer = producerWith()
    const controller = new AbortController()
    const sent = failureOf(producer.send({ topic, value: 'x' }, { signal: controller.signal }))
    controller.abort(new Error('enough'))
    const failure = await sent
    expect(failure.code).toBe('ERR_ABORTED')
    expect(failure.cause).toEqual(new Error('enough'))
  })

  test('close sends what was accepted, and refuses what comes after', async () => {
    const { logs } = serveLogs(fake, 2)
    const producer = producerWith({ lingerMs: 60_000 })
    const sent = producer.send({ topic, value: 'last', partition: 0 })
    await producer.close()
    expect((await sent).offset).toBe(0)
    expect(logs[0]!.values).toEqual(['last'])
    expect((await failureOf(producer.send({ topic, value: 'x' }))).code).toBe('ERR_CLOSED')
  })

  test('close gives up on a broker that does not answer', async () => {
    serveLogs(fake, 2, () => 'take in silence')
    const producer = producerWith()
    const sent = failureOf(producer.send({ topic, value: 'x', partition: 0 }))
    while (fake.requests(ProduceRequest.key).length === 0) await Bun.sleep(1)
    await producer.close({ timeoutMs: 20 })
    expect((await sent).code).toBe('ERR_CLOSED')
  })

  test('a record that is under way when the producer closes is settled, also where its cluster stays open', async () => {
    serveLogs(fake, 2, ({ values }) => (values.includes('known') ? 'take' : 'take in silence'))
    const cluster = new Cluster({ bootstrap: [fake], retry: { backoffMs: 1, backoffMaxMs: 5 } })
    open.push(cluster)
    const producer = new Producer({ cluster })
    await producer.send({ topic, value: 'known', partition: 0 })
    const sent = failureOf(producer.send({ topic, value: 'under way', partition: 0 }))
    while (fake.requests(ProduceRequest.key).length < 2) await Bun.sleep(1)
    await producer.close({ timeoutMs: 1 })
    fake.hangUp()
    expect((await sent).code).toBe('ERR_CLOSED')
  })

  test('await using closes', async () => {
    const { logs } = serveLogs(fake, 2)
    {
      await using producer = new Producer({ bootstrap: `127.0.0.1:${fake.port}` })
      producer.trySend({ topic, value: 'x', partition: 0 })
    }
    expect(logs[0]!.values).toEqual(['x'])
  })

  test('no broker at all', async () => {
    const producer = producerWith({ bootstrap: '127.0.0.1:1', maxBlockMs: 100 })
    const failure = await failureOf(producer.send({ topic, value: 'x' }))
    expect(failure.code).toBe('ERR_TIMEOUT')
  })
})

describe('serdes', () => {
  interface Order {
    readonly item: string
    readonly count: number
  }

  test('JSON values and text keys', async () => {
    const seen = collectRecords()
    const producer = producerWith({ serdes: { value: jsonSerde<Order>(), key: stringSerde } })
    await producer.send({ topic, key: 'k', value: { item: 'tea', count: 2 } })
    expect(seen.records[0]?.value?.toString()).toBe('{"item":"tea","count":2}')
  })

  test('MessagePack', async () => {
    const seen = collectRecords()
    const serde = msgpackSerde<Order>()
    const producer = producerWith({ serdes: { value: serde } })
    await producer.send([1, 2].map((count) => ({ topic, value: { item: 'tea', count } })))
    const read = seen.records.map(({ value }) => serde.deserialize(value!, { topic, field: 'value' }))
    expect(read).toEqual([1, 2].map((count) => ({ item: 'tea', count })))
  })

  test('serializers that answer later keep the order of the calls', async () => {
    const { logs } = serveLogs(fake, 2)
    const producer = producerWith<number>({
      serdes: {
        value: {
          serialize: (value) => (value % 2 === 0 ? String(value) : Bun.sleep(5 - value).then(() => String(value))),
        },
      },
    })
    await Promise.all([1, 2, 3, 4].map((value) => producer.send({ topic, value, partition: 0 })))
    expect(logs[0]!.values).toEqual(['1', '2', '3', '4'])
  })

  test('without a serializer, text and bytes are sent as they are and objects as MessagePack', async () => {
    const seen = collectRecords()
    const producer = producerWith<Order | string | Uint8Array, number>()
    const order = { item: 'tea', count: 1 }
    await producer.send([order, 'text', new Uint8Array([7])].map((value) => ({ topic, key: 5, value })))
    const context = { topic, field: 'value' } as const
    expect(msgpackSerde<Order>().deserialize(seen.records[0]!.value!, context)).toEqual(order)
    expect(seen.records.slice(1).map(({ value }) => value!.toString('hex'))).toEqual(['74657874', '07'])
    expect(seen.records.map(({ key }) => key!.toString('hex'))).toEqual(['05', '05', '05'])
  })

  test('a serializer that fails, and what cannot be sent', async () => {
    serveLogs(fake, 2)
    const failing = producerWith<number>({ serdes: { value: { serialize: () => Promise.reject(new Error('no')) } } })
    const failure = await failureOf(failing.send({ topic, value: 1 }))
    expect([failure.code, (failure.cause as Error).message]).toEqual(['ERR_SERIALIZATION', 'no'])
    const plain = producerWith<unknown>()
    const second = await failureOf(plain.send({ topic, value: undefined }))
    expect(second.code).toBe('ERR_SERIALIZATION')
    expect(second.message).toContain('a missing value cannot be sent')
  })
})

describe('what can be seen', () => {
  test('hooks, events and metrics', async () => {
    let refusals = 1
    serveLogs(fake, 2, () => (refusals-- > 0 ? { refuse: ErrorCode.NOT_ENOUGH_REPLICAS } : 'take'))
    const seen: unknown[] = []
    const before = clientMetrics.get('kafka_produced_messages')
    const producer = producerWith({
      hooks: {
        onSend: ({ headers }) => void headers.push({ key: 'traceparent', value: '00-1' }),
        onBatch: ({ records, attempts, error }) => void seen.push(['batch', records, attempts, error]),
        onRetry: ({ error }) => void seen.push(['retry', error.code]),
      },
    })
    const events: unknown[] = []
    const listener = (event: unknown): void => void events.push(event)
    subscribe('samsa:client:batch', listener)
    await producer.send({ topic, value: 'x', partition: 0 })
    unsubscribe('samsa:client:batch', listener)
    expect(seen).toEqual([
      ['retry', 'NOT_ENOUGH_REPLICAS'],
      ['batch', 1, 2, null],
    ])
    expect(events).toHaveLength(1)
    expect(clientMetrics.get('kafka_produced_messages')).toBe(before + 1)
    expect(clientMetrics.prometheus()).toContain('kafka_client_request_duration_seconds_count{api="Produce"}')
  })
})
