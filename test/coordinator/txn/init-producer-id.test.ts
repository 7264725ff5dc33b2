import { describe, expect, test } from 'bun:test'
import { initProducerId } from '../../../src/coordinator/txn/init-producer-id.ts'
import type { ProducerIdAndEpoch, Transaction, TransactionStatus } from '../../../src/coordinator/txn/state.ts'
import { context, entry, FRESH_ID, NOW, STATUSES, told, written } from './support.ts'

function decide(
  transaction: Transaction | undefined,
  expected: ProducerIdAndEpoch | null,
  freshProducerId: number | null = null,
) {
  return initProducerId(transaction, { transactionalId: 'id', timeoutMs: 1234, expected }, context({ freshProducerId }))
}

const id = (producerId: number, producerEpoch: number): ProducerIdAndEpoch => ({ producerId, producerEpoch })

describe('an unknown id', () => {
  test('asks for a producer id, then begins with epoch 0', () => {
    expect(told(decide(undefined, null))).toBe('needs a producer id')
    expect(told(decide(undefined, null, FRESH_ID))).toBe('Empty 900/0, answers 0/900/0')
  })

  test('whatever the producer expects', () => {
    expect(told(decide(undefined, id(4711, 9), FRESH_ID))).toBe('Empty 900/0, answers 0/900/0')
  })
})

/** Epoch in use 5, the one before it 4. All combinations of state and expectation. */
const TABLE: Record<
  string,
  { readonly expected: ProducerIdAndEpoch | null; readonly idle: string; readonly ongoing: string }
> = {
  'no expectation': { expected: null, idle: 'Empty 7/6, answers 0/7/6', ongoing: 'aborts' },
  'the current epoch': { expected: id(7, 5), idle: 'Empty 7/6, answers 0/7/6', ongoing: 'aborts' },
  'the epoch before the bump': { expected: id(7, 4), idle: 'Empty 7/5, answers 0/7/5', ongoing: 'aborts' },
  'an older epoch': { expected: id(7, 3), idle: 'answers 90/-1/-1', ongoing: 'aborts' },
  'a later epoch': { expected: id(7, 6), idle: 'answers 90/-1/-1', ongoing: 'aborts' },
  'another producer id': { expected: id(8, 5), idle: 'answers 90/-1/-1', ongoing: 'answers 90/-1/-1' },
  'the previous producer id': { expected: id(6, 5), idle: 'answers 90/-1/-1', ongoing: 'answers 90/-1/-1' },
}

describe('a known id', () => {
  for (const status of STATUSES) {
    for (const [name, { expected, idle, ongoing }] of Object.entries(TABLE)) {
      test(`${status}, ${name}`, () => {
        const transaction = entry(status, { lastProducerEpoch: 4, previousProducerId: 6 })
        expect(told(decide(transaction, expected))).toBe(expectedFor(status, idle, ongoing))
      })
    }
  }
})

function expectedFor(status: TransactionStatus, idle: string, ongoing: string): string {
  if (status.startsWith('Prepare')) return 'answers 51/-1/-1'
  if (status !== 'Ongoing') return idle
  return ongoing === 'aborts' ? 'PrepareAbort 7/6, answers 51/-1/-1' : ongoing
}

describe('what an epoch leaves behind', () => {
  test('a producer that starts anew cannot be mistaken for a retry of the one before', () => {
    const next = written(decide(entry('CompleteCommit'), null))
    expect(next.lastProducerEpoch).toBe(-1)
    expect(told(decide(next, id(7, 5)))).toBe('answers 90/-1/-1')
  })

  test('a producer that goes on may repeat its request', () => {
    const next = written(decide(entry('CompleteAbort'), id(7, 5)))
    expect(next.lastProducerEpoch).toBe(5)
    const again = written(decide(next, id(7, 5)))
    expect(told(decide(again, id(7, 5)))).toBe('Empty 7/6, answers 0/7/6')
  })

  test('the time-out is the new one, and nothing of the last transaction is left', () => {
    const next = written(decide(entry('CompleteCommit'), null))
    expect(next).toMatchObject({ timeoutMs: 1234, startMs: -1, lastUpdateMs: NOW, nextProducerId: -1 })
    expect(next.partitions.size).toBe(0)
  })
})

describe('the last epoch', () => {
  const atLastEpoch = entry('CompleteCommit', { producerEpoch: 32_766 })

  test('is followed by a fresh producer id', () => {
    expect(told(decide(atLastEpoch, null))).toBe('needs a producer id')
    expect(told(decide(atLastEpoch, null, FRESH_ID))).toBe('Empty 900/0, answers 0/900/0')
    expect(told(decide(atLastEpoch, id(7, 32_766), FRESH_ID))).toBe('Empty 900/0, answers 0/900/0')
  })

  test('its producer may repeat the request that took it to the fresh id', () => {
    const next = written(decide(atLastEpoch, id(7, 32_766), FRESH_ID))
    expect(told(decide(next, id(7, 32_766)))).toBe('Empty 900/0, answers 0/900/0')
  })

  test('a fenced epoch of 32767 is exhausted, too', () => {
    expect(told(decide(entry('CompleteAbort', { producerEpoch: 32_767 }), null, FRESH_ID))).toBe(
      'Empty 900/0, answers 0/900/0',
    )
  })

  test('aborting an open transaction takes it to 32767, and to a fresh id when that is complete', () => {
    const open = entry('Ongoing', { producerEpoch: 32_766 })
    expect(told(decide(open, null))).toBe('needs a producer id')
    expect(told(decide(open, null, FRESH_ID))).toBe('PrepareAbort 7 then 900/32767, answers 51/-1/-1')
  })
})
