/** LeaveGroup: members go, by their own id or, for static ones, by their instance id. The others rebalance once for all of them. */
import { ErrorCode } from '../../../protocol/errors.ts'
import { leaveConsumerGroupAsClassic } from '../consumer/classic-member.ts'
import type { GroupState } from '../state.ts'
import { type Turn, timerNames, type Waiter } from '../turn.ts'
import type { ClassicGroup } from './group.ts'
import { dropMember, rebalanceAfterRemoval } from './rebalance.ts'

export interface MemberIdentity {
  /** '' with an instance id: whoever holds that instance. */
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface LeaveInput {
  readonly groupId: string
  readonly members: readonly MemberIdentity[]
}

/** One code per named member, in the order of the request. */
export function leaveGroup(
  state: GroupState,
  turn: Turn,
  input: LeaveInput,
  waiter: Waiter<readonly ErrorCode[]>,
): void {
  const group = state.groups.get(input.groupId)
  if (group?.type === 'consumer') {
    turn.answer(waiter, leaveConsumerGroupAsClassic(state, turn, group, input))
    return
  }
  if (group?.type !== 'classic') {
    turn.answer(
      waiter,
      input.members.map(() => ErrorCode.UNKNOWN_MEMBER_ID),
    )
    return
  }
  const errorCodes = input.members.map((identity) => leave(group, turn, identity))
  if (errorCodes.includes(ErrorCode.NONE)) rebalanceAfterRemoval(group, turn)
  turn.answer(waiter, errorCodes)
}

function leave(group: ClassicGroup, turn: Turn, { memberId, groupInstanceId }: MemberIdentity): ErrorCode {
  if (group.pendingJoins.has(memberId)) {
    group.pendingJoins.delete(memberId)
    turn.cancel(timerNames.pendingJoin(group.groupId, memberId))
    return ErrorCode.NONE
  }
  let leavingId = memberId
  if (memberId === '') leavingId = groupInstanceId === null ? '' : (group.holderOf(groupInstanceId) ?? '')
  const errorCode = group.checkMember(leavingId, groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  const member = group.member(leavingId)
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  dropMember(group, turn, member, ErrorCode.UNKNOWN_MEMBER_ID)
  return ErrorCode.NONE
}
