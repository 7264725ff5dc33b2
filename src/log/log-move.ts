// Moves one log to another data folder while it is written to and read: a replica in a folder `<topic>-<partition>.<id>-future` catches up
// with the log, takes its place in one turn, and the old folder goes. Started by ReplicaMoves, one at a time.
//
//   1. Copy: whole batches, checked, segment by segment, at a bounded rate; indexes are made anew on the way. What comes meanwhile is copied in
//      further rounds, until little is missing.
//   2. Hold: the log only queues. The rest is copied, with the producers' state and the epochs, and everything is synced; then the target's
//      checkpoint files, which know the log already.
//   3. Rename: the future folder gets the partition's name, and that is synced. In it is a mark that says where it comes from.
//   4. In one turn: the log goes on in the new folder, the old one is renamed to be deleted, writing goes on.
//
// A kill at any point: up to the rename the old folder is the log and the future one is unfinished. After it both may be there; the new one has
// everything that was ever acknowledged (nothing was written while the log was held), and one of them may have gone on: the longer one is the
// log (`chooseOfTwo`). If something must be written during 2 or 3 (a segment rolls, the log is cut or closed), the hold is broken: the rename is
// taken back before the write, and the round begins again. A future folder found at a start is not trusted: the move begins anew.

import { type Disk, DiskError } from '../storage/disk.ts'
import { BatchCursor, isIntact } from './batch-cursor.ts'
import { formatEpochCheckpoint, formatPartitionMetadata } from './checkpoints.ts'
import type { Pace } from './compaction-pace.ts'
import {
  futureFolderName,
  LEADER_EPOCHS_FILE,
  MOVED_FILE,
  offsetFileName,
  PARTITION_METADATA_FILE,
  partitionFolderName,
  SNAPSHOT_SUFFIX,
  uuidHex,
} from './file-names.ts'
import type { Log } from './log.ts'
import { LogDamage } from './log-read.ts'
import { encodeSnapshot } from './producer-snapshot.ts'
import { Segment } from './segment.ts'
import { SegmentPieces } from './segment-pieces.ts'
import type { ServedDirectory } from './served-directory.ts'
import { syncFile } from './syncer.ts'

/** Read and written at a time. */
const PIECE_BYTES = 256 * 1024
/** The log is held once no more than this is missing; while it is held, this much more may turn up at most. */
const CAUGHT_UP_BYTES = 1024 * 1024
/** What was copied goes to the device after so much of it, so that no later sync takes long. */
const SYNC_AFTER_BYTES = 32 * 1024 * 1024
/** A log that is written to may break the hold every time; between two tries others get their turn. */
const RETRY_MS = 100

/** The log was cut, closed, or is to stay. */
export class MoveEnded extends Error {}

/** Something had to be written while the log was held. */
class HoldBroken extends Error {}

export interface MoveOptions {
  readonly log: Log
  readonly source: ServedDirectory
  readonly target: ServedDirectory
  readonly pace: Pace
  readonly sleep: (ms: number) => Promise<void>
  /** The log lies in the target from this turn on; what is left of the old folder is at this path. */
  readonly onRelocated: (move: LogMove, oldFolder: string) => void
}

/** A segment of the log and how far it was copied. */
interface Copy {
  readonly source: Segment
  readonly segment: Segment
  copiedBytes: number
}

export class LogMove {
  readonly log: Log
  readonly source: ServedDirectory
  readonly target: ServedDirectory
  readonly #options: MoveOptions
  readonly #disk: Disk
  readonly #folder: string
  #copies: Copy[] = []
  #unsyncedBytes = 0
  #copiedOffset: number
  #isEnded = false
  #cuts: number
  #logStartOffset: number
  /** The future folder has the partition's name, though the log is not there yet. */
  #isRenamed = false
  #holdBroken = false

  /** Creates the future folder; throws a DiskError if a disk refuses: then there is none, and the log is as before. */
  constructor(options: MoveOptions) {
    const { log, source, target } = options
    this.#options = options
    this.log = log
    this.source = source
    this.target = target
    this.#disk = target.services.disk
    this.#copiedOffset = log.segments.first.baseOffset
    this.#cuts = 0
    this.#logStartOffset = log.logStartOffset
    const hex = uuidHex(target.services.random.uuid())
    this.#folder = `${target.path}/${futureFolderName(log.topic, log.partition, hex)}`
    this.#disk.makeDirectory(this.#folder)
    this.#forgetOrigin()
    log.cleaning?.abort()
    log.moving = this
  }

  /** The mark of an earlier move to where the log is now. A future folder that stayed behind would be taken for a wish at the next start. */
  #forgetOrigin(): void {
    try {
      this.#disk.remove(`${this.log.directory}/${MOVED_FILE}`)
    } catch (error) {
      this.#disk.remove(this.#folder, { recursive: true })
      throw error
    }
  }

  /** Bytes in the future folder's segments. */
  get sizeBytes(): number {
    return this.#copies.reduce((total, { copiedBytes }) => total + copiedBytes, 0)
  }

  /** How many offsets the future replica lies behind. */
  get offsetLag(): number {
    return Math.max(0, this.log.logEndOffset - this.#copiedOffset)
  }

  /** Ends the move in this turn; the log is as if it had never begun. */
  abort(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#takeBack()
    this.log.moving = null
    this.log.release()
    this.#options.pace.wake()
  }

  /** Resolves when the log lies in the target. Rejects with MoveEnded, DiskError or LogDamage: then it lies where it was. */
  async run(): Promise<void> {
    const { sleep, pace } = this.#options
    pace.begin()
    try {
      for (;;) {
        await this.#catchUp()
        if (await this.#tryExchange()) return
        await sleep(RETRY_MS)
        this.#check()
      }
    } finally {
      this.abort()
      for (const { segment } of this.#copies) segment.close()
    }
  }

  /** The future folder, to be removed after a move that has ended before its time. */
  get folder(): string {
    return this.#folder
  }

  #check(): void {
    if (this.#isEnded) throw new MoveEnded('the move was ended')
    if (this.target.isOffline) throw new MoveEnded('the target folder is offline')
  }

  // ---- copying ------------------------------------------------------------------------------------------------

  async #catchUp(): Promise<void> {
    do {
      await this.#copyRound(true)
      await this.#syncCopies()
      this.#check()
    } while (this.#missingBytes() > CAUGHT_UP_BYTES)
  }

  #missingBytes(): number {
    const copied = new Map(this.#copies.map(({ source, copiedBytes }) => [source, copiedBytes]))
    return this.log.segments.all.reduce((sum, segment) => sum + segment.sizeBytes - (copied.get(segment) ?? 0), 0)
  }

  /** Copies what every segment has now; segments that retention has removed go here, too. */
  async #copyRound(isPaced: boolean): Promise<void> {
    this.#dropRemoved()
    for (const source of [...this.log.segments.all]) {
      // Retention has taken it while an earlier one was being copied.
      if (source.isRetired) continue
      let copy = this.#copies.find((each) => each.source === source)
      if (copy === undefined) {
        copy = { source, segment: this.#newSegment(source, this.#folder), copiedBytes: 0 }
        copy.segment.create()
        this.#copies.push(copy)
      }
      await this.#copySegment(copy, isPaced)
      this.#check()
      if (source.sealed && !copy.segment.sealed && copy.copiedBytes === source.sizeBytes) this.#seal(copy)
    }
  }

  #newSegment({ baseOffset, openedMs }: Segment, directory: string): Segment {
    const { services } = this.target
    return new Segment({ services, directory, baseOffset, openedMs, config: () => this.log.config })
  }

  #dropRemoved(): void {
    const current = new Set(this.log.segments.all)
    for (const { source, segment } of this.#copies) if (!current.has(source)) segment.delete(0)
    this.#copies = this.#copies.filter(({ source }) => current.has(source))
  }

  async #copySegment(copy: Copy, isPaced: boolean): Promise<void> {
    const { source } = copy
    if (copy.copiedBytes >= source.sizeBytes) return
    const { pool } = this.source.services
    const { pace } = this.#options
    const pieces = new SegmentPieces(source, copy.copiedBytes, PIECE_BYTES, pool)
    try {
      for (let piece = await pieces.next(); piece !== null; piece = await pieces.next()) {
        this.#check()
        this.#copyPiece(copy, piece.buffer, piece.bytes)
        if (!isPaced) continue
        await pace.spend(piece.bytes)
        if (pace.isDue) await pace.pause()
        if (this.#unsyncedBytes >= SYNC_AFTER_BYTES) await this.#syncCopies()
        this.#check()
      }
    } finally {
      pieces.release()
    }
  }

  #copyPiece(copy: Copy, buffer: Buffer, bytes: number): void {
    const { source, segment } = copy
    const cursor = new BatchCursor()
    for (let at = 0; at < bytes && cursor.load(buffer, at, bytes); at += cursor.sizeBytes) {
      if (!isIntact(buffer, at, cursor.sizeBytes, cursor.magic)) {
        throw new LogDamage(source.path, copy.copiedBytes + at, 'checksum mismatch')
      }
    }
    segment.file().writev([buffer.subarray(0, bytes)], copy.copiedBytes)
    for (let at = 0; at < bytes && cursor.load(buffer, at, bytes); at += cursor.sizeBytes) {
      segment.noteAppended(cursor.lastOffset, cursor.sizeBytes, cursor.maxTimestamp)
    }
    copy.copiedBytes += bytes
    this.#unsyncedBytes += bytes
    this.#copiedOffset = segment.endOffset
  }

  #seal({ source, segment }: Copy): void {
    this.#copyAborted(source, segment)
    segment.endOffset = source.endOffset
    segment.seal()
    const modifiedMs = this.#disk.stat(source.path)?.modifiedMs
    if (modifiedMs !== undefined) this.#disk.setModified(segment.path, modifiedMs)
  }

  /** The entries of aborted transactions, which cannot be had from the segment alone. */
  #copyAborted(source: Segment, segment: Segment): void {
    source.loadTxnIndex()
    for (let index = segment.txnIndex.count; index < source.txnIndex.count; index++) {
      segment.txnIndex.append(source.txnIndex.at(index))
    }
  }

  async #syncCopies(): Promise<void> {
    this.#unsyncedBytes = 0
    if (this.target.services.durability === 'memory') return
    for (const { segment } of this.#copies) {
      const { sizeBytes } = segment
      if (segment.syncedBytes < sizeBytes) {
        await segment.file().sync()
        segment.syncedBytes = sizeBytes
      }
      if (!segment.indexesUnsynced) continue
      segment.indexesUnsynced = false
      for (const { file } of [segment.offsetIndex, segment.timeIndex, segment.txnIndex]) {
        await syncFile(this.#disk, file.path)
      }
    }
  }

  // ---- exchanging ---------------------------------------------------------------------------------------------

  /** Holds the log, copies the rest and lets the log go on in the target; false if something came in between. */
  async #tryExchange(): Promise<boolean> {
    await this.log.writesLanded()
    this.#check()
    this.#holdBroken = false
    if (!this.log.hold(() => this.#breakHold())) return false
    this.#cuts = this.log.cuts
    this.#logStartOffset = this.log.logStartOffset
    try {
      const small = this.#smallFiles()
      await this.#finishCopies(small)
      await this.#prepareTarget()
      await this.#rename()
      this.#checkHold()
      this.#exchange()
      return true
    } catch (error) {
      this.#takeBack()
      this.log.release()
      if (error instanceof HoldBroken) return false
      throw error
    } finally {
      this.target.arriving.delete(this.log)
    }
  }

  /** The log has to write, in this very turn. */
  #breakHold(): void {
    this.#holdBroken = true
    this.#takeBack()
  }

  #takeBack(): void {
    if (!this.#isRenamed) return
    this.#isRenamed = false
    try {
      this.#disk.rename(this.#finalFolder, this.#folder)
    } catch (error) {
      // It stays, with its mark: the log goes on where it was and is the longer one at the next start.
      if (!(error instanceof DiskError)) throw error
      this.target.services.logger.warn('Cannot take back the move of a log', {
        log: this.log.name,
        reason: error.message,
      })
    }
  }

  #checkHold(): void {
    this.#check()
    // A new start that was answered for is on the device in the source only.
    const isChanged = this.log.cuts !== this.#cuts || this.log.logStartOffset !== this.#logStartOffset
    if (this.#holdBroken || isChanged) throw new HoldBroken('the log had to be changed')
  }

  get #finalFolder(): string {
    return `${this.target.path}/${partitionFolderName(this.log.topic, this.log.partition)}`
  }

  /** What is in the folder beside the segments, as of the turn in which the hold began: later the producers' state is ahead of what is written. */
  #smallFiles(): Map<string, Uint8Array> {
    const { log } = this
    return new Map<string, Uint8Array>([
      [PARTITION_METADATA_FILE, formatPartitionMetadata(log.topicId)],
      [LEADER_EPOCHS_FILE, formatEpochCheckpoint(log.epochs.entries)],
      [offsetFileName(log.writtenOffset, SNAPSHOT_SUFFIX), encodeSnapshot(log.producers.entries())],
      [MOVED_FILE, Buffer.from(`${this.source.path}\n`)],
    ])
  }

  async #finishCopies(small: ReadonlyMap<string, Uint8Array>): Promise<void> {
    await this.#copyRound(false)
    this.#checkHold()
    const last = this.#copies.at(-1)
    if (last !== undefined) {
      this.#copyAborted(last.source, last.segment)
      last.segment.writeIndexes({ closing: false })
    }
    for (const [name, bytes] of small) this.#disk.writeWhole(`${this.#folder}/${name}`, bytes)
    if (this.target.services.durability === 'memory') return
    await this.#syncCopies()
    for (const name of small.keys()) await syncFile(this.#disk, `${this.#folder}/${name}`)
    await this.#disk.syncDirectoryLater(this.#folder)
    this.#checkHold()
  }

  /** The log's start and ends are on the device in the target before anybody may find the log there. */
  async #prepareTarget(): Promise<void> {
    this.target.arriving.add(this.log)
    await this.target.saveCheckpointsNow()
    this.#checkHold()
  }

  async #rename(): Promise<void> {
    // A stray folder of that name is in the way of every start, too.
    this.#disk.rename(this.#folder, this.#finalFolder)
    this.#isRenamed = true
    if (this.target.services.durability !== 'memory') await this.#disk.syncDirectoryLater(this.target.path)
  }

  #exchange(): void {
    const { log, target } = this
    const oldFolder = log.directory
    const segments = this.#copies.map(({ segment, source }) => this.#inPlace(segment, source))
    this.#isRenamed = false
    log.moving = null
    log.relocate({ directory: this.#finalFolder, segments, services: target.services })
    this.#isEnded = true
    this.#options.onRelocated(this, oldFolder)
    log.release()
  }

  /** The same segment under its final name. */
  #inPlace(copy: Segment, source: Segment): Segment {
    copy.close()
    const segment = this.#newSegment(source, this.#finalFolder)
    segment.sealed = source.sealed
    segment.sizeBytes = copy.sizeBytes
    segment.syncedBytes = copy.syncedBytes
    segment.endOffset = copy.endOffset
    segment.maxTimestamp = copy.maxTimestamp
    segment.offsetOfMaxTimestamp = copy.offsetOfMaxTimestamp
    segment.firstTimestamp = copy.firstTimestamp
    segment.offsetIndexBytes = copy.offsetIndex.file.length
    segment.timeIndexBytes = copy.timeIndex.file.length
    return segment
  }
}

/** Of two folders of one partition, one of which came from the other: which is the log. Null: neither came from anywhere, so nobody knows. */
export function chooseOfTwo(
  first: { readonly endOffset: number; readonly hasMoved: boolean },
  second: { readonly endOffset: number; readonly hasMoved: boolean },
): 'first' | 'second' | null {
  if (!first.hasMoved && !second.hasMoved) return null
  if (first.endOffset !== second.endOffset) return first.endOffset > second.endOffset ? 'first' : 'second'
  return second.hasMoved ? 'second' : 'first'
}
