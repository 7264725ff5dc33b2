/**
 * Walks the batches of a whole file, from a position on: a metadata log or snapshot that is taken over, a segment that is looked into.
 * Not for serving: it reads a piece at a time and gives every batch as contiguous bytes.
 *
 * What must hold: lengths are compared with what the file holds before memory is taken for them; a file that ends within a batch, or
 * whose next bytes cannot be a batch, ends the walk with the position and the reason.
 */
import { crc32cOf } from '../storage/crc32c.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_OVERHEAD_BYTES,
  type BatchHeader,
  CRC_START,
  LENGTH_OFFSET,
  MAGIC_OFFSET,
  MAGIC_V2,
  readBatchHeader,
  readInt64,
} from './header.ts'

/** Bytes that can be read at a position; fewer than asked only at the end. */
export interface ByteSource {
  readonly sizeBytes: number
  read(buffer: Uint8Array, length: number, position: number): number
}

export interface FileBatch {
  readonly position: number
  /** The whole batch. A view that holds until the next one is asked for. */
  readonly bytes: Buffer
  /** Null for a message set in the formats before magic 2. */
  readonly header: BatchHeader | null
  /** -1 before magic 2, where it is not written. */
  readonly baseOffset: number
  readonly lastOffset: number
  readonly maxTimestamp: number
  readonly magic: number
  readonly isIntact: boolean
}

/** Where the walk ended, and what is wrong with the bytes there; null at the end of the file. */
export interface FileEnd {
  readonly position: number
  readonly problem: string | null
}

const PIECE_BYTES = 1024 * 1024
/** Smallest message of the formats before magic 2. */
const LEGACY_BYTES_MIN = BATCH_OVERHEAD_BYTES + 14
const LEGACY_TIMESTAMP_OFFSET = 18
/** Enough to know how long the batch is, and in which format. */
const PREFIX_BYTES = MAGIC_OFFSET + 1

export function* readBatches(source: ByteSource, from = 0): Generator<FileBatch, FileEnd> {
  let piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, Math.max(source.sizeBytes - from, BATCH_HEADER_BYTES)))
  let position = from
  while (position < source.sizeBytes) {
    const held = source.read(piece, Math.min(piece.length, source.sizeBytes - position), position)
    let at = 0
    while (held - at >= PREFIX_BYTES) {
      const problem = lengthProblem(piece, at, source.sizeBytes - position - at)
      if (problem !== null) return { position: position + at, problem }
      const sizeBytes = sizeOf(piece, at)
      if (held - at < sizeBytes) break
      yield batchOf(piece.subarray(at, at + sizeBytes), position + at)
      at += sizeBytes
    }
    position += at
    if (at > 0) continue
    const left = source.sizeBytes - position
    if (left < PREFIX_BYTES || held < Math.min(piece.length, left)) {
      return { position, problem: `${left} bytes that are no whole batch` }
    }
    piece = Buffer.allocUnsafeSlow(sizeOf(piece, 0))
  }
  return { position, problem: null }
}

function sizeOf(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at + LENGTH_OFFSET) + BATCH_OVERHEAD_BYTES
}

function lengthProblem(bytes: Buffer, at: number, bytesLeft: number): string | null {
  const magic = bytes.readInt8(at + MAGIC_OFFSET)
  if (magic < 0 || magic > MAGIC_V2) return `magic ${magic}`
  const sizeBytes = sizeOf(bytes, at)
  if (sizeBytes < (magic === MAGIC_V2 ? BATCH_HEADER_BYTES : LEGACY_BYTES_MIN))
    return `length ${sizeBytes} is too small`
  if (sizeBytes > bytesLeft) return `length ${sizeBytes} points past the end, ${bytesLeft} bytes are left`
  return null
}

function batchOf(bytes: Buffer, position: number): FileBatch {
  const magic = bytes.readInt8(MAGIC_OFFSET)
  const baseOffset = readInt64(bytes, 0)
  if (magic !== MAGIC_V2) {
    const isIntact = bytes.readUInt32BE(BATCH_OVERHEAD_BYTES) === Bun.hash.crc32(bytes.subarray(MAGIC_OFFSET))
    const maxTimestamp = magic === 1 ? readInt64(bytes, LEGACY_TIMESTAMP_OFFSET) : -1
    return { position, bytes, header: null, baseOffset: -1, lastOffset: baseOffset, maxTimestamp, magic, isIntact }
  }
  const header = readBatchHeader(bytes, 0)
  const isIntact = header.recordCount >= 0 && header.crc === crc32cOf(bytes, CRC_START, bytes.length)
  const { maxTimestamp } = header
  const lastOffset = baseOffset + header.lastOffsetDelta
  return { position, bytes, header, baseOffset, lastOffset, maxTimestamp, magic, isIntact }
}
