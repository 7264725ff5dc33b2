import { describe, expect, test } from 'bun:test'
import { parseBytesFilter, parseHeaderFilter, parseKeyFilter, parseValueFilter } from '../../src/cli/filters.ts'

function record(key: string | null, value: string | null, headers: Record<string, string | null> = {}) {
  const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text))
  return {
    key: bytes(key),
    value: bytes(value),
    headers: Object.entries(headers).map(([name, each]) => ({ key: name, value: bytes(each) })),
  }
}

function filter<T>(parsed: T | string): T {
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

describe('text and expressions', () => {
  const cases: [string, string, boolean][] = [
    ['tea', 'green tea', true],
    ['tea', 'coffee', false],
    ['/^t/', 'tea', true],
    ['/^T/', 'tea', false],
    ['/^T/i', 'tea', true],
    ['/b$/m', 'ab\nc', true],
    ['/a.c/', 'a\nc', false],
    ['/a.c/s', 'a\nc', true],
    ['/', 'a/b', true],
    ['/total":\\s*[0-9]{4,}/', '{"total": 1234}', true],
  ]
  test.each(cases)('%s in %s: %p', (text, value, expected) => {
    expect(filter(parseBytesFilter(text))(Buffer.from(value))).toBe(expected)
  })

  test('null never matches; bytes need not be text', () => {
    expect(filter(parseBytesFilter('//'))(null)).toBe(false)
    expect(filter(parseBytesFilter('a'))(Buffer.from([0xff, 0x61, 0xfe]))).toBe(true)
  })

  test('an expression that would take for ever does not', () => {
    expect(filter(parseBytesFilter('/(a+)+$/'))(Buffer.from(`${'a'.repeat(5000)}b`))).toBe(false)
  })

  test.each(['', '/(/', '/a/x'])('%p is refused with a reason', (text) => {
    expect(parseBytesFilter(text)).toBeString()
  })
})

test('key and value', () => {
  expect(filter(parseKeyFilter('k'))(record('k1', 'v'))).toBe(true)
  expect(filter(parseKeyFilter('v'))(record('k1', 'v'))).toBe(false)
  expect(filter(parseValueFilter('v'))(record(null, 'v'))).toBe(true)
})

test('headers: by name, by value, one of several is enough', () => {
  const one = record(null, null, { source: 'web', trace: null })
  expect(filter(parseHeaderFilter('trace'))(one)).toBe(true)
  expect(filter(parseHeaderFilter('nope'))(one)).toBe(false)
  expect(filter(parseHeaderFilter('source=we'))(one)).toBe(true)
  expect(filter(parseHeaderFilter('source=/^(app|web)$/'))(one)).toBe(true)
  expect(filter(parseHeaderFilter('trace=x'))(one)).toBe(false)
  const twice = { ...one, headers: [...one.headers, { key: 'source', value: Buffer.from('app') }] }
  expect(filter(parseHeaderFilter('source=app'))(twice)).toBe(true)
  expect(parseHeaderFilter('=x')).toBeString()
})
