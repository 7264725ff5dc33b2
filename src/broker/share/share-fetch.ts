/**
 * One ShareFetch from reading to answering. It takes the partitions in turn, reads on where the group is, and has records handed out to
 * the member; if there are too few, it parks until records come, are released, or the wait is over. Created by the ShareFetch handler.
 *
 * What must hold: it answers exactly once; while it is parked it holds no buffers and keeps nobody from reading; records are acquired
 * only in the pass that answers; buffers are given back after the answer has left or when the connection is gone.
 */
import type { AcquiredRange } from '../../coordinator/share-delivery/acquisition.ts'
import type { AbortedTransaction, ReadResult } from '../../log/types.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { RequestContext } from '../api.ts'
import { SHARE_READ_BYTES_MAX } from '../limits.ts'
import type { Partition, PartitionWait } from '../partition.ts'
import { abortedBatches, placedBatches, sliceOf } from './log-batches.ts'
import type { SharedTopicPartition } from './sessions.ts'
import type { SharedPartition, ShareWait } from './shared-partition.ts'

export interface ShareFetchTerms {
  readonly memberId: string
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly recordsMax: number
  readonly batchSize: number
  readonly isStrict: boolean
}

/** One partition of the answer. */
export class ShareFetchRow {
  readonly asked: SharedTopicPartition
  /** Null when it could not be found; then `errorCode` says why. */
  readonly shared: SharedPartition | null
  errorCode: ErrorCode
  /** Whole batches, of which the member has acquired the ranges. */
  records: Buffer | null = null
  acquired: readonly AcquiredRange[] = []
  /** It was read in the last pass. */
  isRead = false

  constructor(asked: SharedTopicPartition, shared: SharedPartition | null, errorCode: ErrorCode) {
    this.asked = asked
    this.shared = shared
    this.errorCode = errorCode
  }

  /** Whether there is anything to say of it. */
  get isAnswered(): boolean {
    return this.isRead || this.errorCode !== ErrorCode.NONE
  }
}

/** A partition while it is being read: nobody else of the group reads it. */
interface Reading {
  readonly row: ShareFetchRow
  readonly shared: SharedPartition
  readonly fetchOffset: number
  result: ReadResult | null
  aborted: AbortedTransaction[]
}

function refusalFor(shared: SharedPartition): ErrorCode | null {
  if (shared.partition.isDeleted) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return shared.partition.refusalFor(-1) ?? (shared.isCurrent ? null : ErrorCode.NOT_LEADER_OR_FOLLOWER)
}

export class PendingShareFetch implements PartitionWait, ShareWait {
  readonly #context: RequestContext
  readonly #terms: ShareFetchTerms
  readonly #rows: readonly ShareFetchRow[]
  readonly #answer: () => void
  readonly #timer: string
  #isLastPass: boolean
  #isReading = false
  /** Something came while a cold partition was being read. */
  #isStale = false
  #isParked = false
  #isAbandoned = false
  #isDone = false

  constructor(context: RequestContext, terms: ShareFetchTerms, rows: readonly ShareFetchRow[], answer: () => void) {
    this.#context = context
    this.#terms = terms
    this.#rows = rows
    this.#answer = answer
    this.#timer = `share-fetch/${context.broker.fetchWaits.nextId()}`
    this.#isLastPass = terms.maxWaitMs <= 0
  }

  start(): void {
    this.#context.onAbandoned(() => this.#abandon())
    for (const { shared } of this.#rows) if (shared?.isLoading) shared.whenLoaded(() => this.recordsFree())
    this.#pass()
  }

  partitionChanged(_partition: Partition): void {
    this.recordsFree()
  }

  recordsFree(): void {
    if (this.#isReading) this.#isStale = true
    else if (this.#isParked) {
      this.#unpark()
      this.#pass()
    }
  }

  /** The wait is over; look once more and answer. */
  endWait(): void {
    this.#isLastPass = true
    this.recordsFree()
  }

  // One pass

  #pass(): void {
    this.#isReading = true
    this.#isStale = false
    const readings = this.#begin()
    const promises: Promise<void>[] = []
    for (const reading of readings) {
      const read = this.#read(reading, readings.length)
      if (read instanceof Promise) promises.push(read)
    }
    if (promises.length === 0) this.#decide(readings)
    else Promise.all(promises).then(() => this.#decide(readings))
  }

  /** Partitions from which the member may get something, each ours until the pass ends. */
  #begin(): Reading[] {
    const readings: Reading[] = []
    for (const row of this.#rows) {
      row.isRead = false
      const { shared } = row
      if (shared === null) continue
      const { records } = shared
      if (records === null) {
        if (!shared.isLoading) this.#failRow(row, shared)
        continue
      }
      const refusal = refusalFor(shared)
      if (refusal !== null) {
        row.errorCode = refusal
        continue
      }
      if (!records.canAcquire(shared.settings.inFlightMax) || !shared.beginReading()) continue
      readings.push({ row, shared, fetchOffset: records.nextFetchOffset(), result: null, aborted: [] })
    }
    return readings
  }

  #failRow(row: ShareFetchRow, { failure }: SharedPartition): void {
    const isTold = failure.errorCode !== ErrorCode.NONE
    // It was closed under us: the client asks again, and it is loaded anew.
    row.errorCode = isTold ? failure.errorCode : ErrorCode.NOT_LEADER_OR_FOLLOWER
  }

  #read(reading: Reading, count: number): Promise<void> | null {
    const { shared, fetchOffset, row } = reading
    const log = shared.partition.log!
    if (fetchOffset < log.logStartOffset) {
      shared.records?.logStartMoved(log.logStartOffset)
      row.isRead = true
      return null
    }
    const upTo = shared.settings.readCommitted ? log.lastStableOffset : log.highWatermark
    if (fetchOffset >= upTo) return null
    const share = Math.max(1, Math.floor(this.#terms.maxBytes / count))
    const maxBytes = Math.min(share, Math.max(SHARE_READ_BYTES_MAX, this.#terms.minBytes))
    const read = log.read(fetchOffset, { maxBytes, upTo, atLeastOne: true, asFile: false })
    if (!(read instanceof Promise)) {
      this.#take(reading, read)
      return null
    }
    return read.then(
      (result) => this.#take(reading, result),
      (error: unknown) => this.#failRead(row, error),
    )
  }

  #take(reading: Reading, result: ReadResult): void {
    const { row, shared, fetchOffset } = reading
    if (result.errorCode !== ErrorCode.NONE) {
      result.release()
      row.errorCode = result.errorCode
      return
    }
    reading.result = result
    if (!shared.settings.readCommitted || result.sizeBytes === 0) return
    try {
      reading.aborted = shared.partition.log?.abortedTransactions(fetchOffset, result.nextOffset) ?? []
    } catch (error) {
      // Without the list aborted records would be taken for good ones.
      reading.result = null
      result.release()
      this.#failRead(row, error)
    }
  }

  #failRead(row: ShareFetchRow, error: unknown): void {
    const { topicId, index } = row.asked
    this.#context.broker.logger.error('reading a partition failed', { topicId, partition: index, error })
    row.errorCode = ErrorCode.KAFKA_STORAGE_ERROR
  }

  /** All that can be had has been read: enough to answer, or not. */
  #decide(readings: readonly Reading[]): void {
    this.#isReading = false
    let sizeBytes = 0
    for (const { result } of readings) sizeBytes += result?.sizeBytes ?? 0
    const isEnough = readings.length > 0 && sizeBytes >= this.#terms.minBytes
    const isFailed = this.#rows.some(({ errorCode, shared }) => shared !== null && errorCode !== ErrorCode.NONE)
    const isEnding = isEnough || isFailed || this.#isLastPass || this.#context.broker.fetchWaits.isStopping
    const throttleMs = isEnding && sizeBytes > 0 ? this.#context.broker.quotas.chargeFetch(this.#context, sizeBytes) : 0
    if (throttleMs > 0) this.#context.throttle(throttleMs)
    const mayAcquire = isEnding && throttleMs === 0 && !this.#isAbandoned
    const acquired = mayAcquire ? this.#acquire(readings) : 0
    for (const reading of readings) this.#end(reading)
    if (this.#isAbandoned) return
    // All of it was taken back, or is held by others: there may be more behind.
    const isFruitless = mayAcquire && acquired === 0 && sizeBytes > 0 && !isFailed
    if (isFruitless && !this.#isLastPass) this.#parkUnlessStale()
    else if (isEnding) this.#finish()
    else this.#parkUnlessStale()
  }

  #acquire(readings: readonly Reading[]): number {
    const { memberId, batchSize, isStrict, recordsMax } = this.#terms
    const { clock } = this.#context.broker
    let left = recordsMax
    for (const { row, shared, fetchOffset, result, aborted } of readings) {
      row.isRead = true
      const { records } = shared
      if (result === null || records === null || result.sizeBytes === 0 || left <= 0) continue
      const { lockDurationMs, deliveryLimit, inFlightMax } = shared.settings
      const batches = placedBatches(result.data)
      const ranges = records.acquire({
        memberId,
        lockedUntilMs: clock.monotonic() + lockDurationMs,
        fetchOffset,
        data: batches,
        aborted: abortedBatches(result.data, batches, aborted),
        recordsMax: left,
        batchSize,
        isStrict,
        deliveryLimit,
        inFlightMax,
      })
      if (ranges.length === 0) continue
      row.acquired = ranges
      row.records = sliceOf(result.data, batches, ranges[0]!.firstOffset, ranges.at(-1)!.lastOffset)
      for (const { firstOffset, lastOffset } of ranges) left -= lastOffset - firstOffset + 1
    }
    return recordsMax - left
  }

  #end({ row, shared, result }: Reading): void {
    if (row.records !== null && result !== null) this.#context.afterSent(() => result.release())
    else result?.release()
    shared.endReading()
  }

  #finish(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#answer()
  }

  // Waiting

  #parkUnlessStale(): void {
    if (this.#isStale) {
      this.#pass()
      return
    }
    const { broker, nowMs } = this.#context
    this.#isParked = true
    for (const { shared } of this.#rows) {
      shared?.addWait(this)
      shared?.partition.addWait(this)
    }
    broker.fetchWaits.add(this)
    broker.timers.schedule(this.#timer, nowMs + this.#terms.maxWaitMs, () => this.endWait())
  }

  #unpark(): void {
    const { broker } = this.#context
    this.#isParked = false
    for (const { shared } of this.#rows) {
      shared?.removeWait(this)
      shared?.partition.removeWait(this)
    }
    broker.fetchWaits.delete(this)
    broker.timers.cancel(this.#timer)
  }

  #abandon(): void {
    this.#isAbandoned = true
    if (this.#isParked) this.#unpark()
  }
}
