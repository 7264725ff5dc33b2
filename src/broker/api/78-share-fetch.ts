/**
 * ShareFetch: records for a member of a share group, each of them for nobody else until it is acknowledged or its lock runs out; and what
 * became of earlier ones (KIP-932). This file resolves what is asked and builds the answer; `share/share-fetch.ts` reads and waits.
 */
import { isShareMemberId } from '../../coordinator/share-requests.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { ShareFetchRequest, ShareFetchResponse } from '../../protocol/messages/78-share-fetch.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi, type Reply, type RequestContext } from '../api.ts'
import { liveBrokers } from '../cluster-view.ts'
import { type AcknowledgedPartition, acknowledge } from '../share/acknowledge.ts'
import type { SharedTopicPartition, ShareFetchTurn } from '../share/sessions.ts'
import { PendingShareFetch, ShareFetchRow, type ShareFetchTerms } from '../share/share-fetch.ts'
import { servesShareGroups } from './76-share-group-heartbeat.ts'

type Response = Input<typeof ShareFetchResponse>
type TopicAnswer = Response['responses'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]

/** share_acquire_mode */
const STRICT = 1

const NO_LEADER = { leaderId: 0, leaderEpoch: 0 }

function failed(errorCode: ErrorCode): Response {
  return { throttleTimeMs: 0, errorCode, acquisitionLockTimeoutMs: 0, responses: [], nodeEndpoints: [] }
}

export default defineApi({
  key: 78,
  name: 'ShareFetch',
  request: ShareFetchRequest,
  response: ShareFetchResponse,
  versions: [1, 2],
  notes: [
    'Answers hold whole batches of the log, which may hold more than the member has acquired; at most 1 MiB of a partition is read at once, unless min_bytes asks for more.',
    'v2: acquire mode 0 may exceed max_records by the rest of a batch, 1 never does; `is_renew_ack` renews locks and fetches nothing.',
    'A client over its fetch quota is answered without records, and none are acquired for it.',
  ],
  authorize(context, request) {
    if (!servesShareGroups(context.broker)) return failed(ErrorCode.UNSUPPORTED_VERSION)
    const { groupId } = request
    if (groupId === null) return failed(ErrorCode.INVALID_REQUEST)
    if (!context.allowed('READ', 'GROUP', groupId)) return failed(ErrorCode.GROUP_AUTHORIZATION_FAILED)
    return null
  },
  handleLater(context, request, reply) {
    const { broker } = context
    const groupId = request.groupId!
    const { memberId, shareSessionEpoch: epoch, topics, forgottenTopicsData, isRenewAck } = request
    const { minBytes, maxRecords, maxWaitMs } = request
    if (!isShareMemberId(memberId)) {
      reply(failed(ErrorCode.INVALID_REQUEST))
      return
    }
    // Whoever renews locks must not ask for records in the same breath.
    if (isRenewAck && (request.maxBytes !== 0 || minBytes !== 0 || maxRecords !== 0 || maxWaitMs !== 0)) {
      reply(failed(ErrorCode.INVALID_REQUEST))
      return
    }
    const hasAcknowledgements = topics.some(({ partitions }) => {
      return partitions.some(({ acknowledgementBatches }) => acknowledgementBatches.length > 0)
    })
    const session = { groupId, memberId, epoch, connection: context.connection }
    const added = topics.flatMap(({ topicId, partitions }) => {
      return partitions.map(({ partitionIndex: index }) => ({ topicId, index }))
    })
    const forgotten = forgottenTopicsData.flatMap(({ topicId, partitions }) => {
      return partitions.map((index) => ({ topicId, index }))
    })
    const turn = broker.sharedPartitions.sessions.open(session, { added, forgotten }, hasAcknowledgements)
    if (typeof turn === 'number') {
      refuseSession(context, turn, maxWaitMs, reply)
      return
    }
    const answered = new ShareFetchAnswer(context, groupId, turn, (response) => {
      if (turn.isFinal) broker.sharedPartitions.sessions.end(session)
      reply(response)
    })
    if (hasAcknowledgements) {
      acknowledge(context, { groupId, memberId, topics, isRenewAck }, (rows) => answered.acknowledged(rows))
    } else answered.acknowledged([])
    fetch(context, { ...request, groupId, memberId }, turn, (rows) => answered.fetched(rows))
  },
})

type Asked = ShareFetchRequest & { readonly groupId: string; readonly memberId: string }

/** A client that cannot have a session would come back at once. */
function refuseSession(
  context: RequestContext,
  errorCode: ErrorCode,
  maxWaitMs: number,
  reply: Reply<typeof ShareFetchResponse>,
): void {
  if (errorCode !== ErrorCode.SHARE_SESSION_LIMIT_REACHED || maxWaitMs <= 0) {
    reply(failed(errorCode))
    return
  }
  const { broker, nowMs } = context
  const timer = `share-fetch/${broker.fetchWaits.nextId()}`
  context.onAbandoned(() => broker.timers.cancel(timer))
  broker.timers.schedule(timer, nowMs + maxWaitMs, () => reply(failed(errorCode)))
}

function fetch(
  context: RequestContext,
  request: Asked,
  turn: ShareFetchTurn,
  fetched: (rows: readonly ShareFetchRow[]) => void,
): void {
  const { broker } = context
  const { memberId, maxWaitMs, maxRecords: recordsMax, batchSize } = request
  if (request.isRenewAck || turn.isFinal) {
    fetched([])
    return
  }
  const maxBytes = Math.min(
    request.maxBytes,
    broker.config.number('fetch.max.bytes'),
    broker.quotas.fetchBytesMax(context),
  )
  const minBytes = Math.min(request.minBytes, maxBytes)
  const mayRead = recordsMax > 0 && maxBytes > 0
  const rows = rotated(turn.partitions, request.shareSessionEpoch).map((asked) => {
    return resolve(context, request.groupId, asked, mayRead)
  })
  const wanted = rows.filter(({ shared }) => shared !== null)
  if (wanted.length === 0) {
    fetched(rows.filter(({ errorCode }) => errorCode !== ErrorCode.NONE))
    return
  }
  const isStrict = request.shareAcquireMode === STRICT
  const terms: ShareFetchTerms = { memberId, maxWaitMs, minBytes, maxBytes, recordsMax, batchSize, isStrict }
  new PendingShareFetch(context, terms, rows, () => fetched(rows)).start()
}

/** Each time another partition is the first, so that none is starved by those before it. */
function rotated(partitions: readonly SharedTopicPartition[], epoch: number): SharedTopicPartition[] {
  if (partitions.length === 0) return []
  const first = epoch % partitions.length
  return [...partitions.slice(first), ...partitions.slice(0, first)]
}

function resolve(
  context: RequestContext,
  groupId: string,
  asked: SharedTopicPartition,
  mayRead: boolean,
): ShareFetchRow {
  const { broker } = context
  const topic = broker.image.topicById(asked.topicId)
  if (topic === undefined) return new ShareFetchRow(asked, null, ErrorCode.UNKNOWN_TOPIC_ID)
  if (!context.allowed('READ', 'TOPIC', topic.name)) {
    return new ShareFetchRow(asked, null, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  }
  const partition = broker.partitions.byId(asked.topicId, asked.index)
  if (partition === undefined) return new ShareFetchRow(asked, null, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  if (!mayRead) return new ShareFetchRow(asked, null, ErrorCode.NONE)
  const refusal = partition.refusalFor(-1)
  if (refusal !== null) return new ShareFetchRow(asked, null, refusal)
  return new ShareFetchRow(asked, broker.sharedPartitions.open(groupId, partition), ErrorCode.NONE)
}

/** Both halves of an answer, which is complete when both are there. */
class ShareFetchAnswer {
  readonly #context: RequestContext
  readonly #groupId: string
  readonly #turn: ShareFetchTurn
  readonly #complete: (response: Response) => void
  #rows: readonly ShareFetchRow[] | null = null
  #acknowledged: readonly AcknowledgedPartition[] | null = null

  constructor(context: RequestContext, groupId: string, turn: ShareFetchTurn, complete: (response: Response) => void) {
    this.#context = context
    this.#groupId = groupId
    this.#turn = turn
    this.#complete = complete
  }

  fetched(rows: readonly ShareFetchRow[]): void {
    this.#rows = rows
    this.#build()
  }

  acknowledged(rows: readonly AcknowledgedPartition[]): void {
    this.#acknowledged = rows
    this.#build()
  }

  #build(): void {
    if (this.#rows === null || this.#acknowledged === null) return
    const { broker, connection } = this.#context
    const topics = new Map<string, Map<number, PartitionAnswer>>()
    const put = (topicId: string, answer: PartitionAnswer) => {
      const partitions = topics.get(topicId)
      if (partitions === undefined) topics.set(topicId, new Map([[answer.partitionIndex, answer]]))
      else partitions.set(answer.partitionIndex, answer)
    }
    for (const row of this.#rows) {
      if (!row.isAnswered) continue
      const news = { errorCode: row.errorCode, hasRecords: row.records !== null }
      if (this.#turn.isNews(row.asked, news)) put(row.asked.topicId, partitionAnswer(row))
    }
    for (const { topicId, index, errorCode, errorMessage } of this.#acknowledged) {
      const known = topics.get(topicId)?.get(index) ?? emptyAnswer(index)
      put(topicId, { ...known, acknowledgeErrorCode: errorCode, acknowledgeErrorMessage: errorMessage })
    }
    const isElsewhere = this.#rows.some(({ errorCode }) => errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER)
    const endpoints = isElsewhere ? liveBrokers(broker, connection) : []
    this.#complete({
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      acquisitionLockTimeoutMs: broker.shareSettings.of(this.#groupId).lockDurationMs,
      responses: Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions: [...partitions.values()] })),
      nodeEndpoints: endpoints.map(({ id, ...address }) => ({ nodeId: id, ...address })),
    })
  }
}

function emptyAnswer(partitionIndex: number): PartitionAnswer {
  return {
    partitionIndex,
    errorCode: ErrorCode.NONE,
    acknowledgeErrorCode: ErrorCode.NONE,
    currentLeader: NO_LEADER,
    records: [],
    acquiredRecords: [],
  }
}

function partitionAnswer(row: ShareFetchRow): PartitionAnswer {
  const { asked, shared, errorCode, records, acquired } = row
  const isElsewhere = errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER && shared !== null
  const { leader, leaderEpoch } = shared?.partition ?? { leader: 0, leaderEpoch: 0 }
  return {
    ...emptyAnswer(asked.index),
    errorCode,
    currentLeader: isElsewhere ? { leaderId: leader, leaderEpoch } : NO_LEADER,
    records: records === null ? [] : [records],
    acquiredRecords: [...acquired],
  }
}
