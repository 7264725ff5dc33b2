/**
 * The target assignment: made anew when the group epoch is ahead of it, but not more often than the group's assignment interval
 * allows. Only what differs from the last target is written.
 */
import { isWithin } from '../../../storage/clock.ts'
import { NO_PARTITIONS, type PartitionSet, samePartitions } from './assignment.ts'
import { ASSIGNORS, type AssignedMember } from './assignors/assignor.ts'
import { inJavaOrder, stringHash } from './assignors/java-order.ts'
import type { Draft } from './draft.ts'
import { addTo, type ConsumerGroup } from './group.ts'
import type { ConsumerMember } from './member.ts'
import { type GroupMetadataUpdate, type MemberChange, subscribedTopicIds } from './subscription.ts'

export interface Target {
  readonly epoch: number
  /** Of the member that changed. */
  readonly partitions: PartitionSet
}

export function updateTarget(
  draft: Draft,
  group: ConsumerGroup,
  change: MemberChange,
  { epoch, homogeneous }: GroupMetadataUpdate,
): Target {
  const { turn } = draft
  const { groupId } = group
  const { after } = change
  const { assignmentIntervalMs } = turn.consumerSettings(groupId)
  if (epoch <= group.assignmentEpoch || isWithin(assignmentIntervalMs, group.assignedAtMs, turn.nowMs)) {
    return { epoch: group.assignmentEpoch, partitions: group.targetFor(after) }
  }
  const members = assignedMembers(draft, group, after)
  const partitionCounts = new Map<string, number>()
  const partitionCount = (topicId: string): number => {
    const known = partitionCounts.get(topicId)
    if (known !== undefined) return known
    const name = turn.topics.topicName(topicId)
    const count = name === undefined ? 0 : (turn.topics.partitionCount(name) ?? 0)
    partitionCounts.set(topicId, count)
    return count
  }
  const assign = ASSIGNORS.get(chosenAssignor(group, change) ?? turn.config.consumer.assignors[0]!)!
  const assignment = assign({ members, homogeneous, partitionCount })
  for (const { memberId } of members) {
    const target = assignment.get(memberId) ?? NO_PARTITIONS
    const last = group.targets.get(memberId)
    if (last !== undefined && samePartitions(last, target)) continue
    draft.write({ type: 'consumer-target', group: groupId, memberId, value: target })
  }
  const value = { assignmentEpoch: epoch, assignedAtMs: turn.nowMs }
  draft.write({ type: 'consumer-target-epoch', group: groupId, value })
  return { epoch, partitions: assignment.get(after.memberId) ?? NO_PARTITIONS }
}

/**
 * The name with the most votes; null: nobody voted. Of two with as many Kafka takes the one that its map walks first, which is a name that
 * only the changed member votes for, and otherwise the order of hashes.
 */
export function chosenAssignor(group: ConsumerGroup, change: MemberChange | null): string | null {
  const votes = new Map(group.assignorVotes)
  const before = change?.before.serverAssignor ?? null
  const after = change?.after.serverAssignor ?? null
  if (before !== null) addTo(votes, before, -1)
  const others = inJavaOrder(votes.keys(), stringHash)
  const names = after === null || votes.has(after) ? others : [after, ...others]
  if (after !== null) addTo(votes, after, 1)
  let chosen: string | null = null
  let most = 0
  for (const name of names) {
    const count = votes.get(name)!
    if (count <= most || !ASSIGNORS.has(name)) continue
    chosen = name
    most = count
  }
  return chosen
}

/** All members as they are with the change, in the order in which they joined. */
function assignedMembers(draft: Draft, group: ConsumerGroup, changed: ConsumerMember): AssignedMember[] {
  const { instanceId } = changed
  const replaced = instanceId === null ? undefined : group.staticMembers.get(instanceId)
  const members = new Map(group.members)
  if (replaced !== undefined && replaced !== changed.memberId) members.delete(replaced)
  members.set(changed.memberId, changed)
  const subscriptions = new Map<string, ReadonlySet<string>>()
  return Array.from(members.values(), (member) => {
    // Most members of a group subscribe to the same, which is looked up once.
    const key = `${member.topicRegex ?? ''}\0${member.topicNames.join('\0')}`
    let subscribed = subscriptions.get(key)
    if (subscribed === undefined) {
      subscribed = subscribedTopicIds(member, group, draft.turn.topics)
      subscriptions.set(key, subscribed)
    }
    const target = member === changed ? group.targetFor(member) : group.target(member.memberId)
    return { memberId: member.memberId, instanceId: member.instanceId, subscribed, target }
  })
}
