/**
 * Produce: batches for partitions that this broker leads. Each partition succeeds or fails for itself; the answer leaves
 * when every batch of the request is as durable as configured. The hot path: nothing here allocates per record, and
 * no promise is made per request.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../protocol/messages/00-produce.ts'
import type { Infer, Input, RecordsData } from '../../protocol/schema.ts'
import { defineApi, type Reply, type RequestContext } from '../api.ts'
import { liveBrokers } from '../cluster-view.ts'
import type { ClientAppend, Partition, ProduceAppend, ProduceTransaction } from '../partition.ts'

type Request = Infer<typeof ProduceRequest>
type Response = Input<typeof ProduceResponse>
type TopicAnswer = Response['responses'][number]
type PartitionAnswer = TopicAnswer['partitionResponses'][number]
type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Row = Mutable<PartitionAnswer>

/** Kafka lets exactly its admin client write to the internal topics (it does so to move offsets). */
const ADMIN_CLIENT_ID = '__admin_client'
const TOPIC_IDS_SINCE = 13
const TRANSACTION_ABORTABLE_SINCE = 11
const IMPLICIT_ADD_SINCE = 12

export default defineApi({
  key: 0,
  name: 'Produce',
  request: ProduceRequest,
  response: ProduceResponse,
  versions: [0, 13],
  servedFrom: 3,
  notes: [
    'Versions 0-2 are advertised because old clients look for them, and close the connection, as in Kafka.',
    'Produces of one connection are appended in order without waiting for each other; everything else waits its turn.',
    'Null records are answered INVALID_RECORD.',
    'Before a transaction begins in a partition its coordinator is asked, and from v12 on told of the partition (KIP-890).',
  ],
  handleLater(context, request, reply) {
    const { transactionalId } = request
    const mayWrite = transactionalId !== null && context.allowed('WRITE', 'TRANSACTIONAL_ID', transactionalId)
    if (!mayWrite && hasTransactionalBatch(request)) {
      answerAll(context, request, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, reply)
      return
    }
    new PendingProduce(context, request, reply).appendAll()
  },
})

/** One Produce on its way: counts down the partitions whose data is not durable yet. */
class PendingProduce {
  readonly #context: RequestContext
  readonly #request: Request
  readonly #reply: Reply<typeof ProduceResponse>
  readonly #responses: TopicAnswer[] = []
  /** Partitions without an outcome, and one for `appendAll` itself so that nothing is answered half-way. */
  #waiting = 1
  #firstError: ErrorCode = ErrorCode.NONE
  #hasWrongLeader = false

  constructor(context: RequestContext, request: Request, reply: Reply<typeof ProduceResponse>) {
    this.#context = context
    this.#request = request
    this.#reply = reply
  }

  appendAll(): void {
    const { broker, apiVersion, clientId, nowMs } = this.#context
    const byId = apiVersion >= TOPIC_IDS_SINCE
    const append: Mutable<ProduceAppend> = {
      records: [],
      acks: this.#request.acks,
      produceVersion: apiVersion,
      mayWriteInternal: clientId === ADMIN_CLIENT_ID,
      transaction: this.#transaction(),
      nowMs,
    }
    for (const topic of lastOfEachPartition(this.#request.topicData)) {
      const rows: Row[] = []
      this.#responses.push({ name: topic.name, topicId: topic.topicId, partitionResponses: rows })
      const name = byId ? broker.image.topicById(topic.topicId)?.name : topic.name
      for (const { index, records } of topic.partitionData) {
        const row = newRow(index)
        rows.push(row)
        if (name === undefined) this.#fail(row, ErrorCode.UNKNOWN_TOPIC_ID)
        else this.#append(row, name, records, append)
      }
    }
    this.#countDown()
  }

  #append(row: Row, topic: string, records: RecordsData | null, append: Mutable<ProduceAppend>): void {
    if (!this.#context.allowed('WRITE', 'TOPIC', topic)) {
      this.#fail(row, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
      return
    }
    const partition = this.#context.broker.partitions.get(topic, row.index)
    if (partition === undefined) {
      this.#fail(row, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
      return
    }
    if (records === null) {
      this.#fail(row, ErrorCode.INVALID_RECORD)
      return
    }
    append.records = records
    const result = partition.appendFromClient(
      append,
      (error) => this.#written(row, error),
      (late) => {
        this.#appended(row, partition, late)
        this.#countDown()
      },
    )
    if (result === null) this.#waiting++
    else this.#appended(row, partition, result)
  }

  #appended(row: Row, partition: Partition, { failure, info }: ClientAppend): void {
    if (failure !== null) {
      this.#fail(row, failure.errorCode)
      row.logStartOffset = failure.logStartOffset
      row.errorMessage = failure.errorMessage
      row.recordErrors = failure.recordErrors.map(({ batchIndex, message }) => ({
        batchIndex,
        batchIndexErrorMessage: message,
      }))
      if (failure.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER) this.#pointToLeader(row, partition)
      return
    }
    this.#waiting++
    row.baseOffset = info.baseOffset
    row.logAppendTimeMs = info.logAppendTimeMs
    row.logStartOffset = info.logStartOffset
  }

  #transaction(): ProduceTransaction | null {
    const { transactionalId } = this.#request
    if (transactionalId === null) return null
    const { broker, apiVersion } = this.#context
    const terms = {
      adds: apiVersion >= IMPLICIT_ADD_SINCE,
      knowsAbortable: apiVersion >= TRANSACTION_ABORTABLE_SINCE,
    }
    return { transactionalId, terms, verifier: broker.transactionVerifier }
  }

  /** The log's verdict on a queued batch. */
  #written(row: Row, error: ErrorCode): void {
    if (error !== ErrorCode.NONE) {
      this.#fail(row, error)
      row.baseOffset = -1
      row.logAppendTimeMs = -1
      row.logStartOffset = -1
    }
    this.#countDown()
  }

  #fail(row: Row, errorCode: ErrorCode): void {
    row.errorCode = errorCode
    if (this.#firstError === ErrorCode.NONE) this.#firstError = errorCode
  }

  #pointToLeader(row: Row, partition: Partition): void {
    row.currentLeader = { leaderId: partition.leader, leaderEpoch: partition.leaderEpoch }
    this.#hasWrongLeader = true
  }

  #countDown(): void {
    this.#waiting--
    if (this.#waiting === 0) this.#answer()
  }

  #answer(): void {
    if (this.#request.acks === 0) {
      answerUnacknowledged(this.#context, this.#firstError, this.#reply)
      return
    }
    const answer: Mutable<Response> = { responses: this.#responses, throttleTimeMs: 0 }
    if (this.#hasWrongLeader) {
      const { broker, connection } = this.#context
      answer.nodeEndpoints = liveBrokers(broker, connection).map(({ id, ...address }) => ({ nodeId: id, ...address }))
    }
    this.#reply(answer)
  }
}

/** acks=0 gets no answer; the only way to tell of an error is to close the connection. */
function answerUnacknowledged(context: RequestContext, error: ErrorCode, reply: Reply<typeof ProduceResponse>): void {
  if (error === ErrorCode.NONE) reply(null)
  else context.refuse(`its Produce with acks=0 failed with error ${error}`)
}

function answerAll(
  context: RequestContext,
  request: Request,
  errorCode: ErrorCode,
  reply: Reply<typeof ProduceResponse>,
): void {
  if (request.acks === 0) {
    answerUnacknowledged(context, errorCode, reply)
    return
  }
  const responses = lastOfEachPartition(request.topicData).map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(({ index }) => ({ ...newRow(index), errorCode })),
  }))
  reply({ responses, throttleTimeMs: 0 })
}

function newRow(index: number): Row {
  return {
    index,
    errorCode: ErrorCode.NONE,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    recordErrors: NO_RECORD_ERRORS,
    errorMessage: null,
  }
}

const NO_RECORD_ERRORS: NonNullable<PartitionAnswer['recordErrors']> = []

/** A partition named twice counts once, with its last data. One partition alone needs no look at the others. */
function lastOfEachPartition(topics: Request['topicData']): Request['topicData'] {
  if (topics.length === 1 && topics[0]!.partitionData.length === 1) return topics
  const byTopic = new Map<string, Map<number, Request['topicData'][number]['partitionData'][number]>>()
  let hasDuplicates = false
  for (const topic of topics) {
    const key = `${topic.topicId}/${topic.name}`
    const known = byTopic.get(key)
    if (known !== undefined) hasDuplicates = true
    const partitions = known ?? new Map()
    byTopic.set(key, partitions)
    for (const partition of topic.partitionData) {
      if (partitions.has(partition.index)) hasDuplicates = true
      partitions.set(partition.index, partition)
    }
  }
  if (!hasDuplicates) return topics
  const merged: Request['topicData'] = []
  for (const topic of topics) {
    const key = `${topic.topicId}/${topic.name}`
    const partitions = byTopic.get(key)
    if (partitions === undefined) continue
    byTopic.delete(key)
    merged.push({ name: topic.name, topicId: topic.topicId, partitionData: [...partitions.values()] })
  }
  return merged
}

function hasTransactionalBatch(request: Request): boolean {
  for (const topic of request.topicData) {
    for (const { records } of topic.partitionData) {
      if (records !== null && isTransactional(records)) return true
    }
  }
  return false
}

const MAGIC_POSITION = 16
const ATTRIBUTES_LOW_POSITION = 22
const TRANSACTIONAL_BIT = 0x10

/** Looks at two bytes of the first batch, before anything is checked; only magic 2 has the flag. */
function isTransactional(records: RecordsData): boolean {
  return byteAt(records, MAGIC_POSITION) === 2 && (byteAt(records, ATTRIBUTES_LOW_POSITION) & TRANSACTIONAL_BIT) !== 0
}

/** 0 beyond the end. */
function byteAt(records: RecordsData, position: number): number {
  let left = position
  for (const chunk of records) {
    if (left < chunk.length) return chunk[left]!
    left -= chunk.length
  }
  return 0
}
