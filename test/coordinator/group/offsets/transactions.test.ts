import { describe, expect, test } from 'bun:test'
import { emptyDurableState, replay, replayMarker, replayPending } from '../../../../src/coordinator/group/replay.ts'
import { type CommittedOffset, committedOffset, type DurableState } from '../../../../src/coordinator/group/state.ts'
import { ZERO_UUID } from '../../../../src/protocol/schema.ts'

function value(offset: number): CommittedOffset {
  const more = { leaderEpoch: -1, metadata: '', commitTimestampMs: 1, expireTimestampMs: null, topicId: ZERO_UUID }
  return { offset, ...more }
}

const record = (offset: number | null, partition = 0, group = 'g') =>
  ({ type: 'offset-commit', group, topic: 't', partition, value: offset === null ? null : value(offset) }) as const

function offsets(state: DurableState): (number | undefined)[] {
  return [0, 1].map((partition) => committedOffset(state, 'g', 't', partition)?.offset)
}

describe('offsets of a transaction', () => {
  test('count from its commit on', () => {
    const state = emptyDurableState()
    replay(state, record(1))
    replayPending(state, 7, record(5))
    replayPending(state, 7, record(6))
    replayPending(state, 7, record(9, 1))
    expect([offsets(state), state.pending.has('g', 't', 0)]).toEqual([[1, undefined], true])
    expect(replayMarker(state, 7, true)).toEqual(new Set(['g']))
    expect([offsets(state), state.pending.has('g', 't', 0)]).toEqual([[6, 9], false])
  })

  test('vanish with its abort, and with no marker but its own', () => {
    const state = emptyDurableState()
    replayPending(state, 7, record(5))
    replayPending(state, 8, record(6, 1))
    replayMarker(state, 9, true)
    replayMarker(state, 7, false)
    expect(offsets(state)).toEqual([undefined, undefined])
    replayMarker(state, 8, true)
    replayMarker(state, 7, true)
    expect(offsets(state)).toEqual([undefined, 6])
  })

  test('a plain commit that came later wins; the partition is unstable until the end all the same', () => {
    const state = emptyDurableState()
    replayPending(state, 7, record(5))
    replay(state, record(3))
    expect([offsets(state)[0], state.pending.has('g', 't', 0)]).toEqual([3, true])
    replayMarker(state, 7, true)
    expect([offsets(state)[0], state.pending.has('g', 't', 0)]).toEqual([3, false])
  })

  test('written again after the plain commit they win', () => {
    const state = emptyDurableState()
    replayPending(state, 7, record(5))
    replay(state, record(3))
    replayPending(state, 7, record(6))
    replayMarker(state, 7, true)
    expect(offsets(state)[0]).toBe(6)
  })

  test('a deletion takes what is pending with it', () => {
    const state = emptyDurableState()
    replayPending(state, 7, record(5))
    replay(state, record(null))
    replayMarker(state, 7, true)
    expect([offsets(state)[0], state.pending.hasGroup('g')]).toEqual([undefined, false])
  })

  test('of several producers and groups stay apart', () => {
    const state = emptyDurableState()
    replayPending(state, 7, record(5))
    replayPending(state, 8, record(6))
    replayPending(state, 8, record(6, 0, 'other'))
    expect(state.pending.groups()).toEqual(new Set(['g', 'other']))
    expect(Array.from(state.pending.ofTopic('t'), ({ group }) => group)).toEqual(['g', 'g', 'other'])
    replayMarker(state, 8, true)
    replayMarker(state, 7, true)
    // The later marker is the later word.
    expect(offsets(state)[0]).toBe(5)
  })
})
