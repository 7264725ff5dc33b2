/**
 * Offset requests as they come off the wire: topics by name or by id, each row with a code of its own. Rows that cannot be
 * served are settled here; the rest goes to the group.
 */
import { ErrorCode } from '../protocol/errors.ts'
import type { OffsetCommitRequest, OffsetCommitResponse } from '../protocol/messages/08-offset-commit.ts'
import type { OffsetFetchRequest, OffsetFetchResponse } from '../protocol/messages/09-offset-fetch.ts'
import type { OffsetDeleteRequest, OffsetDeleteResponse } from '../protocol/messages/47-offset-delete.ts'
import { type Input, ZERO_UUID } from '../protocol/schema.ts'
import type { CommitResult, CommittedPartition } from './group/offsets/commit.ts'
import type { OffsetDeleteResult, TopicPartition } from './group/offsets/delete.ts'
import { committedOffset, type DurableState } from './group/state.ts'
import type { GroupRequestContext, TopicLookup } from './request-context.ts'

export type OffsetCommitAnswer = Input<typeof OffsetCommitResponse>
export type OffsetFetchAnswer = Input<typeof OffsetFetchResponse>
export type OffsetDeleteAnswer = Input<typeof OffsetDeleteResponse>
export type FetchedGroup = NonNullable<OffsetFetchAnswer['groups']>[number]
type FetchedTopic = FetchedGroup['topics'][number]
type FetchedPartition = FetchedTopic['partitions'][number]
export type GroupToFetch = OffsetFetchRequest['groups'][number]

/** From here on topics are named by id. */
const TOPIC_ID_VERSION = 10
/** From here on one request asks for many groups. */
export const FETCH_MANY_GROUPS_VERSION = 8
/** From here on an answer has a code for the whole of it. */
const FETCH_TOP_LEVEL_ERROR_VERSION = 2

const NO_OFFSET = -1
const NO_EPOCH = -1

interface CodedRow {
  readonly partitionIndex: number
  errorCode: ErrorCode
}

interface CodedTopic {
  readonly name: string
  readonly topicId: string
  readonly partitions: CodedRow[]
}

/** The rows of an answer, and those among them that the group decides. */
export interface CommitPlan {
  readonly partitions: readonly CommittedPartition[]
  answer(result: CommitResult): OffsetCommitAnswer
}

interface ResolvedTopic {
  readonly name: string
  readonly partitionCount: number
  /** Why no partition of it can be used; 0 if they can. */
  readonly errorCode: ErrorCode
}

function resolveTopic(
  named: { readonly name: string; readonly topicId: string },
  context: GroupRequestContext,
  lookup: TopicLookup,
  operation: 'READ' | 'DESCRIBE',
): ResolvedTopic {
  const byId = context.apiVersion >= TOPIC_ID_VERSION
  const name = byId ? lookup.topicName(named.topicId) : named.name
  if (name === undefined) return { name: '', partitionCount: 0, errorCode: ErrorCode.UNKNOWN_TOPIC_ID }
  if (!context.allowed(operation, 'TOPIC', name)) {
    return { name, partitionCount: 0, errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED }
  }
  return { name, partitionCount: lookup.partitionCount(name) ?? 0, errorCode: ErrorCode.NONE }
}

/**
 * `topicIds`: what is stored as the id of a topic that the request names by its name. As in Kafka a plain commit looks it up, one of a transaction goes
 * without.
 */
export function planCommit(
  context: GroupRequestContext,
  request: Pick<OffsetCommitRequest, 'topics'>,
  lookup: TopicLookup,
  topicIds: 'looked up' | 'as named',
): CommitPlan {
  const topics: CodedTopic[] = []
  const rows: CodedRow[] = []
  const partitions: CommittedPartition[] = []
  for (const named of request.topics) {
    const topic = resolveTopic(named, context, lookup, 'READ')
    const coded: CodedTopic = { name: named.name, topicId: named.topicId, partitions: [] }
    topics.push(coded)
    const isNamed = named.topicId === ZERO_UUID && topicIds === 'looked up'
    const topicId = isNamed ? (lookup.topicId(topic.name) ?? ZERO_UUID) : named.topicId
    for (const committed of named.partitions) {
      const { partitionIndex } = committed
      const row: CodedRow = { partitionIndex, errorCode: topic.errorCode }
      coded.partitions.push(row)
      if (topic.errorCode !== ErrorCode.NONE) continue
      if (partitionIndex < 0 || partitionIndex >= topic.partitionCount) {
        row.errorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        continue
      }
      rows.push(row)
      partitions.push({
        topic: topic.name,
        topicId,
        partition: partitionIndex,
        offset: committed.committedOffset,
        leaderEpoch: committed.committedLeaderEpoch,
        metadata: committed.committedMetadata ?? '',
      })
    }
  }
  const answer = (result: CommitResult) => {
    if (typeof result === 'number') for (const row of rows) row.errorCode = result
    else for (const [index, row] of rows.entries()) row.errorCode = result[index] ?? ErrorCode.UNKNOWN_SERVER_ERROR
    return { topics }
  }
  return { partitions, answer }
}

/** The group that a request of the single-group form asks for, in the newer form. */
export function singleGroup(request: OffsetFetchRequest): GroupToFetch {
  const topics = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null
  return { groupId: request.groupId, memberId: null, memberEpoch: -1, topics }
}

export function fetchGroup(
  context: GroupRequestContext,
  asked: GroupToFetch & { readonly requireStable: boolean },
  lookup: TopicLookup,
  durable: DurableState,
): FetchedGroup {
  const { groupId, requireStable } = asked
  const fetchOne = (topic: string, index: number) => fetchPartition({ durable, groupId, requireStable }, topic, index)
  const topics =
    asked.topics === null
      ? fetchAll(context, { groupId, fetchOne }, lookup, durable)
      : fetchNamed(context, asked.topics, lookup, fetchOne)
  return { groupId, topics, errorCode: ErrorCode.NONE }
}

type FetchOne = (topic: string, partitionIndex: number) => FetchedPartition

function fetchNamed(
  context: GroupRequestContext,
  asked: NonNullable<GroupToFetch['topics']>,
  lookup: TopicLookup,
  fetchOne: FetchOne,
): FetchedTopic[] {
  return asked.map((named) => {
    const topic = resolveTopic(named, context, lookup, 'DESCRIBE')
    const partitions = named.partitionIndexes.map((partitionIndex): FetchedPartition => {
      if (topic.errorCode !== ErrorCode.NONE) return fetchFailure(partitionIndex, topic.errorCode)
      return fetchOne(topic.name, partitionIndex)
    })
    return { name: named.name, topicId: named.topicId, partitions }
  })
}

function fetchAll(
  context: GroupRequestContext,
  { groupId, fetchOne }: { readonly groupId: string; readonly fetchOne: FetchOne },
  lookup: TopicLookup,
  durable: DurableState,
): FetchedTopic[] {
  const topics: FetchedTopic[] = []
  for (const [name, committed] of durable.offsets.get(groupId) ?? []) {
    if (!context.allowed('DESCRIBE', 'TOPIC', name)) continue
    const topicId = lookup.topicId(name)
    // Where topics are named by id, one that has none any more cannot be named.
    if (topicId === undefined && context.apiVersion >= TOPIC_ID_VERSION) continue
    const partitions = Array.from(committed.keys(), (index) => fetchOne(name, index))
    topics.push({ name, topicId: topicId ?? ZERO_UUID, partitions })
  }
  return topics
}

interface FetchFrom {
  readonly durable: DurableState
  readonly groupId: string
  readonly requireStable: boolean
}

function fetchPartition(from: FetchFrom, topic: string, partitionIndex: number): FetchedPartition {
  const { durable, groupId, requireStable } = from
  // Whoever goes on from what a transaction may yet change would read twice or leave out.
  if (requireStable && durable.pending.has(groupId, topic, partitionIndex)) {
    return fetchFailure(partitionIndex, ErrorCode.UNSTABLE_OFFSET_COMMIT)
  }
  const committed = committedOffset(durable, groupId, topic, partitionIndex)
  if (committed === undefined) return fetchFailure(partitionIndex, ErrorCode.NONE)
  return {
    partitionIndex,
    committedOffset: committed.offset,
    committedLeaderEpoch: committed.leaderEpoch,
    metadata: committed.metadata,
    errorCode: ErrorCode.NONE,
  }
}

/** Also the answer for what was never committed, with code 0. */
function fetchFailure(partitionIndex: number, errorCode: ErrorCode): FetchedPartition {
  return { partitionIndex, committedOffset: NO_OFFSET, committedLeaderEpoch: NO_EPOCH, metadata: '', errorCode }
}

/** Errors of a whole group: the versions without a place for them repeat them on every partition. */
export function failedGroup(asked: GroupToFetch, errorCode: ErrorCode, version: number): FetchedGroup {
  const topics: FetchedTopic[] =
    version >= FETCH_TOP_LEVEL_ERROR_VERSION
      ? []
      : (asked.topics ?? []).map(({ name, partitionIndexes }) => ({
          name,
          partitions: partitionIndexes.map((index) => fetchFailure(index, errorCode)),
        }))
  return { groupId: asked.groupId, topics, errorCode }
}

export function offsetFetchResponse(groups: readonly FetchedGroup[], version: number): OffsetFetchAnswer {
  if (version >= FETCH_MANY_GROUPS_VERSION) return { groups: [...groups] }
  const only = groups[0]
  const topics = (only?.topics ?? []).map(({ name, partitions }) => ({ name: name ?? '', partitions }))
  return { topics, errorCode: only?.errorCode ?? ErrorCode.NONE }
}

export interface DeletePlan {
  readonly partitions: readonly TopicPartition[]
  answer(result: OffsetDeleteResult): OffsetDeleteAnswer
}

export function planDelete(
  context: GroupRequestContext,
  request: OffsetDeleteRequest,
  lookup: TopicLookup,
): DeletePlan {
  const topics: { name: string; partitions: CodedRow[] }[] = []
  const rows: CodedRow[] = []
  const partitions: TopicPartition[] = []
  for (const { name, partitions: asked } of request.topics) {
    const topic = resolveTopic({ name, topicId: ZERO_UUID }, context, lookup, 'READ')
    const coded: CodedRow[] = []
    topics.push({ name, partitions: coded })
    for (const { partitionIndex } of asked) {
      const known = partitionIndex >= 0 && partitionIndex < topic.partitionCount
      const unknown = known ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      const row: CodedRow = {
        partitionIndex,
        errorCode: topic.errorCode === ErrorCode.NONE ? unknown : topic.errorCode,
      }
      coded.push(row)
      if (row.errorCode !== ErrorCode.NONE) continue
      rows.push(row)
      partitions.push({ topic: name, partition: partitionIndex })
    }
  }
  const answer = (result: OffsetDeleteResult): OffsetDeleteAnswer => {
    if (typeof result === 'number' && result !== ErrorCode.NONE)
      return { errorCode: result, throttleTimeMs: 0, topics: [] }
    if (typeof result !== 'number') {
      for (const [index, row] of rows.entries()) row.errorCode = result[index] ?? ErrorCode.UNKNOWN_SERVER_ERROR
    }
    return { errorCode: ErrorCode.NONE, throttleTimeMs: 0, topics }
  }
  return { partitions, answer }
}
