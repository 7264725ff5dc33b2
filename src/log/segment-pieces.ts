// Reads a segment from front to back in pieces of whole batches, on the thread pool, the next piece while one is being worked on. The file
// is held: neither the bound on open files nor the segment's removal ends the reading.

import type { BufferPool } from '../storage/buffer-pool.ts'
import type { DiskFile } from '../storage/disk.ts'
import { BatchCursor } from './batch-cursor.ts'
import { LogDamage } from './log-read.ts'
import type { Segment } from './segment.ts'

/** At least one header of any format. */
const HEADER_BYTES = 64

export interface Piece {
  readonly buffer: Buffer
  /** So many bytes of it are whole batches. */
  readonly bytes: number
}

interface Read {
  readonly buffer: Buffer
  readonly count: number
}

export class SegmentPieces {
  readonly #segment: Segment
  readonly #pieceBytes: number
  readonly #pool: BufferPool
  readonly #file: DiskFile
  readonly #cursor = new BatchCursor()
  #position: number
  #nextOffset: number
  #ahead: Promise<Read> | null = null
  #current: Buffer | null = null

  constructor(segment: Segment, position: number, pieceBytes: number, pool: BufferPool) {
    this.#segment = segment
    this.#position = position
    this.#pieceBytes = Math.max(pieceBytes, HEADER_BYTES)
    this.#pool = pool
    this.#nextOffset = segment.baseOffset
    this.#file = segment.file()
    this.#file.hold()
  }

  /** The next piece, valid until the next call; null at the segment's end. Rejects with a LogDamage or a DiskError. */
  async next(): Promise<Piece | null> {
    this.#giveBack()
    const { sizeBytes } = this.#segment
    if (this.#position >= sizeBytes) return null
    const ahead = this.#ahead ?? this.#read(this.#pieceBytes)
    this.#ahead = null
    let { buffer, count } = await ahead
    this.#current = buffer
    let bytes = this.#wholeBatches(buffer, count)
    if (bytes === 0) {
      const needed = Math.max(this.#cursor.sizeBytes, HEADER_BYTES)
      this.#giveBack()
      ;({ buffer, count } = await this.#read(needed))
      this.#current = buffer
      bytes = this.#wholeBatches(buffer, count)
      if (bytes === 0) throw new LogDamage(this.#segment.path, this.#position, 'incomplete batch')
    }
    this.#position += bytes
    if (this.#position < sizeBytes) {
      this.#ahead = this.#read(this.#pieceBytes)
      // Whoever asks for it gets the error; if nobody does any more, nobody is to be told.
      this.#ahead.catch(() => {})
    }
    return { buffer, bytes }
  }

  release(): void {
    this.#giveBack()
    this.#file.letGo()
    this.#ahead?.then(
      ({ buffer }) => this.#pool.give(buffer),
      () => {},
    )
    this.#ahead = null
  }

  #giveBack(): void {
    if (this.#current !== null) this.#pool.give(this.#current)
    this.#current = null
  }

  async #read(bytes: number): Promise<Read> {
    const length = Math.min(bytes, this.#segment.sizeBytes - this.#position)
    const buffer = this.#pool.take(length)
    try {
      return { buffer, count: await this.#file.read(buffer, 0, length, this.#position) }
    } catch (error) {
      this.#pool.give(buffer)
      throw error
    }
  }

  /** Length of the whole batches at the start of the buffer. Afterwards the cursor shows the batch that did not fit. */
  #wholeBatches(buffer: Buffer, count: number): number {
    const { sizeBytes, endOffset, path } = this.#segment
    const cursor = this.#cursor
    let at = 0
    while (cursor.load(buffer, at, count)) {
      const position = this.#position + at
      const problem = cursor.problem(this.#nextOffset, sizeBytes - position, endOffset)
      if (problem !== null) throw new LogDamage(path, position, problem)
      if (at + cursor.sizeBytes > count) return at
      at += cursor.sizeBytes
      this.#nextOffset = cursor.lastOffset + 1
    }
    if (at === 0 && this.#position + count >= sizeBytes) throw new LogDamage(path, this.#position, 'incomplete batch')
    return at
  }
}
