/**
 * The requests about share groups: what can be said of one without its group, which operation it becomes, what has to be asked of the share
 * coordinator before or after, and how results are written. A part of `GroupCoordinator`, with the same rule: a reply comes
 * exactly once, when what it rests on is durable.
 */
import { ErrorCode } from '../protocol/errors.ts'
import type {
  ShareGroupHeartbeatRequest,
  ShareGroupHeartbeatResponse,
} from '../protocol/messages/76-share-group-heartbeat.ts'
import type { ShareGroupDescribeResponse } from '../protocol/messages/77-share-group-describe.ts'
import type { Input } from '../protocol/schema.ts'
import type { PartitionSet } from './group/consumer/assignment.ts'
import { type DescribedShareGroup, describeShareGroup } from './group/share/describe.ts'
import { type ShareHeartbeatResult, shareHeartbeat, shareHeartbeatFailure } from './group/share/heartbeat.ts'
import { LEAVE_EPOCH } from './group/share/member.ts'
import { beginGroupDeletion } from './group/share/offsets.ts'
import { ReplyWaiter, refusalWithoutSize } from './replies.ts'
import type { GroupRequestContext } from './request-context.ts'
import { describeEach, type GroupDescriber, type RunInGroup } from './run-in-group.ts'
import { NO_START_OFFSET } from './share-state/persister.ts'
import { firstFailure, type ShareStateKeeper } from './share-state-keeper.ts'

export type ShareHeartbeatAnswer = Input<typeof ShareGroupHeartbeatResponse>
export type ShareGroupAnswer = Input<typeof ShareGroupDescribeResponse>['groups'][number]

/** The one assignor there is. */
const ASSIGNOR = 'simple'

const RECORDS_ONLY = { recordsOnly: true }

export class ShareGroupRequests {
  readonly #states: ShareStateKeeper
  readonly #run: RunInGroup

  constructor(states: ShareStateKeeper, run: RunInGroup) {
    this.#states = states
    this.#run = run
  }

  heartbeat(
    context: GroupRequestContext,
    request: ShareGroupHeartbeatRequest,
    reply: (answer: ShareHeartbeatAnswer) => void,
  ): void {
    const { groupId, memberId, memberEpoch, rackId, subscribedTopicNames } = request
    const waiter = new ReplyWaiter<ShareHeartbeatResult, ShareHeartbeatResult>(
      (result) => result,
      (errorCode) => shareHeartbeatFailure(refusalWithoutSize(errorCode), null),
      (result) => {
        reply(heartbeatAnswer(result))
        if (result.initialize !== null) this.#initialize(groupId, result.initialize)
      },
    )
    if (!isShareMemberId(memberId)) {
      waiter.refuse(ErrorCode.INVALID_REQUEST)
      return
    }
    const problem = checkShareHeartbeat(request)
    if (problem !== null) {
      waiter.answer(shareHeartbeatFailure(ErrorCode.INVALID_REQUEST, problem))
      return
    }
    const client = { clientId: context.clientId ?? '', clientHost: context.clientHost }
    const input = { groupId, memberId, memberEpoch, ...client, rackId, topicNames: subscribedTopicNames }
    this.#run(groupId, waiter, (state, turn) => shareHeartbeat(state, turn, input, waiter))
  }

  describe(
    context: GroupRequestContext,
    groupIds: readonly string[],
    reply: (groups: ShareGroupAnswer[]) => void,
  ): void {
    const describer: GroupDescriber<ShareGroupAnswer> = {
      context,
      describe: (state, turn, groupId) =>
        describedShareGroup(context, groupId, describeShareGroup(state, turn, groupId)),
      undescribed: undescribedShareGroup,
    }
    describeEach(this.#run, groupIds, describer, reply)
  }

  /** Takes away what the share coordinator keeps of the group. Anything but NONE: the group must stay. */
  deleteStates(groupId: string, done: (errorCode: ErrorCode) => void): void {
    const waiter = new ReplyWaiter<PartitionSet | ErrorCode, PartitionSet | ErrorCode>(
      (states) => states,
      refusalWithoutSize,
      (states) => {
        if (typeof states === 'number') done(states)
        else this.#states.delete(groupId, states, (results) => done(firstFailure(results.values()).errorCode))
      },
    )
    this.#run(groupId, waiter, (state, turn) => beginGroupDeletion(state, turn, groupId, waiter), RECORDS_ONLY)
  }

  #initialize(groupId: string, { stateEpoch, topics }: NonNullable<ShareHeartbeatResult['initialize']>): void {
    const offsets = new Map<string, ReadonlyMap<number, number>>()
    for (const [topicId, { partitions }] of topics) {
      offsets.set(topicId, new Map(Array.from(partitions, (partition) => [partition, NO_START_OFFSET])))
    }
    this.#states.initialize(groupId, stateEpoch, offsets, () => {})
  }
}

/** Why the request cannot be meant, whatever the group; null: nothing is wrong with it. */
function checkShareHeartbeat(request: ShareGroupHeartbeatRequest): string | null {
  const { memberId, groupId, rackId, memberEpoch, subscribedTopicNames } = request
  if (memberId.trim() === '') return "MemberId can't be empty."
  if (groupId.trim() === '') return "GroupId can't be empty."
  if (rackId !== null && rackId.trim() === '') return "RackId can't be empty."
  if (memberEpoch < LEAVE_EPOCH) return 'MemberEpoch is invalid.'
  if (memberEpoch === 0 && (subscribedTopicNames === null || subscribedTopicNames.length === 0)) {
    return 'SubscribedTopicNames must be set in first request.'
  }
  return null
}

/** Members make their ids themselves: a UUID as text, or anything that is not longer. */
const MEMBER_ID_CHARACTERS_MAX = 36

export function isShareMemberId(memberId: string | null): memberId is string {
  return memberId !== null && memberId !== '' && memberId.length <= MEMBER_ID_CHARACTERS_MAX
}

function heartbeatAnswer({ initialize: _, assignment, ...rest }: ShareHeartbeatResult): ShareHeartbeatAnswer {
  return { throttleTimeMs: 0, ...rest, assignment: assignment === null ? null : { topicPartitions: [...assignment] } }
}

function describedShareGroup(
  context: GroupRequestContext,
  groupId: string,
  described: DescribedShareGroup | string,
): ShareGroupAnswer {
  if (typeof described === 'string') return undescribedShareGroup(groupId, ErrorCode.GROUP_ID_NOT_FOUND, described)
  const shown = described.members.flatMap(({ assignment }) => assignment)
  if (!shown.every(({ topicName }) => context.allowed('DESCRIBE', 'TOPIC', topicName))) {
    const message = 'The group has described topic(s) that the client is not authorized to describe.'
    return undescribedShareGroup(groupId, ErrorCode.TOPIC_AUTHORIZATION_FAILED, message)
  }
  return {
    errorCode: ErrorCode.NONE,
    groupId,
    groupState: described.state,
    groupEpoch: described.epoch,
    assignmentEpoch: described.assignmentEpoch,
    assignorName: ASSIGNOR,
    members: described.members.map(({ member, assignment }) => ({
      memberId: member.memberId,
      rackId: member.rackId,
      memberEpoch: member.memberEpoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.topicNames],
      assignment: { topicPartitions: [...assignment] },
    })),
  }
}

export function undescribedShareGroup(
  groupId: string,
  errorCode: ErrorCode,
  errorMessage: string | null = null,
): ShareGroupAnswer {
  const nothing = { groupState: '', groupEpoch: 0, assignmentEpoch: 0, assignorName: '', members: [] }
  return { errorCode, errorMessage, groupId, ...nothing }
}
