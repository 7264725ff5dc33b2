import { describe, expect, test } from 'bun:test'
import { contentRange, matchesEntityTag, parseByteRange } from '../../src/http/byte-range.ts'

describe('a byte range of 1000 bytes', () => {
  test.each([
    ['bytes=0-', { start: 0, end: 1000 }],
    ['bytes=0-0', { start: 0, end: 1 }],
    ['bytes=10-19', { start: 10, end: 20 }],
    ['bytes=999-999', { start: 999, end: 1000 }],
    ['bytes=500-5000', { start: 500, end: 1000 }],
    ['bytes=-1', { start: 999, end: 1000 }],
    ['bytes=-1000', { start: 0, end: 1000 }],
    ['bytes=-99999', { start: 0, end: 1000 }],
    ['Bytes = 1 - 2', { start: 1, end: 3 }],
    ['bytes=1000-', 'unsatisfiable'],
    ['bytes=1000-2000', 'unsatisfiable'],
    ['bytes=99999999999999999999-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=20-10', null],
    ['bytes=-', null],
    ['bytes=0-1,5-6', null],
    ['bytes=a-b', null],
    ['items=0-1', null],
    ['', null],
    [undefined, null],
  ] as const)('%s', (header, expected) => {
    expect(parseByteRange(header, 1000)).toEqual(expected)
  })

  test('nothing of an empty file can be had', () => {
    expect(parseByteRange('bytes=0-', 0)).toBe('unsatisfiable')
    expect(parseByteRange('bytes=-5', 0)).toBe('unsatisfiable')
  })

  test('is described by its last byte', () => {
    expect(contentRange({ start: 10, end: 20 }, 1000)).toBe('bytes 10-19/1000')
  })
})

describe('If-None-Match', () => {
  test.each([
    ['"a"', true],
    ['"b", "a"', true],
    ['W/"a"', true],
    ['*', true],
    ['"b"', false],
    ['a', false],
    [undefined, false],
  ])('%s: %s', (header, expected) => {
    expect(matchesEntityTag(header, '"a"')).toBe(expected)
  })
})
