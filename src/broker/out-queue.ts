/**
 * What a connection still has to send: bytes, and ranges of log files. Sockets accept what the kernel takes and buffer
 * nothing, so whatever they refuse waits here. Owned by one connection; parts leave in the order they came.
 *
 * A range of a file goes from the page cache to the socket without passing through us (sendfile). What is not in memory is
 * read on the thread pool first, a piece at a time as the socket takes it, so that neither the loop nor memory suffers
 * from large answers to slow readers.
 *
 * What must hold: a part is not changed between `push` and the moment it left; a release callback runs exactly once,
 * after everything pushed before it left, or when the connection is gone.
 */
import { FileRange } from '../log/file-range.ts'
import type { Part } from '../protocol/writer.ts'
import { BufferPool } from '../storage/buffer-pool.ts'
import { COALESCE_PART_BYTES_MAX, COALESCED_WRITE_BYTES, FILE_PIECE_BYTES, FULL_SOCKET_PROBE_BYTES } from './limits.ts'

export interface ByteSink {
  /** Bytes taken (0 = full), or -1 when closed. Always called with all three arguments. */
  write(bytes: Uint8Array, offset: number, length: number): number
  /** The socket's descriptor, where it has one that bytes may be handed to directly. */
  readonly fd?: number
}

/** Whom a queue tells of what happened while it read a file. */
export interface QueueOwner {
  /** There is something to flush again. */
  partLoaded(): void
  /** Promised bytes cannot be read: the connection is of no more use. */
  partLost(error: unknown): void
}

/** Shared by all connections: it holds bytes only within one call of `flush`. */
const scratch = Buffer.allocUnsafeSlow(COALESCED_WRITE_BYTES)

/** Pieces of files between the disk and the socket. */
const pieces = new BufferPool()

type Entry = Uint8Array | FileRange | (() => void)

interface LoadedPiece {
  readonly buffer: Buffer
  readonly length: number
  sent: number
}

export class OutQueue {
  readonly #owner: QueueOwner
  #entries: Entry[] = []
  #head = 0
  /** Bytes of the first entry that have left. */
  #headOffset = 0
  /** Bytes that have not left. */
  bytes = 0
  /** A piece of the first entry, a range of a file, is being read. */
  #isLoading = false
  #loaded: LoadedPiece | null = null
  /** Counts `clear`s: what was being read then is not wanted any more. */
  #clears = 0

  constructor(owner: QueueOwner) {
    this.#owner = owner
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  push(part: Part): void {
    if (part instanceof FileRange) {
      this.#entries.push(part)
      this.bytes += part.storedBytes
      return
    }
    if (!(part instanceof Uint8Array)) throw new Error('only ranges of log files can be sent from where they are')
    if (part.length === 0) return
    this.#entries.push(part)
    this.bytes += part.length
  }

  /** `release` runs once all that was pushed before has left. */
  pushRelease(release: () => void): void {
    if (this.isEmpty) release()
    else this.#entries.push(release)
  }

  /** Writes what the sink takes. False when bytes are left: wait for the sink to drain, or for `partLoaded`. */
  flush(sink: ByteSink): boolean {
    if (this.#isLoading) return false
    while (this.#head < this.#entries.length) {
      const entry = this.#entries[this.#head]!
      if (typeof entry === 'function') {
        this.#head++
        entry()
        continue
      }
      if (entry instanceof FileRange) {
        if (!this.#flushRange(entry, sink)) return false
        continue
      }
      const left = entry.length - this.#headOffset
      const isLast = this.#head + 1 === this.#entries.length
      const wanted = isLast || left >= COALESCE_PART_BYTES_MAX ? left : this.#gather()
      const written = wanted === left ? sink.write(entry, this.#headOffset, left) : sink.write(scratch, 0, wanted)
      if (written > 0) this.#advance(written)
      if (written < wanted) return false
    }
    this.#entries = []
    this.#head = 0
    return true
  }

  /** The connection is gone: nothing more leaves, everything held is given back. */
  clear(): void {
    const entries = this.#entries
    const head = this.#head
    this.#entries = []
    this.#head = 0
    this.#headOffset = 0
    this.bytes = 0
    this.#clears++
    this.#isLoading = false
    this.#giveLoadedBack()
    for (let i = head; i < entries.length; i++) {
      const entry = entries[i]!
      if (typeof entry === 'function') entry()
    }
  }

  /** Sends the first entry, a range of a file. True once all of it has left. */
  #flushRange(range: FileRange, sink: ByteSink): boolean {
    const first = this.#head
    while (this.#head === first && this.#entries[first] === range) {
      if (this.#loaded !== null) {
        if (!this.#flushLoaded(this.#loaded, sink)) return false
        continue
      }
      const position = range.position + this.#headOffset
      const left = range.storedBytes - this.#headOffset
      const recent = range.file.recentlyWritten(position, Math.min(left, FILE_PIECE_BYTES))
      if (recent !== null) {
        const written = sink.write(recent, 0, recent.length)
        if (written > 0) this.#advance(written)
        if (written < recent.length) return false
        continue
      }
      const descriptor = sink.fd
      const sent =
        descriptor === undefined || descriptor < 0
          ? 'unsupported'
          : range.file.sendHot(descriptor, position, Math.min(left, FILE_PIECE_BYTES))
      if (typeof sent === 'number' && sent > 0) {
        this.#advance(sent)
        continue
      }
      // Only a write of the socket's own is followed by word that it takes more.
      const most = sent === 'socketFull' ? FULL_SOCKET_PROBE_BYTES : scratch.length
      const count = sent === 'notHot' ? 0 : range.file.readHot(scratch, 0, Math.min(left, most), position)
      if (count <= 0) {
        this.#load(range, position, Math.min(left, FILE_PIECE_BYTES))
        return false
      }
      const written = sink.write(scratch, 0, count)
      if (written > 0) this.#advance(written)
      if (written < count) return false
    }
    return true
  }

  #flushLoaded(loaded: LoadedPiece, sink: ByteSink): boolean {
    const left = loaded.length - loaded.sent
    const written = sink.write(loaded.buffer, loaded.sent, left)
    if (written > 0) {
      loaded.sent += written
      if (loaded.sent === loaded.length) this.#giveLoadedBack()
      this.#advance(written)
    }
    return written === left
  }

  /** Reads a piece of the first entry on the thread pool. */
  #load(range: FileRange, position: number, length: number): void {
    this.#isLoading = true
    const clears = this.#clears
    const buffer = pieces.take(length)
    const arrived = (count: number, error: unknown): void => {
      if (clears !== this.#clears || count === 0) pieces.give(buffer)
      if (clears !== this.#clears) return
      this.#isLoading = false
      if (count === 0) {
        this.#owner.partLost(error ?? new Error(`${range.file.path} ends before position ${position}`))
        return
      }
      this.#loaded = { buffer, length: count, sent: 0 }
      this.#owner.partLoaded()
    }
    range.file.read(buffer, 0, length, position).then(
      (count) => arrived(count, null),
      (error) => arrived(0, error),
    )
  }

  #giveLoadedBack(): void {
    if (this.#loaded !== null) pieces.give(this.#loaded.buffer)
    this.#loaded = null
  }

  /** Copies the first small parts into the scratch buffer, as many as fit whole; the first always counts. */
  #gather(): number {
    let filled = 0
    let offset = this.#headOffset
    for (let i = this.#head; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!
      if (typeof entry === 'function') continue
      if (entry instanceof FileRange) break
      const length = entry.length - offset
      if (length >= COALESCE_PART_BYTES_MAX || filled + length > scratch.length) break
      scratch.set(offset === 0 ? entry : entry.subarray(offset), filled)
      filled += length
      offset = 0
    }
    return filled
  }

  #advance(written: number): void {
    this.bytes -= written
    let left = written
    while (left > 0) {
      const entry = this.#entries[this.#head]!
      if (typeof entry === 'function') {
        this.#head++
        entry()
        continue
      }
      const available = sizeOf(entry) - this.#headOffset
      if (left < available) {
        this.#headOffset += left
        return
      }
      left -= available
      this.#headOffset = 0
      this.#head++
    }
    if (this.#head > 1024) {
      this.#entries.splice(0, this.#head)
      this.#head = 0
    }
  }
}

function sizeOf(entry: Uint8Array | FileRange): number {
  return entry instanceof FileRange ? entry.storedBytes : entry.length
}
