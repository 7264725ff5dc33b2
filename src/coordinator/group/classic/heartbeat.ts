/** Heartbeat: keeps a member's session alive and tells it that a rebalance runs. */
import { ErrorCode } from '../../../protocol/errors.ts'
import { heartbeatConsumerGroup } from '../consumer/classic-member.ts'
import type { GroupState } from '../state.ts'
import type { Turn, Waiter } from '../turn.ts'
import { extendSession } from './session.ts'

export interface HeartbeatInput {
  readonly groupId: string
  readonly generation: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export function heartbeat(state: GroupState, turn: Turn, input: HeartbeatInput, waiter: Waiter<ErrorCode>): void {
  turn.answer(waiter, decide(state, turn, input))
}

function decide(state: GroupState, turn: Turn, input: HeartbeatInput): ErrorCode {
  const group = state.groups.get(input.groupId)
  if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  if (group.type === 'consumer') return heartbeatConsumerGroup(turn, group, input)
  if (group.type !== 'classic') return ErrorCode.UNKNOWN_MEMBER_ID
  const errorCode = group.checkMember(input.memberId, input.groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  const member = group.member(input.memberId)
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  if (input.generation !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  switch (group.state) {
    case 'Empty':
      return ErrorCode.UNKNOWN_MEMBER_ID
    case 'PreparingRebalance':
      extendSession(turn, group, member, member.sessionTimeoutMs)
      return ErrorCode.REBALANCE_IN_PROGRESS
    case 'CompletingRebalance':
    case 'Stable':
      extendSession(turn, group, member, member.sessionTimeoutMs)
      return ErrorCode.NONE
  }
}
