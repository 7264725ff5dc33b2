import { describe, expect, test } from 'bun:test'
import { LineSplitter, unescapeBytes } from '../../src/cli/lines.ts'

function split(text: string, delimiter: string, chunkBytes: number): string[] {
  const splitter = new LineSplitter(Buffer.from(delimiter))
  const bytes = Buffer.from(text)
  const found: string[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    for (const line of splitter.push(bytes.subarray(at, at + chunkBytes))) found.push(line.toString())
  }
  const last = splitter.end()
  if (last !== null) found.push(last.toString())
  return found
}

describe('lines', () => {
  for (const chunkBytes of [1, 2, 3, 5, 100]) {
    test(`the same lines, whatever the chunks: ${chunkBytes} bytes`, () => {
      expect(split('one\n\ntwo\r\nthree', '\n', chunkBytes)).toEqual(['one', '', 'two\r', 'three'])
      expect(split('a--b---c--', '--', chunkBytes)).toEqual(['a', 'b', '-c'])
    })
  }

  test('a delimiter at the end begins no further line', () => {
    expect(split('a\nb\n', '\n', 2)).toEqual(['a', 'b'])
  })

  test('nothing gives nothing', () => {
    expect(split('', '\n', 2)).toEqual([])
  })
})

test('escapes, as bytes', () => {
  expect(unescapeBytes('a\\tb\\n\\x00\\\\n\\0\\q').toString('latin1')).toBe('a\tb\n\0\\n\0q')
  expect([...unescapeBytes('\\xff\\101\\012ä')]).toEqual([0xff, 101, 10, 0xc3, 0xa4])
})
