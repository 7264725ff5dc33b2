/**
 * The reconciliation of one member of a streams group with its target (KIP-1071): which tasks it keeps, gives up and gets, and when its
 * epoch goes on.
 *
 * | state      | when                                              | what happens                                          |
 * |------------|---------------------------------------------------|-------------------------------------------------------|
 * | stable     | in the target's epoch                             | nothing                                               |
 * | stable     | in another epoch                                  | next step                                             |
 * | unrevoked  | still owns what it should give up, or is silent   | nothing                                               |
 * | unrevoked  | has given everything up                           | next step, one epoch on                               |
 * | unreleased |                                                   | next step                                             |
 * | unknown    | owns nothing                                      | next step, in the target's epoch; else it is fenced   |
 *
 * The next step keeps what is in both. If something is left to give up, the member becomes `unrevoked` and does not enter the target's
 * epoch. Otherwise it does, and gets what is free: `unreleased` if some of its target is not free yet, else `stable`. An active task is
 * free if nobody has it active and no thread of the member's process has it in another role: the state folder is one per process. A
 * standby is free if no thread of its process has the task in any role.
 *
 * What must hold: no task is active in two members, and none is there twice in a process, what is still to be given up included.
 */
import { heldOf, type PartitionSet, partitionsOf } from '../consumer/assignment.ts'
import type { StreamsMember } from './member.ts'
import {
  type HeldTaskSet,
  type HeldTasks,
  HOLDS_NO_TASKS,
  heldTasksTogether,
  holdsAnyTask,
  isEmptyOfTasks,
  type Tasks,
} from './tasks.ts'

/** Who has a task now, or has not given it up. Processes, not members. */
export interface TaskHolders {
  activeProcess(subtopologyId: string, partition: number): string | undefined
  hasStandby(subtopologyId: string, partition: number, processId: string): boolean
  hasWarmup(subtopologyId: string, partition: number, processId: string): boolean
}

export interface StreamsReconcileInput {
  readonly member: StreamsMember
  readonly target: Tasks
  readonly targetEpoch: number
  /** What the member says it has; null: it does not say. */
  readonly owned: Tasks | null
  readonly holders: TaskHolders
}

/** The member as it is from now on, the same object if nothing changes; 'fenced': it must join anew. */
export function reconcileStreamsMember(input: StreamsReconcileInput): StreamsMember | 'fenced' {
  const { member, targetEpoch, owned } = input
  switch (member.state) {
    case 'stable':
      return member.memberEpoch === targetEpoch ? member : nextStep(input, member.memberEpoch)
    case 'unrevoked':
      return stillOwns(owned, member.pendingRevocation) ? member : nextStep(input, member.memberEpoch + 1)
    case 'unreleased':
      return nextStep(input, member.memberEpoch)
    case 'unknown':
      return owned === null || !isEmptyOfTasks(owned) ? 'fenced' : nextStep(input, targetEpoch)
  }
}

/** Silence is no proof that something was given up. */
function stillOwns(owned: Tasks | null, held: HeldTasks): boolean {
  return owned === null || holdsAnyTask(held, owned)
}

function nextStep(input: StreamsReconcileInput, memberEpoch: number): StreamsMember {
  const { member, target, targetEpoch, owned, holders } = input
  const { processId, assigned } = member
  const isBeside = (subtopologyId: string, partition: number): boolean =>
    holders.hasStandby(subtopologyId, partition, processId) || holders.hasWarmup(subtopologyId, partition, processId)
  const isInProcess = (subtopologyId: string, partition: number): boolean =>
    holders.activeProcess(subtopologyId, partition) === processId || isBeside(subtopologyId, partition)
  const isActiveTaken = (subtopologyId: string, partition: number): boolean =>
    holders.activeProcess(subtopologyId, partition) !== undefined || isBeside(subtopologyId, partition)
  const active = splitHeld(assigned.active, target.active, targetEpoch, isActiveTaken)
  const standby = splitSet(assigned.standby, target.standby, isInProcess)
  const warmup = splitSet(assigned.warmup, target.warmup, isInProcess)
  const kept = { active: active.kept, standby: standby.kept, warmup: warmup.kept }
  const revoked = { active: active.revoked, standby: standby.revoked, warmup: warmup.revoked }
  const previousMemberEpoch = member.memberEpoch
  if (!isEmptyOfTasks(revoked) && stillOwns(owned, revoked)) {
    return {
      ...member,
      state: 'unrevoked',
      memberEpoch,
      previousMemberEpoch,
      assigned: kept,
      pendingRevocation: revoked,
    }
  }
  const added = { active: active.added, standby: standby.added, warmup: warmup.added }
  return {
    ...member,
    state: active.isWaiting || standby.isWaiting || warmup.isWaiting ? 'unreleased' : 'stable',
    memberEpoch: targetEpoch,
    previousMemberEpoch,
    assigned: heldTasksTogether(kept, added),
    pendingRevocation: HOLDS_NO_TASKS,
  }
}

interface Split<Set> {
  readonly kept: Set
  readonly revoked: Set
  /** Of the target, free to be given. */
  readonly added: Set
  /** Some of the target is not free. */
  readonly isWaiting: boolean
}

type IsTaken = (subtopologyId: string, partition: number) => boolean

function splitHeld(held: HeldTaskSet, target: PartitionSet, targetEpoch: number, isTaken: IsTaken): Split<HeldTaskSet> {
  const kept = new Map<string, ReadonlyMap<number, number>>()
  const revoked = new Map<string, ReadonlyMap<number, number>>()
  const added = new Map<string, ReadonlyMap<number, number>>()
  let isWaiting = false
  for (const subtopologyId of new Set([...target.keys(), ...held.keys()])) {
    const wanted = partitionsOf(target, subtopologyId)
    const own = heldOf(held, subtopologyId)
    const toAdd = new Map<number, number>()
    for (const partition of wanted) {
      if (own.has(partition)) continue
      if (isTaken(subtopologyId, partition)) isWaiting = true
      else toAdd.set(partition, targetEpoch)
    }
    putFilled(kept, subtopologyId, new Map([...own].filter(([partition]) => wanted.has(partition))))
    putFilled(revoked, subtopologyId, new Map([...own].filter(([partition]) => !wanted.has(partition))))
    putFilled(added, subtopologyId, toAdd)
  }
  return { kept, revoked, added, isWaiting }
}

function splitSet(held: PartitionSet, target: PartitionSet, isTaken: IsTaken): Split<PartitionSet> {
  const kept = new Map<string, ReadonlySet<number>>()
  const revoked = new Map<string, ReadonlySet<number>>()
  const added = new Map<string, ReadonlySet<number>>()
  let isWaiting = false
  for (const subtopologyId of new Set([...target.keys(), ...held.keys()])) {
    const wanted = partitionsOf(target, subtopologyId)
    const own = partitionsOf(held, subtopologyId)
    const missing = [...wanted].filter((partition) => !own.has(partition))
    const free = missing.filter((partition) => !isTaken(subtopologyId, partition))
    if (free.length < missing.length) isWaiting = true
    putFilled(kept, subtopologyId, new Set([...own].filter((partition) => wanted.has(partition))))
    putFilled(revoked, subtopologyId, new Set([...own].filter((partition) => !wanted.has(partition))))
    putFilled(added, subtopologyId, new Set(free))
  }
  return { kept, revoked, added, isWaiting }
}

function putFilled<Value extends { readonly size: number }>(
  map: Map<string, Value>,
  subtopologyId: string,
  value: Value,
): void {
  if (value.size > 0) map.set(subtopologyId, value)
}
