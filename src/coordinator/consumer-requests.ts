/**
 * ConsumerGroupHeartbeat and ConsumerGroupDescribe between the wire and the groups: what can be said of a request without its group, and
 * how results are written.
 */
import { ErrorCode } from '../protocol/errors.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../protocol/messages/68-consumer-group-heartbeat.ts'
import type { ConsumerGroupDescribeResponse } from '../protocol/messages/69-consumer-group-describe.ts'
import type { Input } from '../protocol/schema.ts'
import type { DescribedConsumerGroup } from './group/consumer/describe.ts'
import { Refusal } from './group/consumer/draft.ts'
import type { ConsumerHeartbeatInput, ConsumerHeartbeatResult } from './group/consumer/heartbeat.ts'
import { LEAVE_EPOCH, LEAVE_STATIC_EPOCH } from './group/consumer/member.ts'
import type { GroupRequestContext } from './request-context.ts'

export type ConsumerHeartbeatAnswer = Input<typeof ConsumerGroupHeartbeatResponse>
export type ConsumerGroupAnswer = Input<typeof ConsumerGroupDescribeResponse>['groups'][number]

/** From here on members make their ids themselves. */
const CLIENT_MEMBER_ID_VERSION = 1

/** Why the request cannot be meant, whatever the group; null: nothing is wrong with it. */
export function checkHeartbeat(
  request: ConsumerGroupHeartbeatRequest,
  apiVersion: number,
  assignors: readonly string[],
): Refusal | null {
  const { memberEpoch, serverAssignor } = request
  const invalid = (message: string): Refusal => new Refusal(ErrorCode.INVALID_REQUEST, message)
  const needsId = apiVersion >= CLIENT_MEMBER_ID_VERSION || memberEpoch > 0 || memberEpoch === LEAVE_EPOCH
  if (needsId && isBlank(request.memberId)) return invalid("MemberId can't be empty.")
  if (isBlank(request.groupId)) return invalid("GroupId can't be empty.")
  if (isBlank(request.instanceId)) return invalid("InstanceId can't be empty.")
  if (isBlank(request.rackId)) return invalid("RackId can't be empty.")
  if (memberEpoch === 0) {
    const problem = joinProblem(request)
    if (problem !== null) return invalid(problem)
  } else if (memberEpoch === LEAVE_STATIC_EPOCH) {
    if (request.instanceId === null) return invalid("InstanceId can't be null.")
  } else if (memberEpoch < LEAVE_STATIC_EPOCH) return invalid('MemberEpoch is invalid.')
  if (serverAssignor === null || assignors.includes(serverAssignor)) return null
  const message = `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${assignors.join(', ')}.`
  return new Refusal(ErrorCode.UNSUPPORTED_ASSIGNOR, message)
}

export function isBlank(text: string | null): boolean {
  return text !== null && text.trim() === ''
}

function joinProblem(request: ConsumerGroupHeartbeatRequest): string | null {
  if (request.rebalanceTimeoutMs === -1) return 'RebalanceTimeoutMs must be provided in first request.'
  if (request.topicPartitions === null || request.topicPartitions.length > 0) {
    return 'TopicPartitions must be empty when (re-)joining.'
  }
  if (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) return null
  return 'Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.'
}

export function heartbeatInput(
  context: GroupRequestContext,
  request: ConsumerGroupHeartbeatRequest,
): ConsumerHeartbeatInput {
  return {
    groupId: request.groupId,
    memberId: request.memberId,
    memberEpoch: request.memberEpoch,
    instanceId: request.instanceId,
    clientId: context.clientId ?? '',
    clientHost: context.clientHost,
    rackId: request.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    topicNames: request.subscribedTopicNames,
    topicRegex: request.subscribedTopicRegex,
    serverAssignor: request.serverAssignor,
    owned: request.topicPartitions,
    mayDescribe: (topicName) => context.allowed('DESCRIBE', 'TOPIC', topicName),
  }
}

export function heartbeatAnswer(result: ConsumerHeartbeatResult): ConsumerHeartbeatAnswer {
  const { assignment, ...rest } = result
  return { throttleTimeMs: 0, ...rest, assignment: assignment === null ? null : { topicPartitions: [...assignment] } }
}

export function describedConsumerGroup(
  context: GroupRequestContext,
  groupId: string,
  described: DescribedConsumerGroup | string,
): ConsumerGroupAnswer {
  if (typeof described === 'string') {
    return undescribedConsumerGroup(groupId, ErrorCode.GROUP_ID_NOT_FOUND, described)
  }
  const shown = described.members.flatMap(({ assignment, targetAssignment }) => [...assignment, ...targetAssignment])
  if (!shown.every(({ topicName }) => context.allowed('DESCRIBE', 'TOPIC', topicName))) {
    const message = 'The group has described topic(s) that the client is not authorized to describe.'
    return undescribedConsumerGroup(groupId, ErrorCode.TOPIC_AUTHORIZATION_FAILED, message)
  }
  return {
    errorCode: ErrorCode.NONE,
    groupId,
    groupState: described.state,
    groupEpoch: described.epoch,
    assignmentEpoch: described.assignmentEpoch,
    assignorName: described.assignor,
    members: described.members.map(({ member, assignment, targetAssignment }) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      rackId: member.rackId,
      memberEpoch: member.memberEpoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.topicNames],
      subscribedTopicRegex: member.topicRegex,
      assignment: { topicPartitions: [...assignment] },
      targetAssignment: { topicPartitions: [...targetAssignment] },
      memberType: member.classic === null ? MemberType.CONSUMER : MemberType.CLASSIC,
    })),
  }
}

const MemberType = { CLASSIC: 0, CONSUMER: 1 } as const

export function undescribedConsumerGroup(
  groupId: string,
  errorCode: ErrorCode,
  errorMessage: string | null = null,
): ConsumerGroupAnswer {
  const nothing = { groupState: '', groupEpoch: 0, assignmentEpoch: 0, assignorName: '', members: [] }
  return { errorCode, errorMessage, groupId, ...nothing }
}
