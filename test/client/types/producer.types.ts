/**
 * What the compiler must accept and refuse of the producer's types: `tsc` is the test (`npm run typecheck`), and
 * `types.test.ts` beside this file runs it. Nothing here is executed.
 */
import {
  jsonSerde,
  msgpackSerde,
  Producer,
  type RecordMetadata,
  type Serializer,
  stringSerde,
} from '../../../src/client/index.ts'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function expectType<_Holds extends true>(): void {}

interface Order {
  readonly item: string
  readonly count: number
}

const bootstrap = 'localhost:9092'

export async function valuesWithoutSerde(): Promise<void> {
  const producer = new Producer({ bootstrap })
  expectType<Same<typeof producer, Producer<string | Uint8Array, string | Uint8Array>>>()
  const place = await producer.send({ topic: 't', value: 'text', key: new Uint8Array(1) })
  expectType<Same<typeof place, RecordMetadata>>()
  const places = await producer.send([{ topic: 't', value: null }])
  expectType<Same<typeof places, RecordMetadata[]>>()
  // @ts-expect-error an object needs a serde
  await producer.send({ topic: 't', value: { item: 'tea' } })
  // @ts-expect-error a record needs a value, if only null
  await producer.send({ topic: 't' })
  // @ts-expect-error a record needs a topic
  await producer.send({ value: 'x' })
}

export async function typesFollowFromSerdes(): Promise<void> {
  const producer = new Producer({ bootstrap, serdes: { value: jsonSerde<Order>(), key: stringSerde } })
  expectType<Same<typeof producer, Producer<Order, string>>>()
  await producer.send({ topic: 't', key: 'k', value: { item: 'tea', count: 1 } })
  // @ts-expect-error a field is missing
  await producer.send({ topic: 't', value: { item: 'tea' } })
  // @ts-expect-error keys are text
  await producer.send({ topic: 't', key: new Uint8Array(1), value: null })
  // @ts-expect-error trySend takes the same records
  producer.trySend({ topic: 't', value: 'text' })
}

export async function transactionsHaveTheSameTypes(): Promise<void> {
  const producer: Producer<Order> = new Producer({ bootstrap, serdes: { value: msgpackSerde<Order>() } })
  const result = await producer.transaction(async (transaction) => {
    await transaction.send({ topic: 't', value: { item: 'tea', count: 1 } })
    // @ts-expect-error not an order
    await transaction.send({ topic: 't', value: 1 })
    return 'done' as const
  })
  expectType<Same<typeof result, 'done'>>()
}

export function optionsAreChecked(): void {
  // @ts-expect-error there is no such codec
  new Producer({ bootstrap, compression: 'brotli' })
  // @ts-expect-error acks are 'all', 1 or 0
  new Producer({ bootstrap, acks: -1 })
  // @ts-expect-error a SCRAM mechanism needs a password
  new Producer({ bootstrap, sasl: { mechanism: 'SCRAM-SHA-256', username: 'u' } })
  const later: Serializer<Date> = { serialize: async (value) => value.toISOString() }
  const dates = new Producer({ bootstrap, serdes: { value: later } })
  expectType<Same<typeof dates, Producer<Date, string | Uint8Array>>>()
}
