/**
 * The target assignment of a share group: made anew when the group epoch is ahead of it, but not more often than the group's assignment
 * interval allows. Only what differs from the last target is written.
 */
import { isWithin } from '../../../storage/clock.ts'
import { NO_PARTITIONS, type PartitionSet, samePartitions } from '../consumer/assignment.ts'
import { inJavaOrder, stringHash } from '../consumer/assignors/java-order.ts'
import type { Draft } from '../consumer/draft.ts'
import { assignSimply } from './assignor.ts'
import type { ShareGroup } from './group.ts'
import type { ShareMember } from './member.ts'

export interface ShareTarget {
  readonly epoch: number
  /** Of the member that changed. */
  readonly partitions: PartitionSet
}

export interface EpochUpdate {
  readonly epoch: number
  /** All members subscribe to the same topics. */
  readonly homogeneous: boolean
}

export function updateShareTarget(
  draft: Draft,
  group: ShareGroup,
  after: ShareMember,
  { epoch, homogeneous }: EpochUpdate,
): ShareTarget {
  const { turn } = draft
  const { groupId } = group
  const { assignmentIntervalMs } = turn.shareSettings(groupId)
  if (epoch <= group.assignmentEpoch || isWithin(assignmentIntervalMs, group.assignedAtMs, turn.nowMs)) {
    return { epoch: group.assignmentEpoch, partitions: group.target(after.memberId) }
  }
  const members = Array.from(new Map(group.members).set(after.memberId, after).values(), (member) => ({
    memberId: member.memberId,
    subscribed: topicIdsOf(draft, member),
    target: group.target(member.memberId),
  }))
  const assignment = assignSimply({
    members,
    homogeneous,
    assignable: (topicId) => [...(group.states.initialized.get(topicId)?.partitions ?? [])].sort((a, b) => a - b),
  })
  for (const { memberId, target: last } of members) {
    const target = assignment.get(memberId) ?? NO_PARTITIONS
    if (group.targets.has(memberId) && samePartitions(last, target)) continue
    draft.write({ type: 'share-target', group: groupId, memberId, value: target })
  }
  const value = { assignmentEpoch: epoch, assignedAtMs: turn.nowMs }
  draft.write({ type: 'share-target-epoch', group: groupId, value })
  return { epoch, partitions: assignment.get(after.memberId) ?? NO_PARTITIONS }
}

/** Ids of existing topics that the member subscribes to, in the order in which Kafka walks their names. */
export function topicIdsOf({ turn: { topics } }: Draft, { topicNames }: Pick<ShareMember, 'topicNames'>): Set<string> {
  const ids = new Set<string>()
  for (const name of inJavaOrder(topicNames, stringHash)) {
    const id = topics.topicId(name)
    if (id !== undefined) ids.add(id)
  }
  return ids
}
