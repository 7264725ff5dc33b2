/**
 * SyncGroup: the leader hands in the assignment, everybody gets their own part. The assignment is stored with the group's
 * metadata before anybody learns of it.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { BATCH_HEADER_ALLOWANCE_BYTES } from '../../config.ts'
import { syncConsumerGroup } from '../consumer/classic-member.ts'
import { groupMetadataBytes } from '../records.ts'
import type { GroupState } from '../state.ts'
import { type Turn, timerNames, type Waiter } from '../turn.ts'
import { type ClassicGroup, type ClassicMember, EMPTY_BYTES, type SyncResult, syncFailure } from './group.ts'
import { prepareRebalance, refuseSyncs } from './rebalance.ts'
import { extendSession } from './session.ts'

export interface SyncInput {
  readonly groupId: string
  readonly generation: number
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** null: the client's version does not say. */
  readonly protocolType: string | null
  readonly protocol: string | null
  /** From the leader; the bytes belong to the group from here on. */
  readonly assignments: ReadonlyMap<string, Buffer>
}

export function syncGroup(state: GroupState, turn: Turn, input: SyncInput, waiter: Waiter<SyncResult>): void {
  const existing = state.groups.get(input.groupId)
  if (existing?.type === 'consumer') {
    syncConsumerGroup(turn, existing, input, waiter)
    return
  }
  const group = existing?.type === 'classic' ? existing : undefined
  const member = group?.member(input.memberId)
  const errorCode = group === undefined ? ErrorCode.UNKNOWN_MEMBER_ID : checkSync(group, input)
  if (group === undefined || member === undefined || errorCode !== ErrorCode.NONE) {
    turn.answer(waiter, syncFailure(errorCode === ErrorCode.NONE ? ErrorCode.UNKNOWN_MEMBER_ID : errorCode))
    return
  }
  switch (group.state) {
    case 'Empty':
      turn.answer(waiter, syncFailure(ErrorCode.UNKNOWN_MEMBER_ID))
      return
    case 'PreparingRebalance':
      turn.answer(waiter, syncFailure(ErrorCode.REBALANCE_IN_PROGRESS))
      return
    case 'CompletingRebalance': {
      const superseded = group.takeSync(member)
      if (superseded !== null) turn.answer(superseded, syncFailure(ErrorCode.REBALANCE_IN_PROGRESS))
      member.parkedSync = waiter
      syncReceived(group, turn, member)
      if (group.isLeader(member.memberId)) storeAssignment(group, turn, input.assignments)
      return
    }
    case 'Stable':
      syncReceived(group, turn, member)
      extendSession(turn, group, member, member.sessionTimeoutMs)
      turn.answer(waiter, assignmentOf(group, member))
      return
  }
}

function checkSync(group: ClassicGroup, input: SyncInput): ErrorCode {
  const errorCode = group.checkMember(input.memberId, input.groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  if (input.generation !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  if (input.protocolType !== null && input.protocolType !== group.protocolType) {
    return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  }
  if (input.protocol !== null && input.protocol !== group.protocol) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  return ErrorCode.NONE
}

function syncReceived(group: ClassicGroup, turn: Turn, member: ClassicMember): void {
  group.pendingSyncs.delete(member.memberId)
  if (group.pendingSyncs.size === 0) turn.cancel(timerNames.sync(group.groupId))
}

function storeAssignment(group: ClassicGroup, turn: Turn, assignments: ReadonlyMap<string, Buffer>): void {
  for (const member of group.members) member.assignment = assignments.get(member.memberId) ?? EMPTY_BYTES
  const metadata = group.metadata(turn.nowMs)
  if (groupMetadataBytes(metadata) + BATCH_HEADER_ALLOWANCE_BYTES > turn.batchBytesMax) {
    // It cannot be stored, now or ever: the members are told, and gather again.
    refuseSyncs(group, turn, ErrorCode.UNKNOWN_SERVER_ERROR)
    prepareRebalance(group, turn)
    return
  }
  group.enter('Stable', turn.nowMs)
  turn.write({ type: 'group-metadata', group: group.groupId, value: metadata })
  for (const member of group.members) {
    const waiter = group.takeSync(member)
    if (waiter === null) continue
    turn.answer(waiter, assignmentOf(group, member))
    extendSession(turn, group, member, member.sessionTimeoutMs)
  }
}

function assignmentOf(group: ClassicGroup, member: ClassicMember): SyncResult {
  return {
    errorCode: ErrorCode.NONE,
    protocolType: group.protocolType,
    protocol: group.protocol,
    assignment: member.assignment,
  }
}
