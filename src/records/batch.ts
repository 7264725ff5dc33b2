/**
 * Record batches: reading the records of one and building one. The header view and checksum are in header.ts and
 * exported from here, too: this is the module other folders import.
 *
 * Readers take one whole batch as contiguous bytes, decompress it within a limit and throw a RecordError when it is
 * malformed. They trust neither lengths nor counts. The checksum is the caller's to check.
 */
import { compress, decompress } from './codecs/index.ts'
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  CODEC_NONE,
  CONTROL_BIT,
  type CodecId,
  codecOf,
  MAGIC_V2,
  NONE,
  readBatchHeader,
  sealBatch,
  TIMESTAMP_TYPE_BIT,
  type TimestampType,
  TRANSACTIONAL_BIT,
  writeBatchHeader,
} from './header.ts'
import { DEFAULT_MAX_DECOMPRESSED_BYTES } from './limits.ts'
import { RecordError } from './record-error.ts'
import { RecordScanner } from './record-scanner.ts'
import { readVarint, saturate, sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'

export * from './header.ts'
export { RecordError } from './record-error.ts'

export interface RecordHeader {
  key: string
  value: Buffer | null
}

export interface Record {
  offset: number
  timestamp: number
  /** Views of the batch (or of its decompressed records): copy what must outlive it. */
  key: Buffer | null
  value: Buffer | null
  headers: RecordHeader[]
}

export interface ReadLimits {
  maxDecompressedBytes?: number
}

/** The uncompressed records section of a batch. */
function recordsSection(batch: Buffer, header: BatchHeader, limits: ReadLimits | undefined): Buffer {
  if (header.magic !== MAGIC_V2) throw new RecordError('invalid', `batch has magic ${header.magic}, not ${MAGIC_V2}`)
  if (header.sizeBytes < BATCH_HEADER_BYTES || header.sizeBytes > batch.length) {
    throw new RecordError('invalid', `batch says ${header.sizeBytes} bytes, ${batch.length} are there`)
  }
  const section = batch.subarray(BATCH_HEADER_BYTES, header.sizeBytes)
  const codec = codecOf(header)
  if (codec === CODEC_NONE || header.recordCount === 0) return section
  return decompress(codec, section, limits?.maxDecompressedBytes ?? DEFAULT_MAX_DECOMPRESSED_BYTES)
}

/** A header of at least 61 bytes, or a RecordError. */
function headerOf(batch: Buffer): BatchHeader {
  if (batch.length < BATCH_HEADER_BYTES) throw new RecordError('invalid', `batch has only ${batch.length} bytes`)
  return readBatchHeader(batch, 0)
}

/**
 * Open the records of a batch in a scanner of its own. Answers the records section; the positions the scanner reports
 * are positions in it.
 */
function openScanner(scanner: RecordScanner, batch: Buffer, header: BatchHeader, limits?: ReadLimits): Buffer {
  const section = recordsSection(batch, header, limits)
  scanner.open([section], 0, section.length)
  return section
}

/** The timestamp of the scanner's current record. */
function recordTimestamp(header: BatchHeader, scanner: RecordScanner): number {
  if ((header.attributes & TIMESTAMP_TYPE_BIT) !== 0) return header.maxTimestamp
  return saturate(header.baseTimestamp + scanner.timestampDelta)
}

function assertDrained(scanner: RecordScanner): void {
  if (scanner.remaining !== 0) throw new RecordError('invalid', 'batch holds more records than it says')
}

/** All records of one batch in order, decompressed if need be. Control records are records, too: see control.ts. */
export function* iterateRecords(batch: Buffer, limits?: ReadLimits): Generator<Record> {
  const header = headerOf(batch)
  const scanner = new RecordScanner()
  const section = openScanner(scanner, batch, header, limits)
  for (let index = 0; index < header.recordCount; index++) {
    scanner.next()
    yield {
      offset: header.baseOffset + scanner.offsetDelta,
      timestamp: recordTimestamp(header, scanner),
      key: slice(section, scanner.keyPosition, scanner.keyLength),
      value: slice(section, scanner.valuePosition, scanner.valueLength),
      headers: scanner.headerCount === 0 ? [] : readHeaders(section, scanner.headersPosition, scanner.headerCount),
    }
  }
  assertDrained(scanner)
}

function slice(section: Buffer, position: number, length: number): Buffer | null {
  return length < 0 ? null : section.subarray(position, position + length)
}

/** The scanner has checked that the headers are well formed. */
function readHeaders(section: Buffer, position: number, count: number): RecordHeader[] {
  const headers: RecordHeader[] = []
  let at = position
  for (let index = 0; index < count; index++) {
    const key = readVarint(section, at)
    const value = readVarint(section, key.end + key.value)
    headers.push({
      key: section.toString('utf8', key.end, key.end + key.value),
      value: slice(section, value.end, value.value),
    })
    at = value.end + Math.max(0, value.value)
  }
  return headers
}

export interface OffsetAndTimestamp {
  offset: number
  timestamp: number
}

/**
 * The first record with a timestamp of at least `timestamp` and an offset of at least `startOffset`, or null.
 * For look-ups by time: reads offsets and timestamps only and allocates nothing per record.
 */
export function firstRecordAtOrAfter(
  batch: Buffer,
  timestamp: number,
  startOffset = 0,
  limits?: ReadLimits,
): OffsetAndTimestamp | null {
  const header = headerOf(batch)
  if (header.maxTimestamp < timestamp) return null
  const scanner = new RecordScanner()
  openScanner(scanner, batch, header, limits)
  for (let index = 0; index < header.recordCount; index++) {
    scanner.next()
    const offset = header.baseOffset + scanner.offsetDelta
    const candidate = recordTimestamp(header, scanner)
    if (candidate >= timestamp && offset >= startOffset) return { offset, timestamp: candidate }
  }
  return null
}

export interface RecordInput {
  timestamp: number
  key: Uint8Array | null
  value: Uint8Array | null
  headers?: readonly { key: string; value: Uint8Array | null }[]
}

export interface BatchInput {
  baseOffset?: number
  leaderEpoch?: number
  codec?: CodecId
  level?: number | undefined
  timestampType?: TimestampType
  /** Append time of a LogAppendTime batch; without it the largest record timestamp is used. */
  logAppendTimeMs?: number
  producerId?: number
  producerEpoch?: number
  baseSequence?: number
  isTransactional?: boolean
  isControl?: boolean
  /** At least one; they get consecutive offsets. */
  records: readonly RecordInput[]
}

/** Build one batch. */
export function buildBatch(input: BatchInput): Buffer {
  const { records } = input
  const first = records[0]
  if (first === undefined) throw new Error('a batch needs at least one record')
  const codec = input.codec ?? CODEC_NONE
  const baseTimestamp = first.timestamp
  let maxTimestamp = NONE
  for (const record of records) maxTimestamp = Math.max(maxTimestamp, record.timestamp)
  const isLogAppendTime = input.timestampType === 'LogAppendTime'
  const headerBytes = codec === CODEC_NONE ? BATCH_HEADER_BYTES : 0
  let batch = encodeRecords(records, baseTimestamp, headerBytes)
  if (codec !== CODEC_NONE) batch = withHeaderRoom(compress(codec, batch, input.level))
  writeBatchHeader(batch, 0, {
    baseOffset: input.baseOffset ?? 0,
    sizeBytes: batch.length,
    partitionLeaderEpoch: input.leaderEpoch ?? NONE,
    magic: MAGIC_V2,
    crc: 0,
    attributes:
      codec |
      (isLogAppendTime ? TIMESTAMP_TYPE_BIT : 0) |
      (input.isTransactional ? TRANSACTIONAL_BIT : 0) |
      (input.isControl ? CONTROL_BIT : 0),
    lastOffsetDelta: records.length - 1,
    baseTimestamp,
    maxTimestamp: isLogAppendTime ? (input.logAppendTimeMs ?? maxTimestamp) : maxTimestamp,
    producerId: input.producerId ?? NONE,
    producerEpoch: input.producerEpoch ?? NONE,
    baseSequence: input.baseSequence ?? NONE,
    recordCount: records.length,
  })
  sealBatch([batch])
  return batch
}

/** A records section moved behind room for a header. */
function withHeaderRoom(section: Buffer): Buffer {
  const batch = Buffer.allocUnsafe(BATCH_HEADER_BYTES + section.length)
  section.copy(batch, BATCH_HEADER_BYTES)
  return batch
}

/** Encode the records, leaving `room` bytes before them. */
function encodeRecords(records: readonly RecordInput[], baseTimestamp: number, room: number): Buffer {
  // Header keys are encoded once, here, and used for both the size and the bytes.
  const headerKeys: Buffer[] = []
  const bodySizes: number[] = []
  let total = room
  for (let index = 0; index < records.length; index++) {
    const size = bodySize(records[index]!, index, baseTimestamp, headerKeys)
    bodySizes.push(size)
    total += sizeOfVarint(size) + size
  }
  const target = Buffer.allocUnsafe(total)
  let position = room
  let nextHeaderKey = 0
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    position = writeVarint(target, position, bodySizes[index]!)
    target[position++] = 0
    position = writeVarlong(target, position, record.timestamp - baseTimestamp)
    position = writeVarint(target, position, index)
    position = writeBytes(target, position, record.key)
    position = writeBytes(target, position, record.value)
    position = writeVarint(target, position, record.headers?.length ?? 0)
    for (const header of record.headers ?? []) {
      position = writeBytes(target, position, headerKeys[nextHeaderKey++]!)
      position = writeBytes(target, position, header.value)
    }
  }
  return target
}

function bodySize(record: RecordInput, index: number, baseTimestamp: number, headerKeys: Buffer[]): number {
  const headers = record.headers ?? []
  let size =
    1 + // attributes
    sizeOfVarlong(record.timestamp - baseTimestamp) +
    sizeOfVarint(index) +
    sizeOfBytes(record.key) +
    sizeOfBytes(record.value) +
    sizeOfVarint(headers.length)
  for (const header of headers) {
    const key = Buffer.from(header.key, 'utf8')
    headerKeys.push(key)
    size += sizeOfBytes(key) + sizeOfBytes(header.value)
  }
  return size
}

function sizeOfBytes(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length
}

function writeBytes(target: Buffer, position: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarint(target, position, -1)
  const start = writeVarint(target, position, bytes.length)
  target.set(bytes, start)
  return start + bytes.length
}
