/**
 * Fetch: batches as they lie in the log, for consumers and followers. This file resolves what is asked (sessions, topic
 * ids) and builds the answer; `fetch-wait.ts` reads and waits.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { FetchRequest, FetchResponse } from '../../protocol/messages/01-fetch.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi, type Reply, type RequestContext } from '../api.ts'
import { liveBrokers } from '../cluster-view.ts'
import type { FetchPartition, FetchTurn } from '../fetch-sessions.ts'
import { FetchRow, type FetchTerms, PendingFetch } from '../fetch-wait.ts'

type Response = Input<typeof FetchResponse>
type TopicAnswer = Response['responses'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const TOPIC_IDS_SINCE = 13
const REPLICA_STATE_SINCE = 15
const LEADER_HINTS_SINCE = 16
const STORAGE_ERROR_SINCE = 6
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

export default defineApi({
  key: 1,
  name: 'Fetch',
  request: FetchRequest,
  response: FetchResponse,
  versions: [4, 18],
  notes: [
    'Answers hold whole batches; Kafka may cut the last one.',
    'Negative max_bytes is answered INVALID_REQUEST per partition.',
    'There is no replica selector: the preferred read replica is always -1.',
  ],
  authorize(context, request) {
    if (replicaIdOf(context, request) < 0 || context.allowed('CLUSTER_ACTION', 'CLUSTER', 'kafka-cluster')) return null
    return failed(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
  },
  handleLater(context, request, reply) {
    const { isolationLevel } = request
    if (isolationLevel !== READ_UNCOMMITTED && isolationLevel !== READ_COMMITTED) {
      reply(failedEverywhere(request, ErrorCode.UNKNOWN_SERVER_ERROR))
      return
    }
    const { broker, apiVersion } = context
    const replicaId = replicaIdOf(context, request)
    const usesTopicIds = apiVersion >= TOPIC_IDS_SINCE
    const opened = broker.fetchSessions.open(request, usesTopicIds, replicaId >= 0, broker.clock.monotonic())
    if (opened.turn === null) {
      reply(failed(opened.errorCode))
      return
    }
    const { turn } = opened
    const terms: FetchTerms = {
      maxWaitMs: request.maxWaitMs,
      minBytes: request.minBytes,
      maxBytes: Math.min(
        request.maxBytes,
        broker.config.number('fetch.max.bytes'),
        broker.quotas.fetchBytesMax(context),
      ),
      readCommitted: isolationLevel === READ_COMMITTED,
      replicaId,
      version: apiVersion,
    }
    const rows: FetchRow[] = []
    for (const asked of turn.partitions) rows.push(resolve(context, asked, terms))
    new PendingFetch(context, terms, rows, (read) => answer(context, turn, read, reply)).start()
  },
})

function replicaIdOf(context: RequestContext, request: FetchRequest): number {
  return context.apiVersion >= REPLICA_STATE_SINCE ? request.replicaState.replicaId : request.replicaId
}

/** Errors found here do not end a long poll: the client would only ask again. */
function resolve(context: RequestContext, asked: FetchPartition, terms: FetchTerms): FetchRow {
  const { broker, apiVersion } = context
  let topic = asked.topic
  if (apiVersion >= TOPIC_IDS_SINCE) {
    const image = broker.image.topicById(asked.topicId)
    if (image === undefined) return new FetchRow(asked, null, ErrorCode.UNKNOWN_TOPIC_ID)
    topic = image.name
  }
  if (!context.allowed('READ', 'TOPIC', topic)) return new FetchRow(asked, null, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  if (terms.maxBytes < 0) return new FetchRow(asked, null, ErrorCode.INVALID_REQUEST)
  const partition = broker.partitions.get(topic, asked.index)
  if (partition === undefined) return new FetchRow(asked, null, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  return new FetchRow(asked, partition, ErrorCode.NONE)
}

function answer(
  context: RequestContext,
  turn: FetchTurn,
  rows: readonly FetchRow[],
  reply: Reply<typeof FetchResponse>,
): void {
  if (isThrottled(context, rows)) {
    reply({ throttleTimeMs: 0, errorCode: ErrorCode.NONE, sessionId: turn.sessionId, responses: [] })
    return
  }
  const topics: TopicAnswer[] = []
  let partitions: PartitionAnswer[] = []
  let last: FetchPartition | null = null
  let hintsAtLeader = false
  for (const row of rows) {
    const { asked } = row
    if (!turn.isNews(asked, row)) continue
    if (last === null || last.topic !== asked.topic || last.topicId !== asked.topicId) {
      partitions = []
      topics.push({ topic: asked.topic, topicId: asked.topicId, partitions })
      last = asked
    }
    const built = partitionAnswer(context, row)
    if (built.currentLeader !== undefined) hintsAtLeader = true
    partitions.push(built)
    if (row.data !== null) context.afterSent(row.data.release.bind(row.data))
  }
  const response: Mutable<Response> = {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    sessionId: turn.sessionId,
    responses: topics,
  }
  if (hintsAtLeader) {
    response.nodeEndpoints = liveBrokers(context.broker, context.connection).map(({ id, ...address }) => ({
      nodeId: id,
      ...address,
    }))
  }
  reply(response)
}

/** Over its quota a client gets an empty answer, and the time after which to ask again for the same. */
function isThrottled(context: RequestContext, rows: readonly FetchRow[]): boolean {
  let sizeBytes = 0
  for (const { data } of rows) sizeBytes += data === null ? 0 : data.sizeBytes
  const throttleMs = context.broker.quotas.chargeFetch(context, sizeBytes)
  if (throttleMs === 0) return false
  for (const row of rows) row.releaseData()
  context.throttle(throttleMs)
  return true
}

function partitionAnswer(context: RequestContext, row: FetchRow): PartitionAnswer {
  const { partition, errorCode, highWatermark, lastStableOffset, logStartOffset, abortedTransactions } = row
  const built: Mutable<PartitionAnswer> = {
    partitionIndex: row.asked.index,
    errorCode: wireError(errorCode, context.apiVersion),
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions,
    records: row.data === null ? [] : [row.data.file ?? row.data.data],
  }
  if (row.divergingEpoch !== null) {
    built.divergingEpoch = { epoch: row.divergingEpoch.leaderEpoch, endOffset: row.divergingEpoch.endOffset }
  }
  const isElsewhere = errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH
  if (isElsewhere && partition !== null && context.apiVersion >= LEADER_HINTS_SINCE) {
    built.currentLeader = { leaderId: partition.leader, leaderEpoch: partition.leaderEpoch }
  }
  return built
}

/** The storage error came with v6; older clients understand "ask another leader". */
function wireError(errorCode: ErrorCode, version: number): ErrorCode {
  const isTooNew = errorCode === ErrorCode.KAFKA_STORAGE_ERROR && version < STORAGE_ERROR_SINCE
  return isTooNew ? ErrorCode.NOT_LEADER_OR_FOLLOWER : errorCode
}

/** The whole request is refused, and every partition says so, too. */
function failedEverywhere(request: FetchRequest, errorCode: ErrorCode): Response {
  const responses = request.topics.map(({ topic, topicId, partitions }) => ({
    topic,
    topicId,
    partitions: partitions.map(({ partition }) => ({
      partitionIndex: partition,
      errorCode,
      highWatermark: -1,
      abortedTransactions: [],
      records: [],
    })),
  }))
  return { ...failed(errorCode), responses }
}

function failed(errorCode: ErrorCode): Response {
  return { throttleTimeMs: 0, errorCode, sessionId: 0, responses: [] }
}
