import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type AvroSerdeOptions, avroSerde, SchemaRegistry, type Serde } from '../../../src/client/index.ts'
import { FakeRegistry } from '../../support/fake-registry.ts'
import { CONTEXT, failure, written } from './support.ts'

let fake: FakeRegistry

beforeEach(() => {
  fake = new FakeRegistry()
})

afterEach(() => fake.stop())

function serde<T = unknown>(options: Omit<AvroSerdeOptions, 'registry'> = {}): Serde<T> {
  return avroSerde<T>({ registry: new SchemaRegistry({ url: fake.url, retries: 0, timeoutMs: 60_000 }), ...options })
}

function record(...fields: readonly object[]): object {
  return { type: 'record', name: 'Order', namespace: 'shop', fields }
}

const ITEM = { name: 'item', type: 'string' }

describe('a reader with a schema of its own', () => {
  test('sees defaults for what was added, nothing of what went, and wider numbers', async () => {
    const old = await written(
      serde({ schema: record(ITEM, { name: 'count', type: 'int' }, { name: 'gone', type: 'string' }) }),
      {
        item: 'tea',
        count: 2,
        gone: 'x',
      },
    )
    const own = record(ITEM, { name: 'count', type: 'long' }, { name: 'note', type: ['null', 'string'], default: null })
    expect(await serde({ schema: own }).deserialize(old, CONTEXT)).toEqual({ item: 'tea', count: 2, note: null })
    expect(await serde({ schema: own, longs: 'bigint' }).deserialize(old, CONTEXT)).toEqual({
      item: 'tea',
      count: 2n,
      note: null,
    })
    expect(await serde().deserialize(old, CONTEXT)).toEqual({ item: 'tea', count: 2, gone: 'x' })
  })

  test('finds a renamed field by its alias', async () => {
    const old = await written(serde({ schema: record(ITEM) }), { item: 'tea' })
    const own = record({ name: 'product', aliases: ['item'], type: 'string' })
    expect(await serde({ schema: own }).deserialize(old, CONTEXT)).toEqual({ product: 'tea' })
  })

  test('fails where both cannot be brought together', async () => {
    const old = await written(serde({ schema: record(ITEM) }), { item: 'tea' })
    const error = await failure(() =>
      serde({ schema: record({ name: 'price', type: 'int' }) }).deserialize(old, CONTEXT),
    )
    expect(error.code).toBe('ERR_SERIALIZATION')
    expect(error.message).toContain('cannot be resolved')
  })

  test('puts nothing into the registry', async () => {
    const old = await written(serde({ schema: record(ITEM) }), { item: 'tea' })
    fake.requests.length = 0
    await serde({ schema: record(ITEM, { name: 'n', type: 'int', default: 0 }) }).deserialize(old, CONTEXT)
    expect(fake.requests).toEqual(['GET /schemas/ids/1'])
  })
})

describe('longs', () => {
  const schema = record({ name: 'n', type: 'long' })
  const MANY = 9_007_199_254_740_993n

  test('that a number does not hold fail as numbers, in both directions', async () => {
    const bytes = await written(serde({ schema, longs: 'bigint' }), { n: MANY })
    expect(await serde({ longs: 'bigint' }).deserialize(bytes, CONTEXT)).toEqual({ n: MANY })
    expect(async () => await serde().deserialize(bytes, CONTEXT)).toThrow('precision loss')
    expect(async () => await written(serde({ schema }), { n: 2 ** 53 })).toThrow('n: not a valid long')
  })

  test('as BigInts are BigInts everywhere, and nothing beyond 64 bits', async () => {
    const nested = record(
      { name: 'list', type: { type: 'array', items: ['null', 'long'] } },
      { name: 'd', type: 'long', default: 5 },
    )
    const using = serde({ schema: nested, longs: 'bigint' })
    const value = { list: [null, 1n, -(2n ** 63n)], d: 2n ** 63n - 1n }
    expect(await using.deserialize(await written(using, value), CONTEXT)).toEqual(value)
    const error = await failure(() => written(using, { list: [2n ** 63n], d: 1 }))
    expect(error.code).toBe('ERR_VALIDATION')
    expect(error.issues.map(({ path }) => path[0])).toEqual(['list', 'd'])
  })

  test('BigInts where numbers are asked for are refused with a message about that', async () => {
    const error = await failure(() => written(serde({ schema }), { n: 1n }))
    expect(error).toMatchObject({ code: 'ERR_VALIDATION', issues: [{ path: ['n'], message: 'not a valid long' }] })
  })
})

describe('logical types', () => {
  const schema = record(
    { name: 'at', type: ['null', { type: 'long', logicalType: 'timestamp-millis' }] },
    { name: 'price', type: { type: 'fixed', name: 'Price', size: 4, logicalType: 'decimal', precision: 9, scale: 2 } },
  )

  test('are what is underneath unless they are asked for', async () => {
    const bytes = await written(serde({ schema, logicalTypes: true }), { at: new Date(5), price: '-1.50' })
    expect(await serde().deserialize(bytes, CONTEXT)).toEqual({ at: 5, price: Buffer.from([0xff, 0xff, 0xff, 0x6a]) })
    expect(await serde({ logicalTypes: true }).deserialize(bytes, CONTEXT)).toEqual({ at: new Date(5), price: '-1.50' })
    const both = serde({ logicalTypes: true, longs: 'bigint' })
    expect(await both.deserialize(bytes, CONTEXT)).toEqual({ at: new Date(5), price: '-1.50' })
  })

  test('are read by a schema of the reader that has them where the writer had none, and the other way round', async () => {
    const plain = record({ name: 'at', type: 'long' })
    const dated = record({ name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } })
    const options = { logicalTypes: true }
    const fromPlain = await written(serde({ schema: plain, ...options }), { at: 7 })
    expect(await serde({ schema: dated, ...options }).deserialize(fromPlain, CONTEXT)).toEqual({ at: new Date(7) })
    const fromDated = await written(
      serde({ schema: dated, ...options }),
      { at: new Date(8) },
      { topic: 'other', field: 'value' },
    )
    expect(await serde({ schema: plain, ...options }).deserialize(fromDated, CONTEXT)).toEqual({ at: 8 })
    expect(await serde({ schema: dated, ...options }).deserialize(fromDated, CONTEXT)).toEqual({ at: new Date(8) })
  })

  test.each([
    ['1.005', 'more places than the scale'],
    ['12345678.90', 'more digits than the precision'],
    ['30000000.00', 'more than the bytes hold'],
    ['1e3', 'no plain number'],
    [1.5, 'no text'],
  ])('a decimal of %p is refused: %s', async (price) => {
    const error = await failure(() => written(serde({ schema, logicalTypes: true }), { at: null, price }))
    expect(error).toMatchObject({ code: 'ERR_VALIDATION', issues: [{ path: ['price'] }] })
  })

  test('may be added', async () => {
    const minutes = {
      read: (value: unknown) => `${value} min`,
      write: (value: unknown) => Number.parseInt(String(value), 10),
    }
    const using = serde({
      schema: record({ name: 'm', type: { type: 'int', logicalType: 'minutes' } }),
      logicalTypes: { minutes },
    })
    expect(await using.deserialize(await written(using, { m: '5 min' }), CONTEXT)).toEqual({ m: '5 min' })
  })
})

describe('values', () => {
  test('that do not fit say where', async () => {
    const inner = { type: 'record', name: 'Inner', fields: [{ name: 'n', type: 'int' }] }
    const using = serde({ schema: record(ITEM, { name: 'inner', type: { type: 'array', items: inner } }) })
    const error = await failure(() => written(using, { item: 5, inner: [{ n: 1 }, { n: 'x' }] }))
    expect(error.code).toBe('ERR_VALIDATION')
    expect(error.issues.map(({ path }) => path.join('.'))).toEqual(['item', 'inner.1.n'])
    expect(error.message).toContain('inner.1.n: not a valid int')
  })

  test('of a union name their branch where nothing else tells which it is', async () => {
    const branch = (name: string): object => ({ type: 'record', name, fields: [{ name: 'n', type: 'int' }] })
    const using = serde({
      schema: record(
        { name: 'by', type: ['null', branch('Card'), branch('Cash')] },
        { name: 'note', type: ['null', 'string'] },
      ),
    })
    for (const value of [
      { by: { 'shop.Cash': { n: 1 } }, note: 'x' },
      { by: null, note: null },
    ]) {
      expect(await using.deserialize(await written(using, value), CONTEXT)).toEqual(value)
    }
    expect((await failure(() => written(using, { by: { n: 1 }, note: null }))).code).toBe('ERR_VALIDATION')
  })

  test('of any size are written', async () => {
    const using = serde<{ item: string }>({ schema: record(ITEM) })
    for (const size of [4_000, 4_090, 4_096, 10_000, 1_000_000, 10]) {
      const value = { item: 'x'.repeat(size) }
      expect(await using.deserialize(await written(using, value), CONTEXT)).toEqual(value)
    }
  })

  test('that are cut off are not read', async () => {
    const using = serde({ schema: record(ITEM) })
    const bytes = await written(using, { item: 'teapot' })
    expect(() => using.deserialize(bytes.subarray(0, -2), CONTEXT)).toThrow()
    expect(() => using.deserialize(Buffer.concat([bytes, Buffer.from('x')]), CONTEXT)).toThrow()
  })
})

describe('subjects', () => {
  test('are named after the topic, the record, or both, or by a function', async () => {
    const schema = record(ITEM)
    await written(serde({ schema }), { item: 'a' })
    await written(serde({ schema }), { item: 'a' }, { topic: 'orders', field: 'key' })
    await written(serde({ schema, subject: 'record' }), { item: 'a' })
    await written(serde({ schema, subject: 'topic-record' }), { item: 'a' })
    await written(serde({ schema, subject: ({ topic, field, recordName }) => [topic, field, recordName].join('/') }), {
      item: 'a',
    })
    const registry = new SchemaRegistry({ url: fake.url })
    expect((await registry.subjects()).sort()).toEqual([
      'orders-key',
      'orders-shop.Order',
      'orders-value',
      'orders/value/shop.Order',
      'shop.Order',
    ])
  })

  test('need a name where they are named after the record', async () => {
    const error = await failure(() => written(serde({ schema: '"string"', subject: 'record' }), 'x'))
    expect(error.code).toBe('ERR_INVALID_OPTION')
  })
})

describe('the schema that is written with', () => {
  test('is looked up only, if it is not to be registered', async () => {
    const schema = record(ITEM)
    const error = await failure(() => written(serde({ schema, autoRegister: false }), { item: 'a' }))
    expect(error).toMatchObject({ code: 'ERR_SCHEMA_NOT_FOUND', registryCode: 40401 })
    await new SchemaRegistry({ url: fake.url }).register('orders-value', { schema: JSON.stringify(schema) })
    expect((await written(serde({ schema, autoRegister: false }), { item: 'a' })).readUInt32BE(1)).toBe(1)
  })

  test('is the latest one if that is asked for, again after a while', async () => {
    const registry = new SchemaRegistry({ url: fake.url, latestMaxAgeMs: 0 })
    await registry.register('orders-value', { schema: JSON.stringify(record(ITEM)) })
    const using = avroSerde<{ item: string }>({ registry, useLatestVersion: true })
    expect((await written(using, { item: 'a' })).readUInt32BE(1)).toBe(1)
    const next = record(ITEM, { name: 'count', type: 'int', default: 9 })
    await registry.register('orders-value', { schema: JSON.stringify(next) })
    const bytes = await written(using, { item: 'a' })
    expect(bytes.readUInt32BE(1)).toBe(2)
    expect(await using.deserialize(bytes, CONTEXT)).toEqual({ item: 'a', count: 9 } as { item: string })
  })

  test('has to come from somewhere', async () => {
    expect((await failure(() => written(serde(), { item: 'a' }))).code).toBe('ERR_INVALID_OPTION')
    expect(() => serde({ useLatestVersion: true, autoRegister: true })).toThrow('contradict')
    expect((await failure(() => written(serde({ schema: '{"type":"nothing"}' }), 1))).code).toBe('ERR_SCHEMA_INVALID')
  })

  test('brings along what it refers to, and is refused by a registry that would not have it', async () => {
    const money = {
      name: 'shop.Money',
      schema: JSON.stringify({ type: 'record', name: 'shop.Money', fields: [{ name: 'cents', type: 'int' }] }),
    }
    const item = {
      name: 'shop.Item',
      subject: 'items',
      schema: JSON.stringify({ type: 'record', name: 'shop.Item', fields: [{ name: 'price', type: 'shop.Money' }] }),
      references: [money],
    }
    const schema = record({ name: 'item', type: 'shop.Item' }, { name: 'total', type: 'Money' })
    const using = serde({ schema, references: [item, money] })
    const value = { item: { price: { cents: 5 } }, total: { cents: 5 } }
    const bytes = await written(using, value)
    expect(await serde().deserialize(bytes, CONTEXT)).toEqual(value)
    const { references } = await new SchemaRegistry({ url: fake.url }).latestVersion('orders-value')
    expect(references).toEqual([
      { name: 'shop.Item', subject: 'items', version: 1 },
      { name: 'shop.Money', subject: 'shop.Money', version: 1 },
    ])
    // By reference to what is there already.
    expect(await written(serde({ schema, references }), value)).toEqual(bytes)
    const error = await failure(() =>
      written(serde({ schema: record(ITEM) }), { item: 'x' }, { topic: 'fresh', field: 'value' }).then(() =>
        written(serde({ schema: record({ name: 'p', type: 'int' }) }), { p: 1 }, { topic: 'fresh', field: 'value' }),
      ),
    )
    expect(error).toMatchObject({ code: 'ERR_SCHEMA_INCOMPATIBLE', registryCode: 409 })
  })
})

describe('what arrives', () => {
  test.each([
    ['', 'it is empty'],
    ['7b7d', 'it begins with 123'],
    ['000000', '3 bytes hold no schema id'],
    ['01000000000000', 'hold no schema id'],
  ])('is no record of a registry: %p', async (hex, reason) => {
    const error = await failure(() => serde().deserialize(Buffer.from(hex, 'hex'), CONTEXT))
    expect(error.code).toBe('ERR_SERIALIZATION')
    expect(error.message).toContain(reason)
  })

  test('has an id that the registry does not know; it is asked again for the next record', async () => {
    const using = serde()
    const bytes = Buffer.from('000000000102', 'hex')
    expect(await failure(() => using.deserialize(bytes, CONTEXT))).toMatchObject({
      code: 'ERR_SCHEMA_NOT_FOUND',
      registryCode: 40403,
    })
    await new SchemaRegistry({ url: fake.url }).register('n', { schema: '"int"' })
    expect(await using.deserialize(bytes, CONTEXT)).toBe(1)
  })

  test('was written with a schema of another kind', async () => {
    await new SchemaRegistry({ url: fake.url }).register('j', { schema: '{}', schemaType: 'JSON' })
    const error = await failure(() => serde().deserialize(Buffer.from('00000000017b7d', 'hex'), CONTEXT))
    expect(error.message).toBe('schema 1 is of type JSON, not AVRO')
  })
})
