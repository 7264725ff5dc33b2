import { describe, expect, test } from 'bun:test'
import type { BufferedOutput } from '../../src/cli/output.ts'
import {
  envelopePrinter,
  formatPrinter,
  jsonPrinter,
  type PrintableRecord,
  type RecordPrinter,
} from '../../src/cli/record-format.ts'
import { parseUnpack } from '../../src/cli/unpack.ts'

type Fields = PrintableRecord['record']

function printed(printer: RecordPrinter | string, fields: Partial<Fields> = {}): string {
  return bytesOf(printer, fields).toString()
}

function bytesOf(printer: RecordPrinter | string, fields: Partial<Fields>): Buffer {
  if (typeof printer === 'string') throw new Error(printer)
  const parts: Uint8Array[] = []
  const output = { add: (part: Uint8Array | string) => parts.push(Buffer.from(part as string)) }
  const record: Fields = {
    offset: 7,
    timestampType: 'CreateTime',
    leaderEpoch: 4,
    timestamp: 1_700_000_000_000,
    key: Buffer.from('k'),
    value: Buffer.from('väl'),
    headers: [
      { key: 'a', value: Buffer.from('1') },
      { key: 'b', value: null },
    ],
    ...fields,
  }
  printer(output as unknown as BufferedOutput, { topic: 'orders', partition: 3, record })
  return Buffer.concat(parts)
}

describe('format strings', () => {
  test('every token', () => {
    expect(printed(formatPrinter('%t[%p]@%o %T %k(%K)=%s(%S) %h 100%%\\n'))).toBe(
      'orders[3]@7 1700000000000 k(1)=väl(4) a=1,b=NULL 100%\n',
    )
  })

  test('null is empty, with size -1', () => {
    expect(printed(formatPrinter('<%k|%K|%s|%S>'), { key: null, value: null })).toBe('<|-1||-1>')
  })

  test('bytes go out as they are', () => {
    const value = Buffer.from([0xff, 0x00, 0xfe])
    const printer = formatPrinter('%s')
    expect(bytesOf(printer, { value }).equals(value)).toBe(true)
  })

  test('the size of the value as four bytes; escapes are bytes', () => {
    expect([...bytesOf(formatPrinter('%R\\xff'), { value: Buffer.alloc(258) })]).toEqual([0, 0, 1, 2, 0xff])
    expect([...bytesOf(formatPrinter('%R'), { value: null })]).toEqual([0xff, 0xff, 0xff, 0xff])
  })

  test('what kcat has no token for', () => {
    expect(printed(formatPrinter('%v %V %d %d{s} %e %H'))).toBe('väl 4 2023-11-14T22:13:20.000Z 1700000000 4 2')
    const counting = formatPrinter('%i,')
    expect(printed(counting) + printed(counting)).toBe('1,2,')
  })

  test('modifiers', () => {
    const value = Buffer.from([0, 0, 1, 0, 0x68, 0x69])
    expect(printed(formatPrinter('%v{hex} %s{base64} %k{json} %o{hex}'), { value })).toBe('000001006869 AAABAGhp "k" 7')
    expect(printed(formatPrinter('%v{unpack[>is]}'), { value })).toBe('256 hi')
    expect([...bytesOf(formatPrinter('%o{big32}%o{little16}%o{byte}%o{big64}'), {})]).toEqual([
      ...[0, 0, 0, 7],
      ...[7, 0, 7],
      ...[0, 0, 0, 0, 0, 0, 0, 7],
    ])
  })

  test('braces after a token of kcat are text where they are no modifier', () => {
    expect(printed(formatPrinter('%s{%k}{x}'))).toBe('väl{k}{x}')
    expect(formatPrinter('%v{x}')).toContain('known are hex, base64, json')
    expect(formatPrinter('%v{unpack[z]}')).toContain("'z' in pack string 'z' is none of")
  })

  test('-Z: null and empty are NULL; -s: numbers', () => {
    expect(printed(formatPrinter('%k,%s', { nullText: 'NULL' }), { key: null, value: Buffer.alloc(0) })).toBe(
      'NULL,NULL',
    )
    const unpackValue = parseUnpack('<H') as (bytes: Buffer) => string
    expect(printed(formatPrinter('%s', { unpackValue }), { value: Buffer.from([1, 2]) })).toBe('513')
    expect(() => printed(formatPrinter('%s', { unpackValue }), { value: Buffer.from([1]) })).toThrow('needs 2 bytes')
  })

  test('an unknown token is refused with the list of the known ones', () => {
    expect(formatPrinter('%x')).toContain('there is no %x; known are %s')
    expect(formatPrinter('100%')).toContain('there is no %;')
  })
})

describe("kcat's envelope", () => {
  test('fields in its order', () => {
    expect(printed(envelopePrinter(() => 9))).toBe(
      '{"topic":"orders","partition":3,"offset":7,"tstype":"create","ts":1700000000000,"broker":9,' +
        '"headers":["a","1","b",null],"key":"k","payload":"väl"}\n',
    )
  })

  test('no headers: no such field; no text: base64', () => {
    const line = printed(
      envelopePrinter(() => 9),
      { headers: [], value: Buffer.from([0xff]) },
    )
    expect(line).toEndWith('"broker":9,"key":"k","payloadBase64":"/w=="}\n')
  })
})

describe('json', () => {
  test('text as text', () => {
    expect(JSON.parse(printed(jsonPrinter))).toEqual({
      topic: 'orders',
      partition: 3,
      offset: 7,
      timestamp: 1_700_000_000_000,
      headers: [
        { key: 'a', value: '1' },
        { key: 'b', value: null },
      ],
      key: 'k',
      value: 'väl',
    })
  })

  test('what is no text in base64, under another name; null stays null', () => {
    const fields = JSON.parse(printed(jsonPrinter, { key: null, value: Buffer.from([0xff]) })) as object
    expect(fields).toMatchObject({ key: null, valueBase64: '/w==' })
    expect(fields).not.toHaveProperty('value')
  })
})
