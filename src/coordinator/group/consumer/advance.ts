/**
 * What every sign of life of a member leads to, in whichever protocol it comes: the group learns of what changed, its target is made anew
 * if that is due, and the member goes a step towards it.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { timerNames } from '../turn.ts'
import type { PartitionSet, TopicPartitionList } from './assignment.ts'
import { type Draft, Refusal } from './draft.ts'
import type { ConsumerGroup } from './group.ts'
import { type ConsumerMember, isReconciledTo, sameProgress } from './member.ts'
import { reconcile } from './reconcile.ts'
import {
  currentMetadata,
  type GroupMetadataUpdate,
  type MemberChange,
  subscribedTopicIds,
  updateMetadata,
  updateRegexes,
  writeSubscription,
} from './subscription.ts'
import { updateTarget } from './target.ts'

export interface MemberAdvance extends MemberChange {
  readonly owned: readonly TopicPartitionList[] | null
  mayDescribe(topicName: string): boolean
}

export interface Subscribed {
  readonly metadata: GroupMetadataUpdate
  readonly subscriptionChanged: boolean
}

/** The first half: what the member says of itself, and the group epoch that comes of it. */
export function subscribe(draft: Draft, group: ConsumerGroup, advance: MemberAdvance): Subscribed | Refusal {
  const namesChanged = writeSubscription(draft, group, advance)
  const regex = updateRegexes(draft, group, advance, advance.mayDescribe)
  if (regex instanceof Refusal) return regex
  const subscriptionChanged = namesChanged || regex !== 'none'
  // An expression that is not resolved yet asks for nothing until it is. A classic member has none to wait for.
  const bump = namesChanged || regex === 'resolved' || (subscriptionChanged && advance.after.classic !== null)
  const metadata =
    bump || group.isMetadataStale ? updateMetadata(draft, group, advance, bump) : currentMetadata(group, advance)
  return { metadata, subscriptionChanged }
}

/** The second half: the target, and the member's step towards it. */
export function settle(
  draft: Draft,
  group: ConsumerGroup,
  advance: MemberAdvance,
  { metadata, subscriptionChanged }: Subscribed,
): ConsumerMember | Refusal {
  const target = updateTarget(draft, group, advance, metadata)
  const goal = { epoch: target.epoch, partitions: target.partitions, subscriptionChanged }
  return stepTowards(draft, group, advance, goal)
}

interface Goal {
  readonly epoch: number
  readonly partitions: PartitionSet
  readonly subscriptionChanged: boolean
}

export function stepTowards(
  draft: Draft,
  group: ConsumerGroup,
  { after, owned }: MemberAdvance,
  { epoch, partitions, subscriptionChanged }: Goal,
): ConsumerMember | Refusal {
  if (!subscriptionChanged && isReconciledTo(after, epoch)) return after
  const member = reconcile({
    member: after,
    target: partitions,
    targetEpoch: epoch,
    subscriptionChanged,
    subscribed: subscribedTopicIds(after, group, draft.turn.topics),
    owned,
    isFree: (topicId, partition) => group.ownerOf(topicId, partition) === undefined,
  })
  if (member === 'fenced') {
    const message =
      'The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.'
    return new Refusal(ErrorCode.FENCED_MEMBER_EPOCH, message)
  }
  if (sameProgress(member, after)) return after
  const { memberId } = member
  draft.write({ type: 'consumer-progress', group: group.groupId, memberId, value: member })
  if (member.classic === null) watchRevocation(draft, group, member)
  return member
}

/** A member that does not give partitions up in time is fenced: others wait for them. */
function watchRevocation(draft: Draft, { groupId }: ConsumerGroup, member: ConsumerMember): void {
  const { memberId, memberEpoch, rebalanceTimeoutMs, state } = member
  draft.effect((turn) => {
    if (state !== 'unrevoked') turn.cancel(timerNames.consumer('rebalance', groupId, memberId))
    else turn.schedule({ kind: 'consumer-rebalance', groupId, memberId, memberEpoch }, rebalanceTimeoutMs)
  })
}
