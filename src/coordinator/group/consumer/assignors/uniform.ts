/**
 * `uniform`, the default: members get as equal numbers of partitions as can be, and keep what they have as far as that
 * allows. This file is the case of members that all subscribe to the same topics; the other one is in uniform-mixed.ts.
 *
 * Two passes. First every member keeps what it has of the subscribed topics, up to its share; what is above goes back. Then the partitions
 * that nobody has fill up those below their share. Where the numbers do not come out even, the extra partitions go to
 * members that have one already, as long as enough others are left for the rest of them.
 */
import type { PartitionSet } from '../assignment.ts'
import type { Assignment, AssignmentInput } from './assignor.ts'
import { inJavaOrder, numberHash, stringHash, uuidHash } from './java-order.ts'
import { assignMixed } from './uniform-mixed.ts'

interface FreePartition {
  readonly topicId: string
  readonly partition: number
}

type MutableSet = Map<string, Set<number>>

interface Unfilled {
  readonly assigned: MutableSet
  missing: number
}

export function assignUniformly(input: AssignmentInput): Assignment {
  if (input.members.length === 0) return new Map()
  return input.homogeneous ? assignEqual(input) : assignMixed(input)
}

function assignEqual(input: AssignmentInput): Assignment {
  const members = inJavaOrder(input.members, ({ memberId }) => stringHash(memberId))
  const topics = inJavaOrder(members[0]!.subscribed, uuidHash)
  if (topics.length === 0) return new Map()
  const { free, total } = freePartitions(input, topics)
  const quota = Math.floor(total / members.length)
  let extras = total % members.length
  const subscribed = new Set(topics)
  const assigned = new Map<string, MutableSet>()
  const unfilled: Unfilled[] = []
  for (const [index, member] of members.entries()) {
    const kept = keepUpTo(member.target, { subscribed, quota, takesExtra: extras > 0 }, free)
    let { missing, takesExtra } = kept
    // A member that has to be filled up anyway can do without the extra one if the members behind it suffice for the rest.
    if (missing > 0 && takesExtra && members.length - index - 1 >= extras) {
      missing--
      takesExtra = false
    }
    if (takesExtra) extras--
    assigned.set(member.memberId, kept.assigned)
    if (missing > 0) unfilled.push({ assigned: kept.assigned, missing })
  }
  fill(unfilled, free)
  return assigned
}

/** What no member's target holds, topic by topic, and how many partitions there are in all. */
function freePartitions(
  input: AssignmentInput,
  topics: readonly string[],
): { readonly free: FreePartition[]; readonly total: number } {
  const free: FreePartition[] = []
  let total = 0
  for (const topicId of topics) {
    const taken = new Set<number>()
    for (const { target } of input.members) for (const partition of target.get(topicId) ?? []) taken.add(partition)
    const count = input.partitionCount(topicId)
    for (let partition = 0; partition < count; partition++) {
      if (!taken.has(partition)) free.push({ topicId, partition })
    }
    total += count
  }
  return { free, total }
}

interface Share {
  readonly subscribed: ReadonlySet<string>
  readonly quota: number
  /** One above the quota. */
  readonly takesExtra: boolean
}

/** Keeps of the target what fits into the share; the rest of the subscribed topics goes to `free`. */
function keepUpTo(target: PartitionSet, share: Share, free: FreePartition[]) {
  const assigned: MutableSet = new Map()
  let room = share.quota + (share.takesExtra ? 1 : 0)
  for (const topicId of inJavaOrder(target.keys(), uuidHash)) {
    if (!share.subscribed.has(topicId)) continue
    const kept = new Set<number>()
    for (const partition of inJavaOrder(target.get(topicId)!, numberHash)) {
      if (room > 0) {
        room--
        kept.add(partition)
      } else free.push({ topicId, partition })
    }
    if (kept.size > 0) assigned.set(topicId, kept)
  }
  return { assigned, missing: room, takesExtra: share.takesExtra }
}

function fill(unfilled: readonly Unfilled[], free: readonly FreePartition[]): void {
  let next = 0
  for (const { assigned, missing } of unfilled) {
    for (const { topicId, partition } of free.slice(next, next + missing)) {
      let partitions = assigned.get(topicId)
      if (partitions === undefined) {
        partitions = new Set()
        assigned.set(topicId, partitions)
      }
      partitions.add(partition)
    }
    next += missing
  }
  if (next < free.length) throw new Error(`${free.length - next} partitions were left over`)
}
