// Opens one partition's folder: decides by the tables of recovery-decisions.ts what can be trusted, checks and repairs the rest.
// After a clean stop of ours nothing of the segments is read. After any other end of the process everything from the recovery point on is
// read and checked, and the first byte that is not part of a whole, intact batch ends the log.

import { type EpochEntry, parseEpochCheckpoint, parsePartitionMetadata, type SegmentFacts } from './checkpoints.ts'
import {
  LEADER_EPOCHS_FILE,
  LOG_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  offsetFileName,
  offsetInName,
  PARTITION_METADATA_FILE,
  TIME_INDEX_SUFFIX,
  TXN_INDEX_SUFFIX,
} from './file-names.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { tidyFolder } from './leftover-files.ts'
import { Log } from './log.ts'
import { OFFSET_ENTRY_BYTES } from './offset-index.ts'
import { loadNewestSnapshot, type ReplayTarget, replayBatch, replayProducers } from './producer-replay.ts'
import { ProducerState } from './producer-state.ts'
import {
  decide,
  type IndexState,
  PRODUCER_TABLE,
  RECOVERY_POINT_TABLE,
  SEGMENT_TABLE,
  type SegmentAction,
} from './recovery-decisions.ts'
import { Segment } from './segment.ts'
import { SegmentList } from './segment-list.ts'
import { rebuildIndexes, walkSegment } from './segment-scan.ts'
import type { LogServices } from './services.ts'
import { TIME_ENTRY_BYTES } from './time-index.ts'
import type { LogConfig } from './types.ts'

export interface LoadInput {
  readonly topic: string
  readonly partition: number
  readonly directory: string
  readonly config: LogConfig
  readonly nowMs: number
  readonly cleanStop: boolean
  /** From the checkpoint files; null without an entry. */
  readonly recoveryPoint: number | null
  readonly recoveryPointsReadable: boolean
  readonly checkpointedLogStart: number
  readonly checkpointedHighWatermark: number
  /** What a clean stop wrote down, by base offset. */
  readonly facts: ReadonlyMap<number, SegmentFacts> | null
}

export interface LoadedLog {
  readonly log: Log
  readonly bytesScanned: number
}

/** A segment that was opened again while it was written may lack an entry that an undisturbed one has. */
const MOST_MISSING_ENTRIES = 1

/** Where checking has to begin, if anywhere. */
interface ScanStart {
  readonly index: number
  readonly position: number
}

class Loader implements ReplayTarget {
  readonly directory: string
  readonly config: LogConfig
  readonly segments = new SegmentList()
  readonly producers = new ProducerState()
  logStartOffset = 0
  snapshotOffset = -1
  readonly #input: LoadInput
  readonly #services: LogServices
  #names: ReadonlySet<string> = new Set()
  #bytesScanned = 0
  #rebuildTransactions = false
  #epochs = new LeaderEpochs()
  #epochsKnown = true
  #epochsChanged = false
  /** Batches below are part of the producers' state already, though the scan begins before them. */
  #inSnapshotBelow = Number.NEGATIVE_INFINITY

  constructor(input: LoadInput, services: LogServices) {
    this.#input = input
    this.#services = services
    this.directory = input.directory
    this.config = input.config
  }

  load(): LoadedLog {
    const { disk } = this.#services
    this.#names = new Set(tidyFolder(this.directory, disk.list(this.directory), this.#services))
    this.#openSegments()
    this.#loadEpochs()
    const recoveryPoint = this.#recoveryPoint()
    const scan = this.#prepareSegments(recoveryPoint)
    this.#loadProducers(scan, recoveryPoint)
    if (scan !== null) this.#scanFrom(scan)
    if (this.segments.active.endOffset < this.#inSnapshotBelow) this.#reloadProducers()
    if (!this.#epochsKnown) this.#rebuildEpochs()
    return this.#finish(recoveryPoint, scan !== null)
  }

  // ---- what is there ------------------------------------------------------------------------------------------

  #openSegments(): void {
    const { config, nowMs, checkpointedLogStart } = this.#input
    const bases: number[] = []
    for (const name of this.#names) {
      const offset = offsetInName(name, LOG_SUFFIX)
      if (offset !== null) bases.push(offset)
    }
    bases.sort((a, b) => a - b)
    for (const [index, baseOffset] of bases.entries()) {
      const segment = this.#newSegment(baseOffset, config, nowMs)
      segment.sizeBytes = this.#services.disk.stat(segment.path)?.sizeBytes ?? 0
      segment.syncedBytes = segment.sizeBytes
      // Where the last one ends is found out below.
      segment.endOffset = bases[index + 1] ?? Number.MAX_SAFE_INTEGER
      segment.sealed = index < bases.length - 1
      this.segments.push(segment)
    }
    if (this.segments.count === 0) {
      const first = this.#newSegment(checkpointedLogStart, config, nowMs)
      first.create()
      this.segments.push(first)
    }
    this.logStartOffset = Math.max(checkpointedLogStart, this.segments.first.baseOffset)
  }

  #newSegment(baseOffset: number, config: LogConfig, openedMs: number): Segment {
    // The log, once it is made, answers for its settings; until then they are those it is loaded with.
    return new Segment({
      services: this.#services,
      directory: this.directory,
      baseOffset,
      openedMs,
      config: () => this.#log?.config ?? config,
    })
  }

  #log: Log | null = null

  #loadEpochs(): void {
    const path = `${this.directory}/${LEADER_EPOCHS_FILE}`
    const hasBatches = this.segments.all.some((segment) => segment.sizeBytes > 0)
    const text = this.#names.has(LEADER_EPOCHS_FILE) ? this.#services.disk.readWhole(path) : null
    if (text === null) {
      this.#epochsKnown = !hasBatches
      return
    }
    const parsed = parseEpochCheckpoint(text.toString())
    if (parsed.ok) this.#setEpochs(parsed.value)
    else {
      this.#services.logger.warn('Leader epochs cannot be read, rebuilding them from the log', {
        file: path,
        reason: parsed.reason,
      })
      this.#epochsKnown = false
    }
  }

  #setEpochs(entries: readonly EpochEntry[]): void {
    this.#epochs = new LeaderEpochs(entries)
  }

  /** Offset from which on nothing is trusted; infinite after a clean stop. */
  #recoveryPoint(): number {
    const { cleanStop, recoveryPoint, recoveryPointsReadable } = this.#input
    const row = decide(RECOVERY_POINT_TABLE, {
      stop: cleanStop ? 'clean' : 'unclean',
      checkpoint: !recoveryPointsReadable ? 'unreadable' : recoveryPoint === null ? 'no entry' : 'entry',
    })
    switch (row.action) {
      case 'log end':
        return Number.POSITIVE_INFINITY
      case 'checkpoint':
        return recoveryPoint ?? 0
      case 'log start':
        return 0
    }
  }

  // ---- segment by segment -------------------------------------------------------------------------------------

  /** Does what the table says for every segment and returns where the scan has to begin. */
  #prepareSegments(recoveryPoint: number): ScanStart | null {
    let scan: ScanStart | null = null
    for (const [index, segment] of this.segments.all.entries()) {
      if (scan !== null) break
      if (segment.sizeBytes === 0) {
        this.#takeEmpty(segment)
        continue
      }
      const action = this.#actionFor(segment, recoveryPoint)
      scan = this.#apply(action, segment, index, recoveryPoint)
    }
    return scan
  }

  #takeEmpty(segment: Segment): void {
    segment.resetIndexes()
    segment.firstTimestamp = null
    if (!segment.sealed) segment.endOffset = segment.baseOffset
  }

  #actionFor(segment: Segment, recoveryPoint: number): SegmentAction {
    const { cleanStop, facts } = this.#input
    const known = this.#agreeingFacts(segment, facts?.get(segment.baseOffset))
    const end = segment.sealed ? segment.endOffset : Number.POSITIVE_INFINITY
    const row = decide(SEGMENT_TABLE, {
      stop: cleanStop ? 'clean' : 'unclean',
      place: recoveryPoint >= end ? 'below' : recoveryPoint > segment.baseOffset ? 'around' : 'above',
      facts: known === null ? 'none' : 'agree',
      offsetIndex: this.#offsetIndexState(segment),
      timeIndex: this.#timeIndexState(segment, known),
      txnIndex: this.#txnIndexState(segment),
    })
    if (row.action !== 'trust' && row.action !== 'check tail') {
      this.#services.logger.debug('Recovering a segment', { file: segment.path, because: row.name, action: row.action })
    }
    if (row.action === 'trust' && known !== null) {
      segment.endOffset = segment.sealed ? segment.endOffset : known.endOffset
      segment.maxTimestamp = known.maxTimestamp
      segment.offsetOfMaxTimestamp = known.offsetOfMaxTimestamp
    }
    return row.action
  }

  /** What the clean stop wrote down, if the files still have those sizes. */
  #agreeingFacts(segment: Segment, facts: SegmentFacts | undefined): SegmentFacts | null {
    if (facts === undefined || !this.#input.cleanStop) return null
    segment.offsetIndexBytes = this.#sizeOf(segment, OFFSET_INDEX_SUFFIX) ?? -1
    segment.timeIndexBytes = this.#sizeOf(segment, TIME_INDEX_SUFFIX) ?? -1
    const agree =
      facts.logBytes === segment.sizeBytes &&
      facts.offsetIndexBytes === segment.offsetIndexBytes &&
      facts.timeIndexBytes === segment.timeIndexBytes
    return agree ? facts : null
  }

  #sizeOf(segment: Segment, suffix: string): number | null {
    if (!this.#names.has(offsetFileName(segment.baseOffset, suffix))) return null
    return this.#services.disk.stat(segment.filePath(suffix))?.sizeBytes ?? null
  }

  #offsetIndexState(segment: Segment): IndexState {
    const sizeBytes = this.#sizeOf(segment, OFFSET_INDEX_SUFFIX)
    if (sizeBytes === null) return 'missing'
    if (sizeBytes % OFFSET_ENTRY_BYTES !== 0) return 'bad'
    const last = this.#lastEntry(segment.offsetIndex.file.path, sizeBytes, OFFSET_ENTRY_BYTES)
    if (last === null) return 'good'
    const position = last.readInt32BE(4)
    return position > 0 && position < segment.sizeBytes ? 'good' : 'bad'
  }

  #timeIndexState(segment: Segment, facts: SegmentFacts | null): IndexState {
    const sizeBytes = this.#sizeOf(segment, TIME_INDEX_SUFFIX)
    if (sizeBytes === null) return 'missing'
    if (sizeBytes % TIME_ENTRY_BYTES !== 0) return 'bad'
    const last = this.#lastEntry(segment.timeIndex.file.path, sizeBytes, TIME_ENTRY_BYTES)
    if (last === null) return 'good'
    const timestamp = Number(last.readBigInt64BE(0))
    const relativeOffset = last.readInt32BE(8)
    if (facts !== null && timestamp !== facts.maxTimestamp) return 'bad'
    // The first batch of a segment never gets an entry of its own, so a timestamp of 0 at the base offset is an empty page.
    return timestamp < 0 || relativeOffset < 0 || (timestamp === 0 && relativeOffset === 0) ? 'bad' : 'good'
  }

  #txnIndexState(segment: Segment): 'good' | 'bad' {
    if (!this.#names.has(offsetFileName(segment.baseOffset, TXN_INDEX_SUFFIX))) return 'good'
    segment.txnIndex.file.load(this.#services.disk)
    return segment.txnIndex.problem(segment.baseOffset) === null ? 'good' : 'bad'
  }

  #lastEntry(path: string, sizeBytes: number, entryBytes: number): Buffer | null {
    if (sizeBytes === 0) return null
    const file = this.#services.disk.open(path)
    try {
      const entry = Buffer.alloc(entryBytes)
      return file.readNow(entry, 0, entryBytes, sizeBytes - entryBytes) === entryBytes ? entry : null
    } finally {
      file.close()
    }
  }

  #apply(action: SegmentAction, segment: Segment, index: number, recoveryPoint: number): ScanStart | null {
    switch (action) {
      case 'trust':
        return null
      case 'check tail':
        return this.#checkTail(segment, index)
      case 'rebuild transactions':
        this.#rebuildTransactions = true
        return this.#rebuild(segment, index)
      case 'rebuild indexes':
        return this.#rebuild(segment, index)
      case 'scan from recovery point':
        return this.#resumeAt(segment, index, recoveryPoint)
      case 'scan whole':
        segment.resetIndexes()
        segment.txnIndex.file.load(this.#services.disk)
        segment.txnIndex.truncateTo(segment.baseOffset)
        return { index, position: 0 }
    }
  }

  /**
   * Walks the headers after the last indexed batch. They must lead exactly to the end of the file, and none may have a timestamp above the
   * time index's last entry, which the sealing put there.
   */
  #checkTail(segment: Segment, index: number): ScanStart | null {
    const problem = segment.readIndexes()
    if (problem !== null) return this.#rebuild(segment, index)
    const { offsetIndex, timeIndex } = segment
    segment.maxTimestamp = timeIndex.lastTimestamp
    segment.offsetOfMaxTimestamp = timeIndex.count > 0 ? timeIndex.offsetAt(timeIndex.count - 1) : segment.baseOffset
    const position = offsetIndex.count === 0 ? 0 : offsetIndex.positionAt(offsetIndex.count - 1)
    let timeIndexShort = false
    let missingEntries = 0
    let lastEntryAt = position
    const options = { pool: this.#services.pool, position, nextOffset: segment.baseOffset, verify: false }
    const end = walkSegment(segment, options, (cursor, _buffer, _at, batchPosition) => {
      if (cursor.maxTimestamp > segment.maxTimestamp) timeIndexShort = true
      if (batchPosition - lastEntryAt > this.config.indexIntervalBytes) {
        missingEntries++
        lastEntryAt = batchPosition
      }
      return false
    })
    if (end.problem !== null) return this.#damaged(segment, index, end.position, end.problem)
    if (timeIndexShort || missingEntries > MOST_MISSING_ENTRIES) return this.#rebuild(segment, index)
    if (!segment.sealed) segment.endOffset = end.nextOffset
    return null
  }

  #rebuild(segment: Segment, index: number): ScanStart | null {
    this.#services.logger.warn('Rebuilding the indexes of a segment', { file: segment.path })
    segment.txnIndex.file.load(this.#services.disk)
    const end = rebuildIndexes(segment, this.#services)
    this.#bytesScanned += end.position
    segment.tryWriteIndexes({ closing: true })
    if (end.problem !== null) return this.#damaged(segment, index, end.position, end.problem)
    if (!segment.sealed) segment.endOffset = end.nextOffset
    return null
  }

  /** The last segment is cut where it ends to make sense; in the middle of the log the damage stays, as an error for who reads it. */
  #damaged(segment: Segment, index: number, position: number, reason: string): ScanStart | null {
    this.#services.logger.error('A segment is damaged', { file: segment.path, position, reason })
    if (segment.sealed) return null
    segment.resetIndexes()
    segment.txnIndex.truncateTo(segment.baseOffset)
    return { index, position: 0 }
  }

  /** Trusts what is indexed below the recovery point and begins the scan at the last such batch. */
  #resumeAt(segment: Segment, index: number, recoveryPoint: number): ScanStart {
    const problem = segment.readIndexes()
    const { offsetIndex, timeIndex, txnIndex } = segment
    const entry = problem === null ? offsetIndex.floor(recoveryPoint - 1) : -1
    if (entry < 0) {
      segment.resetIndexes()
      txnIndex.truncateTo(segment.baseOffset)
      return { index, position: 0 }
    }
    const offset = offsetIndex.offsetAt(entry)
    const position = offsetIndex.positionAt(entry)
    offsetIndex.truncateTo(offset + 1)
    timeIndex.truncateTo(offset + 1)
    segment.maxTimestamp = timeIndex.lastTimestamp
    segment.offsetOfMaxTimestamp = timeIndex.count > 0 ? timeIndex.offsetAt(timeIndex.count - 1) : segment.baseOffset
    return { index, position }
  }

  // ---- producers ----------------------------------------------------------------------------------------------

  /** Brings the producers' state up to where the scan begins, or to the log's end. */
  #loadProducers(scan: ScanStart | null, recoveryPoint: number): void {
    const { nowMs } = this.#input
    const { pool } = this.#services
    const scanned = scan === null ? null : (this.segments.all[scan.index] ?? null)
    const trustedEnd =
      scan === null || scanned === null ? this.segments.active.endOffset : this.#offsetAt(scanned, scan.position)
    // A sync leaves a snapshot at the recovery point. The scan begins at the last indexed batch before it, and skips to the snapshot.
    const newestUsable = scan !== null && scan.position > 0 ? Math.max(trustedEnd, recoveryPoint) : trustedEnd
    const from = loadNewestSnapshot(this, newestUsable, nowMs, this.#services, this.#names)
    const hasBatches = this.segments.all.some((segment) => segment.sizeBytes > 0)
    const row = decide(PRODUCER_TABLE, {
      snapshot: this.snapshotOffset < 0 ? 'none' : this.snapshotOffset >= trustedEnd ? 'at the end' : 'older',
      transactions: this.#rebuildTransactions ? 'rebuilt' : 'kept',
      log: hasBatches ? 'has batches' : 'empty',
    })
    switch (row.action) {
      case 'nothing to do':
        return
      case 'take snapshot':
        this.#inSnapshotBelow = this.snapshotOffset
        return
      case 'replay after snapshot':
        replayProducers(this, { from, to: trustedEnd, pool })
        return
      case 'replay everything':
        if (this.#rebuildTransactions) {
          this.producers.load([])
          for (const segment of this.segments.all) segment.txnIndex.file.reset()
        }
        replayProducers(this, {
          from: this.segments.first.baseOffset,
          to: trustedEnd,
          pool,
          onAborted: (segment, entry) => {
            if (this.#rebuildTransactions) segment.txnIndex.append(entry)
          },
        })
        this.producers.expire(nowMs, this.config.producerIdExpirationMs)
        if (this.#rebuildTransactions) {
          for (const segment of this.segments.all) if (segment !== scanned) segment.tryWriteTxnIndex()
        }
    }
  }

  /** What was synced is not there: the snapshot tells of batches that are gone. */
  #reloadProducers(): void {
    const { pool } = this.#services
    const to = this.segments.active.endOffset
    const from = loadNewestSnapshot(this, to, this.#input.nowMs, this.#services)
    replayProducers(this, { from, to, pool })
  }

  /** Base offset of the batch at the position. */
  #offsetAt(segment: Segment, position: number): number {
    if (position === 0) return segment.baseOffset
    let offset = segment.baseOffset
    const options = { pool: this.#services.pool, position, nextOffset: segment.baseOffset, verify: false }
    walkSegment(segment, options, (cursor) => {
      offset = cursor.baseOffset
      return true
    })
    return offset
  }

  // ---- scanning -----------------------------------------------------------------------------------------------

  #scanFrom(start: ScanStart): void {
    const segments = this.segments.all
    for (let index = start.index; index < segments.length; index++) {
      const segment = segments[index]!
      if (index > start.index) {
        segment.resetIndexes()
        segment.txnIndex.file.load(this.#services.disk)
        segment.txnIndex.truncateTo(segment.baseOffset)
      }
      const position = index === start.index ? start.position : 0
      if (this.#scanSegment(segment, position)) continue
      this.#dropAfter(index)
      return
    }
  }

  /** Checks the segment from the position on, filling its indexes; false if it had to be cut. */
  #scanSegment(segment: Segment, from: number): boolean {
    const { pool, logger } = this.#services
    let indexed = from > 0 ? segment.offsetIndex.offsetAt(segment.offsetIndex.count - 1) : -1
    if (indexed >= 0) segment.txnIndex.truncateTo(Math.max(this.#offsetAt(segment, from), this.#inSnapshotBelow))
    const fileBytes = segment.sizeBytes
    const options = { pool, position: from, nextOffset: segment.baseOffset, endPosition: fileBytes, verify: true }
    const end = walkSegment(segment, options, (cursor, buffer, at, position) => {
      if (indexed >= 0) segment.resumeIndexing(cursor.sizeBytes)
      else segment.indexBatch(cursor.lastOffset, position, cursor.sizeBytes, cursor.maxTimestamp)
      indexed = -1
      if (cursor.leaderEpoch >= 0 && cursor.leaderEpoch > this.#epochs.latest) {
        this.#epochsChanged = this.#epochs.assign(cursor.leaderEpoch, cursor.baseOffset) || this.#epochsChanged
      }
      if (cursor.baseOffset < this.#inSnapshotBelow) return false
      const aborted = replayBatch(this.producers, cursor, buffer, at)
      if (aborted !== null) segment.txnIndex.append(aborted)
      return false
    })
    this.#bytesScanned += end.position - from
    if (from > 0 && end.position === from) {
      // Not even the batch that the index names is there, though it was synced: nothing of the segment is to be trusted.
      segment.resetIndexes()
      segment.txnIndex.truncateTo(segment.baseOffset)
      return this.#scanSegment(segment, 0)
    }
    segment.syncedBytes = Math.min(segment.syncedBytes, from)
    segment.endOffset = end.position === 0 ? segment.baseOffset : end.nextOffset
    segment.closeTimeIndex()
    const whole = end.position === fileBytes
    if (!whole) {
      const cut = {
        file: segment.path,
        position: end.position,
        bytes: fileBytes - end.position,
        reason: end.problem,
      }
      logger.warn('Cutting the log at the first batch that is not whole and intact', cut)
      segment.sizeBytes = end.position
      segment.cutToSize()
    }
    segment.tryWriteIndexes({ closing: true })
    return whole
  }

  /** Nothing after a cut can be part of the log. */
  #dropAfter(index: number): void {
    const gone = this.segments.all.slice(index + 1)
    for (const segment of gone) {
      this.#services.logger.warn('Dropping a segment that lies after the cut', {
        file: segment.path,
        bytes: segment.sizeBytes,
      })
      segment.delete(this.config.fileDeleteDelayMs)
    }
    this.segments.remove(new Set(gone))
    this.segments.active.unseal()
  }

  #rebuildEpochs(): void {
    this.#epochsChanged = true
    this.#setEpochs([])
    for (const segment of this.segments.all) {
      const options = { pool: this.#services.pool, position: 0, nextOffset: segment.baseOffset, verify: false }
      walkSegment(segment, options, (cursor) => {
        if (cursor.leaderEpoch > this.#epochs.latest) this.#epochs.assign(cursor.leaderEpoch, cursor.baseOffset)
        return false
      })
    }
  }

  // ---- the log ------------------------------------------------------------------------------------------------

  #finish(recoveryPoint: number, scanned: boolean): LoadedLog {
    const input = this.#input
    const logEndOffset = this.segments.active.endOffset
    // One that begins at the end stays: whoever leads says it again, and an empty log's file would be written twice at every start.
    if (this.#epochs.truncateEnd(logEndOffset + 1)) this.#epochsChanged = true
    if (this.#epochs.truncateStart(Math.min(this.logStartOffset, logEndOffset))) this.#epochsChanged = true
    const log = new Log(
      {
        topic: input.topic,
        partition: input.partition,
        topicId: this.#topicId(),
        directory: this.directory,
        config: input.config,
        segments: this.segments,
        producers: this.producers,
        epochs: this.#epochs,
        logStartOffset: Math.min(this.logStartOffset, logEndOffset),
        logEndOffset,
        recoveryPoint: Math.min(recoveryPoint, logEndOffset),
        checkpointedHighWatermark: input.checkpointedHighWatermark,
        snapshotOffset: this.snapshotOffset,
        folderUnsynced: scanned || this.#rebuildTransactions || !input.cleanStop,
      },
      this.#services,
    )
    this.#log = log
    if (logEndOffset < this.logStartOffset) {
      this.#services.logger.warn('The log ends below its start; starting over there', {
        log: log.name,
        logEndOffset,
        logStartOffset: this.logStartOffset,
      })
      log.startOver(this.logStartOffset)
    }
    // What the scan found out about aborted transactions is not found out again above a recovery point that has moved: before it moves, it has
    // to be on the device.
    for (const { txnIndex, baseOffset } of this.segments.all) {
      if ((scanned || this.#rebuildTransactions) && txnIndex.count > 0)
        log.unsyncedFiles.add(offsetFileName(baseOffset, TXN_INDEX_SUFFIX))
    }
    if (this.#epochsChanged) log.saveEpochs()
    log.removeSnapshots((offset) => offset > log.logEndOffset)
    return { log, bytesScanned: this.#bytesScanned }
  }

  #topicId(): string {
    if (!this.#names.has(PARTITION_METADATA_FILE)) return ''
    const path = `${this.directory}/${PARTITION_METADATA_FILE}`
    const parsed = parsePartitionMetadata(this.#services.disk.readWhole(path)?.toString() ?? '')
    if (parsed.ok) return parsed.value
    this.#services.logger.warn('The topic id of a partition folder cannot be read', {
      file: path,
      reason: parsed.reason,
    })
    return ''
  }
}

/** Opens the log in the folder. Throws a DiskError if the folder or a file that cannot be rebuilt cannot be read. */
export function loadLog(input: LoadInput, services: LogServices): LoadedLog {
  return new Loader(input, services).load()
}
