// What a cleaning is about to write: runs of batches that stay as they are, seen where they were read, between batches that were made
// anew. Gathered for one piece of input and written with one call.

import type { BufferPool } from '../storage/buffer-pool.ts'
import type { DiskFile } from '../storage/disk.ts'

const SCRATCH_BYTES = 256 * 1024

export class CleanedChunks {
  readonly #pool: BufferPool
  #chunks: Buffer[] = []
  /** The run of untouched bytes that is still growing. */
  #source: Buffer | null = null
  #from = 0
  #to = 0
  #scratch: Buffer
  #used = 0
  /** Filled up; what is in them has not been written yet. */
  readonly #full: Buffer[] = []
  bytes = 0

  constructor(pool: BufferPool) {
    this.#pool = pool
    this.#scratch = pool.take(SCRATCH_BYTES)
  }

  /** Bytes that stay as they are, and stay where they are until the next `writeTo`. */
  addUntouched(buffer: Buffer, from: number, to: number): void {
    this.bytes += to - from
    if (this.#source === buffer && this.#to === from) {
      this.#to = to
      return
    }
    this.#endRun()
    this.#source = buffer
    this.#from = from
    this.#to = to
  }

  /** Room for so many bytes, of which `addWritten` says how many were used. */
  room(bytes: number): Buffer {
    if (this.#used + bytes > this.#scratch.length) {
      this.#endRun()
      this.#full.push(this.#scratch)
      this.#scratch = this.#pool.take(Math.max(bytes, SCRATCH_BYTES))
      this.#used = 0
    }
    return this.#scratch.subarray(this.#used)
  }

  addWritten(bytes: number): void {
    this.addUntouched(this.#scratch, this.#used, this.#used + bytes)
    this.#used += bytes
  }

  /** Writes everything at the position of the file and begins anew. Returns the number of bytes. */
  writeTo(file: DiskFile, position: number): number {
    this.#endRun()
    const { bytes } = this
    if (bytes > 0) file.writev(this.#chunks, position)
    this.#chunks = []
    this.bytes = 0
    this.#used = 0
    for (const buffer of this.#full.splice(0)) this.#pool.give(buffer)
    return bytes
  }

  release(): void {
    for (const buffer of [...this.#full.splice(0), this.#scratch]) this.#pool.give(buffer)
    this.#chunks = []
    this.#source = null
  }

  #endRun(): void {
    if (this.#source !== null) this.#chunks.push(this.#source.subarray(this.#from, this.#to))
    this.#source = null
  }
}
