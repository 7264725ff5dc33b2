import { describe, expect, test } from 'bun:test'
import { RecordError } from '../../src/records/record-error.ts'
import {
  readVarint,
  readVarlong,
  sizeOfVarint,
  sizeOfVarlong,
  writeVarint,
  writeVarlong,
} from '../../src/records/varint.ts'
import { Random } from '../support/random.ts'

const INT32_VECTORS: [number, string][] = [
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [16, '20'],
  [63, '7e'],
  [-64, '7f'],
  [64, '8001'],
  [-65, '8101'],
  [8191, 'fe7f'],
  [-8192, 'ff7f'],
  [8192, '808001'],
  [2147483647, 'feffffff0f'],
  [-2147483648, 'ffffffff0f'],
]

const INT64_VECTORS: [number, string][] = [
  ...INT32_VECTORS,
  [2147483648, '8080808010'],
  [-2147483649, '8180808010'],
  [1700000000000, '80a0abfef962'],
  [Number.MAX_SAFE_INTEGER, 'feffffffffffff1f'],
  [-Number.MAX_SAFE_INTEGER, 'fdffffffffffff1f'],
]

describe('32-bit varints', () => {
  test.each(INT32_VECTORS)('%d', (value, hex) => {
    const buffer = Buffer.alloc(8)
    const end = writeVarint(buffer, 0, value)
    expect(buffer.subarray(0, end).toString('hex')).toBe(hex)
    expect(sizeOfVarint(value)).toBe(end)
    expect(readVarint(buffer, 0)).toEqual({ value, end })
  })

  test('an early end and a sixth byte are refused', () => {
    expect(() => readVarint(Buffer.from('80', 'hex'), 0)).toThrow(RecordError)
    expect(() => readVarint(Buffer.from('808080808001', 'hex'), 0)).toThrow(RecordError)
  })
})

describe('64-bit varints', () => {
  test.each(INT64_VECTORS)('%d', (value, hex) => {
    const buffer = Buffer.alloc(10)
    const end = writeVarlong(buffer, 0, value)
    expect(buffer.subarray(0, end).toString('hex')).toBe(hex)
    expect(sizeOfVarlong(value)).toBe(end)
    expect(readVarlong(buffer, 0)).toEqual({ value, end })
  })

  test('values beyond 2^53-1 saturate', () => {
    expect(readVarlong(Buffer.from('feffffffffffffffff01', 'hex'), 0).value).toBe(Number.MAX_SAFE_INTEGER)
    expect(readVarlong(Buffer.from('ffffffffffffffffff01', 'hex'), 0).value).toBe(-Number.MAX_SAFE_INTEGER)
  })

  test('an early end and an eleventh byte are refused', () => {
    expect(() => readVarlong(Buffer.from('ffff', 'hex'), 0)).toThrow(RecordError)
    expect(() => readVarlong(Buffer.from('8080808080808080808001', 'hex'), 0)).toThrow(RecordError)
  })

  test('random values round-trip', () => {
    const random = new Random(7)
    const buffer = Buffer.alloc(10)
    for (let round = 0; round < 20_000; round++) {
      const magnitude = Math.floor(random.next() * 2 ** random.below(54))
      const value = random.chance(0.5) ? -magnitude : magnitude
      const end = writeVarlong(buffer, 0, value)
      expect(sizeOfVarlong(value)).toBe(end)
      // -0 and 0 are the same offset.
      expect(readVarlong(buffer, 0).value + 0).toBe(value + 0)
    }
  })
})
