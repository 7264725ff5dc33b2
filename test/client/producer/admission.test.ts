import { expect, test } from 'bun:test'
import { AdmissionQueue, WaitingBudget } from '../../../src/client/producer/admission.ts'

test('records move to another queue of the same budget, also when it is used up', () => {
  const budget = new WaitingBudget(1_000)
  const queueFor = (why: string): AdmissionQueue =>
    new AdmissionQueue(budget, { waitMs: 60_000, why, code: 'ERR_BUFFER_FULL', gaveUp: () => undefined })
  const [partitions, memory] = [queueFor('no partitions'), queueFor('no memory')]
  let accepted = 0
  const record = { topic: 'orders', headers: undefined, partition: 0, timestamp: 0, key: null, value: 'x'.repeat(100) }
  while (partitions.push(record, null) !== null) accepted += 1
  expect(accepted).toBeGreaterThan(1)
  partitions.drain((waiting) => memory.push(waiting.record, waiting.delivery) !== null)
  expect([partitions.length, memory.length]).toEqual([0, accepted])
  memory.drain(() => false)
  expect(memory.push(record, null)).toBeNull()
  expect(memory.remove()).toHaveLength(accepted)
  expect(budget.take(1_000)).toBe(true)
})
