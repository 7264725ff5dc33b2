/** Where records come from: splits of files, and samples. */
import { describe, expect, test } from 'bun:test'
import { type Split, splitRecords } from '../../../src/lab/codecs/record-file.ts'
import { SAMPLE_NAMES, sampleRecords } from '../../../src/lab/codecs/samples/index.ts'
import type { RecordInput } from '../../../src/records/batch.ts'

const LINES: Split = { kind: 'delimiter', delimiter: Buffer.from('\n'), keySeparator: null }

function texts(records: RecordInput[] | string): (string | null)[][] {
  if (typeof records === 'string') throw new Error(records)
  const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString())
  return records.map(({ key, value }) => [text(key), text(value)])
}

function values(text: string, split: Split, cutOff = false): (string | null)[] {
  return texts(splitRecords({ bytes: Buffer.from(text, 'latin1'), cutOff }, split)).map(([, value]) => value!)
}

describe('a file by line', () => {
  test('each is a record, empty ones too, with or without an end of the last', () => {
    expect(values('a\n\nb\n', LINES)).toEqual(['a', '', 'b'])
    expect(values('a\nb', LINES)).toEqual(['a', 'b'])
  })

  test('a last line that may go on is left out', () => {
    expect(values('a\nbcd', LINES, true)).toEqual(['a'])
    expect(values('abcd', LINES, true)).toEqual(['abcd'])
  })

  test('what stands before the separator is the key', () => {
    const split: Split = { ...LINES, delimiter: Buffer.from('\r\n'), keySeparator: Buffer.from('::') }
    const records = splitRecords({ bytes: Buffer.from('k::v::w\r\nplain\r\n'), cutOff: false }, split)
    expect(texts(records)).toEqual([
      ['k', 'v::w'],
      [null, 'plain'],
    ])
  })
})

describe('a file by length', () => {
  test.each([
    ['u16be', '\x00\x02ab\x00\x00'],
    ['u16le', '\x02\x00ab\x00\x00'],
    ['u32be', '\x00\x00\x00\x02ab\x00\x00\x00\x00'],
    ['u32le', '\x02\x00\x00\x00ab\x00\x00\x00\x00'],
    ['varint', '\x02ab\x00'],
  ] as const)('%s', (prefix, text) => {
    expect(values(text, { kind: 'prefix', prefix })).toEqual(['ab', ''])
  })

  test('a varint of two bytes', () => {
    expect(values(`\xac\x02${'x'.repeat(300)}`, { kind: 'prefix', prefix: 'varint' })).toEqual(['x'.repeat(300)])
  })

  test('a length that points past the end names its place, unless the file goes on', () => {
    const split: Split = { kind: 'prefix', prefix: 'u16be' }
    const bytes = Buffer.from('\x00\x01a\x00\x09b', 'latin1')
    expect(splitRecords({ bytes, cutOff: false }, split)).toBe(
      'at byte 3 stands no u16be length with so many bytes behind it',
    )
    expect(values('\x00\x01a\x00\x09b', split, true)).toEqual(['a'])
  })

  test('fixed sizes; a shorter last one only where the file ends', () => {
    const split: Split = { kind: 'fixed', recordBytes: 3 }
    expect(values('abcdefgh', split)).toEqual(['abc', 'def', 'gh'])
    expect(values('abcdefgh', split, true)).toEqual(['abc', 'def'])
  })
})

describe('samples', () => {
  /** Of 20,000 bytes with seed 1: another digest means that figures of other versions no longer compare. */
  const DIGESTS: Record<string, string> = {
    json: '8af1d39c6395fc07',
    logs: '7b3b41be2a903c9e',
    avro: '66f68737cec844e0',
    metrics: '10ab36c0a3c8031a',
    random: '2073400187c97c68',
  }

  test.each(SAMPLE_NAMES.map((name) => [name]))('%s: the same seed gives the same bytes', (name) => {
    const digest = (seed: number): string => {
      const hasher = new Bun.CryptoHasher('sha256')
      for (const { timestamp, key, value } of sampleRecords(name, seed, 20_000)) {
        hasher
          .update(`${timestamp} `)
          .update(key ?? '')
          .update(value ?? '')
      }
      return hasher.digest('hex').slice(0, 16)
    }
    expect(digest(1)).toBe(DIGESTS[name]!)
    expect(digest(2)).not.toBe(DIGESTS[name]!)
  })

  test('come to the size that was asked for', () => {
    for (const name of SAMPLE_NAMES) {
      const records = sampleRecords(name, 1, 50_000)
      const bytes = records.reduce((sum, { key, value }) => sum + key!.length + value!.length, 0)
      expect(bytes).toBeWithin(50_000, 60_000)
    }
  })

  test('json records are JSON with nested fields', () => {
    for (const { value } of sampleRecords('json', 1, 20_000)) {
      const order = JSON.parse(Buffer.from(value!).toString()) as { order: { items: unknown[] } }
      expect(order.order.items.length).toBeGreaterThan(0)
    }
  })

  test('avro records stand behind a zero byte and the schema id', () => {
    for (const { value } of sampleRecords('avro', 1, 20_000)) {
      expect(Buffer.from(value!).subarray(0, 5).toString('hex')).toBe('000000040d')
    }
  })

  test('log lines are access lines for the most part', () => {
    const lines = sampleRecords('logs', 1, 50_000).map(({ value }) => Buffer.from(value!).toString())
    const access = lines.filter((line) => /^10\.\d+\.\d+\.\d+ - - \[.*\] "[A-Z]+ \S+ HTTP\/1\.1" \d{3} /.test(line))
    expect(access.length / lines.length).toBeWithin(0.6, 0.8)
  })
})
