/**
 * Sets of tasks as streams groups know them (KIP-1071). A task is a partition number of a subtopology: it reads the partitions of that
 * number of all its source topics. The sets have the shape of the consumers' sets of partitions, with ids of subtopologies in the
 * place of ids of topics, and share their functions.
 */
import {
  ascending,
  type HeldPartitions,
  heldTogether,
  type PartitionSet,
  sameHeld,
  samePartitions,
} from '../consumer/assignment.ts'

/** Subtopology id -> partitions. No empty sets. */
export type TaskSet = PartitionSet
/** Subtopology id -> partition -> member epoch in which it was assigned. No empty inner maps. */
export type HeldTaskSet = HeldPartitions

/** What a member shall have, or says that it has. */
export interface Tasks {
  readonly active: TaskSet
  readonly standby: TaskSet
  /** Copies that are to become active once they have caught up. No assignor makes them yet, here as in Kafka 4.3. */
  readonly warmup: TaskSet
}

/** What a member has: commits are checked against the epochs of active tasks, the others commit nothing. */
export interface HeldTasks {
  readonly active: HeldTaskSet
  readonly standby: TaskSet
  readonly warmup: TaskSet
}

export const NO_TASKS: Tasks = { active: new Map(), standby: new Map(), warmup: new Map() }
export const HOLDS_NO_TASKS: HeldTasks = { active: new Map(), standby: new Map(), warmup: new Map() }

/** As a request or a response lists them. */
export interface TaskIds {
  readonly subtopologyId: string
  readonly partitions: readonly number[]
}

export function isEmptyOfTasks({ active, standby, warmup }: Tasks | HeldTasks): boolean {
  return active.size === 0 && standby.size === 0 && warmup.size === 0
}

export function sameTasks(one: Tasks, other: Tasks): boolean {
  return (
    samePartitions(one.active, other.active) &&
    samePartitions(one.standby, other.standby) &&
    samePartitions(one.warmup, other.warmup)
  )
}

export function sameHeldTasks(one: HeldTasks, other: HeldTasks): boolean {
  return (
    sameHeld(one.active, other.active) &&
    samePartitions(one.standby, other.standby) &&
    samePartitions(one.warmup, other.warmup)
  )
}

/** Of a set, or of one with epochs. */
type AnyTaskSet = ReadonlyMap<string, ReadonlySet<number> | ReadonlyMap<number, unknown>>

function allIn(tasks: TaskSet, of: AnyTaskSet): boolean {
  for (const [subtopologyId, partitions] of tasks) {
    const known = of.get(subtopologyId)
    if (known === undefined) return false
    for (const partition of partitions) if (!known.has(partition)) return false
  }
  return true
}

function anyIn(tasks: TaskSet, of: AnyTaskSet): boolean {
  for (const [subtopologyId, partitions] of tasks) {
    const known = of.get(subtopologyId)
    if (known === undefined) continue
    for (const partition of partitions) if (known.has(partition)) return true
  }
  return false
}

/** Whether everything that is owned is held. */
export function holdsAllTasks(held: HeldTasks, owned: Tasks): boolean {
  return allIn(owned.active, held.active) && allIn(owned.standby, held.standby) && allIn(owned.warmup, held.warmup)
}

/** Whether something that is owned is among those held. */
export function holdsAnyTask(held: HeldTasks, owned: Tasks): boolean {
  return anyIn(owned.active, held.active) || anyIn(owned.standby, held.standby) || anyIn(owned.warmup, held.warmup)
}

function taskSetsTogether(one: TaskSet, other: TaskSet): TaskSet {
  if (other.size === 0) return one
  const union = new Map(one)
  for (const [subtopologyId, partitions] of other) {
    const own = union.get(subtopologyId)
    union.set(subtopologyId, own === undefined ? partitions : new Set([...own, ...partitions]))
  }
  return union
}

/** Of two that share no task. */
export function heldTasksTogether(one: HeldTasks, other: HeldTasks): HeldTasks {
  return {
    active: heldTogether(one.active, other.active),
    standby: taskSetsTogether(one.standby, other.standby),
    warmup: taskSetsTogether(one.warmup, other.warmup),
  }
}

/** In the order of the subtopologies' ids, partitions ascending. */
export function listedTasks(set: AnyTaskSet): TaskIds[] {
  return [...set]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([subtopologyId, partitions]) => ({ subtopologyId, partitions: ascending(partitions.keys()) }))
}

/** A subtopology that is listed twice keeps its last partitions. */
export function taskSetOfList(listed: readonly TaskIds[]): TaskSet {
  return new Map(listed.map(({ subtopologyId, partitions }) => [subtopologyId, new Set(partitions)]))
}
