/**
 * Serdes with a schema registry between a producer and a consumer, on any runtime: nothing here knows which. Topics have names of their own, so
 * that scenarios run beside each other.
 */
import assert from 'node:assert/strict'
import {
  Admin,
  avroSerde,
  Consumer,
  type ConsumerOptions,
  deadLetterUnreadable,
  jsonSchemaSerde,
  jsonSerde,
  KafkaError,
  type Message,
  Producer,
  protobufSerde,
  SchemaRegistry,
  type Serde,
  type StandardSchema,
  stringSerde,
  validated,
} from '../../../src/client/index.ts'

export interface Servers {
  readonly bootstrap: string
  /** The address of a schema registry. */
  readonly registry: string
}

interface Bench extends Servers {
  /** Closes it at the end of the scenario. (Node 22 has no `await using`.) */
  keep<T extends { close(): Promise<void> }>(opened: T): T
}

interface Scenario {
  readonly name: string
  run(bench: Bench): Promise<void>
}

export async function runScenario({ run }: Scenario, servers: Servers): Promise<void> {
  const kept: { close(): Promise<void> }[] = []
  const keep: Bench['keep'] = (opened) => {
    kept.push(opened)
    return opened
  }
  try {
    await run({ ...servers, keep })
  } finally {
    await Promise.all(kept.map((opened) => opened.close()))
  }
}

interface Order {
  readonly item: string
  readonly count: number
}

const NOBODY = 'http://127.0.0.1:1'
const ORDERS: readonly Order[] = [1, 2, 3].map((count) => ({ item: `tea ${count}`, count }))
const AVRO = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'item', type: 'string' },
    { name: 'count', type: 'int' },
  ],
}
const JSON_SCHEMA = { type: 'object', properties: { item: { type: 'string' }, count: { type: 'integer' } } }
const PROTO = 'syntax = "proto3"; message Order { string item = 1; int32 count = 2; }'

function avro(bench: Bench): Serde<Order> {
  return avroSerde<Order>({ registry: new SchemaRegistry({ url: bench.registry, timeoutMs: 60_000 }), schema: AVRO })
}

let topics = 0

/** Created before it is used: whoever waits for a topic to be created on the way gives up some time. */
async function newTopic(bench: Bench): Promise<string> {
  const name = `serdes-${process.pid}-${++topics}`
  const [outcome] = await bench.keep(new Admin({ bootstrap: bench.bootstrap })).createTopics([{ name, partitions: 1 }])
  assert.equal(outcome?.error, null)
  return name
}

/** Produces into a topic of one partition. */
async function produce<V>(
  bench: Bench,
  topic: string,
  value: Serde<V>,
  records: readonly { readonly key: string; readonly value: V | null }[],
): Promise<void> {
  const producer = bench.keep(new Producer({ bootstrap: bench.bootstrap, serdes: { key: stringSerde, value } }))
  // At once: those behind the first one wait for the registry, too.
  await Promise.all(records.map((record) => producer.send({ topic, partition: 0, ...record })))
}

async function consume<V>(
  bench: Bench,
  topic: string,
  count: number,
  value: Serde<V>,
  options: Pick<ConsumerOptions<V, string>, 'onDeserializeError'> = {},
): Promise<Message<V, string>[]> {
  const consumer = bench.keep(
    new Consumer({ bootstrap: bench.bootstrap, serdes: { key: stringSerde, value }, ...options }),
  )
  await consumer.assign([{ topic, partition: 0, offset: 'earliest', until: count }])
  const messages: Message<V, string>[] = []
  for await (const message of consumer.messages()) messages.push(message)
  return messages
}

async function failureOf(action: Promise<unknown>): Promise<KafkaError> {
  const error = await action.then(
    () => null,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof KafkaError, String(error))
  return error
}

async function roundTrip(bench: Bench, make: () => Serde<Order>): Promise<void> {
  const topic = await newTopic(bench)
  const records = ORDERS.map((value, index) => ({ key: `k${index}`, value }))
  await produce(bench, topic, make(), [...records, { key: 'k1', value: null }])
  const messages = await consume(bench, topic, 4, make())
  assert.deepEqual(
    messages.map(({ key, value }) => [key, value === null ? null : { ...value }]),
    [...records.map(({ key, value }) => [key, value]), ['k1', null]],
  )
}

/** The bytes as they are stored. */
async function rawValues(bench: Bench, topic: string, count: number): Promise<Buffer[]> {
  const consumer = bench.keep(new Consumer({ bootstrap: bench.bootstrap }))
  await consumer.assign([{ topic, partition: 0, offset: 'earliest', until: count }])
  const values: Buffer[] = []
  for await (const { value } of consumer.messages()) values.push(Buffer.from(value ?? ''))
  return values
}

export const SERDE_SCENARIOS: readonly Scenario[] = [
  { name: 'avro, and a tombstone', run: (bench) => roundTrip(bench, () => avro(bench)) },
  {
    name: 'json schema, and a tombstone',
    run: (bench) => {
      const registry = new SchemaRegistry({ url: bench.registry, timeoutMs: 60_000 })
      return roundTrip(bench, () => jsonSchemaSerde<Order>({ registry, schema: JSON_SCHEMA }))
    },
  },
  {
    name: 'protobuf, and a tombstone',
    run: (bench) => {
      const registry = new SchemaRegistry({ url: bench.registry, timeoutMs: 60_000 })
      return roundTrip(bench, () => protobufSerde<Order>({ registry, schema: PROTO }))
    },
  },
  {
    name: 'records of an older schema are read with the new one',
    async run(bench) {
      const topic = await newTopic(bench)
      await produce(bench, topic, avro(bench), [{ key: 'a', value: { item: 'tea', count: 1 } }])
      const next = { ...AVRO, fields: [...AVRO.fields, { name: 'note', type: 'string', default: 'none' }] }
      const registry = new SchemaRegistry({ url: bench.registry, timeoutMs: 60_000 })
      const serde = avroSerde<Order & { readonly note: string }>({ registry, schema: next })
      await produce(bench, topic, serde, [{ key: 'b', value: { item: 'tea', count: 2, note: 'hot' } }])
      const messages = await consume(bench, topic, 2, serde)
      assert.deepEqual(
        messages.map(({ value }) => value?.note),
        ['none', 'hot'],
      )
    },
  },
  {
    name: 'what no registry wrote, and an id that it does not know, go to the dead-letter topic',
    async run(bench) {
      const [topic, dead] = [await newTopic(bench), await newTopic(bench)]
      const serde = avro(bench)
      const good = Buffer.from((await serde.serialize(ORDERS[0] as Order, { topic, field: 'value' })) as Uint8Array)
      const unknown = Buffer.from(good)
      unknown.writeUInt32BE(999_999, 1)
      const bad = [Buffer.from('{"item":"tea"}'), unknown, good.subarray(0, -1)]
      const producer = bench.keep(new Producer({ bootstrap: bench.bootstrap }))
      await producer.send([good, ...bad, good].map((value) => ({ topic, partition: 0, value })))
      const errors: KafkaError[] = []
      const messages = await consume(bench, topic, 5, avro(bench), {
        onDeserializeError: async (message, error) => {
          errors.push(error)
          await deadLetterUnreadable({ producer, topic: dead })(message, error)
        },
      })
      assert.deepEqual(
        messages.map(({ offset }) => offset),
        [0, 4],
      )
      assert.deepEqual(await rawValues(bench, dead, 3), bad)
      assert.deepEqual(
        errors.map(({ code, retriable, place }) => [code, retriable, place?.offset]),
        [1, 2, 3].map((offset) => ['ERR_SERIALIZATION', false, offset]),
      )
      assert.deepEqual(
        errors.map(({ cause }) => (cause instanceof KafkaError ? cause.registryCode : -1)),
        [0, 40_403, -1],
      )
    },
  },
  {
    name: 'a registry that is down ends the reading as retriable, and puts nothing aside',
    async run(bench) {
      const topic = await newTopic(bench)
      await produce(bench, topic, avro(bench), [{ key: 'a', value: ORDERS[0] as Order }])
      const down = new SchemaRegistry({ url: NOBODY, retries: 1, retry: { backoffMs: 1, backoffMaxMs: 1 } })
      let putAside = 0
      const onDeserializeError = (): void => void putAside++
      const error = await failureOf(
        consume(bench, topic, 1, avroSerde<Order>({ registry: down }), { onDeserializeError }),
      )
      assert.equal(error.code, 'ERR_REGISTRY_UNAVAILABLE')
      assert.equal(error.retriable, true)
      assert.deepEqual(error.place, { topic, partition: 0, offset: 0, nextOffset: 1 })
      assert.equal(putAside, 0)
      assert.equal((await consume(bench, topic, 1, avro(bench))).length, 1)
    },
  },
  {
    name: 'a record that no registry answered for is refused as retriable, and may be sent again',
    async run(bench) {
      const topic = await newTopic(bench)
      let isDown = true
      const registry = new SchemaRegistry({
        url: bench.registry,
        retries: 0,
        fetch: (url, init) => (isDown ? Promise.reject(new TypeError('connection refused')) : fetch(url, init)),
      })
      const value = avroSerde<Order>({ registry, schema: AVRO })
      const producer = bench.keep(new Producer({ bootstrap: bench.bootstrap, serdes: { value } }))
      const error = await failureOf(producer.send({ topic, value: ORDERS[0] as Order }))
      assert.deepEqual([error.code, error.retriable], ['ERR_REGISTRY_UNAVAILABLE', true])
      isDown = false
      assert.equal((await producer.send({ topic, value: ORDERS[0] as Order })).offset, 0)
    },
  },
  {
    name: 'a schema id in a header',
    async run(bench) {
      const topic = await newTopic(bench)
      const registry = new SchemaRegistry({ url: bench.registry, timeoutMs: 60_000 })
      const serde = avro(bench)
      const framed = (await serde.serialize(ORDERS[1] as Order, { topic, field: 'value' })) as Buffer
      const { guid } = await registry.latestVersion(`${topic}-value`)
      const header = Buffer.from(`01${guid?.replaceAll('-', '')}`, 'hex')
      const producer = bench.keep(new Producer({ bootstrap: bench.bootstrap }))
      const headers = { __value_schema_id: header, other: 'x' }
      await producer.send({ topic, partition: 0, key: 'k', value: framed.subarray(5), headers })
      const [message] = await consume(bench, topic, 1, avro(bench))
      assert.deepEqual({ ...message?.value }, ORDERS[1])
    },
  },
  {
    name: 'a value that does not fit its Standard Schema, on both sides',
    async run(bench) {
      const topic = await newTopic(bench)
      const schema: StandardSchema<Order> = {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) =>
            (value as Order).count > 0
              ? { value: value as Order }
              : { issues: [{ message: 'must be positive', path: ['count'] }] },
        },
      }
      const bad = { item: 'tea', count: 0 }
      const strict = { key: stringSerde, value: validated(jsonSerde(), schema) }
      const producer = bench.keep(new Producer({ bootstrap: bench.bootstrap, serdes: strict }))
      const refused = await failureOf(producer.send({ topic, partition: 0, value: bad }))
      assert.equal(refused.code, 'ERR_VALIDATION')
      assert.deepEqual(refused.issues, [{ message: 'must be positive', path: ['count'] }])
      await produce(bench, topic, jsonSerde<Order>(), [{ key: 'k', value: bad }])
      const consumer = bench.keep(new Consumer({ bootstrap: bench.bootstrap, serdes: strict }))
      await consumer.assign([{ topic, partition: 0, offset: 'earliest', until: 1 }])
      const unread = await failureOf(consumer.messages().next())
      assert.equal(unread.code, 'ERR_SERIALIZATION')
      assert.deepEqual(unread.issues, refused.issues)
    },
  },
  {
    name: 'keys have schemas of their own',
    async run(bench) {
      const topic = await newTopic(bench)
      const registry = new SchemaRegistry({ url: bench.registry, timeoutMs: 60_000 })
      const serdes = {
        key: avroSerde<string>({ registry, schema: '"string"' }),
        value: jsonSchemaSerde<Order>({ registry, schema: JSON_SCHEMA }),
      }
      const producer = bench.keep(new Producer({ bootstrap: bench.bootstrap, serdes }))
      await producer.send({ topic, key: 'customer-7', value: ORDERS[0] as Order, partition: 0 })
      const consumer = bench.keep(new Consumer({ bootstrap: bench.bootstrap, serdes }))
      await consumer.assign([{ topic, partition: 0, offset: 'earliest', until: 1 }])
      for await (const { key } of consumer.messages()) assert.equal(key, 'customer-7')
      assert.deepEqual((await registry.subjects({ prefix: topic })).sort(), [`${topic}-key`, `${topic}-value`])
    },
  },
]
