/**
 * One Fetch from reading to answering. It reads the partitions in order; if that is less than the client wants to wait
 * for, it parks on its partitions and reads again when they have grown enough, when an answer changed its meaning, or
 * when the wait is over. Created by the Fetch handler; woken by `Partition.wake`, a timer, or the broker's stop.
 *
 * What must hold: it answers exactly once; while it is parked it holds no buffers; every buffer it read is given back
 * after the answer left or when the connection is gone. Cold data is read asynchronously: nothing here may assume that the
 * partition is the same after a read.
 */
import type { AbortedTransaction, EpochEnd, ReadResult } from '../log/types.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { RequestContext } from './api.ts'
import type { FetchPartition, PartitionNews } from './fetch-sessions.ts'
import type { Partition, PartitionWait } from './partition.ts'

/** What the request says for all partitions. */
export interface FetchTerms {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly readCommitted: boolean
  /** -1 for consumers. */
  readonly replicaId: number
  readonly version: number
}

/** One partition of the answer. */
export class FetchRow implements PartitionNews {
  readonly asked: FetchPartition
  /** Null when it could not be found; then `errorCode` says why, and the row waits like the others. */
  readonly partition: Partition | null
  errorCode: ErrorCode
  highWatermark = -1
  lastStableOffset = -1
  logStartOffset = -1
  readonly preferredReadReplica = -1
  abortedTransactions: AbortedTransaction[] | null = []
  divergingEpoch: EpochEnd | null = null
  data: ReadResult | null = null
  /** Bytes this partition counts towards min_bytes. */
  countedBytes = 0
  /** Offset bound and log size at the last read, to tell growth from there. */
  seenBound = 0
  /** Then there was more in the log than an open transaction let this reader see. */
  isHeldBack = false
  seenSizeBytes = 0

  constructor(asked: FetchPartition, partition: Partition | null, errorCode: ErrorCode) {
    this.asked = asked
    this.partition = partition
    this.errorCode = errorCode
  }

  get hasRecords(): boolean {
    return this.data !== null && this.data.sizeBytes > 0
  }

  get hasDivergingEpoch(): boolean {
    return this.divergingEpoch !== null
  }

  releaseData(): void {
    this.data?.release()
    this.data = null
  }
}

/** Of consumers and followers, or of members of share groups. */
export interface EndableWait {
  endWait(): void
}

/** All fetches that wait, so that a stop can end them. */
export class FetchWaits {
  readonly #waiting = new Set<EndableWait>()
  #isStopping = false
  #nextId = 0

  get size(): number {
    return this.#waiting.size
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  nextId(): number {
    return this.#nextId++
  }

  add(fetch: EndableWait): void {
    this.#waiting.add(fetch)
  }

  delete(fetch: EndableWait): void {
    this.#waiting.delete(fetch)
  }

  /** From now on nothing waits: answers go out with what is there. */
  stop(): void {
    this.#isStopping = true
    for (const fetch of [...this.#waiting]) fetch.endWait()
  }
}

export class PendingFetch implements PartitionWait {
  readonly #context: RequestContext
  readonly #terms: FetchTerms
  readonly #rows: readonly FetchRow[]
  readonly #answer: (rows: readonly FetchRow[]) => void
  readonly #timer: string
  #remainingBytes = 0
  #countedBytes = 0
  #readAnything = false
  /** Something in this pass must be told at once. */
  #endsWait = false
  /** The next pass answers whatever it finds. */
  #isLastPass = false
  #isAbandoned = false
  /** The rows that can grow, while parked. */
  #parked: Map<Partition, FetchRow> | null = null

  constructor(
    context: RequestContext,
    terms: FetchTerms,
    rows: readonly FetchRow[],
    answer: (rows: readonly FetchRow[]) => void,
  ) {
    this.#context = context
    this.#terms = terms
    this.#rows = rows
    this.#answer = answer
    this.#timer = `fetch/${context.broker.fetchWaits.nextId()}`
  }

  start(): void {
    const canWait = this.#terms.maxWaitMs > 0 && this.#rows.some((row) => row.partition !== null)
    this.#isLastPass = !canWait
    this.#context.onAbandoned(() => this.#abandon())
    this.#readAll()
  }

  partitionChanged(partition: Partition): void {
    const row = this.#parked?.get(partition)
    if (row !== undefined) this.#notice(row)
  }

  /** Goes on if there is a reason to. Then the fetch may be over, or parked anew. */
  #notice(row: FetchRow): boolean {
    if (row.isHeldBack && this.#isReleased(row)) {
      this.#lookAgain()
      return true
    }
    if (!this.#isWorthReading(row)) return false
    this.endWait()
    return true
  }

  /** A transaction has ended: how many bytes that makes readable cannot be told from the log's size. */
  #isReleased(row: FetchRow): boolean {
    const partition = row.partition!
    return this.#refusalFor(row, partition) === null && this.#bound(partition) > row.seenBound
  }

  /** Reads once more; if it is still too little, the wait goes on. */
  #lookAgain(): void {
    this.#unpark()
    this.#readAll()
  }

  /** The wait is over; read once more and answer. */
  endWait(): void {
    if (this.#parked === null) return
    this.#unpark()
    this.#isLastPass = true
    this.#readAll()
  }

  // Reading

  #readAll(): void {
    this.#remainingBytes = this.#terms.maxBytes
    this.#countedBytes = 0
    this.#readAnything = false
    this.#endsWait = false
    this.#readFrom(0)
  }

  /** Reads row after row, because each may use what the earlier ones left; a cold one continues when its data is there. */
  #readFrom(first: number): void {
    for (let i = first; i < this.#rows.length; i++) {
      const row = this.#rows[i]!
      if (row.partition === null) continue
      const read = this.#read(row, row.partition)
      if (read === null) continue
      if (read instanceof Promise) {
        read.then(
          (result) => {
            this.#accept(row, result)
            this.#readFrom(i + 1)
          },
          (error) => {
            this.#failRead(row, error)
            this.#readFrom(i + 1)
          },
        )
        return
      }
      this.#accept(row, read)
    }
    this.#passEnded()
  }

  /** Null when there is nothing to read from the log for this row. */
  #read(row: FetchRow, partition: Partition): ReadResult | Promise<ReadResult> | null {
    const { asked } = row
    row.errorCode = ErrorCode.NONE
    row.divergingEpoch = null
    row.abortedTransactions = this.#terms.readCommitted ? [] : null
    const refusal = this.#refusalFor(row, partition)
    if (refusal !== null) return this.#fail(row, refusal)
    const log = partition.log!
    const { fetchOffset, lastFetchedEpoch } = asked
    row.highWatermark = log.highWatermark
    row.lastStableOffset = log.lastStableOffset
    row.logStartOffset = log.logStartOffset
    if (lastFetchedEpoch >= 0) {
      const end = log.endOffsetForEpoch(lastFetchedEpoch)
      if (end.leaderEpoch < 0 || end.endOffset < 0) return this.#fail(row, ErrorCode.OFFSET_OUT_OF_RANGE)
      if (end.leaderEpoch < lastFetchedEpoch || end.endOffset < fetchOffset) {
        row.divergingEpoch = end
        this.#endsWait = true
        return null
      }
    }
    if (fetchOffset < log.logStartOffset || fetchOffset > log.logEndOffset) {
      return this.#fail(row, ErrorCode.OFFSET_OUT_OF_RANGE)
    }
    const upTo = this.#bound(partition)
    row.seenBound = upTo
    row.seenSizeBytes = log.sizeBytes
    row.isHeldBack = this.#terms.readCommitted && upTo < log.highWatermark
    row.countedBytes = 0
    if (fetchOffset >= upTo) return null
    const maxBytes = this.#limitFor(row)
    if (maxBytes === 0 && this.#readAnything) return null
    // A reader at read_committed must be told of aborted transactions up to the exact end of what it gets. What lies below the last
    // stable offset is decided: if none is there now, none will be.
    return log.read(fetchOffset, {
      maxBytes,
      upTo,
      atLeastOne: !this.#readAnything,
      asFile: !this.#terms.readCommitted || !log.hasAborted(fetchOffset),
    })
  }

  #refusalFor(row: FetchRow, partition: Partition): ErrorCode | null {
    if (partition.isDeleted) {
      return this.#terms.version >= 13 ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    }
    const refusal = partition.refusalFor(row.asked.currentLeaderEpoch)
    if (refusal !== null) return refusal
    const { replicaId } = this.#terms
    if (replicaId >= 0 && !partition.replicas.includes(replicaId)) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    return null
  }

  /** Readers see up to here (exclusive). */
  #bound(partition: Partition): number {
    const log = partition.log!
    if (this.#terms.replicaId >= 0) return log.writtenOffset
    return this.#terms.readCommitted ? log.lastStableOffset : log.highWatermark
  }

  #limitFor(row: FetchRow): number {
    return Math.max(0, Math.min(row.asked.maxBytes, this.#remainingBytes))
  }

  #accept(row: FetchRow, result: ReadResult): void {
    if (result.errorCode !== ErrorCode.NONE) {
      result.release()
      this.#fail(row, result.errorCode)
      return
    }
    const bytes = result.sizeBytes
    if (bytes > 0) row.data = result
    else result.release()
    // If there is more than fitted, the partition alone fills its share: waiting would not bring more.
    row.countedBytes = result.nextOffset < row.seenBound ? Math.max(bytes, this.#limitFor(row)) : bytes
    this.#countedBytes += row.countedBytes
    this.#remainingBytes = Math.max(0, this.#remainingBytes - bytes)
    if (bytes > 0) this.#readAnything = true
    if (this.#terms.readCommitted && row.partition?.log != null) {
      try {
        row.abortedTransactions = row.partition.log.abortedTransactions(row.asked.fetchOffset, result.nextOffset)
      } catch (error) {
        // Without the list aborted records would be taken for good ones.
        row.releaseData()
        this.#failRead(row, error)
      }
    }
  }

  #failRead(row: FetchRow, error: unknown): void {
    const { topic, index } = row.partition!
    this.#context.broker.logger.error('reading a partition failed', { topic, partition: index, error })
    this.#fail(row, ErrorCode.KAFKA_STORAGE_ERROR)
  }

  #fail(row: FetchRow, errorCode: ErrorCode): null {
    row.errorCode = errorCode
    row.highWatermark = -1
    row.lastStableOffset = -1
    row.logStartOffset = -1
    row.abortedTransactions = null
    row.countedBytes = 0
    this.#endsWait = true
    return null
  }

  // Waiting

  #passEnded(): void {
    const { minBytes, maxBytes } = this.#terms
    if (this.#isAbandoned) {
      for (const row of this.#rows) row.releaseData()
      return
    }
    const isEnough = this.#countedBytes >= Math.min(minBytes, maxBytes)
    if (this.#isLastPass || isEnough || this.#endsWait || this.#context.broker.fetchWaits.isStopping) {
      this.#answer(this.#rows)
      return
    }
    this.#park()
  }

  #park(): void {
    const { broker, nowMs } = this.#context
    const parked = new Map<Partition, FetchRow>()
    for (const row of this.#rows) {
      row.releaseData()
      if (row.partition !== null) parked.set(row.partition, row)
    }
    this.#parked = parked
    for (const partition of parked.keys()) partition.addWait(this)
    broker.fetchWaits.add(this)
    broker.timers.schedule(this.#timer, nowMs + this.#terms.maxWaitMs, () => this.endWait())
    // What came while a cold partition was being read woke nobody.
    for (const row of parked.values()) {
      if (this.#notice(row)) return
    }
  }

  #unpark(): void {
    const { broker } = this.#context
    for (const partition of this.#parked!.keys()) partition.removeWait(this)
    this.#parked = null
    broker.fetchWaits.delete(this)
    broker.timers.cancel(this.#timer)
  }

  /** Whether reading again would answer: enough bytes, or something that ends a wait. Keeps the count of this row. */
  #isWorthReading(row: FetchRow): boolean {
    const partition = row.partition!
    if (this.#refusalFor(row, partition) !== null) return true
    const log = partition.log!
    if (row.asked.fetchOffset < log.logStartOffset) return true
    const upTo = this.#bound(partition)
    // A truncated log may mean that the client's data is no longer part of it.
    if (upTo < row.seenBound) return true
    if (upTo === row.seenBound) return false
    const grown = log.sizeBytes - row.seenSizeBytes
    // Retention or compaction made the size useless as a measure; looking is safe.
    if (grown <= 0) return true
    const counted = Math.min(row.countedBytes + grown, Math.max(1, row.asked.maxBytes))
    this.#countedBytes += counted - row.countedBytes
    row.countedBytes = counted
    row.seenSizeBytes = log.sizeBytes
    row.seenBound = upTo
    return this.#countedBytes >= Math.min(this.#terms.minBytes, this.#terms.maxBytes)
  }

  #abandon(): void {
    this.#isAbandoned = true
    if (this.#parked !== null) this.#unpark()
  }
}
