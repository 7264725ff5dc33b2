import { describe, expect, expectTypeOf, test } from 'bun:test'
import { decode, encode } from '../../src/protocol/codec.ts'
import { EncodeError, ProtocolError } from '../../src/protocol/errors.ts'
import type { FetchRequest } from '../../src/protocol/messages/01-fetch.ts'
import { MetadataRequest, type MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { Reader } from '../../src/protocol/reader.ts'
import {
  array,
  bool,
  bytes,
  data,
  float64,
  type Infer,
  type Input,
  int8,
  int16,
  int32,
  int64,
  type MessageSchema,
  type RecordsData,
  records,
  request,
  response,
  string,
  struct,
  uuid,
  versionRange,
  ZERO_UUID,
} from '../../src/protocol/schema.ts'
import { Writer } from '../../src/protocol/writer.ts'

function write<S extends MessageSchema>(schema: S, value: Input<S>, version: number): string {
  const writer = new Writer()
  encode(schema, writer, value, version)
  return Buffer.concat(writer.finish()).toString('hex')
}

function read<S extends MessageSchema>(schema: S, hex: string, version: number): Infer<S> {
  return decode(schema, new Reader([Buffer.from(hex.replaceAll(' ', ''), 'hex')]), version)
}

const Example = request(
  { key: 999, name: 'Example', versions: '1-5', flexible: '3+' },
  {
    id: int32(),
    name: string({ nullable: '2+', ignorable: true }),
    note: string('2+', { nullable: true, default: null }),
    count: int16('2+', { default: 7, ignorable: true }),
    old: int8('1-2'),
    items: array({ key: int8(), value: bytes('4+') }, { nullable: '3+' }),
    extra: struct({ a: int32({ default: -1 }), b: string() }, '3+', { tag: 1 }),
    names: array(string, '4+', { tag: 0 }),
    maybe: struct({ x: int8() }, '5+', { nullable: true, default: null }),
  },
)

describe('reading', () => {
  test('fields that the version lacks have their default', () => {
    expect(read(Example, '00000009 0001 61 05 00000001 04', 1)).toEqual({
      id: 9,
      name: 'a',
      note: null,
      count: 7,
      old: 5,
      items: [{ key: 4, value: Buffer.alloc(0) }],
      extra: { a: -1, b: '' },
      names: [],
      maybe: null,
    })
  })

  test('defaults that can be changed are not shared between messages', () => {
    const first = read(Example, '00000009 0001 61 05 00000000', 1)
    first.names.push('changed')
    first.extra.a = 5
    const second = read(Example, '00000009 0001 61 05 00000000', 1)
    expect([second.names, second.extra.a]).toEqual([[], -1])
  })

  test('tagged fields are read by their tag, unknown ones are skipped', () => {
    const decoded = read(Example, '00000009 00 00 0007 01 03  00 03 02 02 62  01 08 0000000303 6363 00  63 02 ffff', 4)
    expect(decoded.name).toBeNull()
    expect(decoded.names).toEqual(['b'])
    expect(decoded.extra).toEqual({ a: 3, b: 'cc' })
  })

  const wrong: [string, string, number, string][] = [
    ['null where the version does not allow it', '00000009 ffff 05 00000000', 1, 'null'],
    ['a null array where the version does not allow it', '00000009 0001 61 05 ffffffff', 1, 'null array'],
    ['a count that cannot be', '00000009 0001 61 05 00000002 04', 1, '2 elements'],
    ['a body that ends early', '00000009 0001', 1, 'Example v1'],
    [
      'a known tagged field that is shorter than its size',
      '00000009 02 61 00 0007 01 01 00 02 01 00',
      4,
      'tagged field 0',
    ],
    [
      'a known tagged field that is longer than its size',
      '00000009 02 61 00 0007 01 01 00 02 02 0462 6363',
      4,
      'tagged field 0',
    ],
  ]
  for (const [name, hex, version, reason] of wrong) {
    test(`${name} is a protocol error that says where`, () => {
      expect(() => read(Example, hex, version)).toThrow(ProtocolError)
      expect(() => read(Example, hex, version)).toThrow(reason)
    })
  }

  test('bytes after the body are left alone', () => {
    const reader = new Reader([Buffer.from('00000009000161050000000099', 'hex')])
    decode(Example, reader, 1)
    expect(reader.remaining).toBe(1)
  })
})

describe('writing', () => {
  test('fields left out are written as their default', () => {
    expect(write(Example, { id: 9, name: 'a', items: [] }, 2)).toBe(
      '00000009' + '000161' + 'ffff' + '0007' + '00' + '00000000',
    )
  })

  test('a nullable struct has a marker in front', () => {
    const start = '00000009' + '0261' + '00' + '0007' + '01'
    expect(write(Example, { id: 9, name: 'a', items: [] }, 5)).toBe(`${start}ff00`)
    expect(write(Example, { id: 9, name: 'a', items: [], maybe: { x: 3 } }, 5)).toBe(`${start}01030000`)
  })

  test('tagged fields are written in the order of their tags, and only when they are not the default', () => {
    const start = '00000009' + '0261' + '00' + '0007' + '00'
    const base = { id: 9, name: 'a', items: null }
    expect(write(Example, { ...base, names: [], extra: { a: -1, b: '' } }, 4)).toBe(`${start}00`)
    expect(write(Example, { ...base, extra: { b: '' } }, 4)).toBe(`${start}00`)
    expect(write(Example, { ...base, names: ['b'], extra: { a: 3, b: 'cc' } }, 4)).toBe(
      `${start}02000302026201080000000303636300`,
    )
  })

  test('null where the version does not allow it is an error that names the field', () => {
    const Nested = request(
      { key: 998, name: 'Nested', versions: '0', flexible: 'none' },
      { topics: array({ name: string() }) },
    )
    expect(() => write(Nested, { topics: null as never }, 0)).toThrow(
      new EncodeError('Nested v0: topics is null, which this version does not allow'),
    )
    expect(() => write(Nested, { topics: [{ name: null as never }] }, 0)).toThrow('Nested v0: topics.name is null')
    expect(() => write(Nested, {} as never, 0)).toThrow('topics is undefined')
    expect(() => write(Example, { id: 1, name: 'a', items: null }, 2)).toThrow('items is null')
  })

  test('null for an ignorable field is written as its default where null is not allowed', () => {
    expect(write(Example, { id: 9, name: null, old: 5, items: [] }, 1)).toBe('00000009' + '0000' + '05' + '00000000')
    expect(write(Example, { id: 9, name: null, items: [] }, 2)).toStartWith('00000009' + 'ffff')
  })

  test('a request refuses a value that the version has no field for, unless it is ignorable or the default', () => {
    const base = { id: 9, name: 'a', items: [] }
    expect(() => write(Example, { ...base, note: 'lost' }, 1)).toThrow(
      'note has a value, but the field does not exist in version 1',
    )
    expect(() => write(Example, { ...base, extra: { b: 'lost' } }, 2)).toThrow('extra')
    expect(write(Example, { ...base, note: null, count: 99, extra: { a: -1, b: '' }, names: [] }, 1)).toBe(
      '00000009' + '000161' + '00' + '00000000',
    )
  })

  test('a response drops a value that the version has no field for', () => {
    const Answer = response(
      { key: 997, name: 'Answer', versions: '0-1', flexible: 'none' },
      { a: int8(), b: int8('1+') },
    )
    expect(write(Answer, { a: 1, b: 2 }, 0)).toBe('01')
    expect(write(Answer, { a: 1, b: 2 }, 1)).toBe('0102')
  })

  test('every type of field, as plain data outside requests and responses', () => {
    const Plain = data(
      { name: 'Plain', versions: '0-1', flexible: '1+' },
      {
        a: bool(),
        b: float64(),
        c: uuid(),
        d: records({ nullable: true }),
        e: array(int64),
        f: records(),
        g: uuid('1+'),
      },
    )
    const value = { a: true, b: 1.5, c: ZERO_UUID, d: null, e: [1], f: [Buffer.from([5])] }
    const hex = write(Plain, value, 0)
    expect(hex).toBe(`013ff8000000000000${'00'.repeat(16)}ffffffff0000000100000000000000010000000105`)
    expect(read(Plain, hex, 0)).toEqual({ ...value, g: ZERO_UUID })
    const compact = write(Plain, value, 1)
    expect(compact).toBe(
      '01' +
        '3ff8000000000000' +
        '00'.repeat(16) +
        '00' +
        '02' +
        '0000000000000001' +
        '02' +
        '05' +
        '00'.repeat(16) +
        '00',
    )
    expect(() => read(Plain, `01${'3ff8000000000000'}${'00'.repeat(16)}ffffffff00000000ffffffff`, 0)).toThrow('null')
  })
})

describe('versions', () => {
  test('a version that the message does not have is a mistake of the caller', () => {
    for (const version of [-1, 0, 6, 1.5, Number.NaN]) {
      expect(() => read(Example, '', version)).toThrow(RangeError)
      expect(() => write(Example, { id: 1, name: '', items: [] }, version)).toThrow('Example has no version')
    }
  })

  test('ranges', () => {
    expect(versionRange('4')).toEqual({ min: 4, max: 4 })
    expect(versionRange('0-12')).toEqual({ min: 0, max: 12 })
    expect(versionRange('12+')).toEqual({ min: 12, max: Number.POSITIVE_INFINITY })
    const none = versionRange('none')
    expect(none.min).toBeGreaterThan(none.max)
    for (const bad of ['', '+', '1-', '-1', '1-2+', 'all']) expect(() => versionRange(bad)).toThrow('version range')
  })
})

describe('types', () => {
  test('what is read has every field, what is written may leave out the optional ones', () => {
    expectTypeOf<Infer<typeof Example>>().toEqualTypeOf<{
      id: number
      name: string | null
      note: string | null
      count: number
      old: number
      items: { key: number; value: Buffer }[] | null
      extra: { a: number; b: string }
      names: string[]
      maybe: { x: number } | null
    }>()
    type ExampleInput = Input<typeof Example>
    expectTypeOf<{ id: number; name: null; items: [{ key: 1 }] }>().toExtend<ExampleInput>()
    expectTypeOf<{ id: number; items: null }>().not.toExtend<ExampleInput>()
    expectTypeOf<{ id: null; name: null; items: null }>().not.toExtend<ExampleInput>()
    expectTypeOf<Infer<typeof Example>>().toExtend<ExampleInput>()
    expectTypeOf<
      Infer<typeof FetchRequest>['topics'][number]['partitions'][number]['fetchOffset']
    >().toEqualTypeOf<number>()
    expectTypeOf<Infer<typeof MetadataResponse>>().toExtend<Input<typeof MetadataResponse>>()
    expectTypeOf<RecordsData>().toEqualTypeOf<readonly Uint8Array[]>()
  })

  test('a declared message is used as both type and value', () => {
    const decoded: MetadataRequest = read(MetadataRequest, '00000000', 0)
    expect(decoded).toEqual({
      topics: [],
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    })
  })
})
