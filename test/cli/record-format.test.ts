import { describe, expect, test } from 'bun:test'
import type { BufferedOutput } from '../../src/cli/output.ts'
import { formatPrinter, jsonPrinter, type RecordPrinter } from '../../src/cli/record-format.ts'
import type { Record } from '../../src/records/batch.ts'

function printed(printer: RecordPrinter | string, fields: Partial<Record> = {}): string {
  if (typeof printer === 'string') throw new Error(printer)
  const parts: Uint8Array[] = []
  const output = { add: (part: Uint8Array | string) => parts.push(Buffer.from(part as string)) }
  const record: Record = {
    offset: 7,
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
  return Buffer.concat(parts).toString()
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
    if (typeof printer === 'string') throw new Error(printer)
    const parts: Uint8Array[] = []
    const output = { add: (part: Uint8Array) => parts.push(part) } as unknown as BufferedOutput
    printer(output, { topic: 't', partition: 0, record: { offset: 0, timestamp: 0, key: null, value, headers: [] } })
    expect(Buffer.concat(parts).equals(value)).toBe(true)
  })

  test('an unknown token is refused with the list of the known ones', () => {
    expect(formatPrinter('%x')).toContain('there is no %x; known are %s')
    expect(formatPrinter('100%')).toContain('there is no %;')
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
