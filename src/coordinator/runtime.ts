/**
 * The group coordinator of one broker: a shard per partition of `__consumer_offsets` that this broker leads, and one method
 * per request. A method checks what can be checked without the group, finds the shard, and hands a decision function of
 * `group/` to it; the reply comes when the decision is durable, from within the call or later, exactly once.
 *
 * Called by the API handlers, and by the broker's group log when partitions come and go.
 */
import { ErrorCode } from '../protocol/errors.ts'
import type { OffsetCommitRequest } from '../protocol/messages/08-offset-commit.ts'
import type { OffsetFetchRequest } from '../protocol/messages/09-offset-fetch.ts'
import type { JoinGroupRequest } from '../protocol/messages/11-join-group.ts'
import type { HeartbeatRequest, HeartbeatResponse } from '../protocol/messages/12-heartbeat.ts'
import type { LeaveGroupRequest } from '../protocol/messages/13-leave-group.ts'
import type { SyncGroupRequest } from '../protocol/messages/14-sync-group.ts'
import type { ListGroupsRequest, ListGroupsResponse } from '../protocol/messages/16-list-groups.ts'
import type { TxnOffsetCommitRequest } from '../protocol/messages/28-txn-offset-commit.ts'
import type { DeleteGroupsResponse } from '../protocol/messages/42-delete-groups.ts'
import type { OffsetDeleteRequest } from '../protocol/messages/47-offset-delete.ts'
import type { ConsumerGroupHeartbeatRequest } from '../protocol/messages/68-consumer-group-heartbeat.ts'
import { type Input, ZERO_UUID } from '../protocol/schema.ts'
import type { Clock } from '../storage/clock.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import type { Timers } from '../storage/timers.ts'
import { GROUP_ID_BYTES_MAX, type GroupCoordinatorConfig, OFFSETS_TOPIC } from './config.ts'
import {
  type ConsumerGroupAnswer,
  type ConsumerHeartbeatAnswer,
  checkHeartbeat,
  describedConsumerGroup,
  heartbeatAnswer,
  heartbeatInput,
  undescribedConsumerGroup,
} from './consumer-requests.ts'
import type { CoordinatorLog } from './coordinator-log.ts'
import { type JoinResult, joinFailure, syncFailure } from './group/classic/group.ts'
import { heartbeat } from './group/classic/heartbeat.ts'
import { joinGroup } from './group/classic/join.ts'
import { leaveGroup, type MemberIdentity } from './group/classic/leave.ts'
import { syncGroup } from './group/classic/sync.ts'
import { describeConsumerGroup } from './group/consumer/describe.ts'
import { Refusal } from './group/consumer/draft.ts'
import { type ConsumerHeartbeatResult, consumerHeartbeat, heartbeatFailure } from './group/consumer/heartbeat.ts'
import { checkConsumerFetch } from './group/consumer/offsets.ts'
import { describeGroup, listFilters, listGroups } from './group/describe.ts'
import { commitOffsets } from './group/offsets/commit.ts'
import { deleteGroup, deleteOffsets, forgetLostTopics, forgetTopic } from './group/offsets/delete.ts'
import { commitInTransaction } from './group/offsets/txn-commit.ts'
import { forgetLostShareTopics, forgetShareTopics } from './group/share/offsets.ts'
import type { Group } from './group/state.ts'
import { checkStreamsFetch } from './group/streams/offsets.ts'
import type { Turn, TurnInputs, Waiter } from './group/turn.ts'
import {
  FETCH_MANY_GROUPS_VERSION,
  type FetchedGroup,
  failedGroup,
  fetchGroup,
  type GroupToFetch,
  type OffsetCommitAnswer,
  type OffsetDeleteAnswer,
  type OffsetFetchAnswer,
  offsetFetchResponse,
  planCommit,
  planDelete,
  singleGroup,
} from './offset-requests.ts'
import { Gather, partitionOf, ReplyWaiter, refusalWithoutSize } from './replies.ts'
import type { ClusterTopics, CompileTopicPattern, GroupRequestContext } from './request-context.ts'
import {
  type DescribedGroupAnswer,
  describedGroup,
  type JoinGroupAnswer,
  joinGroupResponse,
  LEAVE_MANY_VERSION,
  type LeaveGroupAnswer,
  leaveGroupResponse,
  type SyncGroupAnswer,
  syncGroupResponse,
  undescribedGroup,
} from './responses.ts'
import { describeEach, type GroupDescriber, type RunInGroup } from './run-in-group.ts'
import { GroupShard, type ShardDependencies } from './shard.ts'
import { ShareOffsetRequests } from './share-offset-requests.ts'
import { ShareGroupRequests } from './share-requests.ts'
import { type ShareServices, ShareStateKeeper } from './share-state-keeper.ts'
import { StreamsGroupRequests } from './streams-requests.ts'

export type HeartbeatAnswer = Input<typeof HeartbeatResponse>
export type ListGroupsAnswer = Input<typeof ListGroupsResponse>
export type DeleteGroupsAnswer = Input<typeof DeleteGroupsResponse>

export interface GroupCoordinatorDependencies {
  readonly config: GroupCoordinatorConfig
  readonly log: CoordinatorLog
  readonly timers: Timers
  readonly clock: Clock
  readonly random: Random
  readonly metadata: ClusterTopics
  readonly compilePattern: CompileTopicPattern
  readonly consumerSettings: TurnInputs['consumerSettings']
  readonly shareSettings: TurnInputs['shareSettings']
  readonly shareServices: ShareServices
  readonly streamsSettings: TurnInputs['streamsSettings']
  readonly logger: Logger
}

/** Whether these may be the positions that a member asks for. */
function checkFetcher(group: Group, fetcher: GroupToFetch): ErrorCode {
  switch (group.type) {
    case 'classic':
      return ErrorCode.NONE
    case 'consumer':
      return checkConsumerFetch(group, fetcher)
    case 'share':
      // There are none; whoever asks as a member takes the group for another.
      return fetcher.memberId === null && fetcher.memberEpoch < 0 ? ErrorCode.NONE : ErrorCode.GROUP_ID_NOT_FOUND
    case 'streams':
      return checkStreamsFetch(group, fetcher)
  }
}

/** The rebalance timeout came with JoinGroup v1; a version 0 client's session timeout serves for both. */
function rebalanceTimeout(request: JoinGroupRequest): number {
  return request.rebalanceTimeoutMs === -1 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs
}

export class GroupCoordinator {
  readonly #config: GroupCoordinatorConfig
  readonly #metadata: ClusterTopics
  readonly #shardDependencies: ShardDependencies
  readonly #shards = new Map<number, GroupShard>()
  #isStopping = false
  /** Requests about share groups. */
  readonly share: ShareGroupRequests
  readonly shareOffsets: ShareOffsetRequests
  /** Requests about streams groups. */
  readonly streams: StreamsGroupRequests

  constructor(dependencies: GroupCoordinatorDependencies) {
    const { config, log, timers, clock, random, metadata, logger, compilePattern } = dependencies
    const { consumerSettings, shareSettings, streamsSettings, shareServices: services } = dependencies
    this.#config = config
    this.#metadata = metadata
    this.#shardDependencies = {
      config,
      log,
      timers,
      clock,
      random,
      logger,
      consumers: { topics: metadata, compilePattern, consumerSettings, shareSettings, streamsSettings },
      afterLoad: (state, turn) => {
        forgetLostTopics(state, turn, metadata, ZERO_UUID)
        forgetLostShareTopics(state, turn)
      },
    }
    const run: RunInGroup = (...operation) => this.#run(...operation)
    const states = new ShareStateKeeper(services, run)
    this.share = new ShareGroupRequests(states, run)
    this.shareOffsets = new ShareOffsetRequests({ services, states, run, topics: metadata })
    this.streams = new StreamsGroupRequests(run)
  }

  // Partitions of the offsets topic

  partitionFor(groupId: string): number {
    return partitionOf(groupId, this.#metadata.partitionCount(OFFSETS_TOPIC) ?? this.#config.offsetsTopicPartitions)
  }

  /** This broker leads the partition now: its groups are read from the log. A second call for a newer epoch reads them anew. */
  load(partition: number): void {
    this.unload(partition)
    this.#shards.set(partition, new GroupShard(partition, this.#shardDependencies))
  }

  /** This broker does not lead the partition any more: whoever waits is sent to look for the new coordinator. */
  unload(partition: number): void {
    this.#shards.get(partition)?.close()
    this.#shards.delete(partition)
  }

  shard(partition: number): GroupShard | undefined {
    return this.#shards.get(partition)
  }

  /** The broker stops: from now on nobody waits for other members. Commits and the rest go on until `close`. */
  stopWaiting(): void {
    this.#isStopping = true
    for (const shard of this.#shards.values()) shard.refuseParked()
  }

  close(): void {
    for (const partition of [...this.#shards.keys()]) this.unload(partition)
  }

  /** All positions in the topic are forgotten, by tombstones. */
  topicDeleted(name: string, topicId: string): void {
    for (const shard of this.#shards.values()) {
      shard.runLater((state, turn) => {
        forgetTopic(state, turn, name)
        forgetShareTopics(state, turn, new Set([topicId]))
      })
    }
  }

  /** Topics came, went or have other partitions: groups that subscribe to them look at their next heartbeat what it means. */
  topicsChanged(names: ReadonlySet<string>): void {
    for (const shard of this.#shards.values()) {
      for (const group of shard.groups.values()) {
        if (group.type !== 'classic') group.topicsChanged(names)
      }
    }
  }

  // Membership

  consumerHeartbeat(
    context: GroupRequestContext,
    request: ConsumerGroupHeartbeatRequest,
    reply: (answer: ConsumerHeartbeatAnswer) => void,
  ): void {
    const waiter = new ReplyWaiter<ConsumerHeartbeatResult, ConsumerHeartbeatAnswer>(
      heartbeatAnswer,
      (errorCode) => heartbeatFailure(refusalWithoutSize(errorCode), null),
      reply,
    )
    const problem = checkHeartbeat(request, context.apiVersion, this.#config.consumer.assignors)
    if (problem instanceof Refusal) {
      waiter.answer(heartbeatFailure(problem.errorCode, problem.message))
      return
    }
    const input = heartbeatInput(context, request)
    this.#run(request.groupId, waiter, (state, turn) => consumerHeartbeat(state, turn, input, waiter))
  }

  joinGroup(context: GroupRequestContext, request: JoinGroupRequest, reply: (answer: JoinGroupAnswer) => void): void {
    const { apiVersion } = context
    const { groupId, memberId, sessionTimeoutMs } = request
    const waiter = new ReplyWaiter(
      (result: JoinResult) => joinGroupResponse(result, apiVersion),
      (errorCode) => joinFailure(refusalWithoutSize(errorCode), memberId),
      reply,
    )
    if (groupId === '') {
      waiter.refuse(ErrorCode.INVALID_GROUP_ID)
      return
    }
    if (sessionTimeoutMs < this.#config.sessionTimeoutMsMin || sessionTimeoutMs > this.#config.sessionTimeoutMsMax) {
      waiter.refuse(ErrorCode.INVALID_SESSION_TIMEOUT)
      return
    }
    const input = {
      groupId,
      memberId,
      groupInstanceId: request.groupInstanceId,
      clientId: context.clientId ?? '',
      clientHost: context.clientHost,
      apiVersion,
      sessionTimeoutMs,
      rebalanceTimeoutMs: rebalanceTimeout(request),
      protocolType: request.protocolType,
      // Copied: what a group keeps must not hold on to the bytes of a whole read.
      protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
    }
    if (this.#isStopping) waiter.refuse(ErrorCode.NOT_COORDINATOR)
    else this.#run(groupId, waiter, (state, turn) => joinGroup(state, turn, input, waiter))
  }

  syncGroup(context: GroupRequestContext, request: SyncGroupRequest, reply: (answer: SyncGroupAnswer) => void): void {
    const { groupId, generationId, memberId, groupInstanceId, protocolType, protocolName } = request
    const waiter = new ReplyWaiter(syncGroupResponse, (errorCode) => syncFailure(refusalWithoutSize(errorCode)), reply)
    // From version 5 on both are mandatory, though the format calls them nullable.
    if (context.apiVersion >= 5 && (protocolType === null || protocolName === null)) {
      waiter.refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
      return
    }
    if (groupId === '') {
      waiter.refuse(ErrorCode.INVALID_GROUP_ID)
      return
    }
    const assignments = new Map<string, Buffer>()
    for (const assigned of request.assignments) assignments.set(assigned.memberId, Buffer.from(assigned.assignment))
    const member = { groupId, generation: generationId, memberId, groupInstanceId }
    const input = { ...member, protocolType, protocol: protocolName, assignments }
    if (this.#isStopping) waiter.refuse(ErrorCode.NOT_COORDINATOR)
    else this.#run(groupId, waiter, (state, turn) => syncGroup(state, turn, input, waiter))
  }

  heartbeat(_context: GroupRequestContext, request: HeartbeatRequest, reply: (answer: HeartbeatAnswer) => void): void {
    const { groupId, generationId, memberId, groupInstanceId } = request
    const waiter = new ReplyWaiter(
      (errorCode: ErrorCode) => ({ errorCode }),
      // A coordinator that loads has not forgotten the member: it shall stay calm.
      (code) => (code === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ? ErrorCode.NONE : refusalWithoutSize(code)),
      reply,
    )
    if (groupId === '') {
      waiter.refuse(ErrorCode.INVALID_GROUP_ID)
      return
    }
    const input = { groupId, generation: generationId, memberId, groupInstanceId }
    this.#run(groupId, waiter, (state, turn) => heartbeat(state, turn, input, waiter))
  }

  leaveGroup(
    context: GroupRequestContext,
    request: LeaveGroupRequest,
    reply: (answer: LeaveGroupAnswer) => void,
  ): void {
    const { groupId } = request
    const many = context.apiVersion >= LEAVE_MANY_VERSION
    const members: readonly MemberIdentity[] = many
      ? request.members
      : [{ memberId: request.memberId, groupInstanceId: null }]
    const waiter = new ReplyWaiter<readonly ErrorCode[] | ErrorCode, LeaveGroupAnswer>(
      (result) =>
        typeof result === 'number'
          ? { errorCode: result, members: [] }
          : leaveGroupResponse(members, result, context.apiVersion),
      refusalWithoutSize,
      reply,
    )
    if (groupId === '') {
      waiter.refuse(ErrorCode.INVALID_GROUP_ID)
      return
    }
    this.#run(groupId, waiter, (state, turn) => leaveGroup(state, turn, { groupId, members }, waiter))
  }

  // Offsets

  offsetCommit(
    context: GroupRequestContext,
    request: OffsetCommitRequest,
    reply: (answer: OffsetCommitAnswer) => void,
  ): void {
    const plan = planCommit(context, request, this.#metadata, 'looked up')
    if (plan.partitions.length === 0) {
      reply(plan.answer(ErrorCode.NONE))
      return
    }
    const { groupId } = request
    const waiter = new ReplyWaiter(
      plan.answer,
      (code) => (code === ErrorCode.MESSAGE_TOO_LARGE ? ErrorCode.INVALID_COMMIT_OFFSET_SIZE : code),
      reply,
    )
    const input = {
      groupId,
      generation: request.generationIdOrMemberEpoch,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      apiVersion: context.apiVersion,
      retentionTimeMs: request.retentionTimeMs,
      partitions: plan.partitions,
    }
    this.#run(groupId, waiter, (state, turn) => commitOffsets(state, turn, input, waiter), { recordsOnly: true })
  }

  /** `verify` has the transaction checked that the group's partition of the offsets topic is to be part of. */
  txnOffsetCommit(
    context: GroupRequestContext,
    request: TxnOffsetCommitRequest,
    verify: (partition: number, verified: (errorCode: ErrorCode, guard?: unknown) => void) => void,
    reply: (answer: OffsetCommitAnswer) => void,
  ): void {
    const { groupId, producerId, producerEpoch } = request
    const topics = request.topics.map((topic) => ({ ...topic, topicId: ZERO_UUID }))
    const plan = planCommit(context, { topics }, this.#metadata, 'as named')
    if (plan.partitions.length === 0) {
      reply(plan.answer(ErrorCode.NONE))
      return
    }
    const waiter = new ReplyWaiter(
      plan.answer,
      (code) => (code === ErrorCode.MESSAGE_TOO_LARGE ? ErrorCode.INVALID_COMMIT_OFFSET_SIZE : code),
      reply,
    )
    // What is decided later must not fail for what the record cannot hold.
    if (groupId === '' || Buffer.byteLength(groupId) > GROUP_ID_BYTES_MAX) {
      waiter.refuse(ErrorCode.INVALID_GROUP_ID)
      return
    }
    if (producerId < 0) {
      waiter.refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
      return
    }
    const input = {
      groupId,
      generation: request.generationId,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      partitions: plan.partitions,
    }
    verify(this.partitionFor(groupId), (errorCode, guard) => {
      if (errorCode !== ErrorCode.NONE) {
        waiter.refuse(errorCode)
        return
      }
      const options = { recordsOnly: true, producer: { producerId, producerEpoch, guard } }
      this.#run(groupId, waiter, (state, turn) => commitInTransaction(state, turn, input, waiter), options)
    })
  }

  /** A marker was written to a partition of the offsets topic: the offsets of the producer's transaction hold, or do not. */
  transactionEnded(partition: number, producerId: number, committed: boolean): void {
    this.#shards.get(partition)?.transactionEnded(producerId, committed)
  }

  offsetFetch(
    context: GroupRequestContext,
    request: OffsetFetchRequest,
    reply: (answer: OffsetFetchAnswer) => void,
  ): void {
    const { apiVersion } = context
    const asked = apiVersion >= FETCH_MANY_GROUPS_VERSION ? request.groups : [singleGroup(request)]
    const gather = new Gather<FetchedGroup>(asked.length, (groups) => reply(offsetFetchResponse(groups, apiVersion)))
    for (const [index, group] of asked.entries()) {
      this.#fetchGroup(context, { ...group, requireStable: request.requireStable }, (fetched) =>
        gather.put(index, fetched),
      )
    }
  }

  #fetchGroup(
    context: GroupRequestContext,
    group: GroupToFetch & { readonly requireStable: boolean },
    reply: (fetched: FetchedGroup) => void,
  ): void {
    const waiter = new ReplyWaiter(
      (fetched: FetchedGroup) => fetched,
      (errorCode) => failedGroup(group, refusalWithoutSize(errorCode), context.apiVersion),
      reply,
    )
    if (!context.allowed('DESCRIBE', 'GROUP', group.groupId)) {
      waiter.refuse(ErrorCode.GROUP_AUTHORIZATION_FAILED)
      return
    }
    this.#run(group.groupId, waiter, (state, turn) => {
      const known = state.groups.get(group.groupId)
      const errorCode = known === undefined ? ErrorCode.NONE : checkFetcher(known, group)
      if (errorCode !== ErrorCode.NONE) turn.answer(waiter, failedGroup(group, errorCode, context.apiVersion))
      else turn.answer(waiter, fetchGroup(context, group, this.#metadata, state.durable))
    })
  }

  offsetDelete(
    context: GroupRequestContext,
    request: OffsetDeleteRequest,
    reply: (answer: OffsetDeleteAnswer) => void,
  ): void {
    const { groupId } = request
    const plan = planDelete(context, request, this.#metadata)
    const waiter = new ReplyWaiter(plan.answer, refusalWithoutSize, reply)
    if (groupId === '') {
      waiter.refuse(ErrorCode.INVALID_GROUP_ID)
      return
    }
    const input = { groupId, partitions: plan.partitions }
    const options = { recordsOnly: true, splittable: true }
    this.#run(groupId, waiter, (state, turn) => deleteOffsets(state, turn, input, waiter), options)
  }

  // Groups

  describeGroups(
    context: GroupRequestContext,
    groupIds: readonly string[],
    reply: (groups: DescribedGroupAnswer[]) => void,
  ): void {
    const { apiVersion } = context
    const gather = new Gather<DescribedGroupAnswer>(groupIds.length, reply)
    for (const [index, groupId] of groupIds.entries()) {
      const waiter = new ReplyWaiter(
        (described: DescribedGroupAnswer) => described,
        (errorCode) => undescribedGroup(groupId, refusalWithoutSize(errorCode)),
        (described) => gather.put(index, described),
      )
      if (!context.allowed('DESCRIBE', 'GROUP', groupId)) {
        waiter.refuse(ErrorCode.GROUP_AUTHORIZATION_FAILED)
        continue
      }
      this.#run(groupId, waiter, (state, turn) =>
        turn.answer(waiter, describedGroup(groupId, describeGroup(state, groupId), apiVersion)),
      )
    }
  }

  describeConsumerGroups(
    context: GroupRequestContext,
    groupIds: readonly string[],
    reply: (groups: ConsumerGroupAnswer[]) => void,
  ): void {
    const describer: GroupDescriber<ConsumerGroupAnswer> = {
      context,
      describe: (state, turn, groupId) =>
        describedConsumerGroup(context, groupId, describeConsumerGroup(state, turn, groupId)),
      undescribed: undescribedConsumerGroup,
    }
    describeEach((...operation) => this.#run(...operation), groupIds, describer, reply)
  }

  /** Every group of every partition; a partition that cannot say fails the whole, so that no group seems gone. */
  listGroups(
    context: GroupRequestContext,
    request: ListGroupsRequest,
    reply: (answer: ListGroupsAnswer) => void,
  ): void {
    const filters = listFilters(request.statesFilter, request.typesFilter)
    const shards = [...this.#shards.values()]
    const gather = new Gather<ListGroupsAnswer>(shards.length, (parts) => {
      const errorCode = parts.find((part) => part.errorCode !== ErrorCode.NONE)?.errorCode ?? ErrorCode.NONE
      reply({ errorCode, groups: errorCode === ErrorCode.NONE ? parts.flatMap(({ groups }) => groups) : [] })
    })
    for (const [index, shard] of shards.entries()) {
      const waiter = new ReplyWaiter<ListGroupsAnswer, ListGroupsAnswer>(
        (answer) => answer,
        (errorCode) => ({ errorCode: refusalWithoutSize(errorCode), groups: [] }),
        (answer) => gather.put(index, answer),
      )
      const list = (state: Parameters<typeof listGroups>[0], turn: Turn) => {
        const groups = listGroups(state, filters).filter(({ groupId }) => context.allowed('DESCRIBE', 'GROUP', groupId))
        turn.answer(waiter, { errorCode: ErrorCode.NONE, groups })
      }
      shard.run(list, (errorCode) => waiter.refuse(errorCode))
    }
  }

  deleteGroups(
    context: GroupRequestContext,
    groupIds: readonly string[],
    reply: (results: DeleteGroupsAnswer['results']) => void,
  ): void {
    const distinct = [...new Set(groupIds)]
    const gather = new Gather<DeleteGroupsAnswer['results'][number]>(distinct.length, reply)
    for (const [index, groupId] of distinct.entries()) {
      const waiter = new ReplyWaiter(
        (errorCode: ErrorCode) => ({ groupId, errorCode }),
        refusalWithoutSize,
        (result) => gather.put(index, result),
      )
      if (!context.allowed('DELETE', 'GROUP', groupId)) {
        waiter.refuse(ErrorCode.GROUP_AUTHORIZATION_FAILED)
        continue
      }
      const options = { recordsOnly: true, splittable: true }
      this.share.deleteStates(groupId, (errorCode) => {
        if (errorCode !== ErrorCode.NONE) waiter.refuse(errorCode)
        else this.#run(groupId, waiter, (state, turn) => deleteGroup(state, turn, groupId, waiter), options)
      })
    }
  }

  #run<Result>(
    groupId: string,
    waiter: Waiter<Result>,
    operation: Parameters<GroupShard['run']>[0],
    options: Parameters<GroupShard['run']>[2] = {},
  ): void {
    const shard = this.#shards.get(this.partitionFor(groupId))
    // No such partition here, be it because the topic does not exist yet or because another broker leads it.
    if (shard === undefined) waiter.refuse(ErrorCode.NOT_COORDINATOR)
    else shard.run(operation, (errorCode) => waiter.refuse(errorCode), options)
  }
}
