// The writing half of a log: checks and queues batches, writes what was queued in one go, undoes what could not be written.
//
// An append goes through up to five stations, each a list in order of offset:
//   queued     base offset assigned, bytes in memory; the log end offset counts it
//   in flight  on its way to the file past the page cache (write-mode.ts): large writes only, one at a time
//   written    in the file, `done` not yet called (that is left for the end of the turn)
//   unsynced   only where acknowledging needs the device: written, waiting for the next shared sync
//   done       the high watermark has passed it, `done` was called
// A failed write fails everything queued, a failed sync everything unsynced and what came after. Both put the producers' entries
// back one by one, newest first, and cut the file, so that the log is as if those appends had never been asked for.

import { ErrorCode } from '../protocol/errors.ts'
import { iterateRecords } from '../records/batch.ts'
import { type EndTransactionMarker, readEndTransactionMarker } from '../records/control.ts'
import {
  type BatchHeader,
  isControl,
  NONE,
  patchBaseOffset,
  patchLeaderEpoch,
  timestampType,
} from '../records/header.ts'
import { DiskError } from '../storage/disk.ts'
import { STAGED_BYTES_MAX } from '../storage/staging.ts'
import type { Log } from './log.ts'
import { fitsRelative } from './offset-index.ts'
import type { ProducerEntry } from './producer-state.ts'
import type { LogServices } from './services.ts'
import type { AbortedEntry } from './txn-index.ts'
import type { AppendInfo, AppendOptions, CheckedBatch } from './types.ts'
import { WriteGate } from './write-gate.ts'

/** More waiting bytes than this are not left for the end of the turn. */
const WRITE_AT_ONCE_BYTES = 1024 * 1024
/** So many are written together. */
const FLIGHT_BYTES_MAX = STAGED_BYTES_MAX

/** One append under way. A repetition of an append under way is one of size 0 at the same offset. */
interface Waiting {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly sizeBytes: number
  readonly chunkCount: number
  readonly maxTimestamp: number
  readonly producerId: number
  readonly previousProducer: ProducerEntry | undefined
  readonly aborted: AbortedEntry | null
  readonly done: (error: ErrorCode) => void
  error: ErrorCode
}

/** A direct write under way, to the end of the active segment. */
interface Flight {
  readonly appends: readonly Waiting[]
  readonly bytes: number
  /** What is being written; does not change before the flight has landed. */
  readonly content: Uint8Array
}

/** No space on the device, or none left of the quota. */
const NO_SPACE_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

const NO_APPENDS: readonly Waiting[] = []

export class LogWriter {
  readonly #log: Log
  #services: LogServices
  readonly #ownGate: WriteGate
  /** Next offset to be assigned. */
  endOffset: number
  /** Offset after the last batch in the file. */
  writtenOffset: number
  #queued: Waiting[] = []
  #chunks: Uint8Array[] = []
  #queuedBytes = 0
  #flight: Flight | null = null
  /** Flights that have not landed and that nobody waits for any more. */
  #givenUp = 0
  #onLanding: (() => void)[] = []
  /** Written or failed since the last completion. */
  #completing: Waiting[] = []
  #unsynced: Waiting[] = []
  /** The file may hold more than its batches: it has to be cut before the next write. */
  #mustCut = false
  #completionAsked = false
  /** The log went away: its path may be another log's by now. */
  #isAbandoned = false
  /** Nothing is to be written for the moment; whoever asked for that is told if it has to be. */
  #hold: (() => void) | null = null

  constructor(log: Log, services: LogServices, endOffset: number) {
    this.#log = log
    this.#services = services
    this.#ownGate = new WriteGate(services.logger)
    this.endOffset = endOffset
    this.writtenOffset = endOffset
  }

  /** Something is not in the file yet. */
  get hasUnwritten(): boolean {
    return this.#queued.length > 0 || this.#flight !== null
  }

  /** A write is under way beyond the end of the file: it must not be cut there. */
  get isFlying(): boolean {
    return this.#flight !== null
  }

  get isHeld(): boolean {
    return this.#hold !== null
  }

  get hasWork(): boolean {
    return this.hasUnwritten || this.#completing.length > 0 || this.#unsynced.length > 0
  }

  get #unwrittenBytes(): number {
    return this.#flight === null ? this.#queuedBytes : this.#queuedBytes + this.#flight.bytes
  }

  get #unwrittenCount(): number {
    return this.#flight === null ? this.#queued.length : this.#queued.length + this.#flight.appends.length
  }

  append(batch: CheckedBatch, options: AppendOptions): AppendInfo {
    const { header } = batch
    if (header.sizeBytes > this.#log.config.segmentBytes) {
      const reason = `batch of ${header.sizeBytes} bytes does not fit a segment of ${this.#log.config.segmentBytes}`
      return this.#refused(ErrorCode.RECORD_LIST_TOO_LARGE, reason)
    }
    const marker = isControl(header) ? readMarker(batch) : null
    const early = this.#checkProducer(header, options, marker)
    if (early !== null) return early
    const { nowMs } = options
    if (this.#services.gate.refuses(nowMs) || this.#ownGate.refuses(nowMs)) {
      return this.#refused(ErrorCode.KAFKA_STORAGE_ERROR, 'the disk takes no writes at present')
    }
    try {
      const refused = this.#rollIfDue(header, options, marker)
      if (refused !== null) return refused
    } catch (error) {
      // When the segment began may have to be read from it.
      if (!(error instanceof DiskError)) throw error
      return this.#refused(ErrorCode.KAFKA_STORAGE_ERROR, error.message)
    }
    return this.#queue(batch, options, marker)
  }

  /** Assigns the offsets and queues the bytes. Everything has been checked. */
  #queue(batch: CheckedBatch, options: AppendOptions, marker: EndTransactionMarker | null): AppendInfo {
    const log = this.#log
    const { header, chunks } = batch
    const baseOffset = this.endOffset
    header.baseOffset = baseOffset
    header.partitionLeaderEpoch = options.leaderEpoch
    patchBaseOffset(chunks[0]!, 0, baseOffset)
    patchLeaderEpoch(chunks[0]!, 0, options.leaderEpoch)
    if (options.leaderEpoch !== log.latestEpoch) log.startEpoch(options.leaderEpoch, baseOffset)
    const producerId = header.producerId
    const previousProducer = producerId === NONE ? undefined : log.producers.get(producerId)
    const aborted = producerId === NONE ? null : log.producers.apply(header, marker)
    const active = log.segments.active
    if (active.sizeBytes === 0 && this.#unwrittenBytes === 0) active.firstTimestamp = header.maxTimestamp
    const lastOffset = baseOffset + header.lastOffsetDelta
    this.#queued.push({
      baseOffset,
      lastOffset,
      sizeBytes: header.sizeBytes,
      chunkCount: chunks.length,
      maxTimestamp: header.maxTimestamp,
      producerId,
      previousProducer,
      aborted,
      done: options.done,
      error: ErrorCode.NONE,
    })
    for (let index = 0; index < chunks.length; index++) this.#chunks.push(chunks[index]!)
    this.#queuedBytes += header.sizeBytes
    this.endOffset = lastOffset + 1
    this.#askForCompletion()
    if (this.#queuedBytes > WRITE_AT_ONCE_BYTES) this.startWriting()
    return {
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      baseOffset,
      lastOffset,
      logAppendTimeMs: timestampType(header) === 'LogAppendTime' ? header.maxTimestamp : NONE,
      logStartOffset: log.logStartOffset,
      duplicate: false,
    }
  }

  /** An answer that ends the append here: an error, or the offsets of the first time. Null if the batch is new and in order. */
  #checkProducer(header: BatchHeader, options: AppendOptions, marker: EndTransactionMarker | null): AppendInfo | null {
    if (header.producerId === NONE) return null
    const check = this.#log.producers.check(header, options, marker)
    if (check.kind === 'accept') return null
    if (check.kind === 'refuse') return this.#refused(check.errorCode, check.reason)
    this.#waitLike(check.firstOffset, check.lastOffset, options.done)
    return {
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      baseOffset: check.firstOffset,
      lastOffset: check.lastOffset,
      // Whatever the type: a repetition is answered with the timestamp kept of the first time.
      logAppendTimeMs: check.timestamp,
      logStartOffset: this.#log.logStartOffset,
      duplicate: true,
    }
  }

  /** A repetition is done when the append it repeats is. */
  #waitLike(baseOffset: number, lastOffset: number, done: (error: ErrorCode) => void): void {
    const waiting: Waiting = {
      baseOffset,
      lastOffset,
      sizeBytes: 0,
      chunkCount: 0,
      maxTimestamp: NONE,
      producerId: NONE,
      previousProducer: undefined,
      aborted: null,
      done,
      error: ErrorCode.NONE,
    }
    if (lastOffset >= this.writtenOffset) this.#queued.push(waiting)
    else if (this.#unsynced.length > 0 && lastOffset >= this.#log.durableOffset) this.#unsynced.push(waiting)
    else this.#completing.push(waiting)
    this.#askForCompletion()
  }

  #refused(errorCode: ErrorCode, errorMessage: string): AppendInfo {
    return refusedAppend(this.#log, errorCode, errorMessage)
  }

  // ---- rolling ------------------------------------------------------------------------------------------------

  /** Null if the batch fits the segment that is active now; otherwise what ends the append. */
  #rollIfDue(header: BatchHeader, options: AppendOptions, marker: EndTransactionMarker | null): AppendInfo | null {
    const { nowMs } = options
    if (!this.#mustRoll(header, nowMs)) return null
    // What is queued belongs into the old segment. If it cannot be written, the producer's state is not what it was.
    if (!this.writeNow()) {
      const late = this.#checkProducer(header, options, marker)
      if (late !== null) return late
    }
    if (!this.#mustRoll(header, nowMs) || this.#roll(nowMs)) return null
    return this.#refused(ErrorCode.KAFKA_STORAGE_ERROR, 'cannot start a new segment')
  }

  #mustRoll(header: BatchHeader, nowMs: number): boolean {
    const { config, segments } = this.#log
    const active = segments.active
    const sizeBytes = active.sizeBytes + this.#unwrittenBytes
    if (sizeBytes > config.segmentBytes - header.sizeBytes) return true
    if (sizeBytes > 0) {
      const { segmentMs, maxCompactionLagMs, cleanupPolicy } = config
      const longestMs = cleanupPolicy.compact ? Math.min(segmentMs, maxCompactionLagMs) : segmentMs
      const firstMs = this.#log.firstTimestampOf(active)
      const waitedMs = firstMs >= 0 ? header.maxTimestamp - firstMs : nowMs - active.openedMs
      if (waitedMs > longestMs - active.jitterMs) return true
    }
    return (
      active.isIndexFull(this.#unwrittenCount) ||
      !fitsRelative(this.endOffset + header.lastOffsetDelta, active.baseOffset)
    )
  }

  /** Seals the active segment and starts the next one at the log's end. Nothing is queued. */
  #roll(nowMs: number): boolean {
    try {
      this.#cutIfNeeded()
      this.#log.rollSegment(nowMs)
      return true
    } catch (error) {
      this.#writeFailed(error)
      return false
    }
  }

  // ---- writing ------------------------------------------------------------------------------------------------

  /** Writes what is queued: by a call, or by a direct write as soon as the one before has landed. */
  startWriting(): void {
    if (this.#flight !== null || this.#queued.length === 0 || this.#hold !== null) return
    if (this.#queuedBytes < this.#services.directWriteBytesMin || !this.#takeOff()) this.writeNow()
  }

  /** Sends the first of what is queued on its way; false where everything is to be written by a call that blocks. */
  #takeOff(): boolean {
    const active = this.#log.segments.active
    const { count, chunkCount, bytes } = this.#firstOfQueue()
    if (bytes < this.#services.directWriteBytesMin) return false
    const chunks = this.#chunks.slice(0, chunkCount)
    let content: Uint8Array | null
    try {
      this.#prepareWrite(bytes)
      content = active.writeDirectly(chunks, (error) => this.#landed(flight, error))
    } catch (error) {
      this.#writeFailed(error)
      this.#failQueued()
      return true
    }
    if (content === null) return false
    const flight: Flight = { appends: this.#queued.slice(0, count), bytes, content }
    this.#flight = flight
    this.#queued = this.#queued.slice(count)
    this.#chunks = this.#chunks.slice(chunkCount)
    this.#queuedBytes -= bytes
    return true
  }

  /** As many whole appends as fit one flight, at least one. */
  #firstOfQueue(): { count: number; chunkCount: number; bytes: number } {
    let [count, chunkCount, bytes] = [0, 0, 0]
    while (count < this.#queued.length) {
      const append = this.#queued[count]!
      if (count > 0 && bytes + append.sizeBytes > FLIGHT_BYTES_MAX) break
      count++
      chunkCount += append.chunkCount
      bytes += append.sizeBytes
    }
    return { count, chunkCount, bytes }
  }

  #landed(flight: Flight, error: DiskError | null): void {
    if (flight === this.#flight) {
      this.#flight = null
      if (error === null) this.#written(flight.appends, flight.bytes)
      else {
        this.#requeue(flight)
        this.#writeFailed(error)
        this.#failQueued()
      }
    } else this.#givenUp--
    if (this.#flight !== null || this.#givenUp > 0) return
    if (!this.#isAbandoned) this.#tryCut()
    const listeners = this.#onLanding
    this.#onLanding = []
    for (const listener of listeners) listener()
  }

  /** Resolves when no write is under way on the thread pool. */
  landed(): Promise<void> {
    if (this.#flight === null && this.#givenUp === 0) return Promise.resolve()
    return new Promise((resolve) => this.#onLanding.push(resolve))
  }

  /** What is in flight is treated like what is queued, from now on. */
  #giveUpFlight(): void {
    const flight = this.#flight
    if (flight === null) return
    this.#flight = null
    this.#givenUp++
    this.#requeue(flight)
  }

  #requeue(flight: Flight): void {
    this.#queued = flight.appends.concat(this.#queued)
    this.#chunks = [flight.content, ...this.#chunks]
    this.#queuedBytes += flight.bytes
  }

  /** Writes everything queued or in flight; false if that failed and everything unwritten was taken back. */
  writeNow(): boolean {
    this.#breakHold()
    this.#giveUpFlight()
    if (this.#queued.length === 0) return true
    const bytes = this.#queuedBytes
    if (bytes > 0) {
      try {
        this.#prepareWrite(bytes)
        const { active } = this.#log.segments
        active.file().writev(this.#chunks, active.sizeBytes)
      } catch (error) {
        this.#writeFailed(error)
        this.#failQueued()
        return false
      }
    }
    const appends = this.#queued
    this.#queued = []
    this.#chunks = []
    this.#queuedBytes = 0
    this.#written(appends, bytes)
    return true
  }

  #prepareWrite(bytes: number): void {
    const { active } = this.#log.segments
    this.#cutIfNeeded()
    active.loadIndexes()
    active.preallocateFor(bytes)
  }

  /** These appends are in the file. */
  #written(appends: readonly Waiting[], bytes: number): void {
    const active = this.#log.segments.active
    for (const append of appends) {
      if (append.sizeBytes === 0) continue
      active.noteAppended(append.lastOffset, append.sizeBytes, append.maxTimestamp)
      if (append.aborted !== null) this.#log.addAborted(active, append.aborted)
      this.writtenOffset = append.lastOffset + 1
    }
    this.#completing = this.#completing.length === 0 ? [...appends] : this.#completing.concat(appends)
    this.#askForCompletion()
    if (bytes === 0) return
    this.#services.gate.succeeded()
    this.#ownGate.succeeded()
    // Last, because it may begin a sync, which begins with a `writeNow` of this log.
    this.#services.wrote(bytes)
  }

  #writeFailed(error: unknown): void {
    if (!(error instanceof DiskError)) throw error
    const active = this.#log.segments.active
    this.#mustCut = true
    const full = NO_SPACE_CODES.has(error.code)
    if (full) this.#services.spaceRanOut()
    // A full disk concerns every log on it, a failing file only this one.
    const gate = full ? this.#services.gate : this.#ownGate
    gate.failed(error, this.#services.clock.now(), { file: active.path, position: active.sizeBytes })
    this.#tryCut()
    if (!full) this.#services.failed(error)
  }

  /** A cut that fails stays due: no write happens before it has succeeded. */
  #tryCut(): void {
    try {
      this.#cutIfNeeded()
    } catch (failure) {
      if (!(failure instanceof DiskError)) throw failure
    }
  }

  #cutIfNeeded(): void {
    if (!this.#mustCut) return
    const { active } = this.#log.segments
    if (this.#givenUp > 0)
      throw new DiskError('EBUSY', active.path, `${active.path}: an earlier write has not ended yet`)
    active.cutToSize()
    this.#mustCut = false
  }

  #failQueued(): void {
    this.#undo(this.#queued)
    for (const append of this.#queued) {
      append.error = ErrorCode.KAFKA_STORAGE_ERROR
      this.#completing.push(append)
    }
    this.#queued = []
    this.#chunks = []
    this.#queuedBytes = 0
    this.endOffset = this.writtenOffset
    const active = this.#log.segments.active
    if (active.sizeBytes === 0) active.firstTimestamp = null
    this.#log.forgetEpochsAbove(this.writtenOffset)
    this.#askForCompletion()
  }

  #undo(appends: readonly Waiting[]): void {
    for (let index = appends.length - 1; index >= 0; index--) {
      const append = appends[index]!
      if (append.producerId === NONE) continue
      this.#log.producers.undo(append.producerId, append.previousProducer, append.baseOffset)
    }
  }

  // ---- holding ------------------------------------------------------------------------------------------------

  /** Writes what is queued, and after that nothing until `release`; false while a write is under way. */
  hold(broken: () => void): boolean {
    if (this.#flight !== null || this.#givenUp > 0 || this.#mustCut || this.#hold !== null) return false
    if (!this.writeNow()) return false
    this.#hold = broken
    return true
  }

  release(): void {
    if (this.#hold === null) return
    this.#hold = null
    this.startWriting()
  }

  #breakHold(): void {
    const broken = this.#hold
    this.#hold = null
    broken?.()
  }

  /** The log lies in another folder from now on. */
  useServices(services: LogServices): void {
    this.#services = services
  }

  // ---- completing ---------------------------------------------------------------------------------------------

  #askForCompletion(): void {
    if (this.#completionAsked) return
    this.#completionAsked = true
    this.#services.endOfTurn(this.#log)
  }

  /** End of the turn, after `startWriting`: moves the high watermark and tells who waits, or leaves both to the next sync. */
  complete(): void {
    this.#completionAsked = false
    // Came since `startWriting`: who was told of another log's appends, before this one's turn, has appended here.
    if (this.#queued.length > 0 && this.#flight === null && this.#hold === null) this.#askForCompletion()
    const completing = this.#completing
    this.#completing = []
    const log = this.#log
    if (log.acknowledgesSynced) {
      let failed = NO_APPENDS
      for (const append of completing) {
        if (append.error === ErrorCode.NONE && append.lastOffset >= log.durableOffset) this.#unsynced.push(append)
        else failed = failed.concat(append)
      }
      if (this.#unsynced.length > 0) this.#services.syncNow(log)
      this.#tell(failed)
      return
    }
    log.advanceTo(this.writtenOffset)
    this.#tell(completing)
    log.onAppended?.(log)
  }

  /** A sync has finished: everything below the offset is durable. */
  synced(durableOffset: number): void {
    if (!this.#log.acknowledgesSynced && this.#unsynced.length === 0) return
    const durable = this.#unsynced.filter((append) => append.lastOffset < durableOffset)
    this.#unsynced = this.#unsynced.filter((append) => append.lastOffset >= durableOffset)
    if (this.#unsynced.length > 0) this.#services.syncNow(this.#log)
    const moved = this.#log.advanceTo(durableOffset)
    this.#tell(durable)
    if (moved || durable.length > 0) this.#log.onAppended?.(this.#log)
  }

  /**
   * A sync has failed while appends were under way. What was not durable may be lost whatever is done now, so it leaves the log: all that
   * wait get the error, and the log ends where it is known to be durable.
   */
  syncFailed(): void {
    this.#giveUpFlight()
    const lost = this.#unsynced
      .concat(this.#completing.filter((append) => append.error === ErrorCode.NONE))
      .concat(this.#queued)
    const answered = this.#completing.filter((append) => append.error !== ErrorCode.NONE)
    this.#undo(lost)
    for (const append of lost) append.error = ErrorCode.KAFKA_STORAGE_ERROR
    this.#unsynced = []
    this.#queued = []
    this.#chunks = []
    this.#queuedBytes = 0
    this.#completing = answered.concat(lost)
    // Repetitions have no bytes of their own; what they repeat is among the lost.
    const firstLost = lost.reduce(
      (lowest, append) => (append.sizeBytes > 0 ? Math.min(lowest, append.baseOffset) : lowest),
      this.endOffset,
    )
    this.#log.cutSegments(firstLost)
    this.reset(firstLost)
    this.#log.forgetEpochsAbove(firstLost)
    this.#askForCompletion()
  }

  /** The log was cut or emptied from outside; nothing is under way, except flights given up: they may still write beyond the new end. */
  reset(endOffset: number): void {
    this.endOffset = endOffset
    this.writtenOffset = endOffset
    if (this.#givenUp > 0) this.#mustCut = true
  }

  /** Before a clean stop, once everything has landed: the file ends with the log. Throws a DiskError if that cannot be had. */
  finish(): void {
    this.writeNow()
    this.complete()
    this.#cutIfNeeded()
  }

  /** Fails everything under way: the log goes away. */
  abandon(): void {
    this.#isAbandoned = true
    this.#giveUpFlight()
    const all = this.#completing.concat(this.#unsynced, this.#queued)
    this.#completing = []
    this.#unsynced = []
    this.#queued = []
    this.#chunks = []
    this.#queuedBytes = 0
    for (const append of all)
      append.done(append.error === ErrorCode.NONE ? ErrorCode.KAFKA_STORAGE_ERROR : append.error)
  }

  #tell(appends: readonly Waiting[]): void {
    for (let index = 0; index < appends.length; index++) {
      const append = appends[index]!
      append.done(append.error)
    }
  }
}

/** The end-of-transaction marker in a control batch; null for control batches of another kind. */
function readMarker(batch: CheckedBatch): EndTransactionMarker | null {
  const bytes = batch.chunks.length === 1 ? batch.chunks[0]! : Buffer.concat(batch.chunks)
  for (const record of iterateRecords(bytes)) return readEndTransactionMarker(record)
  return null
}

/** What an append gets of which nothing was kept. */
export function refusedAppend({ logStartOffset }: Log, errorCode: ErrorCode, errorMessage: string): AppendInfo {
  return {
    errorCode,
    errorMessage,
    baseOffset: NONE,
    lastOffset: NONE,
    logAppendTimeMs: NONE,
    logStartOffset,
    duplicate: false,
  }
}
