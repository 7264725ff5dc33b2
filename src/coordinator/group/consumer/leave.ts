/**
 * Members that go: by their own will, because they were silent for too long, or because they did not give partitions up in time. If only
 * classic members are left the group becomes a classic one (see downgrade.ts).
 */
import type { GroupState } from '../state.ts'
import { HOLDS_NOTHING } from './assignment.ts'
import { canDowngradeWithout, downgrade } from './downgrade.ts'
import type { Draft } from './draft.ts'
import { addTo, type ConsumerGroup } from './group.ts'
import { type ConsumerMember, LEAVE_STATIC_EPOCH, regexOf } from './member.ts'
import { removalRecords } from './removal.ts'
import { cancelMemberTimers, hashOfTopics, topicCountsWithout } from './subscription.ts'

interface Leaving {
  readonly member: ConsumerMember
  /** A static member that will be back: it keeps its place until its session ends. */
  readonly temporarily: boolean
}

export function leaveConsumerGroup(
  state: GroupState,
  draft: Draft,
  group: ConsumerGroup,
  { member, temporarily }: Leaving,
): void {
  if (!temporarily) {
    fenceMembers(state, draft, group, [member])
    return
  }
  const value = { ...member, memberEpoch: LEAVE_STATIC_EPOCH, pendingRevocation: HOLDS_NOTHING }
  draft.write({ type: 'consumer-progress', group: group.groupId, memberId: member.memberId, value })
}

/** Takes the members out of the group; what they had is free from now on. */
export function fenceMembers(
  state: GroupState,
  draft: Draft,
  group: ConsumerGroup,
  members: readonly ConsumerMember[],
): void {
  if (members.length === 0) return
  const { groupId } = group
  if (canDowngradeWithout(draft.turn.config, group, members)) {
    downgrade(state, draft, group, { leaving: members, joining: null, rebalance: true })
    return
  }
  for (const { memberId } of members) draft.write(...removalRecords(groupId, memberId))
  const regexes = regexesOnlyOf(group, members)
  for (const regex of regexes) draft.write({ type: 'consumer-regex', group: groupId, regex, value: null })
  const metadataHash = hashOfTopics(topicCountsWithout(group, members, regexes), draft.turn.topics)
  draft.write({ type: 'consumer-group', group: groupId, value: { epoch: group.epoch + 1, metadataHash } })
  for (const { memberId } of members) cancelMemberTimers(draft, groupId, memberId)
}

/** Expressions that nobody else subscribes to. */
function regexesOnlyOf(group: ConsumerGroup, members: readonly ConsumerMember[]): string[] {
  const counts = new Map<string, number>()
  for (const member of members) {
    const regex = regexOf(member)
    if (regex !== null) addTo(counts, regex, 1)
  }
  return [...counts].filter(([regex, count]) => group.regexCounts.get(regex) === count).map(([regex]) => regex)
}
