import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type ProtobufSerdeOptions, protobufSerde, SchemaRegistry, type Serde } from '../../../src/client/index.ts'
import { FakeRegistry } from '../../support/fake-registry.ts'
import { CONTEXT, failure, written } from './support.ts'

const SHOP = `syntax = "proto3";
package shop;

message Order {
  string item_name = 1;
  int64 cents = 2;
  uint32 count = 3;
  Kind kind = 4;
  repeated Part parts = 5;
  map<string, uint64> totals = 6;
  oneof payment {
    string card = 7;
    bytes cash = 8;
  }
  optional bool gift = 9;
  Part main_part = 10;

  enum Kind {
    PLAIN = 0;
    FANCY = 1;
  }
  message Part {
    sint32 weight = 1;
  }
}

message Cancelled {
  string why = 1;
}
`

let fake: FakeRegistry

beforeEach(() => {
  fake = new FakeRegistry()
})

afterEach(() => fake.stop())

function serde<T = unknown>(options: Omit<ProtobufSerdeOptions<T>, 'registry'> = {}): Serde<T> {
  return protobufSerde<T>({
    registry: new SchemaRegistry({ url: fake.url, retries: 0, timeoutMs: 60_000 }),
    ...options,
  })
}

const NOTHING = { itemName: '', cents: 0, count: 0, kind: 'PLAIN', parts: [], totals: {}, mainPart: null }

describe('messages', () => {
  test('are read with their defaults, enums as names, what is optional only if it is there', async () => {
    const using = serde({ schema: SHOP })
    expect(await using.deserialize(await written(using, {}), CONTEXT)).toEqual(NOTHING)
    const value = {
      ...{ itemName: 'tea', cents: -5, count: 4_294_967_295, kind: 'FANCY', parts: [{ weight: -1 }, { weight: 0 }] },
      ...{ totals: { a: 1 }, cash: Buffer.from([1, 2]), gift: false, mainPart: { weight: 3 } },
    }
    expect(await using.deserialize(await written(using, value), CONTEXT)).toEqual(value)
    expect(
      await using.deserialize(await written(using, { kind: 1, mainPart: null, card: undefined }), CONTEXT),
    ).toEqual({
      ...NOTHING,
      kind: 'FANCY',
    })
  })

  test('keep no memory of the fetch', async () => {
    const using = serde<{ cash: Buffer }>({ schema: SHOP })
    const bytes = await written(using, { cash: Buffer.from([1, 2]) })
    const { cash } = await using.deserialize(bytes, CONTEXT)
    bytes.fill(0xff)
    expect([...cash]).toEqual([1, 2])
  })

  test('have the names of the file if that is asked for', async () => {
    const using = serde({ schema: SHOP, keepCase: true })
    const bytes = await written(using, { item_name: 'tea' })
    expect(await using.deserialize(bytes, CONTEXT)).toMatchObject({ item_name: 'tea', main_part: null })
    expect((await failure(() => written(using, { itemName: 'tea' }))).issues).toEqual([
      { path: ['itemName'], message: 'no field of the message' },
    ])
  })

  test.each([
    ['count: not a valid uint32', { count: -1 }],
    ['count: not a valid uint32', { count: 2 ** 32 }],
    ['count: not a valid uint32', { count: '1' }],
    ['cents: not a valid int64', { cents: 2 ** 53 }],
    ['cents: not a valid int64', { cents: 2n ** 63n }],
    ['totals.a: not a valid uint64', { totals: { a: -1n } }],
    ['kind: not a valid Kind', { kind: 'GOLDEN' }],
    ['parts: not a list', { parts: { weight: 1 } }],
    ['parts.1.weight: not a valid sint32', { parts: [{ weight: 1 }, { weight: 0.5 }] }],
    ['mainPart: not a message', { mainPart: 'x' }],
    ["more than one of 'payment': card, cash", { card: 'x', cash: new Uint8Array(1) }],
    [
      'itemName: not a valid string; gift: not a valid bool; cash: not a valid bytes',
      { itemName: 1, gift: 'yes', cash: 'text' },
    ],
    ['not a message', null],
  ])('with a value that would be changed silently, or is none, are refused: %s', async (reason, value) => {
    const error = await failure(() => written(serde({ schema: SHOP }), value as unknown))
    expect(error.code).toBe('ERR_VALIDATION')
    expect(error.message).toBe(`the value is no 'shop.Order': ${reason}`)
  })

  test('of proto2 need what is required', async () => {
    const schema = 'syntax = "proto2"; message Old { required int32 n = 1; optional int32 m = 2 [default = 7]; }'
    const using = serde({ schema })
    expect((await failure(() => written(using, { m: 1 }))).message).toContain('n: missing')
    expect(await using.deserialize(await written(using, { n: 1 }), CONTEXT)).toEqual({ n: 1, m: 7 })
  })

  test('that are cut off are not read', async () => {
    const using = serde({ schema: SHOP })
    const bytes = await written(using, { itemName: 'teapot' })
    expect(() => using.deserialize(bytes.subarray(0, -2), CONTEXT)).toThrow()
  })
})

describe('64-bit integers', () => {
  const big = { cents: 2n ** 53n + 1n, totals: { a: 2n ** 64n - 1n } }

  test('are BigInts if that is asked for', async () => {
    const using = serde({ schema: SHOP, longs: 'bigint' })
    expect(await using.deserialize(await written(using, big), CONTEXT)).toMatchObject(big)
    expect(await using.deserialize(await written(using, { cents: 5 }), CONTEXT)).toMatchObject({ cents: 5n })
  })

  test('as numbers fail where they would be changed', async () => {
    const bytes = await written(serde({ schema: SHOP }), { totals: { a: 2n ** 64n - 1n } })
    const error = await failure(() => serde().deserialize(bytes, CONTEXT))
    expect(error.code).toBe('ERR_SERIALIZATION')
    expect(error.message).toContain("'totals' is 18446744073709551615")
  })

  test('are found in messages that contain themselves', async () => {
    const schema =
      'syntax = "proto3"; message Tree { repeated Tree children = 1; int64 n = 2; map<int64, Tree> by = 3; }'
    const using = serde({ schema })
    const value = { n: 1, children: [{ n: 2 }], by: { '-7': { n: 3 } } }
    expect(await using.deserialize(await written(using, value), CONTEXT)).toMatchObject(value)
    const bytes = await written(using, { by: { 1: { children: [{ n: 2n ** 60n }] } } })
    expect(() => using.deserialize(bytes, CONTEXT)).toThrow('does not fit')
  })
})

describe('several messages in a file', () => {
  test('are told apart by their path', async () => {
    const cancelled = await written(serde({ schema: SHOP, message: 'shop.Cancelled' }), { why: 'late' })
    const part = await written(serde({ schema: SHOP, message: 'shop.Order.Part' }), { weight: 1 })
    const order = await written(serde({ schema: SHOP }), { itemName: 'tea' })
    expect([cancelled, part, order].map((bytes) => bytes.toString('hex', 0, 8))).toEqual([
      '000000000102020a',
      '0000000001040000',
      '0000000001000a03',
    ])
    const reader = serde()
    expect(await reader.deserialize(cancelled, CONTEXT)).toEqual({ why: 'late' })
    expect(reader.deserialize(part, CONTEXT)).toEqual({ weight: 1 })
    expect(reader.deserialize(order, CONTEXT)).toMatchObject({ itemName: 'tea' })
    const error = await failure(() => serde({ message: 'shop.Order' }).deserialize(cancelled, CONTEXT))
    expect(error.message).toBe("the record is a 'shop.Cancelled', not a 'shop.Order'")
  })

  test('the entries of a map are none of them', async () => {
    const schema = 'syntax = "proto3"; message A { map<string, int32> m = 1; message B { int32 n = 1; } }'
    expect((await written(serde({ schema, message: 'A.B' }), { n: 1 })).toString('hex')).toBe('00000000010400000801')
  })

  test('a path that leads nowhere, or goes on without end', async () => {
    await written(serde({ schema: SHOP }), {})
    for (const path of ['0212', '04001c', '03', 'ffffffffffff', '02ff', '0201', '']) {
      const error = await failure(() => serde().deserialize(Buffer.from(`0000000001${path}`, 'hex'), CONTEXT))
      expect(error.code).toBe('ERR_SERIALIZATION')
    }
  })

  test('a message that is not there', async () => {
    const error = await failure(() => written(serde({ schema: SHOP, message: 'shop.Nothing' }), {}))
    expect(error).toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: "the Protobuf schema has no message 'shop.Nothing'",
    })
  })
})

describe('schemas', () => {
  test('that cannot be read, or miss a type', async () => {
    for (const schema of ['syntax = "proto9";', 'message', 'syntax = "proto3"; message A { Missing m = 1; }']) {
      expect((await failure(() => written(serde({ schema }), {}))).code).toBe('ERR_SCHEMA_INVALID')
    }
  })

  test('may import files of the same package, options that nobody has, and files that import others', async () => {
    const money = {
      name: 'shop/money.proto',
      schema: 'syntax = "proto3"; package shop; message Money { int32 cents = 1; }',
    }
    const item = {
      name: 'shop/item.proto',
      schema: 'syntax = "proto3"; package shop; import "shop/money.proto"; message Item { Money price = 1; }',
      references: [money],
    }
    const schema = `syntax = "proto3"; package shop; import "shop/item.proto"; import "confluent/meta.proto";
      message Order { repeated Item items = 1 [(confluent.field_meta).doc = "x"]; }`
    const using = serde({ schema, references: [item], subject: 'record' })
    const value = { items: [{ price: { cents: 5 } }] }
    const bytes = await written(using, value)
    expect(bytes.readUInt32BE(1)).toBe(3)
    expect(bytes[5]).toBe(0)
    expect(await serde().deserialize(bytes, CONTEXT)).toEqual(value)
    expect((await new SchemaRegistry({ url: fake.url }).subjects()).sort()).toEqual([
      'shop.Order',
      'shop/item.proto',
      'shop/money.proto',
    ])
  })
})

test('generated code may read and write the payload', async () => {
  const codec = {
    encode: (why: string) => Buffer.from(`\x0a\x04${why}`),
    decode: (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8', 2),
  }
  const using = serde<string>({ schema: SHOP, message: 'shop.Cancelled', codec })
  const bytes = await written(using, 'late')
  expect(await using.deserialize(bytes, CONTEXT)).toBe('late')
  expect(await serde().deserialize(bytes, CONTEXT)).toEqual({ why: 'late' })
  expect(() => serde({ schema: SHOP, codec })).toThrow("'codec' needs 'message'")
})

test.each([
  ['a date for a timestamp', { at: new Date() }, 'at'],
  ['a date in a list', { all: [new Date()] }, 'all.0'],
  ['a Map for a map', { names: new Map([['a', 'b']]) }, 'names'],
  ['bytes for a message', { at: new Uint8Array(3) }, 'at'],
  ['a name that every object has', { constructor: 'x' }, 'constructor'],
])('%s is refused: it would be written as if it were empty', async (_what, value, path) => {
  const schema = `syntax = "proto3"; import "google/protobuf/timestamp.proto";
    message Event { google.protobuf.Timestamp at = 1; repeated google.protobuf.Timestamp all = 2; map<string, string> names = 3; }`
  const { code, issues } = await failure(() => written(serde({ schema }), value))
  expect(code).toBe('ERR_VALIDATION')
  expect(issues?.map((issue) => issue.path.join('.'))).toEqual([path])
})
