// `.timeindex`: sparse map from timestamps to offsets. An entry is (largest timestamp in the segment so far, last offset of the batch
// where it first appeared - base offset). Timestamps grow strictly, offsets do not fall.

import { readInt64, writeInt64 } from '../records/header.ts'
import { IndexFile } from './index-file.ts'

export const TIME_ENTRY_BYTES = 12

export class TimeIndex {
  readonly file: IndexFile
  readonly #baseOffset: number

  constructor(path: string, baseOffset: number) {
    this.file = new IndexFile(path, TIME_ENTRY_BYTES)
    this.#baseOffset = baseOffset
  }

  get count(): number {
    return this.file.count
  }

  /** One entry is held back for the closing one. */
  isFull(maxBytes: number): boolean {
    return this.file.length + 2 * TIME_ENTRY_BYTES > maxBytes
  }

  get lastTimestamp(): number {
    return this.count === 0 ? -1 : this.timestampAt(this.count - 1)
  }

  /** Adds the entry if its timestamp is above the last one's. */
  append(timestamp: number, offset: number): void {
    if (timestamp <= this.lastTimestamp) return
    const at = this.file.extend()
    writeInt64(this.file.bytes, at, timestamp)
    this.file.bytes.writeInt32BE(offset - this.#baseOffset, at + 8)
  }

  timestampAt(index: number): number {
    return readInt64(this.file.bytes, index * TIME_ENTRY_BYTES)
  }

  offsetAt(index: number): number {
    return this.#baseOffset + this.file.bytes.readInt32BE(index * TIME_ENTRY_BYTES + 8)
  }

  /** Offset of the greatest entry with a timestamp at or below the given one; the base offset if there is none. */
  offsetFor(timestamp: number): number {
    let low = 0
    let high = this.count - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (this.timestampAt(middle) <= timestamp) low = middle + 1
      else high = middle - 1
    }
    return high < 0 ? this.#baseOffset : this.offsetAt(high)
  }

  /** Drops entries at or above the offset. */
  truncateTo(offset: number): void {
    let count = this.count
    while (count > 0 && this.offsetAt(count - 1) >= offset) count--
    this.file.keep(count)
  }

  /** Why the entries cannot be those of this segment, or null. */
  problem(nextBaseOffset: number): string | null {
    if (this.file.ragged) return 'length is no multiple of the entry size'
    let previousTimestamp = -1
    let previousOffset = this.#baseOffset
    for (let index = 0; index < this.count; index++) {
      const timestamp = this.timestampAt(index)
      const offset = this.offsetAt(index)
      if (timestamp <= previousTimestamp || offset < previousOffset) return `entry ${index} is not above the one before`
      previousTimestamp = timestamp
      previousOffset = offset
    }
    if (this.count > 0 && previousOffset >= nextBaseOffset) return 'entries beyond the end of the log'
    return null
  }
}
