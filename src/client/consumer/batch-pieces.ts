/**
 * The bytes of record batches as they came off the wire, in pieces: looked at without joining them, taken batch by batch as views. Only
 * a batch that lies across two pieces is copied.
 */
import {
  BATCH_HEADER_BYTES,
  BATCH_OVERHEAD_BYTES,
  LAST_OFFSET_DELTA_OFFSET,
  LEADER_EPOCH_OFFSET,
  LENGTH_OFFSET,
  MAGIC_V2,
  RecordError,
} from '../../records/batch.ts'
import { MAGIC_OFFSET } from '../../records/header.ts'

/** Up to and with the magic, which lies at one place in all formats. */
const PREAMBLE_BYTES = MAGIC_OFFSET + 1
/** The smallest message of the formats before magic 2. */
const LEGACY_BYTES_MIN = 26
const TWO_TO_32 = 4294967296

export interface BatchExtent {
  readonly sizeBytes: number
  readonly magic: number
  readonly lastOffset: number
  readonly leaderEpoch: number
}

export class BatchPieces {
  readonly sizeBytes: number
  private readonly pieces: readonly Uint8Array[]
  private index = 0
  private position = 0
  private left: number

  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces
    this.sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    this.left = this.sizeBytes
  }

  /**
   * The batch that `take` and `skip` are about; null when no whole one is left: a fetch may cut the last one off. A message of the older
   * formats counts as a batch. Throws a RecordError where no batch can begin.
   */
  peek(): BatchExtent | null {
    if (this.left < PREAMBLE_BYTES) return null
    const sizeBytes = this.int32(LENGTH_OFFSET) + BATCH_OVERHEAD_BYTES
    // The last of the four bytes that end with it.
    const magic = (this.int32(MAGIC_OFFSET - 3) << 24) >> 24
    const baseOffset = this.int32(0) * TWO_TO_32 + (this.int32(4) >>> 0)
    if (magic < 0 || magic > MAGIC_V2) throw new RecordError('corrupt', `batch has the unknown magic ${magic}`)
    if (sizeBytes < (magic === MAGIC_V2 ? BATCH_HEADER_BYTES : LEGACY_BYTES_MIN)) {
      throw new RecordError('corrupt', `batch says that it has ${sizeBytes} bytes`)
    }
    if (sizeBytes > this.left) return null
    if (magic !== MAGIC_V2) return { sizeBytes, magic, lastOffset: baseOffset, leaderEpoch: -1 }
    return {
      sizeBytes,
      magic,
      lastOffset: baseOffset + this.int32(LAST_OFFSET_DELTA_OFFSET),
      leaderEpoch: this.int32(LEADER_EPOCH_OFFSET),
    }
  }

  skip(count: number): void {
    this.left -= count
    this.position += count
    while (this.index < this.pieces.length && this.position >= this.pieces[this.index]!.length) {
      this.position -= this.pieces[this.index++]!.length
    }
  }

  take(count: number): Buffer {
    const piece = this.pieces[this.index]!
    const start = this.position
    if (piece.length - start >= count) {
      this.skip(count)
      return Buffer.from(piece.buffer, piece.byteOffset + start, count)
    }
    const joined = Buffer.allocUnsafeSlow(count)
    for (let filled = 0; filled < count; ) {
      const from = this.pieces[this.index]!
      const part = Math.min(from.length - this.position, count - filled)
      joined.set(from.subarray(this.position, this.position + part), filled)
      filled += part
      this.skip(part)
    }
    return joined
  }

  /** So many bytes after the current position. */
  private int32(offset: number): number {
    let index = this.index
    let at = this.position + offset
    while (at >= this.pieces[index]!.length) at -= this.pieces[index++]!.length
    let value = 0
    for (let count = 0; count < 4; count++) {
      while (at >= this.pieces[index]!.length) at -= this.pieces[index++]!.length
      value = (value << 8) | this.pieces[index]![at++]!
    }
    return value
  }
}
