// One segment of a log: the .log file and its indexes, named by the first offset they may hold.
// Owned by one log. The .log file is at every moment exactly the batches, back to back; the indexes are kept in memory and written out
// when the segment is sealed, synced or closed, since they can always be rebuilt from the .log above the recovery point.
// Of a sealed segment neither the file need be open nor the indexes in memory: both come back when they are asked for.

import { DiskError, type DiskFile } from '../storage/disk.ts'
import type { SegmentFacts } from './checkpoints.ts'
import {
  DELETED_SUFFIX,
  LOG_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  offsetFileName,
  SEGMENT_SUFFIXES,
  TIME_INDEX_SUFFIX,
  TXN_INDEX_SUFFIX,
} from './file-names.ts'
import { OffsetIndex } from './offset-index.ts'
import type { Closable, OpenFiles } from './open-files.ts'
import { rebuildIndexes } from './segment-scan.ts'
import type { LogServices } from './services.ts'
import { TimeIndex } from './time-index.ts'
import { TxnIndex } from './txn-index.ts'
import type { LogConfig } from './types.ts'

/** Space is asked for ahead of the writing in steps that grow with the segment; a small log asks for none. */
const PREALLOCATE_FROM_BYTES = 1024 * 1024
const LARGEST_PREALLOCATION_BYTES = 16 * 1024 * 1024

export interface SegmentOptions {
  readonly services: LogServices
  readonly directory: string
  readonly baseOffset: number
  /** Asked at every use: a topic's settings may change. */
  readonly config: () => LogConfig
  readonly openedMs: number
  /** After the names of its files, while compaction writes them. */
  readonly suffix?: string
}

export class Segment implements Closable {
  readonly baseOffset: number
  readonly directory: string
  readonly path: string
  readonly offsetIndex: OffsetIndex
  readonly timeIndex: TimeIndex
  readonly txnIndex: TxnIndex
  /** Bytes of whole batches in the file. */
  sizeBytes = 0
  /** How many of them are known to be on the device. */
  syncedBytes = 0
  /** Offset after the last batch; of a sealed segment the next one's base. */
  endOffset: number
  /** Largest timestamp of the segment's records, -1 if none has one, and the last offset of the batch it first appeared in. */
  maxTimestamp = -1
  offsetOfMaxTimestamp: number
  /** Largest timestamp of the first batch: null while unknown. What segment.ms counts from. */
  firstTimestamp: number | null = null
  /** Sizes of the index files while the indexes are not in memory. */
  offsetIndexBytes = 0
  timeIndexBytes = 0
  readonly openedMs: number
  /** Share of the jitter this segment takes off segment.ms. */
  readonly jitterMs: number
  sealed = false
  /** The index files have been written and not synced since. */
  indexesUnsynced = false
  readonly #services: LogServices
  readonly #config: () => LogConfig
  readonly #suffix: string
  #file: DiskFile | null = null
  /** Taken out of the log: what is in the folder under its names is not its own any more. */
  #retired = false
  #indexesLoaded = false
  #txnIndexLoaded = false
  #bytesSinceLastEntry = 0
  #preallocatedBytes = 0

  constructor(options: SegmentOptions) {
    const { services, directory, baseOffset, config } = options
    this.#services = services
    this.#config = config
    this.#suffix = options.suffix ?? ''
    this.directory = directory
    this.baseOffset = baseOffset
    this.endOffset = baseOffset
    this.offsetOfMaxTimestamp = baseOffset
    this.openedMs = options.openedMs
    const { segmentJitterMs, segmentMs } = config()
    this.jitterMs = Math.floor(services.random.next() * Math.min(segmentJitterMs, segmentMs))
    this.path = this.filePath(LOG_SUFFIX)
    this.offsetIndex = new OffsetIndex(this.filePath(OFFSET_INDEX_SUFFIX), baseOffset)
    this.timeIndex = new TimeIndex(this.filePath(TIME_INDEX_SUFFIX), baseOffset)
    this.txnIndex = new TxnIndex(this.filePath(TXN_INDEX_SUFFIX))
  }

  filePath(suffix: string): string {
    return `${this.directory}/${offsetFileName(this.baseOffset, suffix)}${this.#suffix}`
  }

  /** Creates the empty .log file. Files of that name that are there already are leftovers and go. */
  create(): void {
    for (const index of [this.offsetIndex, this.timeIndex, this.txnIndex]) index.file.reset()
    this.#services.disk.remove(this.txnIndex.file.path)
    this.#indexesLoaded = true
    // Last: where the disk refuses any of this there is no segment, and the next start finds none.
    this.#file = this.#services.disk.open(this.path, { create: true })
    if (this.#file.sizeBytes > 0) this.#file.truncate(0)
    this.#openFiles.touch(this)
  }

  /** The .log file, opened if it is not. */
  file(): DiskFile {
    if (this.#retired) throw new DiskError('ENOENT', this.path, `${this.path} was taken out of the log`)
    this.#file ??= this.#services.disk.open(this.path)
    this.#openFiles.touch(this)
    return this.#file
  }

  get #openFiles(): OpenFiles {
    return this.sealed ? this.#services.sealedFiles : this.#services.activeFiles
  }

  // ---- appending ----------------------------------------------------------------------------------------------

  /** Asks for disk space ahead of a write of so many bytes. */
  preallocateFor(bytes: number): void {
    const needed = this.sizeBytes + bytes
    if (needed <= this.#preallocatedBytes) return
    const { preallocate, segmentBytes } = this.#config()
    if (needed < PREALLOCATE_FROM_BYTES && !preallocate) return
    const step = Math.min(LARGEST_PREALLOCATION_BYTES, Math.max(PREALLOCATE_FROM_BYTES, needed >>> 1))
    // `preallocate` asks for the whole segment at once.
    this.#preallocatedBytes = Math.min(Math.max(segmentBytes, needed), preallocate ? segmentBytes : needed + step)
    this.file().preallocate(this.#preallocatedBytes)
  }

  /** Gives back space that was asked for and not used. */
  releasePreallocation(): void {
    if (this.#preallocatedBytes <= this.sizeBytes) return
    this.#preallocatedBytes = 0
    this.file().truncate(this.sizeBytes)
  }

  /** Begins a direct write at the end of the file, as `DiskFile.writeDirectly`; null where the folder is written through the page cache. */
  writeDirectly(chunks: readonly Uint8Array[], done: (error: DiskError | null) => void): Uint8Array | null {
    if (this.#services.writeMode === 'buffered') return null
    const file = this.file()
    return file.writeDirectly(chunks, this.sizeBytes, (error) => {
      // Opened again meanwhile: that handle does not know how far the file reaches now.
      if (this.#file !== file) this.#closeFile()
      done(error)
    })
  }

  /** A batch was written at the end of the file. */
  noteAppended(lastOffset: number, sizeBytes: number, maxTimestamp: number): void {
    this.indexBatch(lastOffset, this.sizeBytes, sizeBytes, maxTimestamp)
    this.sizeBytes += sizeBytes
    this.endOffset = lastOffset + 1
  }

  /** Adds the index entries of the batch at this position, if it is time for some. */
  indexBatch(lastOffset: number, position: number, sizeBytes: number, maxTimestamp: number): void {
    if (position === 0) this.firstTimestamp = maxTimestamp
    if (maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = maxTimestamp
      this.offsetOfMaxTimestamp = lastOffset
    }
    const { indexIntervalBytes, segmentIndexBytes } = this.#config()
    if (this.#bytesSinceLastEntry > indexIntervalBytes) {
      if (!this.offsetIndex.isFull(segmentIndexBytes)) this.offsetIndex.append(lastOffset, position)
      this.timeIndex.append(this.maxTimestamp, this.offsetOfMaxTimestamp)
      this.#bytesSinceLastEntry = 0
    }
    this.#bytesSinceLastEntry += sizeBytes
  }

  /** Indexing goes on with a batch that has its entries already. */
  resumeIndexing(sizeBytes: number): void {
    this.#bytesSinceLastEntry = sizeBytes
  }

  /** Empties the offset and time index, to be filled again. */
  resetIndexes(): void {
    this.offsetIndex.file.reset()
    this.timeIndex.file.reset()
    this.maxTimestamp = -1
    this.offsetOfMaxTimestamp = this.baseOffset
    this.#bytesSinceLastEntry = 0
    this.#indexesLoaded = true
  }

  /** The entry for the largest timestamp, whether or not one is due. */
  closeTimeIndex(): void {
    this.timeIndex.append(this.maxTimestamp, this.offsetOfMaxTimestamp)
  }

  /** Whether `more` further entries might not fit. */
  isIndexFull(more: number): boolean {
    const { segmentIndexBytes } = this.#config()
    const { offsetIndex, timeIndex } = this
    return (
      offsetIndex.isFull(segmentIndexBytes - more * offsetIndex.file.entryBytes) ||
      timeIndex.isFull(segmentIndexBytes - more * timeIndex.file.entryBytes)
    )
  }

  /** Nothing more will be appended: closing time-index entry, indexes on file, unused space given back. */
  seal(): void {
    this.loadIndexes()
    this.releasePreallocation()
    this.writeIndexes({ closing: true })
    if (this.sealed) return
    this.#services.activeFiles.forget(this)
    this.sealed = true
    if (this.#file !== null) this.#services.sealedFiles.touch(this)
  }

  /** It is the last one again, after a cut. */
  unseal(): void {
    if (!this.sealed) return
    this.loadIndexes()
    this.#services.sealedFiles.forget(this)
    this.sealed = false
    this.#services.activeFiles.touch(this)
  }

  /** Writes what is not yet in the index files. With `closing` the largest timestamp gets its entry, whether or not one is due. */
  writeIndexes(options: { closing: boolean }): void {
    if (!this.#indexesLoaded) return
    if (options.closing) this.closeTimeIndex()
    const { disk } = this.#services
    if (this.offsetIndex.file.writeOut(disk)) this.indexesUnsynced = true
    if (this.timeIndex.file.writeOut(disk)) this.indexesUnsynced = true
    this.#writeTxnIndex()
  }

  /** The file is there only as long as it has something to say. */
  #writeTxnIndex(): void {
    const { disk } = this.#services
    if (this.txnIndex.count === 0) this.txnIndex.file.removeStale(disk)
    else if (this.txnIndex.file.writeOut(disk)) this.indexesUnsynced = true
  }

  /** The same where a disk that is full must not stop the work: what is not on file stays in memory. */
  tryWriteIndexes(options: { closing: boolean }): boolean {
    try {
      this.writeIndexes(options)
      return true
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      const fields = { file: error.path, reason: error.message }
      this.#services.logger.warn('Cannot write an index; it stays in memory for now', fields)
      return false
    }
  }

  /** Brings the transaction index to its file; false if the disk refuses. */
  tryWriteTxnIndex(): boolean {
    try {
      this.#writeTxnIndex()
      return true
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      const fields = { file: error.path, reason: error.message }
      this.#services.logger.warn('Cannot write a transaction index; it stays in memory for now', fields)
      return false
    }
  }

  /** Cuts the file back to what is known to be whole batches, after a failed write. */
  cutToSize(): void {
    this.#preallocatedBytes = 0
    this.file().truncate(this.sizeBytes)
  }

  // ---- indexes ------------------------------------------------------------------------------------------------

  get indexesLoaded(): boolean {
    return this.#indexesLoaded
  }

  /** Brings the indexes into memory. Ones that cannot be right are rebuilt from the segment. */
  loadIndexes(): void {
    if (this.#indexesLoaded) return
    const problem = this.readIndexes()
    if (problem !== null) this.repairIndexes(problem)
    this.#indexesLoaded = true
    this.#openFiles.touch(this)
  }

  /** The aborted transactions alone: most segments have none, and who asks for them must not bring in all other indexes of the log. */
  loadTxnIndex(): void {
    if (this.#indexesLoaded || this.#txnIndexLoaded) return
    this.txnIndex.file.load(this.#services.disk)
    if (this.txnIndex.problem(this.baseOffset) !== null) this.loadIndexes()
    this.#txnIndexLoaded = true
  }

  repairIndexes(reason: string): void {
    this.#services.logger.warn('Index cannot be right, rebuilding it from the segment', { file: this.path, reason })
    const end = rebuildIndexes(this, this.#services)
    if (end.problem !== null) {
      const where = { file: this.path, position: end.position, reason: end.problem }
      this.#services.logger.error('Segment is damaged; from this position on it is answered with an error', where)
    }
    this.tryWriteIndexes({ closing: this.sealed })
  }

  /** Reads the index files; returns why they cannot be right, or null. */
  readIndexes(): string | null {
    const { disk } = this.#services
    for (const index of [this.offsetIndex, this.timeIndex, this.txnIndex]) index.file.load(disk)
    const offsets = this.offsetIndex.problem(this.endOffset, this.sizeBytes)
    if (offsets !== null) return `offset index: ${offsets}`
    const times = this.timeIndex.problem(this.endOffset)
    if (times !== null) return `time index: ${times}`
    const aborted = this.txnIndex.problem(this.baseOffset)
    if (aborted !== null) return `transaction index: ${aborted}`
    this.#indexesLoaded = true
    return null
  }

  /** Largest timestamp for retention and searches by time: of the records, or the file's own time if none has one. */
  largestTimestamp(): number {
    if (this.maxTimestamp >= 0) return this.maxTimestamp
    return this.#services.disk.stat(this.path)?.modifiedMs ?? -1
  }

  /** Drops everything from the batch at `position` on, which begins at `offset`. */
  truncate(position: number, offset: number): void {
    this.loadIndexes()
    this.sizeBytes = position
    this.syncedBytes = Math.min(this.syncedBytes, position)
    this.endOffset = offset
    this.cutToSize()
    this.offsetIndex.truncateTo(offset)
    this.timeIndex.truncateTo(offset)
    this.txnIndex.truncateTo(offset)
    // The others are made anew by a recovery; this one is believed below the recovery point.
    this.tryWriteTxnIndex()
    this.#bytesSinceLastEntry = 0
    if (position === 0) this.firstTimestamp = null
  }

  facts(): SegmentFacts {
    return {
      baseOffset: this.baseOffset,
      endOffset: this.endOffset,
      logBytes: this.sizeBytes,
      offsetIndexBytes: this.#indexesLoaded ? this.offsetIndex.file.length : this.offsetIndexBytes,
      timeIndexBytes: this.#indexesLoaded ? this.timeIndex.file.length : this.timeIndexBytes,
      maxTimestamp: this.maxTimestamp,
      offsetOfMaxTimestamp: this.offsetOfMaxTimestamp,
    }
  }

  // ---- end of life --------------------------------------------------------------------------------------------

  get heldBytes(): number {
    return this.#indexesLoaded ? this.offsetIndex.file.bytes.length + this.timeIndex.file.bytes.length : 0
  }

  giveUp(): void {
    this.#closeFile()
    if (!this.sealed || !this.#indexesLoaded || !this.tryWriteIndexes({ closing: true })) return
    this.offsetIndexBytes = this.offsetIndex.file.length
    this.timeIndexBytes = this.timeIndex.file.length
    for (const index of [this.offsetIndex, this.timeIndex, this.txnIndex]) index.file.unload()
    this.#indexesLoaded = false
  }

  close(): void {
    this.#services.activeFiles.forget(this)
    this.#services.sealedFiles.forget(this)
    this.#closeFile()
  }

  /** What was to become durable was synced; a device that fails only here has nothing more to say. */
  #closeFile(): void {
    const file = this.#file
    this.#file = null
    try {
      file?.close()
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      this.#services.logger.warn('Cannot close a file', { file: this.path, reason: error.message })
    }
  }

  /** It was taken out of the log. */
  get isRetired(): boolean {
    return this.#retired
  }

  /** Whoever still knows the segment gets no file of it any more; reads that are under way end undisturbed. */
  retire(): void {
    this.#retired = true
    this.close()
  }

  /** Takes the segment's files out of the log at once and removes them later; reads that are under way end undisturbed. */
  delete(delayMs: number): void {
    const { disk } = this.#services
    this.retire()
    for (const suffix of SEGMENT_SUFFIXES) {
      const path = this.filePath(suffix)
      if (!disk.exists(path)) continue
      if (delayMs <= 0) {
        disk.remove(path)
        continue
      }
      disk.rename(path, path + DELETED_SUFFIX)
      this.#services.removeLater(path + DELETED_SUFFIX, delayMs)
    }
  }
}
