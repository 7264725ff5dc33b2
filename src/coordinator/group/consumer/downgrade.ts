/**
 * A consumer group in which only classic members are left becomes a classic group while they run (KIP-848, group.consumer.migration.policy).
 * They keep their ids, and what they have as their last assignment; what changes for them is who assigns.
 */
import type { GroupCoordinatorConfig } from '../../config.ts'
import { ClassicGroup, newMember } from '../classic/group.ts'
import { prepareRebalance } from '../classic/rebalance.ts'
import { extendSession } from '../classic/session.ts'
import { CONSUMER_PROTOCOL_TYPE, encodeAssignment, parseSubscription } from '../consumer-protocol.ts'
import type { GroupState } from '../state.ts'
import type { PartitionSet } from './assignment.ts'
import type { Draft } from './draft.ts'
import type { ConsumerGroup } from './group.ts'
import type { ConsumerMember } from './member.ts'
import { groupTombstones } from './removal.ts'
import { cancelMemberTimers } from './subscription.ts'

export interface Downgrade {
  readonly leaving: readonly ConsumerMember[]
  /** A classic member that takes the place of the last other one with its instance id. */
  readonly joining: ConsumerMember | null
  readonly rebalance: boolean
}

function allows(config: GroupCoordinatorConfig, membersLeft: number): boolean {
  const { migration } = config.consumer
  return (migration === 'downgrade' || migration === 'bidirectional') && membersLeft <= config.membersMax
}

/** Whether the group becomes a classic one when these members go. */
export function canDowngradeWithout(
  config: GroupCoordinatorConfig,
  group: ConsumerGroup,
  leaving: readonly ConsumerMember[],
): boolean {
  const left = group.size - leaving.length
  const classicLeft = group.classicMemberCount - leaving.filter(({ classic }) => classic !== null).length
  return left > 0 && classicLeft === left && allows(config, left)
}

/** Whether it becomes one when a classic member takes the place of this one. */
export function canDowngradeReplacing(
  config: GroupCoordinatorConfig,
  group: ConsumerGroup,
  replaced: ConsumerMember,
): boolean {
  return replaced.classic === null && group.classicMemberCount === group.size - 1 && allows(config, group.size)
}

/** Writes the classic group in the place of the consumer group. Afterwards the state knows it. */
export function downgrade(state: GroupState, draft: Draft, group: ConsumerGroup, change: Downgrade): void {
  const { groupId } = group
  const { joining } = change
  const replaced = joining === null ? undefined : group.staticMember(joining.instanceId ?? '')
  const ids = [...group.members.keys()].map((id) => (id === replaced?.memberId ? joining!.memberId : id))
  draft.write(...groupTombstones(group, ids))
  const gone = new Set([...change.leaving.map(({ memberId }) => memberId), ...(replaced ? [replaced.memberId] : [])])
  const staying = [...group.members.values()].filter(({ memberId }) => !gone.has(memberId))
  if (joining !== null) staying.push(joining)
  const classic = ClassicGroup.stable(groupId, {
    generation: group.epoch,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    members: staying.map(classicMember),
    nowMs: draft.turn.nowMs,
  })
  for (const member of staying) {
    const target = group.targetFor(member)
    const joined = classic.member(member.memberId)!
    joined.assignment = assignmentBytes(draft, target, classic.subscription(joined))
  }
  draft.write({ type: 'group-metadata', group: groupId, value: classic.metadata(draft.turn.nowMs) })
  for (const memberId of group.members.keys()) cancelMemberTimers(draft, groupId, memberId)
  draft.effect((turn) => {
    // The classic group is what answers from now on; the records follow.
    state.groups.set(groupId, classic)
    for (const member of classic.members) extendSession(turn, classic, member, member.sessionTimeoutMs)
    if (change.rebalance) prepareRebalance(classic, turn)
  })
}

function classicMember(member: ConsumerMember) {
  const { memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs } = member
  const { sessionTimeoutMs, protocols } = member.classic!
  const identity = { memberId, groupInstanceId: instanceId, clientId, clientHost }
  return newMember({ ...identity, rebalanceTimeoutMs, sessionTimeoutMs, protocols })
}

/** What the member shall have, in the words of the classic protocol. */
export function assignmentBytes(draft: Draft, target: PartitionSet, subscription: Buffer): Buffer {
  const assigned: { topic: string; partitions: number[] }[] = []
  for (const [topicId, partitions] of target) {
    const topic = draft.turn.topics.topicName(topicId)
    if (topic !== undefined) assigned.push({ topic, partitions: [...partitions] })
  }
  return encodeAssignment(parseSubscription(subscription)?.version ?? 0, assigned)
}
