// Memory for direct writes: aligned buffers, shared by all files of a disk and bounded in number. After its write a buffer goes on holding
// what is in the file, so that readers close behind the writer find in memory what never was in the page cache; the one that landed
// longest ago is used for the next write.
//
// What must hold: a buffer is in flight, or it is among the recent writes of exactly one file, or it is free.

import { type Pointer, ptr } from 'bun:ffi'

/** What every device and file system in use asks of direct writes: address, position and length are multiples of it. */
export const BLOCK_BYTES = 4096
const STAGING_BYTES = 2 * 1024 * 1024
/** Most bytes of one direct write: they begin anywhere in a block. */
export const STAGED_BYTES_MAX = STAGING_BYTES - BLOCK_BYTES
const DEFAULT_BUDGET_BYTES = 48 * 1024 * 1024

export class StagedBytes {
  /** Aligned; the byte at `from` of the file is at `from % BLOCK_BYTES`. */
  readonly memory: Buffer
  /** Positions in the file. */
  from = 0
  to = 0
  holder: RecentWrites | null = null

  constructor() {
    const raw = Buffer.allocUnsafeSlow(STAGING_BYTES + BLOCK_BYTES)
    const address: number = ptr(raw) satisfies Pointer
    const skip = (BLOCK_BYTES - (address % BLOCK_BYTES)) % BLOCK_BYTES
    this.memory = raw.subarray(skip, skip + STAGING_BYTES)
  }

  /** Takes a copy of the chunks, as the bytes from this position of a file on. */
  fill(chunks: readonly Uint8Array[], from: number): void {
    this.from = from
    const lead = from % BLOCK_BYTES
    let end = lead
    for (let index = 0; index < chunks.length; index++) {
      this.memory.set(chunks[index]!, end)
      end += chunks[index]!.length
    }
    this.to = from + end - lead
  }

  /** The bytes at these positions of the file. */
  view(from: number, to: number): Buffer {
    const start = this.from - (this.from % BLOCK_BYTES)
    return this.memory.subarray(from - start, to - start)
  }
}

export class Staging {
  readonly #buffersMax: number
  #allocated = 0
  readonly #free: StagedBytes[] = []
  /** Held as recent writes, the oldest first. */
  readonly #landed = new Set<StagedBytes>()

  constructor(budgetBytes = DEFAULT_BUDGET_BYTES) {
    this.#buffersMax = Math.floor(budgetBytes / STAGING_BYTES)
  }

  /** A buffer for the next write; null while all are in flight. */
  take(): StagedBytes | null {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#allocated < this.#buffersMax) {
      this.#allocated++
      return new StagedBytes()
    }
    for (const oldest of this.#landed) {
      oldest.holder?.forget(oldest)
      this.#landed.delete(oldest)
      return oldest
    }
    return null
  }

  /** The write is done: the buffer holds what is in the file. */
  keep(staged: StagedBytes, holder: RecentWrites): void {
    staged.holder = holder
    this.#landed.add(staged)
  }

  /** What the buffer holds is of no more use. */
  give(staged: StagedBytes): void {
    staged.holder = null
    this.#landed.delete(staged)
    this.#free.push(staged)
  }
}

/** The parts of one file that are still in memory from their direct writes, in order of position. */
export class RecentWrites {
  readonly #staging: Staging
  readonly #parts: StagedBytes[] = []

  constructor(staging: Staging) {
    this.#staging = staging
  }

  add(staged: StagedBytes): void {
    this.#staging.keep(staged, this)
    this.#parts.push(staged)
  }

  /** The staging takes the buffer for another write. */
  forget(staged: StagedBytes): void {
    const index = this.#parts.indexOf(staged)
    if (index >= 0) this.#parts.splice(index, 1)
  }

  /** Bytes from the position on, at most `length`; null if the byte there is not held. Not to be kept beyond this turn. */
  at(position: number, length: number): Buffer | null {
    for (let index = this.#parts.length - 1; index >= 0; index--) {
      const part = this.#parts[index]!
      if (position >= part.to) return null
      if (position >= part.from) return part.view(position, Math.min(part.to, position + length))
    }
    return null
  }

  /** The file was cut: what reached beyond its end is not in it any more. */
  cutTo(sizeBytes: number): void {
    for (const part of this.#parts.splice(0)) {
      if (part.to <= sizeBytes) this.#parts.push(part)
      else this.#staging.give(part)
    }
  }
}
