// Walking over the batches in a piece of a segment without allocating anything per batch: a cursor holds the few header fields that
// the log needs. Also says what no batch can look like, so that damage is never taken for data.

import {
  BATCH_HEADER_BYTES,
  BATCH_OVERHEAD_BYTES,
  CRC_OFFSET,
  CRC_START,
  LAST_OFFSET_DELTA_OFFSET,
  LEADER_EPOCH_OFFSET,
  LENGTH_OFFSET,
  MAGIC_OFFSET,
  MAGIC_V2,
  MAX_TIMESTAMP_OFFSET,
  NONE,
  PRODUCER_ID_OFFSET,
  RECORD_COUNT_OFFSET,
  readInt64,
} from '../records/header.ts'
import { crc32cOf } from '../storage/crc32c.ts'

/** Smallest message of the formats before magic 2: overhead and 14 bytes. */
const LEGACY_HEADER_BYTES = BATCH_OVERHEAD_BYTES + 14
const LEGACY_TIMESTAMP_OFFSET = 18

export class BatchCursor {
  baseOffset = 0
  lastOffset = 0
  sizeBytes = 0
  magic = 0
  leaderEpoch = NONE
  maxTimestamp = NONE
  producerId = NONE

  /** Reads the header at `at`; false if the bytes up to `end` do not hold one whole header. */
  load(buffer: Buffer, at: number, end: number): boolean {
    if (end - at <= MAGIC_OFFSET) return false
    this.magic = buffer.readInt8(at + MAGIC_OFFSET)
    this.baseOffset = readInt64(buffer, at)
    this.sizeBytes = buffer.readInt32BE(at + LENGTH_OFFSET) + BATCH_OVERHEAD_BYTES
    if (this.magic < MAGIC_V2) return this.#loadLegacy(buffer, at, end)
    if (end - at < BATCH_HEADER_BYTES) return false
    this.lastOffset = this.baseOffset + buffer.readInt32BE(at + LAST_OFFSET_DELTA_OFFSET)
    this.leaderEpoch = buffer.readInt32BE(at + LEADER_EPOCH_OFFSET)
    this.maxTimestamp = readInt64(buffer, at + MAX_TIMESTAMP_OFFSET)
    this.producerId = readInt64(buffer, at + PRODUCER_ID_OFFSET)
    return true
  }

  /** A message of magic 0 or 1: one offset, which for a compressed set is that of its last message. */
  #loadLegacy(buffer: Buffer, at: number, end: number): boolean {
    if (end - at < LEGACY_HEADER_BYTES) return false
    this.lastOffset = this.baseOffset
    this.leaderEpoch = NONE
    this.maxTimestamp = this.magic === 1 ? readInt64(buffer, at + LEGACY_TIMESTAMP_OFFSET) : NONE
    this.producerId = NONE
    return true
  }

  /**
   * Why what was loaded cannot be the next batch of a segment, or null. `nextOffset` is the lowest offset it may have, `bytesLeft`
   * what the segment still holds from its start on, `endOffset` the offset that the segment ends below.
   */
  problem(nextOffset: number, bytesLeft: number, endOffset = Number.POSITIVE_INFINITY): string | null {
    const smallest = this.magic < MAGIC_V2 ? LEGACY_HEADER_BYTES : BATCH_HEADER_BYTES
    if (this.magic < 0 || this.magic > MAGIC_V2) return `magic ${this.magic}`
    if (this.sizeBytes < smallest) return `length ${this.sizeBytes} is too small`
    if (this.sizeBytes > bytesLeft) return `length ${this.sizeBytes} points past the end, ${bytesLeft} bytes are left`
    if (this.lastOffset < this.baseOffset)
      return `last offset ${this.lastOffset} is below base offset ${this.baseOffset}`
    const first = this.magic < MAGIC_V2 ? this.lastOffset : this.baseOffset
    if (first < nextOffset) return `offset ${first} is below the expected ${nextOffset}`
    if (this.lastOffset >= endOffset)
      return `offset ${this.lastOffset} is not below ${endOffset}, where the segment ends`
    return null
  }
}

/** Whether the checksum of the whole batch at `at` is right. */
export function isIntact(buffer: Buffer, at: number, sizeBytes: number, magic: number): boolean {
  if (magic < MAGIC_V2) {
    const stored = buffer.readUInt32BE(at + BATCH_OVERHEAD_BYTES)
    return stored === Bun.hash.crc32(buffer.subarray(at + MAGIC_OFFSET, at + sizeBytes))
  }
  if (buffer.readInt32BE(at + RECORD_COUNT_OFFSET) < 0) return false
  return buffer.readUInt32BE(at + CRC_OFFSET) === crc32cOf(buffer, at + CRC_START, at + sizeBytes)
}
