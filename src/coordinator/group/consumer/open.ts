/**
 * The consumer group that a request means: the one there is, a new one, or one that a classic group becomes (KIP-848,
 * group.consumer.migration.policy). A classic group without members is simply replaced; one with members only if they all speak the
 * consumers' own embedded protocol, since the broker must know what they subscribe to.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import type { ClassicGroup, ClassicMember } from '../classic/group.ts'
import { refuseParkedCalls } from '../classic/rebalance.ts'
import { endSession } from '../classic/session.ts'
import {
  CONSUMER_PROTOCOL_TYPE,
  type NamedPartitions,
  parseAssignment,
  parseSubscription,
} from '../consumer-protocol.ts'
import type { GroupRecord } from '../records.ts'
import type { GroupState } from '../state.ts'
import { timerNames } from '../turn.ts'
import { heldSince, NO_PARTITIONS, type PartitionSet, setOfList } from './assignment.ts'
import { type Draft, Refusal } from './draft.ts'
import { ConsumerGroup } from './group.ts'
import { type ConsumerMember, newMember, sortedNames } from './member.ts'
import { hashOfTopics } from './subscription.ts'

export function openConsumerGroup(
  state: GroupState,
  draft: Draft,
  groupId: string,
  mayCreate: boolean,
): ConsumerGroup | Refusal {
  const group = state.groups.get(groupId)
  if (group === undefined) {
    if (mayCreate) return new ConsumerGroup(groupId)
    return new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Consumer group ${groupId} not found.`)
  }
  if (group.type === 'consumer') return group
  if (!mayCreate || group.type !== 'classic') {
    return new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a consumer group.`)
  }
  if (group.state !== 'Empty') return upgrade(draft, group)
  draft.write({ type: 'group-metadata', group: groupId, value: null })
  draft.effect(() => dissolve(draft, group))
  return new ConsumerGroup(groupId)
}

function cannotUpgrade(groupId: string, reason: string): Refusal {
  const message = `Cannot upgrade classic group ${groupId} to consumer group because ${reason}.`
  return new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, message)
}

/** A consumer group with the classic group's members, in their generation and with what they have. Its records are written first. */
function upgrade(draft: Draft, classic: ClassicGroup): ConsumerGroup | Refusal {
  const { groupId } = classic
  const { migration, membersMax } = draft.turn.config.consumer
  if (migration !== 'upgrade' && migration !== 'bidirectional') {
    return cannotUpgrade(groupId, 'online upgrade is disabled')
  }
  if (classic.protocolType !== CONSUMER_PROTOCOL_TYPE) {
    return cannotUpgrade(groupId, 'the group does not use the consumer embedded protocol')
  }
  if (classic.size > membersMax) {
    return cannotUpgrade(groupId, 'the group size exceeds the consumer group maximum size')
  }
  // Not known to the state: it only serves to decide. The records make the one that is.
  const group = new ConsumerGroup(groupId)
  for (const classicMember of classic.members) {
    const member = consumerMember(draft, classic, classicMember)
    if (typeof member === 'string') return cannotUpgrade(groupId, member)
    group.putMember(member.member)
    group.putTarget(classicMember.memberId, member.assigned)
  }
  group.putEpoch(classic.generation, hashOfTopics(group.topicCounts, draft.turn.topics))
  group.putAssignmentEpoch(classic.generation, 0)
  draft.write({ type: 'group-metadata', group: groupId, value: null }, ...groupRecords(group))
  draft.effect((turn) => {
    dissolve(draft, classic)
    for (const { memberId, sessionTimeoutMs } of classic.members) {
      turn.schedule({ kind: 'consumer-member', what: 'session', groupId, memberId }, sessionTimeoutMs)
    }
  })
  return group
}

/** The classic group is none any more: its timers end, and whoever waits joins again. */
function dissolve({ turn }: Draft, classic: ClassicGroup): void {
  const { groupId } = classic
  turn.cancel(timerNames.join(groupId))
  turn.cancel(timerNames.sync(groupId))
  for (const memberId of classic.pendingJoins) turn.cancel(timerNames.pendingJoin(groupId, memberId))
  for (const member of classic.members) {
    refuseParkedCalls(classic, turn, member, ErrorCode.REBALANCE_IN_PROGRESS)
    endSession(turn, classic, member)
  }
}

/** A text is why it cannot be. */
function consumerMember(
  draft: Draft,
  classic: ClassicGroup,
  classicMember: ClassicMember,
): { readonly member: ConsumerMember; readonly assigned: PartitionSet } | string {
  const malformed = 'the embedded consumer protocol is malformed'
  const subscription = parseSubscription(classic.subscription(classicMember))
  if (subscription === null) return malformed
  let assigned = NO_PARTITIONS
  if (classicMember.assignment.length > 0) {
    const parsed = parseAssignment(classicMember.assignment)
    if (parsed === null) return malformed
    if (parsed.userData !== null && parsed.userData.length > 0) {
      return 'an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade'
    }
    assigned = partitionsById(draft, parsed.assigned)
  }
  const { memberId, groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols } =
    classicMember
  const member: ConsumerMember = {
    ...newMember(memberId),
    instanceId: groupInstanceId,
    rackId: subscription.rackId === '' ? null : subscription.rackId,
    clientId,
    clientHost,
    topicNames: sortedNames(subscription.topics),
    rebalanceTimeoutMs,
    classic: { sessionTimeoutMs, protocols },
    memberEpoch: classic.generation,
    previousMemberEpoch: classic.generation,
    assigned: heldSince(classic.generation, assigned),
  }
  return { member, assigned }
}

/** Topics that do not exist any more are left out. */
export function partitionsById(draft: Draft, named: readonly NamedPartitions[]): PartitionSet {
  return setOfList(
    named.flatMap(({ topic, partitions }) => {
      const topicId = draft.turn.topics.topicId(topic)
      return topicId === undefined ? [] : [{ topicId, partitions }]
    }),
  )
}

/** Everything that makes the group anew. */
function groupRecords(group: ConsumerGroup): GroupRecord[] {
  const { groupId, epoch, metadataHash, assignmentEpoch, assignedAtMs } = group
  const members = [...group.members.values()]
  return [
    ...members.map((value): GroupRecord => {
      return { type: 'consumer-member', group: groupId, memberId: value.memberId, value }
    }),
    { type: 'consumer-group', group: groupId, value: { epoch, metadataHash } },
    ...members.map(({ memberId }): GroupRecord => {
      return { type: 'consumer-target', group: groupId, memberId, value: group.target(memberId) }
    }),
    { type: 'consumer-target-epoch', group: groupId, value: { assignmentEpoch, assignedAtMs } },
    ...members.map((value): GroupRecord => {
      return { type: 'consumer-progress', group: groupId, memberId: value.memberId, value }
    }),
  ]
}
