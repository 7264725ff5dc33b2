/** What the compiler must accept and refuse of serdes: types follow from them, through producer and consumer. */
import { type } from 'arktype'
import * as valibot from 'valibot'
import { z } from 'zod'
import {
  avroSerde,
  Consumer,
  jsonSchemaSerde,
  jsonSerde,
  type Message,
  msgpackSerde,
  Producer,
  protobufSerde,
  SchemaRegistry,
  type Serde,
  ShareConsumer,
  type StoredSchema,
  type SubjectNameStrategy,
  stringSerde,
  type ValidatedSerde,
  validated,
} from '../../../src/client/index.ts'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function expectType<_Holds extends true>(): void {}

interface Order {
  readonly item: string
  readonly count: number
}

const bootstrap = 'localhost:9092'
const registry = new SchemaRegistry({ url: ['http://localhost:8081'], auth: { token: async () => 't' } })

export async function serdesOfARegistry(): Promise<void> {
  const avro = avroSerde<Order>({ registry, schema: { type: 'record' }, longs: 'bigint', logicalTypes: true })
  expectType<Same<typeof avro, Serde<Order>>>()
  const producer = new Producer({ bootstrap, serdes: { key: stringSerde, value: avro } })
  expectType<Same<typeof producer, Producer<Order, string>>>()
  // @ts-expect-error a field is missing
  await producer.send({ topic: 't', value: { item: 'tea' } })
  const consumer = new Consumer({ bootstrap, serdes: { value: jsonSchemaSerde<Order>({ registry }) } })
  expectType<Same<typeof consumer, Consumer<Order, Buffer>>>()
  for await (const message of consumer.messages()) expectType<Same<typeof message, Message<Order, Buffer>>>()
  const codec = { encode: (order: Order) => Buffer.from(order.item), decode: (): Order => ({ item: 'tea', count: 1 }) }
  const proto = protobufSerde({ registry, message: 'shop.Order', codec })
  expectType<Same<typeof proto, Serde<Order>>>()
  const stored = await registry.schemaById(1)
  expectType<Same<typeof stored, StoredSchema>>()
}

export function optionsOfARegistry(): void {
  // @ts-expect-error a name goes with a password
  new SchemaRegistry({ url: 'http://localhost', auth: { username: 'u' } })
  // @ts-expect-error there is no such strategy
  const strategy: SubjectNameStrategy = 'message'
  // @ts-expect-error a serde needs a registry
  avroSerde<Order>({ schema: '"string"' })
  // @ts-expect-error longs are numbers or BigInts
  protobufSerde<Order>({ registry, longs: 'string', subject: strategy })
}

export function schemasOfOtherLibraries(): void {
  const zod = validated(jsonSerde(), z.object({ item: z.string(), at: z.coerce.date(), count: z.number().default(1) }))
  expectType<
    Same<
      typeof zod,
      ValidatedSerde<
        { item: string; at: unknown; count?: number | undefined },
        { item: string; at: Date; count: number }
      >
    >
  >()
  const loose = validated(msgpackSerde(), valibot.object({ item: valibot.string() }))
  expectType<Same<typeof loose, ValidatedSerde<{ item: string }, { item: string }>>>()
  const ark = validated(avroSerde({ registry }), type({ item: 'string', 'count?': 'number' }))
  expectType<Same<typeof ark, ValidatedSerde<{ item: string; count?: number }, { item: string; count?: number }>>>()
  const producer = new Producer({ bootstrap, serdes: { value: zod } })
  void producer.send({ topic: 't', value: { item: 'tea', at: '2026-01-01' } })
  // @ts-expect-error an item is text
  void producer.send({ topic: 't', value: { item: 1, at: '2026-01-01' } })
  const consumer = new Consumer({ bootstrap, serdes: { value: zod } })
  expectType<Same<typeof consumer, Consumer<{ item: string; at: Date; count: number }, Buffer>>>()
  // @ts-expect-error what is no schema of the standard
  validated(jsonSerde(), { parse: () => 1 })
  // @ts-expect-error text is no object
  validated(stringSerde, z.object({ item: z.string() }))
}

export async function withoutSerdes(): Promise<void> {
  const producer = new Producer<Order>({ bootstrap })
  await producer.send({ topic: 't', key: 'k', value: { item: 'tea', count: 1 } })
  // @ts-expect-error a field is missing
  await producer.send({ topic: 't', value: { item: 'tea' } })
  const bytes = new Consumer({ bootstrap })
  expectType<Same<typeof bytes, Consumer<Buffer, Buffer>>>()
  // @ts-expect-error nothing would make orders of the bytes
  new Consumer<Order>({ bootstrap })
  // @ts-expect-error nothing would make text of the keys
  new Consumer<Order, string>({ bootstrap, serdes: { value: msgpackSerde<Order>() } })
  // @ts-expect-error nothing would make orders of the bytes
  new ShareConsumer<Order>({ bootstrap, groupId: 'g' })
  new Consumer<Order, string>({ bootstrap, serdes: { value: msgpackSerde<Order>(), key: stringSerde } })
  const inferred = new ShareConsumer({ bootstrap, groupId: 'g', serdes: { value: msgpackSerde<Order>() } })
  expectType<Same<typeof inferred, ShareConsumer<Order, Buffer>>>()
}
