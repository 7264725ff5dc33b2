/**
 * How the leader of a classic group deals partitions out. An assignor is pure: members with their subscriptions and the
 * number of partitions of every topic come in, the partitions of each member come out.
 *
 * What must hold of every one: each partition of each subscribed topic that exists goes to at most one member that
 * subscribes to it, and to exactly one unless the assignor is cooperative and the partition still has another owner; the
 * same input gives the same answer, whichever member computes it.
 */

import { compareNames, type TopicPartition } from '../../topic-partition.ts'
import type { Subscription } from '../consumer-protocol.ts'

/** A member, as the leader of the group sees it. */
export interface GroupMember {
  /** The id by which the group knows it. */
  readonly memberId: string
  /** Of a static member; null for others. */
  readonly instanceId: string | null
  /** The topics that it wants, what it owns now, and its rack. */
  readonly subscription: Subscription
}

/** What an assignor decides by. */
export interface AssignorInput {
  /** All members that can use this assignor. */
  readonly members: readonly GroupMember[]
  /** Partitions of a topic; 0 where it does not exist. */
  readonly partitionCount: (topic: string) => number
}

/** By member id, with an entry for every member. */
export type Assignments = ReadonlyMap<string, readonly TopicPartition[]>

/** Deals partitions out to the members of a classic group. It must be pure: the same input, the same answer. */
export interface Assignor {
  /** As members vote for it: 'range', 'roundrobin', 'cooperative-sticky' are Java's. */
  readonly name: string
  /** Members of a cooperative group keep what they have while they join again; others give everything up first. */
  readonly cooperative: boolean
  /** What the assignor says of a member beside its subscription. */
  readonly userData?: (generation: number) => Uint8Array
  /** The partitions of each member. What it throws ends the rebalance with an error. */
  readonly assign: (input: AssignorInput) => Assignments
}

/** The order in which Java's assignors go through the members: those with an instance id first, by it. */
export function inMemberOrder(members: readonly GroupMember[]): GroupMember[] {
  return members.toSorted((one, other) => {
    if (one.instanceId !== null && other.instanceId !== null) return compareNames(one.instanceId, other.instanceId)
    if (one.instanceId !== null) return -1
    if (other.instanceId !== null) return 1
    return compareNames(one.memberId, other.memberId)
  })
}

/** Topics that some member subscribes to, sorted, with those members in order. */
export function subscribersByTopic(members: readonly GroupMember[]): [topic: string, subscribers: GroupMember[]][] {
  const topics = new Map<string, GroupMember[]>()
  for (const member of inMemberOrder(members)) {
    for (const topic of new Set(member.subscription.topics)) {
      const subscribers = topics.get(topic)
      if (subscribers === undefined) topics.set(topic, [member])
      else subscribers.push(member)
    }
  }
  return [...topics].sort(([one], [other]) => compareNames(one, other))
}

export function emptyAssignments(members: readonly GroupMember[]): Map<string, TopicPartition[]> {
  return new Map(members.map(({ memberId }) => [memberId, []]))
}
