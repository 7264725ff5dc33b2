/**
 * StreamsGroupHeartbeat and StreamsGroupDescribe between the wire and the groups: what can be said of a request without its group, and
 * how results are written. A part of `GroupCoordinator`, with the same rule: a reply comes exactly once, when what it rests on is durable.
 */
import { ErrorCode } from '../protocol/errors.ts'
import type {
  StreamsGroupHeartbeatRequest,
  StreamsGroupHeartbeatResponse,
} from '../protocol/messages/88-streams-group-heartbeat.ts'
import type { StreamsGroupDescribeResponse } from '../protocol/messages/89-streams-group-describe.ts'
import type { Input } from '../protocol/schema.ts'
import { isBlank } from './consumer-requests.ts'
import { Refusal } from './group/consumer/draft.ts'
import { LEAVE_STATIC_EPOCH } from './group/consumer/member.ts'
import type { InternalTopic } from './group/streams/configure.ts'
import { type DescribedStreamsGroup, describeStreamsGroup } from './group/streams/describe.ts'
import {
  type StreamsHeartbeatInput,
  type StreamsHeartbeatResult,
  streamsHeartbeat,
  streamsHeartbeatFailure,
} from './group/streams/heartbeat.ts'
import type { StreamsMember } from './group/streams/member.ts'
import { listedTasks, type Tasks, taskSetOfList } from './group/streams/tasks.ts'
import { ReplyWaiter, refusalWithoutSize } from './replies.ts'
import type { GroupRequestContext } from './request-context.ts'
import { describeEach, type GroupDescriber, type RunInGroup } from './run-in-group.ts'

/** The answer, and what whoever sends it is to create. */
export interface StreamsHeartbeatAnswer {
  readonly response: Input<typeof StreamsGroupHeartbeatResponse>
  readonly missingTopics: readonly InternalTopic[]
}

export type StreamsGroupAnswer = Input<typeof StreamsGroupDescribeResponse>['groups'][number]

export class StreamsGroupRequests {
  readonly #run: RunInGroup

  constructor(run: RunInGroup) {
    this.#run = run
  }

  heartbeat(
    context: GroupRequestContext,
    request: StreamsGroupHeartbeatRequest,
    reply: (answer: StreamsHeartbeatAnswer) => void,
  ): void {
    const waiter = new ReplyWaiter<StreamsHeartbeatResult, StreamsHeartbeatAnswer>(
      streamsHeartbeatAnswer,
      (errorCode) => streamsHeartbeatFailure(refusalWithoutSize(errorCode), null),
      reply,
    )
    const problem = checkStreamsHeartbeat(request)
    if (problem !== null) {
      waiter.answer(streamsHeartbeatFailure(problem.errorCode, problem.message))
      return
    }
    const input = streamsHeartbeatInput(context, request)
    this.#run(request.groupId, waiter, (state, turn) => streamsHeartbeat(state, turn, input, waiter))
  }

  describe(
    context: GroupRequestContext,
    groupIds: readonly string[],
    reply: (groups: StreamsGroupAnswer[]) => void,
  ): void {
    const describer: GroupDescriber<StreamsGroupAnswer> = {
      context,
      describe: (state, _turn, groupId) =>
        describedStreamsGroup(context, groupId, describeStreamsGroup(state, groupId)),
      undescribed: undescribedStreamsGroup,
    }
    describeEach(this.#run, groupIds, describer, reply)
  }
}

/** Why the request cannot be meant, whatever the group; null: nothing is wrong with it. Checks, order and texts are Kafka's. */
function checkStreamsHeartbeat(request: StreamsGroupHeartbeatRequest): Refusal | null {
  const problem = unsupported(request) ?? malformed(request)
  if (problem !== null) return new Refusal(ErrorCode.INVALID_REQUEST, problem)
  for (const { name, partitions } of request.topology?.subtopologies.flatMap((each) => each.stateChangelogTopics) ??
    []) {
    if (partitions === 0) continue
    const message = `Changelog topic ${name} must have an undefined partition count, but it is set to ${partitions}.`
    return new Refusal(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
  }
  return null
}

/** Parts of the protocol that Kafka 4.3 has fields for and nothing else. */
function unsupported(request: StreamsGroupHeartbeatRequest): string | null {
  if (request.instanceId !== null) return 'Static membership is not yet supported.'
  if (request.taskOffsets !== null) return 'TaskOffsets are not supported yet.'
  if (request.taskEndOffsets !== null) return 'TaskEndOffsets are not supported yet.'
  if (request.warmupTasks !== null && request.warmupTasks.length > 0) return 'WarmupTasks are not supported yet.'
  const subtopologies = request.topology?.subtopologies ?? []
  if (subtopologies.every(({ sourceTopicRegex }) => sourceTopicRegex.length === 0)) return null
  return 'Regular expressions for source topics are not supported yet.'
}

function malformed(request: StreamsGroupHeartbeatRequest): string | null {
  const { memberEpoch, topology, activeTasks, standbyTasks, warmupTasks } = request
  if (isBlank(request.memberId)) return "MemberId can't be empty."
  if (isBlank(request.groupId)) return "GroupId can't be empty."
  if (isBlank(request.rackId)) return "RackId can't be empty."
  if (memberEpoch === 0) {
    const problem = joinProblem(request)
    if (problem !== null) return problem
    // Static members are not served, so nobody can be away for a while.
  } else if (memberEpoch === LEAVE_STATIC_EPOCH) return "InstanceId can't be null."
  else if (memberEpoch < LEAVE_STATIC_EPOCH) {
    return `MemberEpoch is ${memberEpoch}, but must be greater than or equal to -2.`
  }
  const given = [activeTasks, standbyTasks, warmupTasks].filter((tasks) => tasks !== null).length
  if (given === 1 || given === 2) return 'If one task-type is non-null, all must be non-null.'
  return memberEpoch !== 0 && topology !== null ? 'Topology can only be provided when (re-)joining.' : null
}

function joinProblem(request: StreamsGroupHeartbeatRequest): string | null {
  if (request.rebalanceTimeoutMs === -1) return 'RebalanceTimeoutMs must be provided in first request.'
  if (request.activeTasks?.length !== 0) return 'ActiveTasks must be empty when (re-)joining.'
  if (request.standbyTasks?.length !== 0) return 'StandbyTasks must be empty when (re-)joining.'
  if (request.warmupTasks?.length !== 0) return 'WarmupTasks must be empty when (re-)joining.'
  return request.topology === null ? 'Topology must be non-null when (re-)joining.' : null
}

function streamsHeartbeatInput(
  context: GroupRequestContext,
  request: StreamsGroupHeartbeatRequest,
): StreamsHeartbeatInput {
  return {
    groupId: request.groupId,
    memberId: request.memberId,
    memberEpoch: request.memberEpoch,
    endpointEpoch: request.endpointInformationEpoch,
    clientId: context.clientId ?? '',
    clientHost: context.clientHost,
    rackId: request.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    topology: request.topology,
    owned: ownedTasks(request),
    processId: request.processId,
    userEndpoint: request.userEndpoint,
    clientTags: request.clientTags === null ? null : new Map(request.clientTags.map(({ key, value }) => [key, value])),
    shutdown: request.shutdownApplication,
  }
}

function ownedTasks({ activeTasks, standbyTasks, warmupTasks }: StreamsGroupHeartbeatRequest): Tasks | null {
  if (activeTasks === null || standbyTasks === null || warmupTasks === null) return null
  return {
    active: taskSetOfList(activeTasks),
    standby: taskSetOfList(standbyTasks),
    warmup: taskSetOfList(warmupTasks),
  }
}

function streamsHeartbeatAnswer(result: StreamsHeartbeatResult): StreamsHeartbeatAnswer {
  const { tasks, endpoints, missingTopics } = result
  const response = {
    throttleTimeMs: 0,
    errorCode: result.errorCode,
    errorMessage: result.errorMessage,
    memberId: result.memberId,
    memberEpoch: result.memberEpoch,
    heartbeatIntervalMs: result.heartbeatIntervalMs,
    acceptableRecoveryLag: 0,
    taskOffsetIntervalMs: 0,
    status: result.statuses.map(({ code, detail }) => ({ statusCode: code, statusDetail: detail })),
    activeTasks: tasks === null ? null : listedTasks(tasks.active),
    standbyTasks: tasks === null ? null : listedTasks(tasks.standby),
    warmupTasks: tasks === null ? null : listedTasks(tasks.warmup),
    endpointInformationEpoch: result.endpointEpoch,
    partitionsByUserEndpoint: endpoints,
  }
  return { response, missingTopics }
}

function describedStreamsGroup(
  context: GroupRequestContext,
  groupId: string,
  described: DescribedStreamsGroup | string,
): StreamsGroupAnswer {
  if (typeof described === 'string') {
    return undescribedStreamsGroup(groupId, ErrorCode.GROUP_ID_NOT_FOUND, described)
  }
  const { topology, state, epoch, assignmentEpoch, members } = described
  if (topology === null) return undescribedStreamsGroup(groupId, ErrorCode.UNKNOWN_SERVER_ERROR)
  const names = topology.subtopologies.flatMap((each) => [
    ...each.sourceTopics,
    ...each.repartitionSinkTopics,
    ...each.repartitionSourceTopics.map(({ name }) => name),
    ...each.stateChangelogTopics.map(({ name }) => name),
  ])
  if (!names.every((name) => context.allowed('DESCRIBE', 'TOPIC', name))) {
    const message = 'The described group uses topics that the client is not authorized to describe.'
    return undescribedStreamsGroup(groupId, ErrorCode.TOPIC_AUTHORIZATION_FAILED, message)
  }
  return {
    errorCode: ErrorCode.NONE,
    groupId,
    groupState: state,
    groupEpoch: epoch,
    assignmentEpoch,
    topology,
    members: members.map(({ member, target }) => describedMember(member, target)),
  }
}

function describedMember(member: StreamsMember, target: Tasks): StreamsGroupAnswer['members'][number] {
  const listed = ({ active, standby, warmup }: Tasks | StreamsMember['assigned']) => ({
    activeTasks: listedTasks(active),
    standbyTasks: listedTasks(standby),
    warmupTasks: listedTasks(warmup),
  })
  return {
    memberId: member.memberId,
    memberEpoch: member.memberEpoch,
    instanceId: member.instanceId,
    rackId: member.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    topologyEpoch: member.topologyEpoch,
    processId: member.processId,
    userEndpoint: member.userEndpoint,
    clientTags: Array.from(member.clientTags, ([key, value]) => ({ key, value })),
    taskOffsets: [],
    taskEndOffsets: [],
    assignment: listed(member.assigned),
    targetAssignment: listed(target),
    isClassic: false,
  }
}

export function undescribedStreamsGroup(
  groupId: string,
  errorCode: ErrorCode,
  errorMessage: string | null = null,
): StreamsGroupAnswer {
  const nothing = { groupState: '', groupEpoch: 0, assignmentEpoch: 0, topology: null, members: [] }
  return { errorCode, errorMessage, groupId, ...nothing }
}
