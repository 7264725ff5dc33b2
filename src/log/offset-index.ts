// `.index`: sparse map from offsets to file positions. An entry is (last offset of a batch - base offset, position of that batch).
// Entries' offsets and positions grow strictly.

import { IndexFile } from './index-file.ts'

export const OFFSET_ENTRY_BYTES = 8
const LARGEST_RELATIVE_OFFSET = 2 ** 31 - 1

export class OffsetIndex {
  readonly file: IndexFile
  readonly #baseOffset: number

  constructor(path: string, baseOffset: number) {
    this.file = new IndexFile(path, OFFSET_ENTRY_BYTES)
    this.#baseOffset = baseOffset
  }

  get count(): number {
    return this.file.count
  }

  isFull(maxBytes: number): boolean {
    return this.file.length + OFFSET_ENTRY_BYTES > maxBytes
  }

  append(lastOffset: number, position: number): void {
    const at = this.file.extend()
    this.file.bytes.writeInt32BE(lastOffset - this.#baseOffset, at)
    this.file.bytes.writeInt32BE(position, at + 4)
  }

  offsetAt(index: number): number {
    return this.#baseOffset + this.file.bytes.readInt32BE(index * OFFSET_ENTRY_BYTES)
  }

  positionAt(index: number): number {
    return this.file.bytes.readInt32BE(index * OFFSET_ENTRY_BYTES + 4)
  }

  /** Index of the greatest entry at or below the offset, or -1. */
  floor(offset: number): number {
    let low = 0
    let high = this.count - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (this.offsetAt(middle) <= offset) low = middle + 1
      else high = middle - 1
    }
    return high
  }

  /** Position of a batch at or before the one that holds the offset. */
  positionFor(offset: number): number {
    const index = this.floor(offset)
    return index < 0 ? 0 : this.positionAt(index)
  }

  /** Last offset of the first entry at or after the position, or null. */
  firstOffsetFrom(position: number): number | null {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.positionAt(middle) < position) low = middle + 1
      else high = middle
    }
    return low < this.count ? this.offsetAt(low) : null
  }

  /** The greatest position of an entry at or before the position, or 0. */
  lastPositionUpTo(position: number): number {
    let low = 0
    let high = this.count - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (this.positionAt(middle) <= position) low = middle + 1
      else high = middle - 1
    }
    return high < 0 ? 0 : this.positionAt(high)
  }

  /** Drops entries at or above the offset. */
  truncateTo(offset: number): void {
    this.file.keep(this.floor(offset - 1) + 1)
  }

  /** Why the entries cannot be those of this segment, or null. */
  problem(nextBaseOffset: number, logBytes: number): string | null {
    if (this.file.ragged) return 'length is no multiple of the entry size'
    let previousOffset = this.#baseOffset - 1
    let previousPosition = 0
    for (let index = 0; index < this.count; index++) {
      const offset = this.offsetAt(index)
      const position = this.positionAt(index)
      if (offset <= previousOffset || position <= previousPosition) return `entry ${index} is not above the one before`
      previousOffset = offset
      previousPosition = position
    }
    if (this.count > 0 && (previousOffset >= nextBaseOffset || previousPosition >= logBytes))
      return 'entries beyond the end of the log'
    return null
  }
}

/** Whether the offset can be expressed relative to the base. */
export function fitsRelative(offset: number, baseOffset: number): boolean {
  return offset - baseOffset <= LARGEST_RELATIVE_OFFSET
}
