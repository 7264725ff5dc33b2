// One cleaning of one log, in two passes. The first notes the last offset of every key in the part that has not been compared yet; the
// second writes every segment below the end of that part anew, without the records that a later one has made obsolete, and puts the result
// in the place of the old ones, one group of segments after the other.
//
// Reading, appending, retention and deleted records go on meanwhile: only sealed segments below the last stable offset are touched, and
// those never change. What may change them, a cut or the log's end, calls `abort` first; every step after an `await` looks whether that
// has happened.

import { RecordError } from '../records/batch.ts'
import { isControl, MAGIC_V2, readBatchHeader } from '../records/header.ts'
import { maxDecompressedBytesFor } from '../records/limits.ts'
import { RecordScanner } from '../records/record-scanner.ts'
import { BatchCursor, isIntact } from './batch-cursor.ts'
import { CleanedChunks } from './cleaned-chunks.ts'
import { CleanedTransactions } from './cleaned-transactions.ts'
import { BatchFilter, type LastOfProducer, markerIn, recordsSection } from './compaction-filter.ts'
import type { Pace } from './compaction-pace.ts'
import { type CompactionPlan, groupSegments } from './compaction-plan.ts'
import { CLEANED_SUFFIX } from './file-names.ts'
import type { Log } from './log.ts'
import { LogDamage } from './log-read.ts'
import { OffsetMap } from './offset-map.ts'
import { Segment } from './segment.ts'
import { type Piece, SegmentPieces } from './segment-pieces.ts'
import { SegmentSwap } from './segment-swap.ts'
import type { LogServices } from './services.ts'
import { syncFile } from './syncer.ts'
import { type AbortedEntry, TxnIndex } from './txn-index.ts'

/** Of the output so much is left to the system before it is told to write, so that the last sync has little to do. */
const SYNC_AFTER_BYTES = 32 * 1024 * 1024

/** The log was cut or closed meanwhile: what was done so far counts for nothing. */
export class CleaningAborted extends Error {
  constructor() {
    super('the log was cut or closed')
    this.name = 'CleaningAborted'
  }
}

export interface CleaningOptions {
  readonly log: Log
  readonly plan: CompactionPlan
  readonly services: LogServices
  readonly pace: Pace
  /** `log.cleaner.dedupe.buffer.size`, `log.cleaner.io.buffer.load.factor` and `log.cleaner.io.buffer.size` */
  readonly dedupeBufferBytes: number
  readonly loadFactor: number
  readonly ioBufferBytes: number
}

export interface CleaningResult {
  /** Keys below are compared; the next cleaning begins here. */
  readonly endOffset: number
  readonly segmentsBefore: number
  readonly segmentsAfter: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly recordsRead: number
  readonly recordsKept: number
  readonly keys: number
}

export class Cleaning {
  readonly #options: CleaningOptions
  readonly #nowMs: number
  readonly #segments: readonly Segment[]
  readonly #scanner = new RecordScanner()
  readonly #maxDecompressedBytes: number
  #swap: SegmentSwap | null = null
  #aborted = false
  #segmentsAfter = 0
  #bytesAfter = 0
  #recordsRead = 0
  #recordsKept = 0

  constructor(options: CleaningOptions) {
    const { log, plan, services } = options
    this.#options = options
    this.#nowMs = services.clock.now()
    this.#segments = log.segments.all.filter((segment) => segment.baseOffset < plan.firstUncleanableOffset)
    // What was allowed in when a batch was produced; the topic's setting may have been lowered since.
    this.#maxDecompressedBytes = maxDecompressedBytesFor(log.config.maxMessageBytes)
  }

  /** Rejects with CleaningAborted, LogDamage or DiskError; then the log is what it was, or in part cleaned already. */
  async run(): Promise<CleaningResult> {
    const { log, plan, services, dedupeBufferBytes, loadFactor } = this.#options
    log.cleaning = this
    const map = new OffsetMap({
      maxBytes: dedupeBufferBytes,
      loadFactor,
      mostKeys: plan.firstUncleanableOffset - plan.firstDirtyOffset,
      seed: Math.floor(services.random.next() * 2 ** 32),
    })
    try {
      const aborted = abortedEntries(log.segments.all, services)
      await this.#fillMap(map, aborted)
      const keys = map.size
      const endOffset = map.latestOffset + 1
      if (endOffset <= plan.firstDirtyOffset) throw new Error('log.cleaner.dedupe.buffer.size does not hold one batch')
      const segments = this.#segments.filter((segment) => segment.baseOffset < endOffset)
      const bytesBefore = sumOf(segments)
      const transactions = new CleanedTransactions(aborted)
      for (const group of groupSegments(segments.map(sizesOf), plan.firstUncleanableOffset, log.config)) {
        await this.#cleanGroup(
          group.map(({ segment }) => segment),
          map,
          transactions,
        )
      }
      return {
        endOffset,
        segmentsBefore: segments.length,
        segmentsAfter: this.#segmentsAfter,
        bytesBefore,
        bytesAfter: this.#bytesAfter,
        recordsRead: this.#recordsRead,
        recordsKept: this.#recordsKept,
        keys,
      }
    } catch (error) {
      // Files that are gone since are no failure.
      if (this.#aborted) throw new CleaningAborted()
      throw error
    } finally {
      map.release()
      this.#end()
    }
  }

  /** The log is about to be cut or closed. What is half done is taken back now. */
  abort(): void {
    this.#aborted = true
    this.#end()
    this.#options.pace.wake()
  }

  #end(): void {
    const { log } = this.#options
    if (log.cleaning === this) log.cleaning = null
    this.#swap?.discard()
    this.#swap = null
  }

  #checkAborted(): void {
    if (this.#aborted) throw new CleaningAborted()
  }

  // ---- first pass ---------------------------------------------------------------------------------------------

  async #fillMap(map: OffsetMap, aborted: readonly AbortedEntry[]): Promise<void> {
    const { plan } = this.#options
    map.latestOffset = plan.firstDirtyOffset - 1
    const transactions = new CleanedTransactions(aborted.filter((entry) => entry.lastOffset >= plan.firstDirtyOffset))
    for (const [index, segment] of this.#segments.entries()) {
      const end = this.#segments[index + 1]?.baseOffset ?? plan.firstUncleanableOffset
      if (end <= plan.firstDirtyOffset) continue
      if (!(await this.#mapSegment(segment, map, transactions))) return
      // Offsets may be missing at the segment's end.
      map.latestOffset = Math.max(map.latestOffset, end - 1)
    }
  }

  /** False if the map is full. */
  async #mapSegment(segment: Segment, map: OffsetMap, transactions: CleanedTransactions): Promise<boolean> {
    const { plan, pace } = this.#options
    let position = 0
    if (segment.baseOffset < plan.firstDirtyOffset) {
      segment.loadIndexes()
      position = segment.offsetIndex.positionFor(plan.firstDirtyOffset)
    }
    return this.#eachPiece(segment, position, async ({ buffer, bytes }) => {
      const cursor = new BatchCursor()
      for (let at = 0; at < bytes && cursor.load(buffer, at, bytes); at += cursor.sizeBytes) {
        if (!isIntact(buffer, at, cursor.sizeBytes, cursor.magic)) throw new RecordError('corrupt', 'checksum mismatch')
        if (cursor.magic === MAGIC_V2 && !this.#mapBatch(buffer, at, map, transactions)) return false
        if (cursor.lastOffset >= plan.firstDirtyOffset) map.latestOffset = cursor.lastOffset
        if (pace.isDue) await this.#pause()
      }
      return true
    })
  }

  #mapBatch(buffer: Buffer, at: number, map: OffsetMap, transactions: CleanedTransactions): boolean {
    const header = readBatchHeader(buffer, at)
    if (isControl(header)) {
      transactions.onControl(header, markerIn(buffer, at, header))
      return true
    }
    if (transactions.onData(header)) return true
    const { firstDirtyOffset } = this.#options.plan
    const { bytes, from, to } = recordsSection(buffer, at, header, this.#maxDecompressedBytes)
    const scanner = this.#scanner
    scanner.open([bytes], from, to - from)
    for (let index = 0; index < header.recordCount; index++) {
      scanner.next()
      const offset = header.baseOffset + scanner.offsetDelta
      if (scanner.keyLength < 0 || offset < firstDirtyOffset) continue
      if (!map.put(bytes, scanner.keyPosition, scanner.keyLength, offset)) return false
    }
    return true
  }

  // ---- second pass --------------------------------------------------------------------------------------------

  async #cleanGroup(group: readonly Segment[], map: OffsetMap, transactions: CleanedTransactions): Promise<void> {
    const { log, plan, services } = this.#options
    const baseOffset = group[0]!.baseOffset
    const cleaned = new Segment({
      services,
      directory: log.directory,
      baseOffset,
      config: () => log.config,
      openedMs: this.#nowMs,
      suffix: CLEANED_SUFFIX,
    })
    const swap = new SegmentSwap(log, cleaned, group, services)
    this.#swap = swap
    cleaned.create()
    const filter = new BatchFilter({
      map,
      transactions,
      lastOfProducers: lastOfProducers(log, services.durability === 'memory' ? log.writtenOffset : log.recoveryPoint),
      endOffset: plan.firstUncleanableOffset,
      nowMs: this.#nowMs,
      deleteRetentionMs: log.config.deleteRetentionMs,
      maxDecompressedBytes: this.#maxDecompressedBytes,
    })
    const output = new CleanedChunks(services.pool)
    try {
      const writer = new CleanedWriter(cleaned, output, services)
      for (const segment of group) {
        await this.#eachPiece(segment, 0, async (piece) => {
          await this.#filterPiece(piece, filter, writer)
          return true
        })
      }
      await writer.finish()
    } finally {
      output.release()
    }
    this.#checkAborted()
    services.disk.setModified(cleaned.path, services.disk.stat(group.at(-1)!.path)?.modifiedMs ?? this.#nowMs)
    await swap.publish()
    this.#checkAborted()
    swap.exchange()
    this.#swap = null
    this.#segmentsAfter++
    this.#bytesAfter += cleaned.sizeBytes
    await swap.syncExchange()
    this.#checkAborted()
  }

  async #filterPiece({ buffer, bytes }: Piece, filter: BatchFilter, writer: CleanedWriter): Promise<void> {
    const { pace } = this.#options
    const cursor = new BatchCursor()
    for (let at = 0; at < bytes && cursor.load(buffer, at, bytes); at += cursor.sizeBytes) {
      const filtered = filter.filter(buffer, at, cursor.sizeBytes, writer.output)
      this.#recordsRead += filtered.recordsRead
      this.#recordsKept += filtered.recordsKept
      writer.add(filtered)
      if (pace.isDue) await this.#pause()
    }
    // Before the piece's buffer is used for another one.
    const written = writer.flush()
    if (written > 0) await pace.spend(written)
    this.#checkAborted()
  }

  // ---- both ---------------------------------------------------------------------------------------------------

  /** Hands the segment to `work`, piece by piece, until that returns false. What it finds wrong is told with the place. */
  async #eachPiece(segment: Segment, from: number, work: (piece: Piece) => Promise<boolean>): Promise<boolean> {
    const { services, pace, ioBufferBytes } = this.#options
    const pieces = new SegmentPieces(segment, from, ioBufferBytes, services.pool)
    let position = from
    try {
      for (let piece = await pieces.next(); piece !== null; piece = await pieces.next()) {
        this.#checkAborted()
        if (!(await work(piece))) return false
        position += piece.bytes
        await pace.spend(piece.bytes)
        this.#checkAborted()
      }
      return true
    } catch (error) {
      if (error instanceof RecordError) throw new LogDamage(segment.path, position, `(or after it) ${error.message}`)
      throw error
    } finally {
      pieces.release()
    }
  }

  async #pause(): Promise<void> {
    await this.#options.pace.pause()
    this.#checkAborted()
  }
}

/** Appends what remains of the batches to the new segment. */
class CleanedWriter {
  readonly output: CleanedChunks
  readonly #segment: Segment
  readonly #services: LogServices
  #written = 0
  #syncedUpTo = 0
  #syncing: Promise<void> | null = null
  #syncFailure: unknown = null

  constructor(segment: Segment, output: CleanedChunks, services: LogServices) {
    this.#segment = segment
    this.output = output
    this.#services = services
  }

  add(filtered: ReturnType<BatchFilter['filter']>): void {
    const { bytes, lastOffset, maxTimestamp, aborted } = filtered
    if (bytes > 0) this.#segment.noteAppended(lastOffset, bytes, maxTimestamp)
    if (aborted !== null) this.#segment.txnIndex.append(aborted)
  }

  /** Returns the number of bytes that went to the file. */
  flush(): number {
    const bytes = this.output.writeTo(this.#segment.file(), this.#written)
    this.#written += bytes
    if (this.#written - this.#syncedUpTo >= SYNC_AFTER_BYTES) this.#syncBehind()
    return bytes
  }

  /** Everything of the new segment is in its files and on the device. */
  async finish(): Promise<void> {
    const segment = this.#segment
    segment.writeIndexes({ closing: true })
    if (this.#services.durability === 'memory') return
    await this.#syncing
    if (this.#syncFailure !== null) throw this.#syncFailure
    await segment.file().sync()
    const indexes = [segment.offsetIndex, segment.timeIndex, ...(segment.txnIndex.count > 0 ? [segment.txnIndex] : [])]
    for (const { file } of indexes) await syncFile(this.#services.disk, file.path)
  }

  #syncBehind(): void {
    if (this.#syncing !== null || this.#services.durability === 'memory') return
    this.#syncedUpTo = this.#written
    this.#syncing = this.#segment
      .file()
      .sync()
      .catch((error: unknown) => {
        this.#syncFailure = error
      })
      .finally(() => {
        this.#syncing = null
      })
  }
}

function sizesOf(segment: Segment): ReturnType<Segment['facts']> & { segment: Segment; sizeBytes: number } {
  return { ...segment.facts(), segment, sizeBytes: segment.sizeBytes }
}

function sumOf(segments: readonly Segment[]): number {
  return segments.reduce((total, segment) => total + segment.sizeBytes, 0)
}

/** Every aborted transaction that the log knows of. Reads the files rather than have all indexes come into memory. */
function abortedEntries(segments: readonly Segment[], services: LogServices): AbortedEntry[] {
  const found: AbortedEntry[] = []
  for (const segment of segments) {
    let index = segment.txnIndex
    if (!segment.indexesLoaded) {
      index = new TxnIndex(segment.txnIndex.file.path)
      index.file.load(services.disk)
      const problem = index.problem(segment.baseOffset)
      if (problem !== null) throw new LogDamage(index.file.path, 0, problem)
    }
    for (let entry = 0; entry < index.count; entry++) found.push(index.at(entry))
  }
  return found
}

/** The newest batch of each that a power loss does not take; the newest of all where none of those is known. */
function lastOfProducers(log: Log, durableOffset: number): Map<number, LastOfProducer> {
  const last = new Map<number, LastOfProducer>()
  for (const { producerId, epoch, batches } of log.producers.entries()) {
    const newest = batches.findLast(({ lastOffset }) => lastOffset < durableOffset) ?? batches.at(-1)
    last.set(producerId, { lastDataOffset: newest?.lastOffset ?? -1, epoch })
  }
  return last
}
