/** The table of record states, every combination of state and event. */
import { describe, expect, test } from 'bun:test'
import {
  acquired,
  changed,
  changing,
  freshRun,
  isFree,
  isTerminal,
  type RecordState,
  type Run,
  stateAfter,
  unchanged,
  unlocked,
  type Verdict,
} from '../../../src/coordinator/share-delivery/record-states.ts'

const LIMIT = 5
const STATES: readonly RecordState[] = ['available', 'acquired', 'acknowledged', 'archived']
const VERDICTS: readonly Verdict[] = ['gap', 'accept', 'release', 'reject']

function run(state: RecordState, deliveryCount: number): Run {
  const held = state === 'acquired' ? { memberId: 'm', lockedUntilMs: 100 } : {}
  return { ...freshRun(0, 9, state, deliveryCount), ...held }
}

describe('a verdict on an acquired record', () => {
  const expected: Record<Verdict, (deliveries: number) => RecordState> = {
    accept: () => 'acknowledged',
    reject: () => 'archived',
    gap: () => 'archived',
    release: (deliveries) => (deliveries < LIMIT ? 'available' : 'archived'),
  }
  for (const verdict of VERDICTS) {
    for (let deliveries = 1; deliveries <= LIMIT + 1; deliveries++) {
      test(`${verdict} after ${deliveries} deliveries`, () => {
        expect(stateAfter(verdict, deliveries, LIMIT)).toBe(expected[verdict](deliveries))
      })
    }
  }
})

test('only acknowledged and archived are for ever, only available is free', () => {
  expect(STATES.filter(isTerminal)).toEqual(['acknowledged', 'archived'])
  expect(STATES.filter((state) => isFree(run(state, 1)))).toEqual(['available'])
})

describe('a change', () => {
  for (const verdict of VERDICTS) {
    for (const deliveries of [1, LIMIT]) {
      for (const isWritten of [true, false]) {
        for (const isDue of [true, false]) {
          const what = `${verdict} of a record with ${deliveries} deliveries, ${isWritten ? 'written' : 'not written'}`
          test(`${what}, its lock ${isDue ? 'due' : 'not due'}`, () => {
            const before = run('acquired', deliveries)
            const after = stateAfter(verdict, deliveries, LIMIT)
            const pending = changing(before, after, 7)
            expect(pending).toMatchObject({ state: after, memberId: null, change: 7, deliveryCount: deliveries })
            // Nobody gets it while it is being written down.
            expect(isFree(pending)).toBe(false)
            const nowMs = isDue ? 100 : 99
            const settled = isWritten ? changed(pending) : unchanged(pending, nowMs, LIMIT)
            const freed = deliveries < LIMIT ? 'available' : 'archived'
            const failed = isDue ? { state: freed, memberId: null } : { state: 'acquired', memberId: 'm' }
            const expected = isWritten ? { state: after, memberId: null } : failed
            expect(settled).toMatchObject({ ...expected, change: 0, before: null, deliveryCount: deliveries })
          })
        }
      }
    }
  }
})

test('acquiring counts a delivery, losing the lock does not', () => {
  const held = acquired(run('available', 1), { memberId: 'm', lockedUntilMs: 5 })
  expect(held).toMatchObject({ state: 'acquired', memberId: 'm', lockedUntilMs: 5, deliveryCount: 2 })
  expect(unlocked(held, LIMIT)).toMatchObject({ state: 'available', memberId: null, deliveryCount: 2 })
  expect(unlocked({ ...held, deliveryCount: LIMIT }, LIMIT)).toMatchObject({ state: 'archived', deliveryCount: LIMIT })
})
