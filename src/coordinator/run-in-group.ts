/** How the parts of the coordinator's surface reach a group: one operation in the shard of one group, or one for each of many. */
import { ErrorCode } from '../protocol/errors.ts'
import type { GroupState } from './group/state.ts'
import type { Turn, Waiter } from './group/turn.ts'
import { Gather, ReplyWaiter, refusalWithoutSize } from './replies.ts'
import type { GroupRequestContext } from './request-context.ts'

/** Runs an operation in the shard of the group, or refuses the waiter. */
export type RunInGroup = <Result>(
  groupId: string,
  waiter: Waiter<Result>,
  operation: (state: GroupState, turn: Turn) => void,
  options?: { readonly recordsOnly?: boolean },
) => void

/** How groups of one type are shown. */
export interface GroupDescriber<Answer> {
  readonly context: GroupRequestContext
  describe(state: GroupState, turn: Turn, groupId: string): Answer
  /** The group cannot be shown. */
  undescribed(groupId: string, errorCode: ErrorCode): Answer
}

/** One answer for each group, in the order of the ids, when the last is there. For the newer protocols. */
export function describeEach<Answer>(
  run: RunInGroup,
  groupIds: readonly string[],
  describer: GroupDescriber<Answer>,
  reply: (groups: Answer[]) => void,
): void {
  const gather = new Gather<Answer>(groupIds.length, reply)
  for (const [index, groupId] of groupIds.entries()) {
    const waiter = new ReplyWaiter<Answer, Answer>(
      (described) => described,
      (errorCode) => describer.undescribed(groupId, refusalWithoutSize(errorCode)),
      (described) => gather.put(index, described),
    )
    if (!describer.context.allowed('DESCRIBE', 'GROUP', groupId)) waiter.refuse(ErrorCode.GROUP_AUTHORIZATION_FAILED)
    else if (groupId === '') waiter.refuse(ErrorCode.INVALID_GROUP_ID)
    else run(groupId, waiter, (state, turn) => turn.answer(waiter, describer.describe(state, turn, groupId)))
  }
}
