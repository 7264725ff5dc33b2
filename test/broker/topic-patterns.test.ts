/** Regular expressions that clients send: RE2's syntax and times, whole names. */
import { describe, expect, test } from 'bun:test'
import { TOPIC_PATTERN_CHARACTERS_MAX } from '../../src/broker/limits.ts'
import { compileTopicPattern } from '../../src/broker/topic-patterns.ts'

function matches(expression: string, ...names: string[]): boolean[] {
  const pattern = compileTopicPattern(expression)
  if ('problem' in pattern) throw new Error(pattern.problem)
  return names.map((name) => pattern.matches(name))
}

describe('an expression', () => {
  test('matches whole names', () => {
    expect(matches('orders', 'orders', 'orders-2', 'my-orders')).toEqual([true, false, false])
    expect(matches('orders.*', 'orders', 'orders-2', 'my-orders')).toEqual([true, true, false])
    expect(matches('a|ab', 'a', 'ab', 'b')).toEqual([true, true, false])
  })

  for (const expression of ['[', 'a(b', '*a', '(a)\\1', 'a(?=b)', 'x{1001}', '(((a{100}){100}){100})']) {
    test(`${expression} does not compile`, () => {
      expect(compileTopicPattern(expression)).toEqual({ problem: expect.any(String) as string })
    })
  }

  test('longer than the limit is refused, at the limit it is not', () => {
    expect(compileTopicPattern('a'.repeat(TOPIC_PATTERN_CHARACTERS_MAX + 1))).toHaveProperty('problem')
    expect(compileTopicPattern('a'.repeat(TOPIC_PATTERN_CHARACTERS_MAX))).not.toHaveProperty('problem')
  })

  test('that would take a backtracking engine for ever answers like any other', () => {
    expect(matches('(a*)*(a*)*(a*)*b', 'a'.repeat(249))).toEqual([false])
  })
})
