/** The table of reconcile.ts, row by row. */
import { describe, expect, test } from 'bun:test'
import { type HeldPartitions, HOLDS_NOTHING } from '../../../../src/coordinator/group/consumer/assignment.ts'
import { type ConsumerMember, newMember } from '../../../../src/coordinator/group/consumer/member.ts'
import { type ReconcileInput, reconcile } from '../../../../src/coordinator/group/consumer/reconcile.ts'

const TOPIC = 'a-topic-id'
const held = (epochs: Record<number, number>): HeldPartitions => {
  const partitions = new Map(Object.entries(epochs).map(([partition, epoch]) => [Number(partition), epoch]))
  return partitions.size === 0 ? HOLDS_NOTHING : new Map([[TOPIC, partitions]])
}
const owned = (...partitions: number[]) => [{ topicId: TOPIC, partitions }]

function member(fields: Partial<ConsumerMember>): ConsumerMember {
  return { ...newMember('m'), memberEpoch: 5, previousMemberEpoch: 4, ...fields }
}

interface Row extends Partial<Omit<ReconcileInput, 'member' | 'target' | 'isFree'>> {
  readonly taken?: readonly number[]
}

function step(
  from: Partial<ConsumerMember>,
  target: number[],
  { taken = [], ...row }: Row = {},
): ConsumerMember | 'fenced' {
  return reconcile({
    member: member(from),
    target: new Map([[TOPIC, new Set(target)]]),
    targetEpoch: 6,
    subscriptionChanged: false,
    subscribed: new Set([TOPIC]),
    owned: null,
    isFree: (_topic, partition) => !taken.includes(partition),
    ...row,
  })
}

describe('stable', () => {
  test('in the epoch of the target: as it is', () => {
    const before = member({ assigned: held({ 0: 5 }) })
    expect(step(before, [1], { targetEpoch: 5 })).toEqual(before)
  })

  test('with a topic dropped: its partitions are to be given up, in the same epoch', () => {
    const after = step({ assigned: held({ 0: 5 }) }, [0], {
      targetEpoch: 5,
      subscriptionChanged: true,
      subscribed: new Set(),
    })
    expect(after).toMatchObject({
      state: 'unrevoked',
      memberEpoch: 5,
      assigned: HOLDS_NOTHING,
      pendingRevocation: held({ 0: 5 }),
    })
  })

  test('with a topic dropped that it says it has not any more: gone at once', () => {
    const row = { targetEpoch: 5, subscriptionChanged: true, subscribed: new Set<string>(), owned: [] }
    expect(step({ assigned: held({ 0: 5 }) }, [0], row)).toMatchObject({ state: 'stable', assigned: HOLDS_NOTHING })
  })

  test('same partitions, newer epoch: it follows, and what it has keeps its epochs', () => {
    const after = step({ assigned: held({ 0: 3 }) }, [0])
    expect(after).toMatchObject({ state: 'stable', memberEpoch: 6, previousMemberEpoch: 5, assigned: held({ 0: 3 }) })
  })

  test('free partitions are added in the epoch of the target', () => {
    expect(step({ assigned: held({ 0: 3 }) }, [0, 1])).toMatchObject({
      state: 'stable',
      assigned: held({ 0: 3, 1: 6 }),
    })
  })

  test('something to give up: unrevoked, the epoch stays, nothing is added', () => {
    const after = step({ assigned: held({ 0: 3, 1: 3 }) }, [0, 2])
    const expected = { state: 'unrevoked', memberEpoch: 5, assigned: held({ 0: 3 }), pendingRevocation: held({ 1: 3 }) }
    expect(after).toMatchObject(expected)
  })

  test('something to give up that it says it has not any more: straight on', () => {
    const after = step({ assigned: held({ 0: 3, 1: 3 }) }, [0, 2], { owned: owned(0) })
    expect(after).toMatchObject({ state: 'stable', memberEpoch: 6, assigned: held({ 0: 3, 2: 6 }) })
  })

  test('others have some of the target: unreleased, in the new epoch, with what is free', () => {
    const after = step({ assigned: held({ 0: 3 }) }, [0, 1, 2], { taken: [2] })
    expect(after).toMatchObject({ state: 'unreleased', memberEpoch: 6, assigned: held({ 0: 3, 1: 6 }) })
  })
})

describe('unrevoked', () => {
  const from = { state: 'unrevoked', assigned: held({ 0: 3 }), pendingRevocation: held({ 1: 3 }) } as const

  test('silent about what it has: as it is', () => {
    expect(step(from, [0])).toEqual(member(from))
  })

  test('still owning: as it is', () => {
    expect(step(from, [0], { owned: owned(0, 1) })).toEqual(member(from))
  })

  test('still owning, and a topic dropped: that is to be given up besides', () => {
    const after = step(from, [0], { owned: owned(0, 1), subscriptionChanged: true, subscribed: new Set() })
    expect(after).toMatchObject({
      state: 'unrevoked',
      assigned: HOLDS_NOTHING,
      pendingRevocation: held({ 0: 3, 1: 3 }),
    })
  })

  test('given up: the next step', () => {
    expect(step(from, [0, 2], { owned: owned(0), taken: [1] })).toMatchObject({
      state: 'stable',
      memberEpoch: 6,
      assigned: held({ 0: 3, 2: 6 }),
      pendingRevocation: HOLDS_NOTHING,
    })
  })

  test('given up, but the target gives it back: nobody else can have had it', () => {
    const after = step(from, [0, 1], { owned: owned(0), taken: [1] })
    expect(after).toMatchObject({ state: 'stable', assigned: held({ 0: 3, 1: 6 }) })
  })
})

describe('unreleased', () => {
  const from = { state: 'unreleased', memberEpoch: 6, assigned: held({ 0: 3 }) } as const

  test('still taken: waits', () => {
    expect(step(from, [0, 1], { taken: [1] })).toMatchObject({
      state: 'unreleased',
      memberEpoch: 6,
      assigned: held({ 0: 3 }),
    })
  })

  test('free now: stable', () => {
    expect(step(from, [0, 1])).toMatchObject({ state: 'stable', memberEpoch: 6, assigned: held({ 0: 3, 1: 6 }) })
  })

  test('a newer target takes something away: unrevoked', () => {
    expect(step(from, [1], { targetEpoch: 7 })).toMatchObject({ state: 'unrevoked', pendingRevocation: held({ 0: 3 }) })
  })
})

describe('unknown', () => {
  const from = { state: 'unknown', assigned: held({ 0: 3 }) } as const

  test('silent, or with partitions: fenced', () => {
    expect(step(from, [0])).toBe('fenced')
    expect(step(from, [0], { owned: owned(0) })).toBe('fenced')
  })

  test('with nothing: on to the target', () => {
    expect(step(from, [0], { owned: [] })).toMatchObject({ state: 'stable', memberEpoch: 6, assigned: held({ 0: 3 }) })
  })
})
