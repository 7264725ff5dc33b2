/**
 * `range`: each topic for itself, in consecutive runs over the members that subscribe to it. Members stand in the order of their
 * instance ids, those without one behind them in the order of their member ids; the first ones get a partition more where it does not
 * come out even. So topics with the same number of partitions and the same subscribers are split alike. Not sticky.
 */
import type { PartitionSet } from '../assignment.ts'
import type { AssignedMember, Assignment, AssignmentInput } from './assignor.ts'
import { compareStrings } from './java-order.ts'

/** How far a topic has been handed out. */
interface Progress {
  readonly partitions: number
  readonly quota: number
  /** Members that still get one more. */
  extra: number
  next: number
}

export function assignRanges(input: AssignmentInput): Assignment {
  const members = [...input.members].sort(compareMembers)
  const subscribers = new Map<string, number>()
  for (const { subscribed } of members) {
    for (const topicId of subscribed) subscribers.set(topicId, (subscribers.get(topicId) ?? 0) + 1)
  }
  const topics = new Map<string, Progress>()
  for (const [topicId, count] of subscribers) {
    const partitions = input.partitionCount(topicId)
    topics.set(topicId, { partitions, quota: Math.floor(partitions / count), extra: partitions % count, next: 0 })
  }
  return new Map(members.map((member) => [member.memberId, takeRuns(member, topics)]))
}

function takeRuns(member: AssignedMember, topics: ReadonlyMap<string, Progress>): PartitionSet {
  const taken = new Map<string, ReadonlySet<number>>()
  for (const topicId of member.subscribed) {
    const topic = topics.get(topicId)!
    let count = topic.quota
    if (topic.extra > 0) {
      topic.extra--
      count++
    }
    const end = Math.min(topic.next + count, topic.partitions)
    const run = new Set<number>()
    for (; topic.next < end; topic.next++) run.add(topic.next)
    if (run.size > 0) taken.set(topicId, run)
  }
  return taken
}

function compareMembers(one: AssignedMember, other: AssignedMember): number {
  if (one.instanceId !== null && other.instanceId !== null) return compareStrings(one.instanceId, other.instanceId)
  if (one.instanceId !== null) return -1
  if (other.instanceId !== null) return 1
  return compareStrings(one.memberId, other.memberId)
}
