/**
 * DescribeShareGroupOffsets, AlterShareGroupOffsets and DeleteShareGroupOffsets: where share groups are in the partitions that they read.
 * The group knows which states there are, the share coordinator what is in them. A part of `GroupCoordinator`, with the same rule: a
 * reply comes exactly once, when what it rests on is durable.
 */
import { ErrorCode } from '../protocol/errors.ts'
import type {
  DescribeShareGroupOffsetsRequest,
  DescribeShareGroupOffsetsResponse,
} from '../protocol/messages/90-describe-share-group-offsets.ts'
import type {
  AlterShareGroupOffsetsRequest,
  AlterShareGroupOffsetsResponse,
} from '../protocol/messages/91-alter-share-group-offsets.ts'
import type {
  DeleteShareGroupOffsetsRequest,
  DeleteShareGroupOffsetsResponse,
} from '../protocol/messages/92-delete-share-group-offsets.ts'
import { type Input, ZERO_UUID } from '../protocol/schema.ts'
import { ascending, type PartitionSet } from './group/consumer/assignment.ts'
import { Refusal } from './group/consumer/draft.ts'
import { partitionsOfStates } from './group/share/initialization.ts'
import {
  type AlterResult,
  alterShareOffsets,
  type DeletionResult,
  deleteShareOffsets,
  statesDeleted,
} from './group/share/offsets.ts'
import { Gather, ReplyWaiter, refusalWithoutSize } from './replies.ts'
import type { GroupRequestContext, TopicLookup } from './request-context.ts'
import type { RunInGroup } from './run-in-group.ts'
import { NO_DELIVERY_COUNT, NO_START_OFFSET, type StateSummary } from './share-state/persister.ts'
import { NOBODY, type ShareServices, type ShareStateKeeper } from './share-state-keeper.ts'

export type DescribedShareOffsets = Input<typeof DescribeShareGroupOffsetsResponse>['groups'][number]
export type AlteredShareOffsets = Input<typeof AlterShareGroupOffsetsResponse>
export type DeletedShareOffsets = Input<typeof DeleteShareGroupOffsetsResponse>

type AskedGroup = DescribeShareGroupOffsetsRequest['groups'][number]
type DescribedTopic = DescribedShareOffsets['topics'][number]
type DescribedPartition = DescribedTopic['partitions'][number]

export interface ShareOffsetDependencies {
  readonly services: ShareServices
  readonly states: ShareStateKeeper
  readonly run: RunInGroup
  readonly topics: TopicLookup
}

const RECORDS_ONLY = { recordsOnly: true }
const TOPIC_REFUSED = 'Topic authorization failed.'

export class ShareOffsetRequests {
  readonly #dependencies: ShareOffsetDependencies

  constructor(dependencies: ShareOffsetDependencies) {
    this.#dependencies = dependencies
  }

  // Describing

  describe(
    context: GroupRequestContext,
    groups: readonly AskedGroup[],
    reply: (groups: DescribedShareOffsets[]) => void,
  ): void {
    const gather = new Gather<DescribedShareOffsets>(groups.length, reply)
    for (const [index, group] of groups.entries()) {
      this.#describeGroup(context, group, (described) => gather.put(index, described))
    }
  }

  #describeGroup(
    context: GroupRequestContext,
    { groupId, topics }: AskedGroup,
    reply: (described: DescribedShareOffsets) => void,
  ): void {
    if (!context.allowed('DESCRIBE', 'GROUP', groupId)) {
      reply({ groupId, topics: [], errorCode: ErrorCode.GROUP_AUTHORIZATION_FAILED })
      return
    }
    const answer = (described: DescribedTopic[]) => reply({ groupId, topics: described, errorCode: ErrorCode.NONE })
    if (topics !== null) {
      this.#describeTopics(context, groupId, topics, answer)
      return
    }
    const waiter = new ReplyWaiter<PartitionSet | ErrorCode, PartitionSet | ErrorCode>(
      (states) => states,
      refusalWithoutSize,
      (states) => {
        if (typeof states === 'number') reply({ groupId, topics: [], errorCode: states })
        else this.#describeTopics(context, groupId, this.#named(context, states), answer)
      },
    )
    this.#dependencies.run(groupId, waiter, (state, turn) => {
      const group = state.groups.get(groupId)
      turn.answer(waiter, group?.type === 'share' ? partitionsOfStates(group.states.initialized) : new Map())
    })
  }

  #named(context: GroupRequestContext, states: PartitionSet): NonNullable<AskedGroup['topics']> {
    return [...states].flatMap(([topicId, partitions]) => {
      const topicName = this.#dependencies.topics.topicName(topicId)
      if (topicName === undefined || !context.allowed('DESCRIBE', 'TOPIC', topicName)) return []
      return [{ topicName, partitions: ascending(partitions) }]
    })
  }

  #describeTopics(
    context: GroupRequestContext,
    groupId: string,
    topics: NonNullable<AskedGroup['topics']>,
    reply: (described: DescribedTopic[]) => void,
  ): void {
    const gather = new Gather<DescribedTopic>(topics.length, reply)
    for (const [index, { topicName, partitions }] of topics.entries()) {
      const topicId = this.#dependencies.topics.topicId(topicName)
      const put = (rows: DescribedPartition[]) => {
        gather.put(index, { topicName, topicId: topicId ?? ZERO_UUID, partitions: rows })
      }
      if (!context.allowed('DESCRIBE', 'TOPIC', topicName)) {
        const refused = { errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED, errorMessage: TOPIC_REFUSED }
        put(partitions.map((partition) => ({ ...describedRow(partition), ...refused })))
      } else if (topicId === undefined) put(partitions.map(describedRow))
      else this.#describePartitions({ groupId, topicName, topicId }, partitions, put)
    }
  }

  #describePartitions(
    { groupId, topicName, topicId }: { readonly groupId: string; readonly topicName: string; readonly topicId: string },
    partitions: readonly number[],
    put: (rows: DescribedPartition[]) => void,
  ): void {
    const gather = new Gather<DescribedPartition>(partitions.length, put)
    for (const [index, partition] of partitions.entries()) {
      this.#dependencies.services.persister.summarize({ groupId, topicId, partition }, (summary) => {
        gather.put(index, this.#summaryRow(topicName, partition, summary))
      })
    }
  }

  #summaryRow(topicName: string, partition: number, summary: StateSummary): DescribedPartition {
    const row = describedRow(partition)
    if (summary.errorCode !== ErrorCode.NONE) return row
    const { startOffset, leaderEpoch, deliveryCompleteCount } = summary
    const known = { ...row, startOffset, leaderEpoch }
    if (startOffset === NO_START_OFFSET || deliveryCompleteCount === NO_DELIVERY_COUNT) return known
    const latest = this.#dependencies.services.latestOffset(topicName, partition)
    if (latest === null) return { ...row, errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER }
    return { ...known, lag: latest - startOffset - deliveryCompleteCount }
  }

  // Altering

  alter(
    context: GroupRequestContext,
    { groupId, topics }: AlterShareGroupOffsetsRequest,
    reply: (answer: AlteredShareOffsets) => void,
  ): void {
    if (groupId === '') {
      reply(refusedAlteration(ErrorCode.INVALID_GROUP_ID, 'The group id is invalid.'))
      return
    }
    const isAllowed = ({ topicName }: { readonly topicName: string }): boolean =>
      context.allowed('READ', 'TOPIC', topicName)
    const refused = topics.filter((topic) => !isAllowed(topic)).map(refusedTopic)
    const waiter = new ReplyWaiter<AlterResult | Refusal, AlterResult | Refusal>(
      (result) => result,
      (errorCode) => new Refusal(refusalWithoutSize(errorCode), ''),
      (result) => {
        if (result instanceof Refusal) reply(refusedAlteration(result.errorCode, result.message))
        else this.#begin(groupId, result, (responses) => reply(altered([...responses, ...refused])))
      },
    )
    const input = { groupId, topics: topics.filter(isAllowed) }
    this.#dependencies.run(
      groupId,
      waiter,
      (state, turn) => alterShareOffsets(state, turn, input, waiter),
      RECORDS_ONLY,
    )
  }

  #begin(groupId: string, result: AlterResult, reply: (topics: AlteredTopicAnswer[]) => void): void {
    const { topics, stateEpoch, startOffsets } = result
    this.#dependencies.states.initialize(groupId, stateEpoch, startOffsets, (results) => {
      reply(
        topics.map(({ topicName, topicId, partitions }) => ({
          topicName,
          topicId: topicId ?? ZERO_UUID,
          partitions: partitions.map((row) => ({ ...row, ...results.get(`${row.partitionIndex}/${topicId}`) })),
        })),
      )
    })
  }

  // Deleting

  delete(
    context: GroupRequestContext,
    { groupId, topics }: DeleteShareGroupOffsetsRequest,
    reply: (answer: DeletedShareOffsets) => void,
  ): void {
    if (groupId === '') {
      reply(refusedAlteration(ErrorCode.INVALID_GROUP_ID, 'The group id is invalid.'))
      return
    }
    const names = topics.map(({ topicName }) => topicName)
    const refused = names.filter((name) => !context.allowed('READ', 'TOPIC', name)).map(refusedName)
    const topicNames = names.filter((name) => context.allowed('READ', 'TOPIC', name))
    const waiter = new ReplyWaiter<DeletionResult | Refusal, DeletionResult | Refusal>(
      (result) => result,
      (errorCode) => new Refusal(refusalWithoutSize(errorCode), ''),
      (result) => {
        if (result instanceof Refusal) reply(refusedAlteration(result.errorCode, result.message))
        else this.#deleteStates(groupId, result, (responses) => reply(altered([...responses, ...refused])))
      },
    )
    const input = { groupId, topicNames }
    this.#dependencies.run(
      groupId,
      waiter,
      (state, turn) => deleteShareOffsets(state, turn, input, waiter),
      RECORDS_ONLY,
    )
  }

  #deleteStates(
    groupId: string,
    { states, failed }: DeletionResult,
    reply: (topics: DeletedShareOffsets['responses'][number][]) => void,
  ): void {
    const { topics, run } = this.#dependencies
    this.#dependencies.states.delete(groupId, states, (results) => {
      const rows = Array.from(states, ([topicId, partitions]) => {
        const failure = [...partitions]
          .map((partition) => results.get(`${partition}/${topicId}`)!)
          .find(({ errorCode }) => errorCode !== ErrorCode.NONE)
        const outcome = failure ?? { errorCode: ErrorCode.NONE, errorMessage: null }
        return { topicName: topics.topicName(topicId) ?? '', topicId, ...outcome }
      })
      const gone = rows.filter(({ errorCode }) => errorCode === ErrorCode.NONE).map(({ topicId }) => topicId)
      if (gone.length > 0) {
        run(groupId, NOBODY, (state, turn) => statesDeleted(state, turn, groupId, new Set(gone)), RECORDS_ONLY)
      }
      reply([...rows, ...failed.map((row) => ({ topicId: ZERO_UUID, ...row }))])
    })
  }
}

type AlteredTopicAnswer = AlteredShareOffsets['responses'][number]

function describedRow(partitionIndex: number): DescribedPartition {
  return { partitionIndex, startOffset: NO_START_OFFSET, leaderEpoch: 0, lag: -1, errorCode: ErrorCode.NONE }
}

function refusedTopic({ topicName, partitions }: AlterShareGroupOffsetsRequest['topics'][number]): AlteredTopicAnswer {
  return {
    topicName,
    topicId: ZERO_UUID,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
      errorMessage: TOPIC_REFUSED,
    })),
  }
}

function refusedName(topicName: string): DeletedShareOffsets['responses'][number] {
  const errorCode = ErrorCode.TOPIC_AUTHORIZATION_FAILED
  return { topicName, topicId: ZERO_UUID, errorCode, errorMessage: TOPIC_REFUSED }
}

function altered<Topic>(responses: Topic[]) {
  return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: null, responses }
}

export function refusedAlteration(errorCode: ErrorCode, errorMessage: string | null) {
  return { throttleTimeMs: 0, errorCode, errorMessage: errorMessage === '' ? null : errorMessage, responses: [] }
}
