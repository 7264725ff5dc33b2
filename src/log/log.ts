// One partition's log: its segments, its offsets, what it knows of its producers and leader epochs.
// Writing lives in log-append.ts, reading in log-read.ts, searching by time in log-search.ts, loading in log-loader.ts; this file
// holds the state they share and everything that changes the set of segments.
//
// Offsets, always: logStartOffset <= recoveryPoint? <= writtenOffset <= logEndOffset, and logStartOffset <= highWatermark <= writtenOffset.
// (Before the first sync the recovery point may lie below the log start.) Readers never see what is not written.

import { ErrorCode } from '../protocol/errors.ts'
import { DiskError } from '../storage/disk.ts'
import { BatchCursor } from './batch-cursor.ts'
import { formatEpochCheckpoint, type SegmentFacts } from './checkpoints.ts'
import { LEADER_EPOCHS_FILE, offsetFileName, TXN_INDEX_SUFFIX } from './file-names.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import { LogWriter, refusedAppend } from './log-append.ts'
import { type LogDamage, LogReader } from './log-read.ts'
import { LogSearch } from './log-search.ts'
import type { ProducerState } from './producer-state.ts'
import { segmentsToDelete } from './retention.ts'
import { Segment } from './segment.ts'
import type { SegmentList } from './segment-list.ts'
import { locateNow, walkSegment } from './segment-scan.ts'
import type { LogServices } from './services.ts'
import { SnapshotFiles } from './snapshot-files.ts'
import type { AbortedEntry } from './txn-index.ts'
import type {
  AbortedTransaction,
  ActiveProducer,
  AppendInfo,
  AppendOptions,
  CheckedBatch,
  EpochEnd,
  LogConfig,
  OffsetAndTimestamp,
  ReadOptions,
  ReadResult,
} from './types.ts'

export type * from './types.ts'

/** Everything that loading finds out about a log. */
export interface LogState {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly directory: string
  readonly config: LogConfig
  readonly segments: SegmentList
  readonly producers: ProducerState
  readonly epochs: LeaderEpochs
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly recoveryPoint: number
  /** From the checkpoint; 0 if it has none. */
  readonly checkpointedHighWatermark: number
  /** Offset of the newest producer snapshot, -1 without one. */
  readonly snapshotOffset: number
  /** Names or contents in the folder that are perhaps not on the device. */
  readonly folderUnsynced: boolean
}

const HEADER_BYTES = 64
/** A `flush.ms` below this is held for the single log; above it the regular sync of all logs comes soon enough. */
const SOONER_THAN_EVERYTHING_MS = 5000

export class Log {
  readonly topic: string
  readonly partition: number
  /** Empty if the folder did not say. */
  topicId: string
  readonly segments: SegmentList
  readonly producers: ProducerState
  readonly epochs: LeaderEpochs
  /** Where the log's high watermark was before the start; for a partition with several replicas to begin with. */
  readonly checkpointedHighWatermark: number
  directory: string
  config: LogConfig
  logStartOffset: number
  /** Everything below is on the device. */
  recoveryPoint: number
  highWatermark: number
  /** With one replica the high watermark is the log's end. A partition with several turns this off and moves it by itself. */
  highWatermarkFollowsLog = true
  /** Called once per flush, after the high watermark has moved and the appends' `done`s were called. */
  onAppended: ((log: Log) => void) | null = null
  /** What was the last stable offset when everything it follows from was on the device: a power loss does not take it back. */
  durableStableOffset: number
  /** Where the last compaction ended, -1 if there was none: the keys above are still to be compared. */
  cleanedUpTo = -1
  /** Compaction at work on this log. It reads segments that must stay what they are, so whatever cuts the log ends it first. */
  cleaning: { abort(): void } | null = null
  /** A move to another data folder at work on this log. It copies what is there, so whatever cuts the log ends it first. */
  moving: { abort(): void } | null = null
  /** Counts cuts and removals of segments: a read that waited meanwhile must not trust what it holds. */
  cuts = 0
  closed = false
  #flushScheduled = false
  /** Files in the folder that were replaced without a sync. */
  readonly unsyncedFiles = new Set<string>()
  /** Names in the folder, or the folder's own, may not be on the device. */
  folderUnsynced: boolean
  /** The folder's own name in the data folder may not be on the device. */
  parentUnsynced = false
  /** Counts removals of old segments, and how many of them the device has seen: a power loss brings the others back. */
  removals = 0
  syncedRemovals = 0
  /** The disk refused to remove a segment: the next start finds it again. */
  removalFailed = false
  /** A sync has failed that nobody waited for: what it should have made durable can not be known to be, until a restart has checked. */
  syncBroken = false
  /** Marker of the oldest aborted transaction that the disk refused to index, or null. */
  #abortedNotOnFile: number | null = null
  #services: LogServices
  readonly #writer: LogWriter
  readonly #reader: LogReader
  readonly #search: LogSearch
  readonly #snapshots: SnapshotFiles
  readonly #reportedDamage = new Set<string>()

  constructor(state: LogState, services: LogServices) {
    this.topic = state.topic
    this.partition = state.partition
    this.topicId = state.topicId
    this.directory = state.directory
    this.config = state.config
    this.segments = state.segments
    this.producers = state.producers
    this.epochs = state.epochs
    this.logStartOffset = state.logStartOffset
    this.recoveryPoint = state.recoveryPoint
    this.checkpointedHighWatermark = Math.max(
      state.logStartOffset,
      Math.min(state.checkpointedHighWatermark, state.logEndOffset),
    )
    this.highWatermark = state.logEndOffset
    this.durableStableOffset = 0
    this.folderUnsynced = state.folderUnsynced
    // What was removed before a kill may be unsynced, too.
    if (state.folderUnsynced && state.logStartOffset > 0) this.removals = 1
    this.#services = services
    this.#writer = new LogWriter(this, services, state.logEndOffset)
    this.#reader = new LogReader(this, services)
    this.#search = new LogSearch(this, this.#reader, services)
    this.#snapshots = new SnapshotFiles(this, services, state.snapshotOffset)
    if (!this.needsSync) this.durableStableOffset = this.lastStableOffset
  }

  get name(): string {
    return `${this.topic}-${this.partition}`
  }

  /** Next offset to be assigned: what is queued counts. */
  get logEndOffset(): number {
    return this.#writer.endOffset
  }

  /** Offset after the last batch in the file. */
  get writtenOffset(): number {
    return this.#writer.writtenOffset
  }

  get durableOffset(): number {
    return this.recoveryPoint
  }

  get lastStableOffset(): number {
    const unstable = this.producers.firstUnstableOffset(this.highWatermark)
    if (unstable === null) return this.highWatermark
    return Math.min(this.highWatermark, Math.max(unstable, this.logStartOffset))
  }

  /** Offset of the newest producer snapshot on file. */
  get snapshotOffset(): number {
    return this.#snapshots.newestOffset
  }

  set snapshotOffset(offset: number) {
    this.#snapshots.newestOffset = offset
  }

  get sizeBytes(): number {
    return this.segments.sizeBytes
  }

  get latestEpoch(): number {
    return this.epochs.latest
  }

  /** Whether an append is acknowledged only once it is on the device. */
  get acknowledgesSynced(): boolean {
    return this.#services.durability === 'fsync' || this.config.flushMessages === 1
  }

  /** The topic's settings changed. */
  updateConfig(config: LogConfig): void {
    this.config = config
    if (config.cleanupPolicy.compact) return
    // Retention may now delete what compaction would go by: if it is turned on again, it begins anew.
    this.cleaning?.abort()
    this.cleanedUpTo = -1
  }

  // ---- appending ----------------------------------------------------------------------------------------------

  append(batch: CheckedBatch, options: AppendOptions): AppendInfo {
    if (this.closed) return refusedAppend(this, ErrorCode.KAFKA_STORAGE_ERROR, 'the log is closed')
    if (this.syncBroken && this.acknowledgesSynced) {
      return refusedAppend(
        this,
        ErrorCode.KAFKA_STORAGE_ERROR,
        'a sync has failed: what is durable is known after a restart',
      )
    }
    return this.#writer.append(batch, options)
  }

  /** Writes what is queued, or begins to; for the end of the turn. */
  startWriting(): void {
    this.#writer.startWriting()
  }

  /** Gives back disk space that was asked for ahead of the writing. */
  releaseReservedSpace(): void {
    if (!this.#writer.isFlying) this.segments.active.releasePreallocation()
  }

  /** Resolves when no write is under way on the thread pool. */
  writesLanded(): Promise<void> {
    return this.#writer.landed()
  }

  /** Tells those whose appends are done; for the end of the turn, after `startWriting`. */
  complete(): void {
    this.#writer.complete()
    if (this.acknowledgesSynced) return
    const { flushMessages, flushMs } = this.config
    const unsynced = this.writtenOffset - this.recoveryPoint
    if (unsynced >= flushMessages) this.#services.syncSoon(this)
    else if (unsynced > 0 && flushMs < SOONER_THAN_EVERYTHING_MS && !this.#flushScheduled) {
      this.#flushScheduled = true
      this.#services.syncWithin(this, flushMs)
    }
  }

  get hasAppendsUnderWay(): boolean {
    return this.#writer.hasWork
  }

  /** The log's own end moved: so does the high watermark if it follows. */
  advanceTo(offset: number): boolean {
    if (!this.highWatermarkFollowsLog || offset <= this.highWatermark) return false
    this.highWatermark = offset
    return true
  }

  /** Largest timestamp of the segment's first batch, -1 if it has none. */
  firstTimestampOf(segment: Segment): number {
    if (segment.firstTimestamp === null) {
      const header = Buffer.alloc(HEADER_BYTES)
      const cursor = new BatchCursor()
      const count = segment.file().readNow(header, 0, HEADER_BYTES, 0)
      segment.firstTimestamp = cursor.load(header, 0, count) ? cursor.maxTimestamp : -1
    }
    return segment.firstTimestamp
  }

  /** A batch of a new leader epoch begins at the offset. */
  startEpoch(epoch: number, startOffset: number): void {
    if (epoch < 0 || epoch < this.epochs.latest) return
    if (this.epochs.assign(epoch, startOffset)) this.saveEpochs()
  }

  /** This broker starts to lead with this epoch, at the log's end. */
  assignEpoch(epoch: number): void {
    this.startEpoch(epoch, this.logEndOffset)
  }

  forgetEpochsAbove(endOffset: number): void {
    if (this.epochs.truncateEnd(endOffset + 1)) this.saveEpochs()
  }

  addAborted(segment: Segment, entry: AbortedEntry): void {
    segment.loadIndexes()
    segment.txnIndex.append(entry)
    this.folderUnsynced = true
    this.unsyncedFiles.add(offsetFileName(segment.baseOffset, TXN_INDEX_SUFFIX))
    if (!segment.tryWriteTxnIndex()) this.#abortedNotOnFile ??= entry.lastOffset
  }

  /**
   * The recovery point for the checkpoint file. A recovery makes the entries of aborted transactions anew only above it, so it stays
   * below the first one that could not be written.
   */
  recoveryPointToSave(): number {
    if (this.#abortedNotOnFile === null) return this.recoveryPoint
    const written = this.segments.all.every((segment) => !segment.indexesLoaded || segment.tryWriteTxnIndex())
    if (written) this.#abortedNotOnFile = null
    return Math.min(this.recoveryPoint, this.#abortedNotOnFile ?? this.recoveryPoint)
  }

  saveEpochs(): void {
    try {
      this.#services.disk.writeWhole(
        `${this.directory}/${LEADER_EPOCHS_FILE}`,
        formatEpochCheckpoint(this.epochs.entries),
      )
      this.unsyncedFiles.add(LEADER_EPOCHS_FILE)
      this.folderUnsynced = true
    } catch (error) {
      // The file can be rebuilt from the batches; a full disk must not stop reading.
      if (!(error instanceof DiskError)) throw error
      this.#services.logger.warn('Cannot write the leader epochs', { file: error.path, reason: error.message })
    }
  }

  /** Seals the active segment and begins a new one at the log's end. Everything queued has been written. */
  rollSegment(nowMs: number): void {
    const active = this.segments.active
    const baseOffset = this.writtenOffset
    if (active.sizeBytes === 0 && active.baseOffset === baseOffset) return
    const next = this.newSegment(baseOffset, nowMs)
    try {
      active.seal()
      this.#snapshots.save()
      // Last, because an empty segment must not lie in the way of what the old one would still take.
      next.create()
    } catch (error) {
      active.unseal()
      throw error
    }
    this.segments.push(next)
    this.folderUnsynced = true
    this.#services.syncSoon(this)
  }

  newSegment(baseOffset: number, nowMs: number): Segment {
    const { directory } = this
    return new Segment({ services: this.#services, directory, baseOffset, config: () => this.config, openedMs: nowMs })
  }

  // ---- reading ------------------------------------------------------------------------------------------------

  read(fetchOffset: number, options: ReadOptions): ReadResult | Promise<ReadResult> {
    return this.#reader.read(fetchOffset, options)
  }

  /** Aborted transactions that a reader at read_committed must know who was given [fetchOffset, nextOffset). */
  abortedTransactions(fetchOffset: number, nextOffset: number): AbortedTransaction[] {
    return this.#search.abortedTransactions(fetchOffset, nextOffset)
  }

  /** Whether `abortedTransactions` can have an answer for a reader at the offset. */
  hasAborted(fetchOffset: number): boolean {
    return this.#search.hasAborted(fetchOffset)
  }

  /** First record at or after the timestamp, if it lies below `upTo`. Rejects with LogDamage or DiskError. */
  offsetForTimestamp(timestamp: number, upTo: number): Promise<OffsetAndTimestamp | null> {
    return this.#search.offsetForTimestamp(timestamp, upTo)
  }

  /** The first record with the largest timestamp. Rejects like `offsetForTimestamp`. */
  maxTimestamp(): Promise<OffsetAndTimestamp | null> {
    return this.#search.maxTimestamp()
  }

  endOffsetForEpoch(epoch: number): EpochEnd {
    return this.epochs.endOffsetFor(epoch, this.logEndOffset)
  }

  activeProducers(): ActiveProducer[] {
    return this.producers.active()
  }

  /** One line per damaged place, however often it is read. */
  reportDamage(error: LogDamage | DiskError): void {
    if (this.#reportedDamage.has(error.message)) return
    this.#reportedDamage.add(error.message)
    const position = 'position' in error ? { position: error.position } : {}
    const file = 'file' in error ? error.file : error.path
    if (error instanceof DiskError) this.#services.failed(error)
    this.#services.logger.error('Cannot read from the log; the partition answers with an error there', {
      log: this.name,
      file,
      ...position,
      reason: error.message,
    })
  }

  // ---- the log's ends -----------------------------------------------------------------------------------------

  /** DeleteRecords. -1 stands for the high watermark. What is answered with success survives a kill at any time. */
  deleteRecordsTo(offset: number): ErrorCode {
    const target = offset === -1 ? this.highWatermark : offset
    if (target < 0 || target > this.highWatermark) return ErrorCode.OFFSET_OUT_OF_RANGE
    if (target <= this.logStartOffset) return ErrorCode.NONE
    const before = this.logStartOffset
    this.logStartOffset = target
    try {
      this.#services.saveLogStarts()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.logStartOffset = before
      this.#services.logger.error('Cannot make a new log start durable', { log: this.name, reason: error.message })
      return ErrorCode.KAFKA_STORAGE_ERROR
    }
    this.#startMoved()
    return ErrorCode.NONE
  }

  #startMoved(): void {
    if (this.epochs.truncateStart(this.logStartOffset)) this.saveEpochs()
    if (this.highWatermark < this.logStartOffset) this.highWatermark = this.logStartOffset
  }

  /** Deletes the oldest segments that retention lets go. Returns how many went. A log that is being compacted waits for its turn. */
  runRetention(nowMs: number): number {
    if (this.closed || this.cleaning !== null) return 0
    const { segments } = this
    const decisions = segmentsToDelete({
      segments: segments.all.map((segment) => ({
        sizeBytes: segment.sizeBytes,
        upperBound: segments.upperBound(segment),
        isActive: segment === segments.active,
        largestTimestamp: () => segment.largestTimestamp(),
      })),
      logStartOffset: this.logStartOffset,
      highWatermark: this.highWatermark,
      config: this.config,
      nowMs,
    })
    let count = decisions.reduce((sum, decision) => sum + decision.count, 0)
    if (count === segments.count) {
      this.#writer.writeNow()
      if (this.highWatermark < this.writtenOffset) count--
      else this.rollSegment(nowMs)
    }
    const gone = segments.all.slice(0, count)
    if (gone.length === 0) return 0
    const firstKept = segments.all[count]!
    // The start is raised first: nobody may be sent to a segment that goes.
    if (firstKept.baseOffset > this.logStartOffset) {
      this.logStartOffset = firstKept.baseOffset
      this.#startMoved()
    }
    const reasons = decisions.map((decision) => `${decision.count} by ${decision.reason}`).join(', ')
    const { name: log, logStartOffset } = this
    this.#services.logger.info('Deleting old segments', { log, reasons, logStartOffset })
    this.#removeSegments(gone)
    this.#services.checkpointSoon()
    return gone.length
  }

  /** Compaction has put the files of one segment in the place of these. Reads that are under way begin again. */
  replaceSegments(old: readonly Segment[], replacement: Segment): void {
    this.cuts++
    this.#reader.forgetPlaces()
    this.segments.replace(new Set(old), replacement)
    for (const segment of old) {
      segment.retire()
      const { baseOffset } = segment
      if (baseOffset === replacement.baseOffset || baseOffset === this.snapshotOffset) continue
      this.#snapshots.removeAt(baseOffset)
    }
    this.folderUnsynced = true
  }

  #removeSegments(gone: readonly Segment[]): void {
    this.cuts++
    this.removals++
    this.#reader.forgetPlaces()
    this.segments.remove(new Set(gone))
    this.folderUnsynced = true
    const { removalFailed } = this
    this.removalFailed = true
    for (const segment of gone) {
      segment.delete(this.config.fileDeleteDelayMs)
      if (segment.baseOffset !== this.snapshotOffset) this.#snapshots.removeAt(segment.baseOffset)
    }
    this.removalFailed = removalFailed
  }

  /** Cuts everything from the offset on: the log of a follower that went another way than its leader. */
  truncateTo(offset: number): void {
    this.#writer.writeNow()
    this.#writer.complete()
    if (offset >= this.logEndOffset) return
    if (offset < this.logStartOffset) {
      this.startOver(offset)
      return
    }
    const endOffset = this.cutSegments(offset)
    this.#afterCut(endOffset)
    this.#search.rebuildProducers(this.#services.clock.now())
  }

  /** Deletes everything and begins anew at the offset. */
  startOver(offset: number): void {
    const nowMs = this.#services.clock.now()
    const gone = this.segments.all
    this.#interrupt()
    this.cuts++
    this.#reader.forgetPlaces()
    for (const segment of gone) segment.delete(0)
    const first = this.newSegment(offset, nowMs)
    first.create()
    this.segments.replaceAll([first])
    this.logStartOffset = offset
    this.#afterCut(offset)
    this.highWatermark = offset
    this.producers.load([])
    this.epochs.truncateEnd(0)
    this.saveEpochs()
    this.#services.checkpointSoon()
  }

  #afterCut(endOffset: number): void {
    this.cleanedUpTo = Math.min(this.cleanedUpTo, this.segments.active.baseOffset)
    this.#writer.reset(endOffset)
    if (this.epochs.truncateEnd(endOffset)) this.saveEpochs()
    this.recoveryPoint = Math.min(this.recoveryPoint, endOffset)
    this.durableStableOffset = Math.min(this.durableStableOffset, endOffset)
    this.logStartOffset = Math.min(this.logStartOffset, endOffset)
    this.highWatermark = Math.min(this.highWatermark, endOffset)
    this.removeSnapshots((snapshotOffset) => snapshotOffset > endOffset)
    this.#services.checkpointSoon()
  }

  /** Removes batches from the one that holds the offset on. Returns the new end: that batch's base offset. */
  cutSegments(offset: number): number {
    this.#interrupt()
    this.cuts++
    this.#reader.forgetPlaces()
    const gone = this.segments.all.filter((segment) => segment.baseOffset > offset)
    this.segments.remove(new Set(gone))
    for (const segment of gone) segment.delete(0)
    const holding = this.segments.active
    const { position, baseOffset } = locateNow(holding, offset, this.#services.pool)
    const endOffset = position < holding.sizeBytes ? baseOffset : Math.min(offset, holding.endOffset)
    holding.unseal()
    holding.truncate(position, endOffset)
    this.#recomputeMaxTimestamp(holding)
    this.folderUnsynced = true
    return endOffset
  }

  /** Whoever is at work on the segments stops before they change. */
  #interrupt(): void {
    this.cleaning?.abort()
    this.moving?.abort()
  }

  #recomputeMaxTimestamp(segment: Segment): void {
    const { timeIndex, offsetIndex } = segment
    const last = timeIndex.count - 1
    segment.maxTimestamp = timeIndex.lastTimestamp
    segment.offsetOfMaxTimestamp = last < 0 ? segment.baseOffset : timeIndex.offsetAt(last)
    const from = offsetIndex.count === 0 ? 0 : offsetIndex.positionAt(offsetIndex.count - 1)
    const options = { pool: this.#services.pool, position: from, nextOffset: segment.baseOffset, verify: false }
    walkSegment(segment, options, (cursor) => {
      if (cursor.maxTimestamp > segment.maxTimestamp) {
        segment.maxTimestamp = cursor.maxTimestamp
        segment.offsetOfMaxTimestamp = cursor.lastOffset
      }
      return false
    })
  }

  // ---- producers ----------------------------------------------------------------------------------------------

  removeSnapshots(which: (offset: number) => boolean): void {
    this.#snapshots.remove(which)
  }

  expireProducers(nowMs: number): void {
    this.producers.expire(nowMs, this.config.producerIdExpirationMs)
  }

  // ---- becoming durable ---------------------------------------------------------------------------------------

  get needsSync(): boolean {
    return this.recoveryPoint < this.writtenOffset || this.folderUnsynced
  }

  /** Before a sync that nobody waits for: what makes a later recovery short. Whether it succeeds decides nothing. */
  prepareSync(): void {
    this.#flushScheduled = false
    if (!this.#writer.isHeld) this.#writer.writeNow()
    this.segments.active.tryWriteIndexes({ closing: false })
    if (!this.#writer.hasUnwritten) this.#snapshots.saveIfDue()
  }

  /** Called by the syncer, after everything below the offset has reached the device; with the last stable offset of when it began. */
  synced(durableOffset: number, stableOffset = 0): void {
    if (this.syncBroken) return
    if (stableOffset > this.durableStableOffset) this.durableStableOffset = stableOffset
    if (durableOffset > this.recoveryPoint && durableOffset <= this.writtenOffset) this.recoveryPoint = durableOffset
    this.#writer.synced(this.recoveryPoint)
  }

  /** Everything that the log has in files is on the device. */
  syncedWhole(): void {
    for (const segment of this.segments.all) {
      segment.syncedBytes = segment.sizeBytes
      segment.indexesUnsynced = false
    }
    this.unsyncedFiles.clear()
    this.folderUnsynced = false
    this.parentUnsynced = false
    this.syncedRemovals = this.removals
    this.synced(this.writtenOffset)
  }

  get folderFailed(): (error: DiskError) => void {
    return this.#services.failed
  }

  syncFailed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    this.#services.logger.error('A sync has failed', { log: this.name, reason })
    if (this.acknowledgesSynced && this.#writer.hasWork) this.#takeBackUnsynced()
    // What is left and was not durable before may be lost whatever is done now, and the next sync would not tell.
    if (this.recoveryPoint < this.writtenOffset) this.syncBroken = true
    if (error instanceof DiskError) this.#services.failed(error)
  }

  #takeBackUnsynced(): void {
    try {
      this.#writer.syncFailed()
    } catch (error) {
      // Not even where to cut can be found out: what the log would say of itself cannot be trusted.
      if (!(error instanceof DiskError)) throw error
      this.syncBroken = true
      this.close()
      this.#services.failed(error)
    }
  }

  // ---- moving to another data folder --------------------------------------------------------------------------

  /** From now on nothing is written, only queued; false while a write is under way. `broken` is called if something has to be written. */
  hold(broken: () => void): boolean {
    return this.#writer.hold(broken)
  }

  /** Writing goes on. */
  release(): void {
    this.#writer.release()
  }

  /**
   * The log lies elsewhere: these segments hold byte for byte what is written, everything in the folder is on the device, and a producer
   * snapshot of its end is among it. Reads that are under way begin again there. Only while it is held.
   */
  relocate(folder: { directory: string; segments: Segment[]; services: LogServices }): void {
    const old = this.segments.all
    this.cuts++
    this.#reader.forgetPlaces()
    this.directory = folder.directory
    this.#services = folder.services
    for (const part of [this.#writer, this.#reader, this.#search]) part.useServices(folder.services)
    this.#snapshots.relocated(folder.services, this.writtenOffset)
    this.segments.replaceAll(folder.segments)
    for (const segment of old) segment.retire()
    this.unsyncedFiles.clear()
    this.folderUnsynced = false
    this.parentUnsynced = false
    this.syncedRemovals = this.removals
    this.syncBroken = false
    this.#abortedNotOnFile = null
    this.saveEpochs()
    this.synced(this.writtenOffset, this.lastStableOffset)
  }

  // ---- end ----------------------------------------------------------------------------------------------------

  /** What a clean stop writes down about every segment. */
  segmentFacts(): SegmentFacts[] {
    return this.segments.all.map((segment) => segment.facts())
  }

  /** Before the last sync of a clean stop: indexes and snapshot on file. */
  prepareStop(): void {
    this.#writer.finish()
    const { active } = this.segments
    active.releasePreallocation()
    active.writeIndexes({ closing: true })
    this.#snapshots.save()
  }

  close(): void {
    if (this.closed) return
    this.#interrupt()
    this.#writer.writeNow()
    this.closed = true
    this.cuts++
    this.#writer.complete()
    this.#writer.abandon()
    for (const segment of this.segments.all) segment.close()
  }
}
