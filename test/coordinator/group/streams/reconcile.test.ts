/** The table of reconcile.ts: row by row, and then every combination of a small world. */
import { describe, expect, test } from 'bun:test'
import type { MemberState } from '../../../../src/coordinator/group/consumer/member.ts'
import { newStreamsMember, type StreamsMember } from '../../../../src/coordinator/group/streams/member.ts'
import {
  reconcileStreamsMember,
  type StreamsReconcileInput,
  type TaskHolders,
} from '../../../../src/coordinator/group/streams/reconcile.ts'
import {
  type HeldTasks,
  HOLDS_NO_TASKS,
  NO_TASKS,
  type Tasks,
} from '../../../../src/coordinator/group/streams/tasks.ts'

const ID = '0'
const EPOCH = 5
const TARGET_EPOCH = 7

function set(partitions: readonly number[]): ReadonlyMap<string, ReadonlySet<number>> {
  return partitions.length === 0 ? new Map() : new Map([[ID, new Set(partitions)]])
}

function tasks(active: readonly number[], standby: readonly number[] = []): Tasks {
  return { active: set(active), standby: set(standby), warmup: new Map() }
}

/** Active tasks with the epochs in which they were assigned. */
function held(active: Readonly<Record<number, number>>, standby: readonly number[] = []): HeldTasks {
  const epochs = new Map(Object.entries(active).map(([partition, epoch]) => [Number(partition), epoch]))
  return { active: epochs.size === 0 ? new Map() : new Map([[ID, epochs]]), standby: set(standby), warmup: new Map() }
}

function member(fields: Partial<StreamsMember>): StreamsMember {
  return { ...newStreamsMember('m'), processId: 'own', memberEpoch: EPOCH, previousMemberEpoch: 4, ...fields }
}

/** Active tasks by process, and which processes have standbys. */
function holders(
  active: Readonly<Record<number, string>> = {},
  standby: Readonly<Record<number, string>> = {},
): TaskHolders {
  return {
    activeProcess: (_id, partition) => active[partition],
    hasStandby: (_id, partition, processId) => standby[partition] === processId,
    hasWarmup: () => false,
  }
}

function step(
  from: Partial<StreamsMember>,
  target: Tasks,
  more: Partial<StreamsReconcileInput> = {},
): StreamsMember | 'fenced' {
  const input = { member: member(from), target, targetEpoch: TARGET_EPOCH, owned: null, holders: holders() }
  return reconcileStreamsMember({ ...input, ...more })
}

describe('stable', () => {
  test("in the target's epoch: nothing", () => {
    const before = member({ assigned: held({ 0: 3 }) })
    const input = { member: before, target: tasks([1]), targetEpoch: EPOCH, owned: NO_TASKS, holders: holders() }
    expect(reconcileStreamsMember(input)).toBe(before)
  })

  test('in another epoch: it enters it, keeps its epochs and gets what is free', () => {
    expect(step({ assigned: held({ 0: 3 }) }, tasks([0, 1]))).toMatchObject({
      state: 'stable',
      memberEpoch: TARGET_EPOCH,
      previousMemberEpoch: EPOCH,
      assigned: held({ 0: 3, 1: TARGET_EPOCH }),
    })
  })

  test('something to give up, of any role: unrevoked, and its epoch stays', () => {
    expect(step({ assigned: held({ 0: 3, 1: 3 }) }, tasks([0, 2]))).toMatchObject({
      state: 'unrevoked',
      memberEpoch: EPOCH,
      previousMemberEpoch: EPOCH,
      assigned: held({ 0: 3 }),
      pendingRevocation: held({ 1: 3 }),
    })
    expect(step({ assigned: held({}, [1]) }, tasks([2]))).toMatchObject({
      state: 'unrevoked',
      assigned: held({}),
      pendingRevocation: held({}, [1]),
    })
  })

  test('something to give up that it says it has not any more: straight on', () => {
    const owned = tasks([0])
    expect(step({ assigned: held({ 0: 3, 1: 3 }) }, tasks([0, 2]), { owned })).toMatchObject({
      state: 'stable',
      memberEpoch: TARGET_EPOCH,
      assigned: held({ 0: 3, 2: TARGET_EPOCH }),
      pendingRevocation: HOLDS_NO_TASKS,
    })
  })

  test('an active task that somebody has: unreleased, with the rest', () => {
    expect(step({}, tasks([0, 1]), { holders: holders({ 1: 'other' }) })).toMatchObject({
      state: 'unreleased',
      memberEpoch: TARGET_EPOCH,
      assigned: held({ 0: TARGET_EPOCH }),
    })
  })

  test('an active task of which its own process has a standby: unreleased', () => {
    expect(step({}, tasks([0]), { holders: holders({}, { 0: 'own' }) })).toMatchObject({ state: 'unreleased' })
    expect(step({}, tasks([0]), { holders: holders({}, { 0: 'other' }) })).toMatchObject({ state: 'stable' })
  })

  test('a standby that its own process has active: unreleased; active elsewhere does not matter', () => {
    expect(step({}, tasks([], [0]), { holders: holders({ 0: 'own' }) })).toMatchObject({
      state: 'unreleased',
      assigned: HOLDS_NO_TASKS,
    })
    expect(step({}, tasks([], [0]), { holders: holders({ 0: 'other' }) })).toMatchObject({
      state: 'stable',
      assigned: held({}, [0]),
    })
  })

  test('a standby that becomes active is given up first', () => {
    const from = { assigned: held({}, [0]) }
    expect(step(from, tasks([0]), { holders: holders({}, { 0: 'own' }) })).toMatchObject({
      state: 'unrevoked',
      pendingRevocation: held({}, [0]),
    })
  })
})

describe('unrevoked', () => {
  const from = { state: 'unrevoked', assigned: held({ 0: 3 }), pendingRevocation: held({ 1: 3 }) } as const

  test('still owning, or silent: nothing', () => {
    expect(step(from, tasks([0]))).toEqual(member(from))
    expect(step(from, tasks([0]), { owned: tasks([0, 1]) })).toEqual(member(from))
  })

  test('given up: the next step', () => {
    expect(step(from, tasks([0, 2]), { owned: tasks([0]), holders: holders({ 0: 'own', 1: 'own' }) })).toMatchObject({
      state: 'stable',
      memberEpoch: TARGET_EPOCH,
      assigned: held({ 0: 3, 2: TARGET_EPOCH }),
      pendingRevocation: HOLDS_NO_TASKS,
    })
  })

  test('given up, and more to give up: unrevoked again, one epoch on', () => {
    expect(step(from, tasks([2]), { owned: tasks([0]) })).toMatchObject({
      state: 'unrevoked',
      memberEpoch: EPOCH + 1,
      previousMemberEpoch: EPOCH,
      assigned: HOLDS_NO_TASKS,
      pendingRevocation: held({ 0: 3 }),
    })
  })
})

describe('unreleased', () => {
  const from = { state: 'unreleased', assigned: held({ 0: 3 }) } as const

  test('free by now: stable', () => {
    expect(step(from, tasks([0, 1]), { targetEpoch: EPOCH })).toMatchObject({
      state: 'stable',
      assigned: held({ 0: 3, 1: EPOCH }),
    })
  })

  test('a newer target that takes something away: unrevoked', () => {
    expect(step(from, tasks([1]))).toMatchObject({ state: 'unrevoked', memberEpoch: EPOCH })
  })
})

describe('unknown', () => {
  test('owning something, or silent: fenced', () => {
    expect(step({ state: 'unknown' }, tasks([0]))).toBe('fenced')
    expect(step({ state: 'unknown' }, tasks([0]), { owned: tasks([1]) })).toBe('fenced')
  })

  test("owning nothing: on in the target's epoch", () => {
    expect(step({ state: 'unknown' }, tasks([0]), { owned: NO_TASKS })).toMatchObject({
      state: 'stable',
      memberEpoch: TARGET_EPOCH,
    })
  })
})

describe('in every combination of two tasks', () => {
  const STATES: readonly MemberState[] = ['stable', 'unrevoked', 'unreleased', 'unknown']
  /** What a member may have, shall have, or says it has, of one task. */
  const ROLES = ['none', 'active', 'standby'] as const
  type Role = (typeof ROLES)[number]
  const HELD_BY_OTHERS = [undefined, 'own', 'other'] as const
  const pairs = <Value>(values: readonly Value[]): [Value, Value][] =>
    values.flatMap((one) => values.map((other): [Value, Value] => [one, other]))
  const of = (roles: readonly Role[], role: Role): number[] =>
    roles.flatMap((each, partition) => (each === role ? [partition] : []))
  const heldOf = (roles: readonly Role[]): HeldTasks =>
    held(Object.fromEntries(of(roles, 'active').map((partition) => [partition, 3])), of(roles, 'standby'))
  const tasksOf = (roles: readonly Role[]): Tasks => tasks(of(roles, 'active'), of(roles, 'standby'))
  const listed = (sets: Tasks | HeldTasks): string[] => [
    ...[...(sets.active.get(ID)?.keys() ?? [])].map((partition) => `active ${partition}`),
    ...[...(sets.standby.get(ID)?.keys() ?? [])].map((partition) => `standby ${partition}`),
  ]

  interface Combination {
    readonly said: string
    readonly input: StreamsReconcileInput
    readonly after: StreamsMember | 'fenced'
  }

  function* roles(): Generator<{ state: MemberState; assigned: Role[]; revoking: Role[]; target: Role[] }> {
    for (const state of STATES) {
      for (const assigned of pairs(ROLES)) {
        for (const revoking of state === 'unrevoked' ? pairs(ROLES) : pairs(['none'] as const)) {
          if (revoking.some((role, index) => role !== 'none' && assigned[index] !== 'none')) continue
          for (const target of pairs(ROLES)) yield { state, assigned, revoking, target }
        }
      }
    }
  }

  const COMBINATIONS: Combination[] = []
  for (const { state, assigned, revoking, target } of roles()) {
    const had = assigned.map((role, index) => (role === 'none' ? revoking[index]! : role))
    // Silent, everything given up, nothing given up.
    for (const owned of [null, ['none', 'none'] as const, had]) {
      for (const others of pairs(HELD_BY_OTHERS)) {
        const taken = others.map((process, index) => (assigned[index] === 'none' ? process : undefined))
        const input = {
          member: member({ state, assigned: heldOf(assigned), pendingRevocation: heldOf(revoking) }),
          target: tasksOf(target),
          targetEpoch: TARGET_EPOCH,
          owned: owned === null ? null : tasksOf(owned),
          holders: holders(Object.fromEntries(taken.entries()) as Record<number, string>),
        }
        const said = JSON.stringify({ state, assigned, revoking, target, owned, others })
        COMBINATIONS.push({ said, input, after: reconcileStreamsMember(input) })
      }
    }
  }

  /** What went in is the message of a failure. */
  function everyCombination(check: (input: StreamsReconcileInput, after: StreamsMember | 'fenced') => void): void {
    for (const { said, input, after } of COMBINATIONS) {
      try {
        check(input, after)
      } catch (error) {
        throw new Error(`${said}: ${error instanceof Error ? error.message : error}`)
      }
    }
  }

  test('what it has is of what it had and of its target, each task once', () => {
    everyCombination(({ member: before, target }, after) => {
      if (after === 'fenced') return
      const known = new Set([...listed(before.assigned), ...listed(before.pendingRevocation), ...listed(target)])
      for (const task of [...listed(after.assigned), ...listed(after.pendingRevocation)]) expect(known).toContain(task)
      const assigned = listed(after.assigned).map((task) => task.split(' ')[1])
      expect(new Set(assigned).size).toBe(assigned.length)
    })
  })

  test('a task that another holds is never added', () => {
    everyCombination(({ member: before, holders: others }, after) => {
      if (after === 'fenced') return
      const had = new Set([...listed(before.assigned)])
      for (const task of listed(after.assigned).filter((each) => !had.has(each))) {
        const [role, partition] = task.split(' ') as [string, string]
        const process = others.activeProcess(ID, Number(partition))
        if (role === 'active') expect(process).toBeUndefined()
        else expect(process).not.toBe('own')
      }
    })
  })

  test("it is in the target's epoch exactly if it has nothing to give up", () => {
    everyCombination((input, after) => {
      if (after === 'fenced' || after === input.member) return
      expect(after.memberEpoch === TARGET_EPOCH).toBe(after.state !== 'unrevoked')
      expect(listed(after.pendingRevocation).length > 0).toBe(after.state === 'unrevoked')
      expect(after.previousMemberEpoch).toBe(input.member.memberEpoch)
    })
  })

  test('it is stable exactly if it has its target', () => {
    everyCombination(({ member: before, target }, after) => {
      if (after === 'fenced' || after === before || after.state === 'unrevoked') return
      const isThere = listed(after.assigned).toSorted().join() === listed(target).toSorted().join()
      expect(after.state === 'stable').toBe(isThere)
    })
  })
})
