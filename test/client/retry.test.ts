import { expect, test } from 'bun:test'
import { backoffMs, retryPolicy } from '../../src/client/retry.ts'

test('what a policy leaves out takes its default, and the longest wait is never below the first', () => {
  expect(retryPolicy()).toEqual({ backoffMs: 100, backoffMaxMs: 1_000 })
  expect(retryPolicy({ backoffMs: 20 })).toEqual({ backoffMs: 20, backoffMaxMs: 1_000 })
  expect(retryPolicy({ backoffMaxMs: 300 })).toEqual({ backoffMs: 100, backoffMaxMs: 300 })
  expect(retryPolicy({ backoffMs: 5_000 })).toEqual({ backoffMs: 5_000, backoffMaxMs: 5_000 })
})

test('waits are doubled, spread by a fifth, and end at the longest', () => {
  const policy = { backoffMs: 100, backoffMaxMs: 1_000 }
  expect([0, 1, 2].map((attempt) => backoffMs(policy, attempt, () => 0.5))).toEqual([100, 200, 400])
  expect(backoffMs(policy, 0, () => 0)).toBeCloseTo(80)
  expect(backoffMs(policy, 0, () => 1)).toBeCloseTo(120)
  expect(backoffMs(policy, 99, () => 1)).toBe(1_000)
})
