import { describe, expect, test } from 'bun:test'
import { ClassicGroup } from '../../../../src/coordinator/group/classic/group.ts'
import {
  type ClassicState,
  canStartRebalance,
  isLegalTransition,
  LEGAL_PREDECESSORS,
  type RejoinAction,
  rejoinAction,
} from '../../../../src/coordinator/group/classic/states.ts'

const STATES: readonly ClassicState[] = ['Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable']

const LEGAL = [
  'Empty>PreparingRebalance',
  'PreparingRebalance>Empty',
  'PreparingRebalance>CompletingRebalance',
  'CompletingRebalance>PreparingRebalance',
  'CompletingRebalance>Stable',
  'Stable>PreparingRebalance',
]

/** A shortest legal path into each state. */
const PATHS: Readonly<Record<ClassicState, readonly ClassicState[]>> = {
  Empty: [],
  PreparingRebalance: ['PreparingRebalance'],
  CompletingRebalance: ['PreparingRebalance', 'CompletingRebalance'],
  Stable: ['PreparingRebalance', 'CompletingRebalance', 'Stable'],
}

describe('classic group states', () => {
  test('the table has a row for every state and names no other', () => {
    expect(Object.keys(LEGAL_PREDECESSORS).sort()).toEqual([...STATES].sort())
  })

  for (const from of STATES) {
    for (const to of STATES) {
      const legal = LEGAL.includes(`${from}>${to}`)
      test(`${from} -> ${to} is ${legal ? 'taken' : 'refused'}`, () => {
        const group = new ClassicGroup('g', 0)
        for (const state of PATHS[from]) group.enter(state, 1)
        expect(isLegalTransition(from, to)).toBe(legal)
        if (legal) {
          group.enter(to, 2)
          expect(group.state).toBe(to)
          expect(group.previousState).toBe(from)
          expect(group.stateTimestampMs).toBe(2)
        } else {
          expect(() => group.enter(to, 2)).toThrow(`cannot go from ${from} to ${to}`)
          expect(group.state).toBe(from)
        }
      })
    }
  }

  test('a rebalance can start wherever none is gathering', () => {
    expect(STATES.filter(canStartRebalance)).toEqual(['Empty', 'CompletingRebalance', 'Stable'])
  })
})

describe('a known member joins again', () => {
  const expected: Record<ClassicState, [leaderSame: RejoinAction, followerSame: RejoinAction, changed: RejoinAction]> =
    {
      Empty: ['unknown-member', 'unknown-member', 'unknown-member'],
      PreparingRebalance: ['wait', 'wait', 'wait'],
      CompletingRebalance: ['current', 'current', 'rebalance'],
      Stable: ['rebalance', 'current', 'rebalance'],
    }
  for (const state of STATES) {
    const [leaderSame, followerSame, changed] = expected[state]
    test(`${state}: leader ${leaderSame}, follower ${followerSame}, changed metadata ${changed}`, () => {
      expect(rejoinAction(state, true, true)).toBe(leaderSame)
      expect(rejoinAction(state, false, true)).toBe(followerSame)
      expect(rejoinAction(state, true, false)).toBe(changed)
      expect(rejoinAction(state, false, false)).toBe(changed)
    })
  }
})
