// `.txnindex`: the aborted transactions whose abort marker lies in the segment, in order of that marker. The file exists only if
// there are any; an entry is written at once, because a reader at read_committed must know it from the moment the marker is readable.

import { readInt64, writeInt64 } from '../records/header.ts'
import { IndexFile } from './index-file.ts'

const TXN_ENTRY_BYTES = 34
const TXN_ENTRY_VERSION = 0

export interface AbortedEntry {
  readonly producerId: number
  readonly firstOffset: number
  /** Offset of the abort marker. */
  readonly lastOffset: number
  readonly lastStableOffset: number
}

export class TxnIndex {
  readonly file: IndexFile

  constructor(path: string) {
    this.file = new IndexFile(path, TXN_ENTRY_BYTES)
  }

  get count(): number {
    return this.file.count
  }

  append(entry: AbortedEntry): void {
    const at = this.file.extend()
    const bytes = this.file.bytes
    bytes.writeInt16BE(TXN_ENTRY_VERSION, at)
    writeInt64(bytes, at + 2, entry.producerId)
    writeInt64(bytes, at + 10, entry.firstOffset)
    writeInt64(bytes, at + 18, entry.lastOffset)
    writeInt64(bytes, at + 26, entry.lastStableOffset)
  }

  at(index: number): AbortedEntry {
    const at = index * TXN_ENTRY_BYTES
    const bytes = this.file.bytes
    return {
      producerId: readInt64(bytes, at + 2),
      firstOffset: readInt64(bytes, at + 10),
      lastOffset: readInt64(bytes, at + 18),
      lastStableOffset: readInt64(bytes, at + 26),
    }
  }

  /**
   * Adds to `found` the transactions that touch [fetchOffset, upperBound). Returns true if no later segment can add any: an
   * entry was seen whose last stable offset is at or above the bound.
   */
  collect(fetchOffset: number, upperBound: number, found: AbortedEntry[]): boolean {
    for (let index = 0; index < this.count; index++) {
      const entry = this.at(index)
      if (entry.lastOffset >= fetchOffset && entry.firstOffset < upperBound) found.push(entry)
      if (entry.lastStableOffset >= upperBound) return true
    }
    return false
  }

  /** Drops entries whose marker lies at or above the offset. */
  truncateTo(offset: number): void {
    let count = this.count
    while (count > 0 && this.at(count - 1).lastOffset >= offset) count--
    this.file.keep(count)
  }

  problem(baseOffset: number): string | null {
    if (this.file.ragged) return 'length is no multiple of the entry size'
    for (let index = 0; index < this.count; index++) {
      const version = this.file.bytes.readInt16BE(index * TXN_ENTRY_BYTES)
      if (version !== TXN_ENTRY_VERSION) return `entry ${index} has version ${version}`
      if (this.at(index).lastOffset < baseOffset) return `entry ${index} lies before the segment`
    }
    return null
  }
}
