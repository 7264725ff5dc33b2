/**
 * Keeps the groups in memory in step with the durable state: after a load all of them, after a batch those whose records
 * appeared or vanished. Groups with members come back as they were, with full sessions: nobody is expired for our absence.
 */
import { ClassicGroup } from './classic/group.ts'
import { extendSession } from './classic/session.ts'
import type { ConsumerGroup } from './consumer/group.ts'
import type { ShareGroup } from './share/group.ts'
import type { DurableState, Group, GroupState } from './state.ts'
import type { StreamsGroup } from './streams/group.ts'
import { type Turn, timerNames } from './turn.ts'

export function restoreGroups(durable: DurableState, turn: Turn): GroupState {
  const state: GroupState = { durable, groups: new Map() }
  for (const group of durable.consumerGroups.values()) restoreConsumerGroup(state, turn, group)
  for (const group of durable.shareGroups.values()) restoreShareGroup(state, turn, group)
  for (const group of durable.streamsGroups.values()) restoreStreamsGroup(state, turn, group)
  for (const groupId of durable.metadata.keys()) restoreClassicGroup(state, turn, groupId)
  for (const groupId of durable.offsets.keys()) restoreClassicGroup(state, turn, groupId)
  for (const groupId of durable.pending.groups()) restoreClassicGroup(state, turn, groupId)
  return state
}

/**
 * To be called for every group of a batch when all of it is replayed: in the middle of a batch that changes the protocol of
 * a group, there is none.
 */
export function followGroup(state: GroupState, turn: Turn, groupId: string): void {
  const { metadata, consumerGroups, shareGroups, streamsGroups, offsets, pending } = state.durable
  const group = state.groups.get(groupId)
  const durableGroup = consumerGroups.get(groupId) ?? shareGroups.get(groupId) ?? streamsGroups.get(groupId)
  if (durableGroup !== undefined) {
    if (group === durableGroup) return
    abandon(turn, group)
    state.groups.set(groupId, durableGroup)
    return
  }
  const exists = metadata.has(groupId) || offsets.has(groupId) || pending.hasGroup(groupId)
  if (exists && group?.type === 'classic') return
  abandon(turn, group)
  state.groups.delete(groupId)
  if (exists) restoreClassicGroup(state, turn, groupId)
}

/** Nobody will come with the ids that a classic group has handed out. */
function abandon(turn: Turn, group: Group | undefined): void {
  if (group?.type !== 'classic') return
  for (const memberId of group.pendingJoins) turn.cancel(timerNames.pendingJoin(group.groupId, memberId))
}

function restoreClassicGroup(state: GroupState, turn: Turn, groupId: string): void {
  if (state.groups.has(groupId)) return
  const metadata = state.durable.metadata.get(groupId)
  // Old brokers wrote commits of groups without members and nothing else.
  const group = metadata === undefined ? new ClassicGroup(groupId, -1) : ClassicGroup.restore(groupId, metadata)
  state.groups.set(groupId, group)
  for (const member of group.members) extendSession(turn, group, member, member.sessionTimeoutMs)
}

function restoreConsumerGroup(state: GroupState, turn: Turn, group: ConsumerGroup): void {
  const { groupId } = group
  state.groups.set(groupId, group)
  const { sessionTimeoutMs } = turn.consumerSettings(groupId)
  for (const { memberId, memberEpoch, state: memberState, rebalanceTimeoutMs } of group.members.values()) {
    turn.schedule({ kind: 'consumer-member', what: 'session', groupId, memberId }, sessionTimeoutMs)
    if (memberState !== 'unrevoked') continue
    turn.schedule({ kind: 'consumer-rebalance', groupId, memberId, memberEpoch }, rebalanceTimeoutMs)
  }
}

function restoreShareGroup(state: GroupState, turn: Turn, group: ShareGroup): void {
  const { groupId } = group
  state.groups.set(groupId, group)
  const { sessionTimeoutMs } = turn.shareSettings(groupId)
  for (const memberId of group.members.keys())
    turn.schedule({ kind: 'share-member', groupId, memberId }, sessionTimeoutMs)
}

function restoreStreamsGroup(state: GroupState, turn: Turn, group: StreamsGroup): void {
  const { groupId } = group
  state.groups.set(groupId, group)
  const { sessionTimeoutMs } = turn.streamsSettings(groupId)
  for (const { memberId, memberEpoch, state: memberState, rebalanceTimeoutMs } of group.members.values()) {
    turn.schedule({ kind: 'streams-session', groupId, memberId }, sessionTimeoutMs)
    if (memberState !== 'unrevoked') continue
    turn.schedule({ kind: 'streams-rebalance', groupId, memberId, memberEpoch }, rebalanceTimeoutMs)
  }
}
