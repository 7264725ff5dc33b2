/**
 * TxnOffsetCommit: like OffsetCommit, but the records are part of a producer's transaction and count when it commits. The
 * committer's membership is checked only if it names one, and a rebalance is no reason to refuse: the producer is fenced by its
 * epoch, not by the group.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import type { GroupState } from '../state.ts'
import type { Turn, Waiter } from '../turn.ts'
import { type CommitInput, type CommitResult, checkMemberCommit, writeCommits } from './commit.ts'

export type TxnCommitInput = Omit<CommitInput, 'apiVersion' | 'retentionTimeMs'>

export function commitInTransaction(
  state: GroupState,
  turn: Turn,
  input: TxnCommitInput,
  waiter: Waiter<CommitResult>,
): void {
  const errorCode = checkMembership(state, turn, input)
  if (errorCode !== ErrorCode.NONE) turn.answer(waiter, errorCode)
  else turn.answer(waiter, writeCommits(turn, { ...input, retentionTimeMs: -1 }))
}

function checkMembership(state: GroupState, turn: Turn, input: TxnCommitInput): ErrorCode {
  const { generation, memberId, groupInstanceId } = input
  const group = state.groups.get(input.groupId)
  if (group === undefined) return generation >= 0 ? ErrorCode.ILLEGAL_GENERATION : ErrorCode.NONE
  if (group.type === 'share') return ErrorCode.GROUP_ID_NOT_FOUND
  if (group.type !== 'classic') {
    const committer = { memberId, groupInstanceId, memberEpoch: generation, apiVersion: 0, isTransactional: true }
    return checkMemberCommit(group, committer, turn, input.partitions)
  }
  if (generation < 0 && group.state === 'Empty') return ErrorCode.NONE
  if (generation < 0 && memberId === '' && groupInstanceId === null) return ErrorCode.NONE
  const errorCode = group.checkMember(memberId, groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  return generation === group.generation ? ErrorCode.NONE : ErrorCode.ILLEGAL_GENERATION
}
