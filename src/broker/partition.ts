/**
 * One partition of a topic as this broker serves it: who leads it, in which epoch, and its log. Owned by `Partitions`,
 * which follows the metadata image; Produce, Fetch and ListOffsets work through it.
 *
 * What must hold: data is appended and read only while this broker leads and the log is usable; a waiting fetch is woken
 * whenever what it could read, or the answer it would get, has changed.
 */
import type { Log } from '../log/log.ts'
import type { AppendInfo, LogConfig, TransactionGuard } from '../log/types.ts'
import type { PartitionImage, TopicImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { RecordsData } from '../protocol/schema.ts'
import { isTransactional } from '../records/batch.ts'
import { maxDecompressedBytesFor } from '../records/limits.ts'
import type { ProduceValidation } from '../records/validate.ts'
import { validateProduced } from '../records/validate.ts'
import { type TransactionVerifier, type VerificationTerms, verificationFailure } from './transaction-verifier.ts'

export interface PartitionWait {
  /** The partition has more to read, or is no longer what it was. */
  partitionChanged(partition: Partition): void
}

export interface ProduceAppend {
  readonly records: RecordsData
  /** -1, 0 or 1; anything else is an error of the partition. */
  readonly acks: number
  readonly produceVersion: number
  /** Only Kafka's own admin client may write to internal topics. */
  readonly mayWriteInternal: boolean
  /** Asked before a transaction begins here. Null: the request names no transaction, and its batches are of none. */
  readonly transaction: ProduceTransaction | null
  readonly nowMs: number
}

export interface ProduceTransaction {
  readonly transactionalId: string
  readonly terms: VerificationTerms
  readonly verifier: TransactionVerifier
}

/** A failed append; the log start is the real one only when the log itself refused the data. */
export interface AppendFailure {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
  readonly logStartOffset: number
  readonly recordErrors: readonly { batchIndex: number; message: string | null }[]
}

export type ClientAppend =
  | { readonly failure: AppendFailure; readonly info: null }
  | { readonly failure: null; readonly info: AppendInfo }

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const NO_RECORD_ERRORS: AppendFailure['recordErrors'] = []

export class Partition {
  readonly topic: string
  readonly topicId: string
  readonly index: number
  readonly isInternal: boolean
  leader: number
  leaderEpoch: number
  replicas: readonly number[]
  isr: readonly number[]
  /** Null when this broker keeps no replica, its log could not be opened, or its data folder is offline. */
  log: Log | null = null
  isDeleted = false

  readonly #nodeId: number
  readonly #waits = new Set<PartitionWait>()
  /** Reused for every append: the configured part changes rarely, the rest is set each time. */
  #validation: Mutable<ProduceValidation> | null = null
  #validationConfig: LogConfig | null = null

  constructor(nodeId: number, topic: TopicImage, image: PartitionImage) {
    this.#nodeId = nodeId
    this.topic = topic.name
    this.topicId = topic.topicId
    this.index = image.index
    this.isInternal = topic.internal
    this.leader = image.leader
    this.leaderEpoch = image.leaderEpoch
    this.replicas = image.replicas
    this.isr = image.isr
  }

  get isLeader(): boolean {
    return this.leader === this.#nodeId
  }

  /** Takes over what the metadata says now. */
  update(image: PartitionImage): void {
    const newEpoch = image.leaderEpoch !== this.leaderEpoch || image.leader !== this.leader
    this.leader = image.leader
    this.leaderEpoch = image.leaderEpoch
    this.replicas = image.replicas
    this.isr = image.isr
    if (newEpoch) {
      if (this.isLeader) this.log?.assignEpoch(this.leaderEpoch)
      this.wake()
    }
  }

  attachLog(log: Log): void {
    this.log = log
    log.onAppended = () => this.wake()
    if (this.isLeader) log.assignEpoch(this.leaderEpoch)
  }

  /** The folder that the log lies in has failed. */
  logFailed(): void {
    if (this.log !== null) this.log.onAppended = null
    this.log = null
    this.wake()
  }

  detachLog(): void {
    if (this.log !== null) this.log.onAppended = null
    this.log = null
    this.isDeleted = true
    this.wake()
  }

  addWait(wait: PartitionWait): void {
    this.#waits.add(wait)
  }

  removeWait(wait: PartitionWait): void {
    this.#waits.delete(wait)
  }

  wake(): void {
    if (this.#waits.size === 0) return
    // A woken wait removes itself, and its answer may let the next request of that connection wait here again.
    for (const wait of [...this.#waits]) wait.partitionChanged(this)
  }

  /** Null, or why this broker cannot serve the partition to a client that believes in `currentLeaderEpoch` (-1: any). */
  refusalFor(currentLeaderEpoch: number): ErrorCode | null {
    if (currentLeaderEpoch >= 0) {
      if (currentLeaderEpoch < this.leaderEpoch) return ErrorCode.FENCED_LEADER_EPOCH
      if (currentLeaderEpoch > this.leaderEpoch) return ErrorCode.UNKNOWN_LEADER_EPOCH
    }
    if (!this.isLeader) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    return this.log === null ? ErrorCode.KAFKA_STORAGE_ERROR : null
  }

  /**
   * Checks and queues one produced batch. The order of the checks is Kafka's: the shape of the batch, the request, the
   * partition, then what only the log can judge. `done` is called later, and only when nothing failed here. Null: the coordinator
   * of the batch's transaction is asked first, and `decided` gets the result.
   */
  appendFromClient(
    append: ProduceAppend,
    done: (error: ErrorCode) => void,
    decided: (result: ClientAppend) => void,
  ): ClientAppend | null {
    const log = this.log
    const checked = log === null ? null : validateProduced(append.records, this.#validationFor(log.config, append))
    if (checked !== null && !checked.ok && !checked.insideLog)
      return { failure: { ...checked, logStartOffset: -1 }, info: null }
    if (append.acks < -1 || append.acks > 1) return refused(ErrorCode.INVALID_REQUIRED_ACKS)
    if (this.isInternal && !append.mayWriteInternal) return refused(ErrorCode.INVALID_TOPIC_EXCEPTION)
    if (checked?.ok === true && append.transaction !== null && checked.header.producerId >= 0) {
      if (this.isLeader && isTransactional(checked.header)) {
        return this.#appendInTransaction(append.transaction, { ...append }, checked, done, decided)
      }
    }
    return this.#appendChecked(append, checked, done)
  }

  #appendInTransaction(
    { transactionalId, terms, verifier }: ProduceTransaction,
    append: ProduceAppend,
    checked: Extract<ReturnType<typeof validateProduced>, { ok: true }>,
    done: (error: ErrorCode) => void,
    decided: (result: ClientAppend) => void,
  ): ClientAppend | null {
    const { producerId, producerEpoch, baseSequence } = checked.header
    const write = { transactionalId, producerId, producerEpoch, baseSequence, adds: terms.adds }
    let isLate = false
    let result: ClientAppend | null = null
    verifier.verify(this, write, (errorCode, guard) => {
      const failure = verificationFailure(errorCode, terms)
      if (failure === null) result = this.#appendChecked(append, checked, done, guard)
      else result = refused(failure.errorCode, failure.errorMessage)
      if (isLate) decided(result)
    })
    isLate = true
    return result
  }

  #appendChecked(
    append: ProduceAppend,
    checked: ReturnType<typeof validateProduced> | null,
    done: (error: ErrorCode) => void,
    guard?: TransactionGuard | null,
  ): ClientAppend {
    const { log } = this
    if (!this.isLeader) return refused(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    if (log === null || checked === null) return refused(ErrorCode.KAFKA_STORAGE_ERROR)
    // A topic cannot have more in-sync replicas than replicas: asking for more means all of them.
    const minInsync = Math.min(log.config.minInsyncReplicas, this.replicas.length)
    if (append.acks === -1 && this.isr.length < minInsync) return refused(ErrorCode.NOT_ENOUGH_REPLICAS)
    if (!checked.ok) return { failure: { ...checked, logStartOffset: log.logStartOffset }, info: null }
    const options = { leaderEpoch: this.leaderEpoch, origin: 'client', nowMs: append.nowMs, done } as const
    const info = log.append(checked, guard === undefined ? options : { ...options, guard })
    if (info.errorCode === ErrorCode.NONE) return { failure: null, info }
    // Only what the validation finds comes with a message, and a batch larger than a segment is refused before the log is asked.
    const logStartOffset = info.errorCode === ErrorCode.RECORD_LIST_TOO_LARGE ? -1 : info.logStartOffset
    const { errorCode } = info
    return { failure: { errorCode, errorMessage: null, logStartOffset, recordErrors: NO_RECORD_ERRORS }, info: null }
  }

  #validationFor(config: LogConfig, append: ProduceAppend): ProduceValidation {
    if (this.#validation === null || this.#validationConfig !== config) {
      this.#validationConfig = config
      this.#validation = {
        nowMs: 0,
        produceVersion: 0,
        compacted: config.cleanupPolicy.compact,
        timestampType: config.timestampType,
        timestampBeforeMaxMs: config.timestampBeforeMaxMs,
        timestampAfterMaxMs: config.timestampAfterMaxMs,
        compressionType: config.compressionType,
        levels: config.compressionLevels,
        maxMessageBytes: config.maxMessageBytes,
        maxDecompressedBytes: maxDecompressedBytesFor(config.maxMessageBytes),
      }
    }
    this.#validation.nowMs = append.nowMs
    this.#validation.produceVersion = append.produceVersion
    return this.#validation
  }
}

function refused(errorCode: ErrorCode, errorMessage: string | null = null): ClientAppend {
  return { failure: { errorCode, errorMessage, logStartOffset: -1, recordErrors: NO_RECORD_ERRORS }, info: null }
}
