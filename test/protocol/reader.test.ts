import { describe, expect, test } from 'bun:test'
import { ProtocolError } from '../../src/protocol/errors.ts'
import { MAX_REQUEST_ARRAY_ELEMENTS } from '../../src/protocol/limits.ts'
import { Reader } from '../../src/protocol/reader.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** Every way to cut the bytes into three chunks, empty ones included. */
function* splits(bytes: Buffer): Generator<Buffer[]> {
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second++) {
      yield [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]
    }
  }
}

describe('scalars', () => {
  const cases: [string, string, (reader: Reader) => unknown, unknown][] = [
    ['int8', 'ff', (reader) => reader.int8(), -1],
    ['uint8', 'ff', (reader) => reader.uint8(), 255],
    ['int16', '8001', (reader) => reader.int16(), -32767],
    ['uint16', 'ffff', (reader) => reader.uint16(), 65535],
    ['int32', '80000001', (reader) => reader.int32(), -2147483647],
    ['int64', '0000000100000002', (reader) => reader.int64(), 4294967298],
    ['a negative int64', 'ffffffffffffffff', (reader) => reader.int64(), -1],
    ['float64', '3ff8000000000000', (reader) => reader.float64(), 1.5],
    ['true', '02', (reader) => reader.bool(), true],
    ['false', '00', (reader) => reader.bool(), false],
    ['an unsigned varint', 'ac02', (reader) => reader.unsignedVarint(), 300],
    ['the largest varint', 'ffffffff0f', (reader) => reader.unsignedVarint(), 4294967295],
    ['a uuid', '000102030405060708090a0b0c0d0e0f', (reader) => reader.uuid(), 'AAECAwQFBgcICQoLDA0ODw'],
    ['a string', '0003 61c3bc', (reader) => reader.string(), 'aü'],
    ['a compact string', '04 61c3bc', (reader) => reader.compactString(), 'aü'],
    ['a null string', 'ffff', (reader) => reader.nullableString(), null],
    ['a compact null string', '00', (reader) => reader.compactNullableString(), null],
    ['an empty string', '0000', (reader) => reader.string(), ''],
    ['bytes', '00000002 0708', (reader) => [...reader.byteString()], [7, 8]],
    ['null bytes', 'ffffffff', (reader) => reader.nullableBytes(), null],
    ['compact bytes', '03 0708', (reader) => [...reader.compactBytes()], [7, 8]],
    ['compact null bytes', '00', (reader) => reader.compactNullableBytes(), null],
    ['records', '00000003 070809', (reader) => [...Buffer.concat(reader.records() ?? [])], [7, 8, 9]],
    ['null records', 'ffffffff', (reader) => reader.records(), null],
    ['compact records', '04 070809', (reader) => [...Buffer.concat(reader.compactRecords() ?? [])], [7, 8, 9]],
    ['empty records', '00000000', (reader) => reader.records(), []],
    ['an array length', '00000002 0000', (reader) => [reader.arrayLength(1), reader.int16()], [2, 0]],
    ['a null array', 'ffffffff', (reader) => reader.arrayLength(1), -1],
    ['a compact array length', '03 0000', (reader) => [reader.compactArrayLength(1), reader.int16()], [2, 0]],
    ['a struct that follows', '01', (reader) => reader.structFollows(), true],
    ['a struct that is null', 'ff', (reader) => reader.structFollows(), false],
  ]
  for (const [name, text, read, expected] of cases) {
    test(`${name} is the same wherever chunks end`, () => {
      for (const chunks of splits(hex(text))) {
        const reader = new Reader(chunks)
        expect(read(reader)).toEqual(expected)
        expect(reader.remaining).toBe(0)
      }
    })
    test(`${name} cut short is a protocol error`, () => {
      const bytes = hex(text)
      for (let length = 0; length < bytes.length; length++) {
        for (const chunks of splits(bytes.subarray(0, length))) {
          expect(() => read(new Reader(chunks))).toThrow(ProtocolError)
        }
      }
    })
  }
})

describe('int64 saturates', () => {
  const cases: [string, number][] = [
    ['001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['0020000000000000', Number.MAX_SAFE_INTEGER],
    ['7fffffffffffffff', Number.MAX_SAFE_INTEGER],
    ['001ffffffffffffe', Number.MAX_SAFE_INTEGER - 1],
    ['ffe0000000000001', Number.MIN_SAFE_INTEGER],
    ['ffe0000000000000', Number.MIN_SAFE_INTEGER],
    ['8000000000000000', Number.MIN_SAFE_INTEGER],
    ['ffe0000000000002', Number.MIN_SAFE_INTEGER + 1],
  ]
  for (const [text, expected] of cases) {
    test(`${text} reads as ${expected}`, () => expect(new Reader([hex(text)]).int64()).toBe(expected))
  }
})

describe('impossible lengths are refused before anything is allocated', () => {
  const cases: [string, string, (reader: Reader) => unknown][] = [
    ['a string longer than the rest', '7fff 61', (reader) => reader.string()],
    ['a negative string length', 'fffe', (reader) => reader.nullableString()],
    ['null for a string that must not be null', 'ffff', (reader) => reader.string()],
    ['null for a compact string that must not be null', '00', (reader) => reader.compactString()],
    ['a compact string beyond int16', '818004', (reader) => reader.compactString()],
    ['null for bytes that must not be null', 'ffffffff', (reader) => reader.byteString()],
    ['bytes longer than the rest', '7fffffff 00', (reader) => reader.byteString()],
    ['negative bytes', 'fffffffe', (reader) => reader.nullableBytes()],
    ['records longer than the rest', '7fffffff 00', (reader) => reader.records()],
    ['negative records', '80000000', (reader) => reader.records()],
    ['an array of more elements than bytes', '00000003 0000', (reader) => reader.arrayLength(1)],
    ['an array of elements too large for the rest', '00000002 000000', (reader) => reader.arrayLength(2)],
    ['a negative array', 'fffffffe', (reader) => reader.arrayLength(1)],
    ['a compact array of 4294967294 elements', 'ffffffff0f', (reader) => reader.compactArrayLength(1)],
    ['a varint of 33 bits', 'ffffffff1f', (reader) => reader.unsignedVarint()],
    ['a varint of six bytes', '808080808000', (reader) => reader.unsignedVarint()],
    ['a struct marker other than 1 and -1', '02', (reader) => reader.structFollows()],
    ['a tagged field longer than the rest', '01 05 7f 00', (reader) => reader.skipTaggedFields()],
    ['more tagged fields than bytes', '05 00 00', (reader) => reader.skipTaggedFields()],
  ]
  for (const [name, text, read] of cases) {
    test(name, () => {
      expect(() => read(new Reader([hex(text)]))).toThrow(ProtocolError)
    })
  }

  test('more elements than one message may have in all its arrays together', () => {
    const half = Buffer.alloc(4)
    half.writeInt32BE(MAX_REQUEST_ARRAY_ELEMENTS / 2)
    const read = new Reader([half, half, half, Buffer.alloc(MAX_REQUEST_ARRAY_ELEMENTS)])
    expect(read.arrayLength(1)).toBe(MAX_REQUEST_ARRAY_ELEMENTS / 2)
    expect(read.arrayLength(1)).toBe(MAX_REQUEST_ARRAY_ELEMENTS / 2)
    expect(() => read.arrayLength(1)).toThrow('array elements')
  })
})

describe('memory', () => {
  test('records are views of the chunks, in order, one per chunk', () => {
    const first = hex('0000000a 0102')
    const second = hex('03040506')
    const third = hex('0708090a ff')
    const reader = new Reader([first, second, third])
    const views = reader.records() ?? []
    expect(views.map((view) => [...view])).toEqual([
      [1, 2],
      [3, 4, 5, 6],
      [7, 8, 9, 10],
    ])
    second[0] = 99
    expect(views[1]![0]).toBe(99)
    expect(reader.uint8()).toBe(255)
  })

  test('byte strings do not keep or share the chunk', () => {
    const chunk = hex('00000002 0708')
    const value = new Reader([chunk]).byteString()
    chunk.fill(0)
    expect([...value]).toEqual([7, 8])
    expect(value.buffer.byteLength).toBe(2)
  })

  test('a reader can be used for one message after the other', () => {
    const reader = new Reader([hex('0001 ff')])
    reader.int16()
    expect(reader.reset([hex('00'), hex('02')]).int16()).toBe(2)
    expect(reader.remaining).toBe(0)
    expect(reader.reset([]).remaining).toBe(0)
    expect(() => reader.int8()).toThrow(ProtocolError)
  })

  test('equal short strings and uuids are one value', () => {
    for (let index = 0; index < 5000; index++) {
      const name = Buffer.from(`topic-${index}`)
      const bytes = Buffer.concat([hex('00'), Buffer.from([name.length]), name])
      expect(new Reader([bytes]).string()).toBe(`topic-${index}`)
      const id = Buffer.alloc(16, index % 251)
      id.writeInt32BE(index, 7)
      expect(new Reader([id]).uuid()).toBe(id.toString('base64url'))
    }
  })

  test('text that is not UTF-8 is read with replacement characters, every time', () => {
    const bytes = hex('0004 ff80fe41')
    expect(new Reader([bytes]).string()).toBe('\ufffd\ufffd\ufffdA')
    expect(new Reader([bytes]).string()).toBe('\ufffd\ufffd\ufffdA')
  })
})
