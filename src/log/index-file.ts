// The bytes of an index file: fixed-size entries in memory as they are in the file, written out in batches.
// Owned by one index of one segment. The file is never longer than what was written out (no preallocation), so its length is its
// entry count; what is not written out yet can be rebuilt from the log.

import type { Disk } from '../storage/disk.ts'

const FIRST_CAPACITY_BYTES = 256

export class IndexFile {
  readonly path: string
  readonly entryBytes: number
  /** The file's bytes, valid up to `length`. */
  bytes: Buffer = EMPTY
  length = 0
  /** The loaded file did not end at an entry's end. */
  ragged = false
  /** How much of `bytes` the file holds. */
  #writtenLength = 0
  /** The file may hold more than that. */
  #mustCut = false
  /** Whether the file is known to be there. */
  #created = false

  constructor(path: string, entryBytes: number) {
    this.path = path
    this.entryBytes = entryBytes
  }

  get count(): number {
    return this.length / this.entryBytes
  }

  get isWrittenOut(): boolean {
    return this.#created && !this.#mustCut && this.#writtenLength === this.length
  }

  /** Makes room for one more entry and returns the position to write it at. */
  extend(): number {
    const at = this.length
    if (at + this.entryBytes > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_CAPACITY_BYTES * this.entryBytes, this.bytes.length * 2))
      larger.set(this.bytes.subarray(0, at))
      this.bytes = larger
    }
    this.length = at + this.entryBytes
    return at
  }

  /** Keeps the first `count` entries. */
  keep(count: number): void {
    const length = count * this.entryBytes
    if (length >= this.length) return
    this.length = length
    if (this.#writtenLength > length) {
      this.#writtenLength = length
      this.#mustCut = true
    }
  }

  /** Takes the file's content as the entries; the caller validates them. A missing file is an empty one. */
  load(disk: Disk): void {
    const content = disk.readWhole(this.path)
    this.bytes = content ?? EMPTY
    this.length = this.bytes.length - (this.bytes.length % this.entryBytes)
    this.ragged = this.length !== this.bytes.length
    this.#created = content !== null
    this.#writtenLength = this.length
    this.#mustCut = this.ragged
  }

  /** Starts over, whatever the file holds. */
  reset(): void {
    this.length = 0
    this.ragged = false
    this.#writtenLength = 0
    this.#mustCut = true
  }

  /** Lets the memory go; only after everything was written out. */
  unload(): void {
    this.bytes = EMPTY
    this.length = 0
    this.#writtenLength = 0
  }

  /** Removes the file if all it holds are entries that have gone. */
  removeStale(disk: Disk): void {
    if (this.length > 0 || !this.#created || !this.#mustCut) return
    disk.remove(this.path)
    this.#created = false
    this.#mustCut = false
  }

  /** Returns whether there was anything to write. */
  writeOut(disk: Disk): boolean {
    if (this.isWrittenOut) return false
    const file = disk.open(this.path, { create: true })
    try {
      if (file.sizeBytes > this.#writtenLength) file.truncate(this.#writtenLength)
      if (this.length > this.#writtenLength) {
        file.writev([this.bytes.subarray(this.#writtenLength, this.length)], this.#writtenLength)
      }
      this.#created = true
      this.#mustCut = false
      this.#writtenLength = this.length
    } finally {
      file.close()
    }
    return true
  }
}

const EMPTY = Buffer.alloc(0)
