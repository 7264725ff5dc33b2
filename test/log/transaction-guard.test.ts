import { describe, expect, test } from 'bun:test'
import { ProducerState } from '../../src/log/producer-state.ts'
import type { ProducerCheckOptions, TransactionGuard } from '../../src/log/types.ts'
import { buildBatch, readBatchHeader } from '../../src/records/batch.ts'
import { buildEndTransactionBatch } from '../../src/records/control.ts'

const PRODUCER = 7
let nextOffset = 0

function data(epoch: number, baseSequence: number) {
  const records = [{ timestamp: 1, key: null, value: Buffer.from('v') }]
  const batch = buildBatch({ producerId: PRODUCER, producerEpoch: epoch, baseSequence, isTransactional: true, records })
  return { ...readBatchHeader(batch, 0), baseOffset: nextOffset++ }
}

function end(state: ProducerState, epoch: number, transactionVersion = 0): number | 'accept' {
  const marker = { type: 'commit', coordinatorEpoch: 0 } as const
  const batch = buildEndTransactionBatch({ producerId: PRODUCER, producerEpoch: epoch, ...marker, timestamp: 2 })
  const header = { ...readBatchHeader(batch, 0), baseOffset: nextOffset++ }
  const check = state.check(header, { origin: 'coordinator', transactionVersion }, marker)
  if (check.kind === 'refuse') return check.errorCode
  state.apply(header, marker)
  return 'accept'
}

function guard(state: ProducerState, epoch: number, lowestSequence: number, startsAtZero = false): TransactionGuard {
  return state.guard({ producerId: PRODUCER, producerEpoch: epoch, lowestSequence, startsAtZero, startedMs: 0 })
}

function append(
  state: ProducerState,
  epoch: number,
  baseSequence: number,
  with_: Pick<ProducerCheckOptions, 'guard'>,
): number | string {
  const header = data(epoch, baseSequence)
  const check = state.check(header, { origin: 'client', ...with_ }, null)
  if (check.kind === 'refuse') return check.errorCode
  state.apply(header, null)
  return check.kind
}

describe('the first batch of a transaction', () => {
  test('needs a guard; the next ones do not', () => {
    const state = new ProducerState()
    expect(append(state, 0, 0, { guard: null })).toBe(48)
    expect(append(state, 0, 0, { guard: guard(state, 0, 0) })).toBe('accept')
    expect(append(state, 0, 1, { guard: null })).toBe('accept')
  })

  test('where nothing is verified, none', () => {
    expect(append(new ProducerState(), 0, 0, {})).toBe('accept')
  })

  test('is refused when a marker came since the guard was made: it belongs to what has ended', () => {
    const state = new ProducerState()
    const stale = guard(state, 0, 0)
    expect(end(state, 0)).toBe('accept')
    expect(append(state, 0, 0, { guard: stale })).toBe(48)
    expect(append(state, 0, 0, { guard: guard(state, 0, 0) })).toBe('accept')
  })

  test('is refused with the guard of another epoch', () => {
    const state = new ProducerState()
    expect(append(state, 1, 0, { guard: guard(state, 0, 0) })).toBe(48)
    expect(append(state, 1, 0, { guard: guard(state, 1, 0) })).toBe('accept')
  })

  test('one guard serves all who wait; a batch does not overtake the one before it', () => {
    const state = new ProducerState()
    const first = guard(state, 0, 3)
    expect(guard(state, 0, 4)).toBe(first)
    expect(append(state, 0, 4, { guard: first })).toBe(45)
    expect(append(state, 0, 3, { guard: first })).toBe('accept')
    expect(append(state, 0, 4, { guard: null })).toBe('accept')
  })

  test('begins with sequence 0 where the broker adds the partition', () => {
    const state = new ProducerState()
    expect(append(state, 0, 2, { guard: guard(state, 0, 2, true) })).toBe(45)
    expect(append(state, 0, 0, { guard: guard(state, 0, 0, true) })).toBe('accept')
  })

  test('a guard that was dropped, or is too old, is worth nothing', () => {
    const state = new ProducerState()
    const dropped = guard(state, 0, 0)
    state.dropGuard(dropped)
    expect(append(state, 0, 0, { guard: dropped })).toBe(48)
    const old = guard(state, 0, 0)
    state.expire(1000, 1000)
    expect(append(state, 0, 0, { guard: old })).toBe(48)
  })
})

describe('an end marker', () => {
  test('of transaction version 2 carries an epoch that no data has', () => {
    const state = new ProducerState()
    append(state, 4, 0, {})
    expect(end(state, 4, 2)).toBe(47)
    expect(end(state, 3, 2)).toBe(47)
    expect(end(state, 5, 2)).toBe('accept')
  })

  test('may come again when its transaction is over, but not into the next one', () => {
    const state = new ProducerState()
    append(state, 4, 0, {})
    expect(end(state, 5, 2)).toBe('accept')
    expect(end(state, 5, 2)).toBe('accept')
    append(state, 5, 0, {})
    expect(end(state, 5, 2)).toBe(47)
    expect(state.hasOpenTransaction(PRODUCER, 5)).toBe(true)
  })

  test('of older transactions carries the epoch of the data', () => {
    const state = new ProducerState()
    append(state, 4, 0, {})
    expect(end(state, 3)).toBe(47)
    expect(end(state, 4)).toBe('accept')
  })
})
