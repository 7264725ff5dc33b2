/**
 * The 61-byte header of a record batch (magic 2): reading it, patching what the leader assigns, and the checksum.
 *
 * Used by everything that touches batches: produce validation, the log and its recovery, the coordinators, the client.
 * A batch is `baseOffset i64, batchLength i32, leaderEpoch i32, magic i8, crc u32 | attributes .. records`; the CRC-32C
 * covers everything right of the bar, so base offset and leader epoch are assigned without touching it.
 *
 * 64-bit fields are numbers and saturate at +-(2^53-1).
 */
import { crc32cOf } from '../storage/crc32c.ts'
import { saturate } from './varint.ts'

export const BATCH_HEADER_BYTES = 61
/** Bytes before those counted by the length field: base offset and the length itself. */
export const BATCH_OVERHEAD_BYTES = 12
/** The first byte covered by the checksum. */
export const CRC_START = 21
export const MAGIC_V2 = 2

export const LENGTH_OFFSET = 8
export const LEADER_EPOCH_OFFSET = 12
export const MAGIC_OFFSET = 16
export const CRC_OFFSET = 17
export const ATTRIBUTES_OFFSET = 21
export const LAST_OFFSET_DELTA_OFFSET = 23
const BASE_TIMESTAMP_OFFSET = 27
export const MAX_TIMESTAMP_OFFSET = 35
export const PRODUCER_ID_OFFSET = 43
const PRODUCER_EPOCH_OFFSET = 51
const BASE_SEQUENCE_OFFSET = 53
export const RECORD_COUNT_OFFSET = 57

export const CODEC_MASK = 0x07
export const TIMESTAMP_TYPE_BIT = 0x08
export const TRANSACTIONAL_BIT = 0x10
export const CONTROL_BIT = 0x20
export const DELETE_HORIZON_BIT = 0x40

/** No timestamp, producer id, producer epoch or sequence. */
export const NONE = -1

export const CODEC_NONE = 0
export const CODEC_GZIP = 1
export const CODEC_SNAPPY = 2
export const CODEC_LZ4 = 3
export const CODEC_ZSTD = 4
export type CodecId = 0 | 1 | 2 | 3 | 4

export type TimestampType = 'CreateTime' | 'LogAppendTime'

export interface BatchHeader {
  baseOffset: number
  /** The whole batch: 12 + the length field. */
  sizeBytes: number
  partitionLeaderEpoch: number
  magic: number
  crc: number
  attributes: number
  lastOffsetDelta: number
  baseTimestamp: number
  maxTimestamp: number
  producerId: number
  producerEpoch: number
  baseSequence: number
  recordCount: number
}

const TWO_TO_32 = 4294967296

function readInt32(buffer: Uint8Array, at: number): number {
  return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!
}

function readInt16(buffer: Uint8Array, at: number): number {
  return ((buffer[at]! << 24) | (buffer[at + 1]! << 16)) >> 16
}

export function readInt64(buffer: Uint8Array, at: number): number {
  return saturate(readInt32(buffer, at) * TWO_TO_32 + (readInt32(buffer, at + 4) >>> 0))
}

export function writeInt16(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >>> 8
  buffer[at + 1] = value
}

function writeInt32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >>> 24
  buffer[at + 1] = value >>> 16
  buffer[at + 2] = value >>> 8
  buffer[at + 3] = value
}

export function writeInt64(buffer: Uint8Array, at: number, value: number): void {
  writeInt32(buffer, at, Math.floor(value / TWO_TO_32))
  writeInt32(buffer, at + 4, value)
}

/** Read the header at `position`; the caller has made sure that 61 bytes are there. */
export function readBatchHeader(buffer: Uint8Array, position: number): BatchHeader {
  return {
    baseOffset: readInt64(buffer, position),
    sizeBytes: readInt32(buffer, position + LENGTH_OFFSET) + BATCH_OVERHEAD_BYTES,
    partitionLeaderEpoch: readInt32(buffer, position + LEADER_EPOCH_OFFSET),
    magic: (buffer[position + MAGIC_OFFSET]! << 24) >> 24,
    crc: readInt32(buffer, position + CRC_OFFSET) >>> 0,
    attributes: readInt16(buffer, position + ATTRIBUTES_OFFSET),
    lastOffsetDelta: readInt32(buffer, position + LAST_OFFSET_DELTA_OFFSET),
    baseTimestamp: readInt64(buffer, position + BASE_TIMESTAMP_OFFSET),
    maxTimestamp: readInt64(buffer, position + MAX_TIMESTAMP_OFFSET),
    producerId: readInt64(buffer, position + PRODUCER_ID_OFFSET),
    producerEpoch: readInt16(buffer, position + PRODUCER_EPOCH_OFFSET),
    baseSequence: readInt32(buffer, position + BASE_SEQUENCE_OFFSET),
    recordCount: readInt32(buffer, position + RECORD_COUNT_OFFSET),
  }
}

/** Write all header fields except the checksum, which `sealBatch` computes once the records are in place. */
export function writeBatchHeader(buffer: Uint8Array, position: number, header: BatchHeader): void {
  writeInt64(buffer, position, header.baseOffset)
  writeInt32(buffer, position + LENGTH_OFFSET, header.sizeBytes - BATCH_OVERHEAD_BYTES)
  writeInt32(buffer, position + LEADER_EPOCH_OFFSET, header.partitionLeaderEpoch)
  buffer[position + MAGIC_OFFSET] = header.magic
  writeInt16(buffer, position + ATTRIBUTES_OFFSET, header.attributes)
  writeInt32(buffer, position + LAST_OFFSET_DELTA_OFFSET, header.lastOffsetDelta)
  writeInt64(buffer, position + BASE_TIMESTAMP_OFFSET, header.baseTimestamp)
  writeInt64(buffer, position + MAX_TIMESTAMP_OFFSET, header.maxTimestamp)
  writeInt64(buffer, position + PRODUCER_ID_OFFSET, header.producerId)
  writeInt16(buffer, position + PRODUCER_EPOCH_OFFSET, header.producerEpoch)
  writeInt32(buffer, position + BASE_SEQUENCE_OFFSET, header.baseSequence)
  writeInt32(buffer, position + RECORD_COUNT_OFFSET, header.recordCount)
}

/** Compute the checksum of a batch given as chunks (header whole in the first one), store it there and answer it. */
export function sealBatch(chunks: readonly Uint8Array[]): number {
  const crc = batchCrc(chunks)
  writeInt32(chunks[0]!, CRC_OFFSET, crc)
  return crc
}

/** The last offset the batch occupies; the next batch starts after it. Never derived from the record count. */
export function lastOffset(header: BatchHeader): number {
  return header.baseOffset + header.lastOffsetDelta
}

/** Sequence of the last record: sequences wrap from 2^31-1 to 0. */
export function lastSequence(header: BatchHeader): number {
  if (header.baseSequence === NONE) return NONE
  return (header.baseSequence + header.lastOffsetDelta) % 2147483648
}

export function isTransactional(header: BatchHeader): boolean {
  return (header.attributes & TRANSACTIONAL_BIT) !== 0
}

export function isControl(header: BatchHeader): boolean {
  return (header.attributes & CONTROL_BIT) !== 0
}

/** Codec number of the batch, 0..7; 5..7 name no codec. */
export function codecOf(header: BatchHeader): number {
  return header.attributes & CODEC_MASK
}

export function timestampType(header: BatchHeader): TimestampType {
  return (header.attributes & TIMESTAMP_TYPE_BIT) !== 0 ? 'LogAppendTime' : 'CreateTime'
}

/** With a delete horizon, baseTimestamp is that horizon; record deltas are still relative to it. */
export function hasDeleteHorizon(header: BatchHeader): boolean {
  return (header.attributes & DELETE_HORIZON_BIT) !== 0
}

export function patchBaseOffset(buffer: Uint8Array, position: number, offset: number): void {
  writeInt64(buffer, position, offset)
}

export function patchLeaderEpoch(buffer: Uint8Array, position: number, epoch: number): void {
  writeInt32(buffer, position + LEADER_EPOCH_OFFSET, epoch)
}

/** CRC-32C of one batch given as chunks: byte 21 to the end, without joining them. */
export function batchCrc(chunks: readonly Uint8Array[]): number {
  let skip = CRC_START
  let crc = 0
  for (const chunk of chunks) {
    if (skip >= chunk.length) {
      skip -= chunk.length
      continue
    }
    crc = crc32cOf(chunk, skip, chunk.length, crc)
    skip = 0
  }
  return crc
}

/** Whether the stored checksum of one batch given as chunks is right. */
export function checkCrc(chunks: readonly Uint8Array[]): boolean {
  let stored = 0
  for (let index = 0; index < 4; index++) stored = (stored << 8) | byteAt(chunks, CRC_OFFSET + index)
  return stored >>> 0 === batchCrc(chunks)
}

function byteAt(chunks: readonly Uint8Array[], position: number): number {
  for (const chunk of chunks) {
    if (position < chunk.length) return chunk[position]!
    position -= chunk.length
  }
  return 0
}
