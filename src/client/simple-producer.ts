/**
 * Writes records to one topic, in batches, in order per partition. Used by `samsa produce` and by tests.
 *
 * What must hold: a partition has at most one request under way, so its batches arrive in the order they were filled,
 * also after a retry. With acks=all the producer is idempotent where the broker allows it: a batch that is sent again,
 * because its answer was lost, is stored once.
 */
import { ErrorCode, isRetriable } from '../protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../protocol/messages/00-produce.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../protocol/messages/22-init-producer-id.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import { buildBatch, type CodecId, type RecordInput } from '../records/batch.ts'
import type { Cluster, TopicMetadata } from './cluster.ts'
import { brokerError, KafkaError } from './errors.ts'
import { partitionForKey } from './partitioner.ts'
import { DEFAULT_RETRY, retrying, sleep } from './retry.ts'

export type Acks = -1 | 0 | 1

export interface ProducerOptions {
  readonly topic: string
  readonly acks?: Acks
  readonly codec?: CodecId
  readonly level?: number
  /** All records go here; without it the key decides, and records without a key go round by batch. */
  readonly partition?: number
  /** How long a record may wait for others to share its batch. */
  readonly lingerMs?: number
  readonly batchBytes?: number
  /** Records that were added and not acknowledged; `add` asks to wait above it. */
  readonly bufferBytes?: number
  /** Let the broker create the topic if it is configured to. */
  readonly create?: boolean
}

const DEFAULT_BATCH_BYTES = 256 * 1024
const DEFAULT_BUFFER_BYTES = 16 * 1024 * 1024
const DEFAULT_LINGER_MS = 5
/** Room for lengths, deltas and the share of the batch header. */
const RECORD_OVERHEAD_BYTES = 24
const MAX_RECORDS_PER_BATCH = 100_000
/** From this version on, Produce names topics by id. */
const FIRST_PRODUCE_BY_ID = 13

/** Records that go out as one batch. The bytes are made at the first attempt and kept for further ones. */
interface Batch {
  readonly records: RecordInput[]
  bytes: number
  encoded: Buffer | null
}

interface Lane {
  readonly partition: number
  leaderId: number
  open: Batch
  readonly sealed: Batch[]
  sending: boolean
  nextSequence: number
}

export class SimpleProducer {
  readonly topicName: string
  /** Acknowledged records (handed to the kernel, with acks=0). */
  delivered = 0
  private readonly cluster: Cluster
  private readonly options: Required<Pick<ProducerOptions, 'acks' | 'lingerMs' | 'batchBytes' | 'bufferBytes'>> &
    ProducerOptions
  private topic: TopicMetadata
  private readonly producerId: number
  private readonly producerEpoch: number
  private readonly lanes: Lane[]
  private stickyLane: number
  private bufferedBytes = 0
  private lingerTimer: ReturnType<typeof setTimeout> | null = null
  private failure: Error | null = null
  private waiters: (() => void)[] = []

  private constructor(
    cluster: Cluster,
    options: ProducerOptions,
    topic: TopicMetadata,
    identity: { producerId: number; producerEpoch: number },
  ) {
    this.cluster = cluster
    this.topicName = options.topic
    this.topic = topic
    this.producerId = identity.producerId
    this.producerEpoch = identity.producerEpoch
    this.options = {
      ...options,
      acks: options.acks ?? -1,
      lingerMs: options.lingerMs ?? DEFAULT_LINGER_MS,
      batchBytes: options.batchBytes ?? DEFAULT_BATCH_BYTES,
      bufferBytes: options.bufferBytes ?? DEFAULT_BUFFER_BYTES,
    }
    this.lanes = topic.partitions
      .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
      .map(({ partitionIndex, leaderId }) => newLane(partitionIndex, leaderId))
    this.stickyLane = Math.floor(Math.random() * this.lanes.length)
  }

  static async open(cluster: Cluster, options: ProducerOptions): Promise<SimpleProducer> {
    const topic = await cluster.topic(options.topic, { create: options.create ?? false })
    const { partition } = options
    if (partition !== undefined && !topic.partitions.some((row) => row.partitionIndex === partition)) {
      const what = `topic '${options.topic}' has no partition ${partition}, only 0 to ${topic.partitions.length - 1}`
      throw brokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `produce to ${options.topic}-${partition}`, what)
    }
    const anonymous = { producerId: -1, producerEpoch: -1 }
    const identity = (options.acks ?? -1) === -1 ? await askProducerId(cluster) : null
    return new SimpleProducer(cluster, options, topic, identity ?? anonymous)
  }

  /** Takes a record. A promise means that the buffer is full: wait for it before the next record. */
  add(record: RecordInput): Promise<void> | undefined {
    if (this.failure !== null) throw this.failure
    const lane = this.laneFor(record)
    const bytes = sizeOf(record)
    if (lane.open.bytes > 0 && lane.open.bytes + bytes > this.options.batchBytes) this.seal(lane)
    lane.open.records.push(record)
    lane.open.bytes += bytes
    this.bufferedBytes += bytes
    if (lane.open.bytes >= this.options.batchBytes || lane.open.records.length >= MAX_RECORDS_PER_BATCH) this.seal(lane)
    else this.scheduleLinger()
    return this.bufferedBytes > this.options.bufferBytes ? this.waitFor(() => this.hasRoom) : undefined
  }

  /** Resolves when everything added so far is acknowledged; rejects with what went wrong first. */
  async flush(): Promise<void> {
    this.sealAll()
    await this.waitFor(() => this.bufferedBytes === 0)
    if (this.failure !== null) throw this.failure
  }

  private get hasRoom(): boolean {
    return this.bufferedBytes <= this.options.bufferBytes / 2
  }

  private waitFor(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (condition() || this.failure !== null) resolve()
        else this.waiters.push(look)
      }
      look()
    })
  }

  private wake(): void {
    const waiters = this.waiters
    this.waiters = []
    for (const look of waiters) look()
  }

  private laneFor(record: RecordInput): Lane {
    const { partition } = this.options
    // Partitions are numbered without gaps, so a lane's place is its partition.
    if (partition !== undefined) return this.lanes[partition]!
    if (record.key !== null) return this.lanes[partitionForKey(record.key, this.lanes.length)]!
    return this.lanes[this.stickyLane]!
  }

  private scheduleLinger(): void {
    this.lingerTimer ??= setTimeout(() => this.sealAll(), this.options.lingerMs)
  }

  private sealAll(): void {
    if (this.lingerTimer !== null) clearTimeout(this.lingerTimer)
    this.lingerTimer = null
    for (const lane of this.lanes) this.seal(lane)
  }

  private seal(lane: Lane): void {
    if (lane.open.records.length === 0) return
    lane.sealed.push(lane.open)
    lane.open = newBatch()
    if (this.lanes[this.stickyLane] === lane) this.stickyLane = (this.stickyLane + 1) % this.lanes.length
    if (lane.sending) return
    lane.sending = true
    this.drain(lane).catch((error: unknown) => {
      this.failure ??= error instanceof Error ? error : new Error(String(error))
      this.wake()
    })
  }

  private async drain(lane: Lane): Promise<void> {
    for (let batch = lane.sealed[0]; batch !== undefined && this.failure === null; batch = lane.sealed[0]) {
      const errorCode = await this.deliver(lane, batch)
      if (errorCode === ErrorCode.MESSAGE_TOO_LARGE) {
        // The topic takes smaller batches than ours: two halves may pass.
        const middle = batch.records.length >> 1
        lane.sealed.splice(0, 1, batchOf(batch.records.slice(0, middle)), batchOf(batch.records.slice(middle)))
        continue
      }
      lane.sealed.shift()
      lane.nextSequence = (lane.nextSequence + batch.records.length) & 0x7fffffff
      this.delivered += batch.records.length
      this.bufferedBytes -= batch.bytes
      this.wake()
    }
    lane.sending = false
  }

  /** Sends one batch until the broker took it. Answers 0, or MESSAGE_TOO_LARGE for a batch that can be split. */
  private async deliver(lane: Lane, batch: Batch): Promise<number> {
    const deadlineMs = performance.now() + this.cluster.timeoutMs
    for (;;) {
      const failure = await this.attempt(lane, batch)
      if (failure === null) return 0
      if (failure.errorCode === ErrorCode.MESSAGE_TOO_LARGE && batch.records.length > 1) {
        return ErrorCode.MESSAGE_TOO_LARGE
      }
      if (!mayRetry(failure) || performance.now() > deadlineMs) throw failure
      await sleep(DEFAULT_RETRY.backoffMs)
      await this.refreshLeaders()
    }
  }

  private async attempt(lane: Lane, batch: Batch): Promise<KafkaError | null> {
    try {
      return await this.produce(lane, batch)
    } catch (error) {
      if (error instanceof KafkaError) return error
      throw error
    }
  }

  private async produce(lane: Lane, batch: Batch): Promise<KafkaError | null> {
    const leader = await this.cluster.broker(lane.leaderId)
    const { acks } = this.options
    const byId = leader.versionFor(ProduceRequest) >= FIRST_PRODUCE_BY_ID && this.topic.topicId !== ZERO_UUID
    const options = byId ? {} : { maxVersion: FIRST_PRODUCE_BY_ID - 1 }
    const target = byId ? { topicId: this.topic.topicId } : { name: this.topicName }
    batch.encoded ??= this.encode(lane, batch)
    const value = {
      acks,
      timeoutMs: this.cluster.timeoutMs,
      topicData: [{ ...target, partitionData: [{ index: lane.partition, records: [batch.encoded] }] }],
    }
    if (acks === 0) {
      leader.sendNoReply(ProduceRequest, value, options)
      await leader.drained()
      return null
    }
    const answer = await leader.send(ProduceRequest, ProduceResponse, value, options)
    const row = answer.responses[0]?.partitionResponses[0]
    const what = `produce to ${this.topicName}-${lane.partition}`
    if (row === undefined) return new KafkaError('ERR_BAD_RESPONSE', `${what}: no partition in the answer`)
    // The batch is in the log already: its first answer was lost.
    if (row.errorCode === 0 || row.errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) return null
    const detail = row.recordErrors[0]?.batchIndexErrorMessage ?? row.errorMessage
    return brokerError(row.errorCode, what, detail)
  }

  private encode(lane: Lane, batch: Batch): Buffer {
    const { codec, level } = this.options
    return buildBatch({
      ...(codec === undefined ? {} : { codec }),
      level,
      producerId: this.producerId,
      producerEpoch: this.producerEpoch,
      baseSequence: this.producerId < 0 ? -1 : lane.nextSequence,
      records: batch.records,
    })
  }

  private async refreshLeaders(): Promise<void> {
    this.topic = await this.cluster.topic(this.topicName)
    for (const { partitionIndex, leaderId } of this.topic.partitions) {
      const lane = this.lanes.find((candidate) => candidate.partition === partitionIndex)
      if (lane !== undefined) lane.leaderId = leaderId
    }
  }
}

function newBatch(): Batch {
  return { records: [], bytes: 0, encoded: null }
}

function batchOf(records: RecordInput[]): Batch {
  return { records, bytes: records.reduce((sum, record) => sum + sizeOf(record), 0), encoded: null }
}

function newLane(partition: number, leaderId: number): Lane {
  return { partition, leaderId, open: newBatch(), sealed: [], sending: false, nextSequence: 0 }
}

function sizeOf({ key, value, headers }: RecordInput): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.byteLength ?? 0) + (value?.byteLength ?? 0)
  for (const header of headers ?? []) bytes += 4 + header.key.length * 3 + (header.value?.byteLength ?? 0)
  return bytes
}

function mayRetry(failure: KafkaError): boolean {
  if (failure.errorCode !== 0) return isRetriable(failure.errorCode)
  return failure.code === 'ERR_CONNECTION_CLOSED' || failure.code === 'ERR_CONNECT' || failure.code === 'ERR_TIMEOUT'
}

/** Null where the broker knows no producer ids. */
async function askProducerId(cluster: Cluster): Promise<{ producerId: number; producerEpoch: number } | null> {
  const connection = await cluster.any()
  if (!connection.versions.has(InitProducerIdRequest.key)) return null
  return retrying(cluster.timeoutMs, async () => {
    const { errorCode, producerId, producerEpoch } = await connection.send(
      InitProducerIdRequest,
      InitProducerIdResponse,
      { transactionalId: null, transactionTimeoutMs: 0 },
    )
    if (errorCode !== 0) throw brokerError(errorCode, 'get a producer id')
    return { producerId, producerEpoch }
  })
}
