/**
 * Keeps the groups in memory in step with the durable state: after a load all of them, after an operation those whose records
 * appeared or vanished. Groups with members come back Stable, with full sessions: nobody is expired for our absence.
 */
import { ClassicGroup } from './classic/group.ts'
import { extendSession } from './classic/session.ts'
import type { GroupRecord } from './records.ts'
import type { DurableState, GroupState } from './state.ts'
import { type Turn, timerNames } from './turn.ts'

export function restoreGroups(durable: DurableState, turn: Turn): GroupState {
  const state: GroupState = { durable, groups: new Map() }
  for (const groupId of durable.metadata.keys()) restoreGroup(state, turn, groupId)
  for (const groupId of durable.offsets.keys()) restoreGroup(state, turn, groupId)
  for (const groupId of durable.pending.groups()) restoreGroup(state, turn, groupId)
  return state
}

/** To be called for every record after its replay. */
export function followRecord(state: GroupState, turn: Turn, record: GroupRecord): void {
  followGroup(state, turn, record.group)
}

/** The same for a group that a marker concerned. */
export function followGroup(state: GroupState, turn: Turn, groupId: string): void {
  const { metadata, offsets, pending } = state.durable
  const exists = metadata.has(groupId) || offsets.has(groupId) || pending.hasGroup(groupId)
  const group = state.groups.get(groupId)
  if (exists && group === undefined) restoreGroup(state, turn, groupId)
  if (exists || group === undefined) return
  for (const memberId of group.pendingJoins) turn.cancel(timerNames.pendingJoin(groupId, memberId))
  state.groups.delete(groupId)
}

function restoreGroup(state: GroupState, turn: Turn, groupId: string): void {
  if (state.groups.has(groupId)) return
  const metadata = state.durable.metadata.get(groupId)
  // Old brokers wrote commits of groups without members and nothing else.
  const group = metadata === undefined ? new ClassicGroup(groupId, -1) : ClassicGroup.restore(groupId, metadata)
  state.groups.set(groupId, group)
  for (const member of group.members) extendSession(turn, group, member, member.sessionTimeoutMs)
}
