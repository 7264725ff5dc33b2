import { expect, test } from 'bun:test'
import { Gather, partitionOf, ReplyWaiter } from '../../src/coordinator/replies.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'

test('group ids go to the partitions that Kafka puts them in', () => {
  expect(['txgroup', 'g-classic', 'g-regex', 'my-tx'].map((id) => partitionOf(id, 5))).toEqual([2, 3, 0, 1])
  expect(partitionOf('g-share:4_6AKg3nTUq32P4R-HNrNA:0', 5)).toBe(3)
  expect(partitionOf('', 50)).toBe(0)
})

test('the smallest hash, which has no absolute value, means partition 0', () => {
  // A string whose Java hash is -2^31.
  expect(partitionOf('polygenelubricants', 7)).toBe(0)
})

test('a waiter replies once', () => {
  const replies: number[] = []
  const waiter = new ReplyWaiter(
    (result: number) => result,
    (errorCode) => errorCode,
    (answer) => replies.push(answer),
  )
  waiter.answer(1)
  waiter.answer(2)
  waiter.refuse(ErrorCode.NOT_COORDINATOR)
  expect(replies).toEqual([1])
})

test('gathered parts keep their order, whatever order they come in', () => {
  const results: string[][] = []
  const gather = new Gather<string>(3, (parts) => results.push(parts))
  gather.put(2, 'c')
  gather.put(0, 'a')
  expect(results).toEqual([])
  gather.put(1, 'b')
  expect(results).toEqual([['a', 'b', 'c']])
})

test('nothing to gather is complete at once', () => {
  const results: string[][] = []
  new Gather<string>(0, (parts) => results.push(parts))
  expect(results).toEqual([[]])
})
