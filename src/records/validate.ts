/**
 * Everything the leader checks on one produced batch before it reaches the log, and the few bytes it changes.
 *
 * Called by the Produce handler with the records field as it came from the socket: a list of views that is never
 * joined. Order and codes are those of Kafka: the shape of the field, the raw batch, every record; then the header is
 * corrected in place, or the batch rebuilt if the topic asks for another codec.
 *
 * What must hold for an accepted batch, because everything after relies on it: exactly one batch of magic 2, its
 * checksum right, its records well formed with offset deltas 0, 1, 2, ..., decodable within the memory limit, its
 * maxTimestamp the true one (or the append time), no control bit and no unknown attribute.
 */
import { ErrorCode } from '../protocol/errors.ts'
import { CODEC_NAMES, type CodecName, codecId, compress, decompress, isCodecId } from './codecs/index.ts'
import {
  ATTRIBUTES_OFFSET,
  BATCH_HEADER_BYTES,
  BATCH_OVERHEAD_BYTES,
  type BatchHeader,
  batchCrc,
  CODEC_MASK,
  CODEC_NONE,
  CODEC_ZSTD,
  CONTROL_BIT,
  type CodecId,
  LENGTH_OFFSET,
  MAGIC_OFFSET,
  MAGIC_V2,
  MAX_TIMESTAMP_OFFSET,
  NONE,
  readBatchHeader,
  sealBatch,
  TIMESTAMP_TYPE_BIT,
  type TimestampType,
  TRANSACTIONAL_BIT,
  writeBatchHeader,
  writeInt16,
  writeInt64,
} from './header.ts'
import { DEFAULT_MAX_DECOMPRESSED_BYTES, MAX_RECORD_ERRORS } from './limits.ts'
import { RecordError } from './record-error.ts'
import { RecordScanner } from './record-scanner.ts'
import { saturate } from './varint.ts'

export interface CompressionLevels {
  gzip?: number
  lz4?: number
  zstd?: number
}

export interface ProduceValidation {
  nowMs: number
  produceVersion: number
  /** cleanup.policy contains compact: every record needs a key. */
  compacted: boolean
  timestampType: TimestampType
  timestampBeforeMaxMs: number
  timestampAfterMaxMs: number
  compressionType: 'producer' | CodecName
  /** Used only when the batch is rebuilt because compressionType names a codec. */
  levels: CompressionLevels
  maxMessageBytes: number
  maxDecompressedBytes?: number
}

export interface ProducedRecordError {
  batchIndex: number
  message: string | null
}

export interface ProduceSuccess {
  ok: true
  header: BatchHeader
  /** Exactly the one batch; the header is whole in the first chunk and may be patched there. */
  chunks: Buffer[]
  /** Bytes under the checksum differ from what the producer sent. */
  rewritten: boolean
}

export interface ProduceFailure {
  ok: false
  errorCode: ErrorCode
  /** What the answer says; null where Kafka says nothing. */
  errorMessage: string | null
  /** Why, for the log; always there. */
  reason: string
  recordErrors: ProducedRecordError[]
  /** The answer carries the real log start offset. */
  insideLog: boolean
}

export type ProduceResult = ProduceSuccess | ProduceFailure

const NO_RECORD_ERRORS: ProducedRecordError[] = []
/** Base offset, length, leader epoch, magic: what tells where a batch ends and which parser reads it. */
const PREAMBLE_BYTES = 17
/** Smallest value of the length field of any magic. */
const MIN_LENGTH_FIELD = 14
const FIRST_ZSTD_VERSION = 7

/** Reused: validation is synchronous and never re-entered. */
const scanner = new RecordScanner()

function refuse(errorCode: ErrorCode, reason: string, insideLog: boolean, errorMessage?: string): ProduceFailure {
  return { ok: false, errorCode, errorMessage: errorMessage ?? null, reason, recordErrors: NO_RECORD_ERRORS, insideLog }
}

/** Validate the records field of one partition of a Produce request. */
export function validateProduced(records: readonly Uint8Array[], options: ProduceValidation): ProduceResult {
  const total = totalBytes(records)
  const leading = withContiguousHeader(records, total)
  const shapeFailure = shapeOf(leading, total, options.produceVersion)
  if (shapeFailure !== null) return shapeFailure
  const header = readBatchHeader(leading[0]!, 0)
  const chunks = total === header.sizeBytes ? leading : trim(leading, header.sizeBytes)
  const failure = checkRawBatch(header, chunks, options.maxMessageBytes) ?? checkBatchFields(header)
  if (failure !== null) return failure

  const codec = (header.attributes & CODEC_MASK) as CodecId
  const check = new RecordCheck()
  try {
    let section: Buffer | null = null
    if (codec === CODEC_NONE) {
      scanner.open(chunks, BATCH_HEADER_BYTES, header.sizeBytes - BATCH_HEADER_BYTES)
    } else {
      section = decompress(
        codec,
        contiguousSection(chunks),
        options.maxDecompressedBytes ?? DEFAULT_MAX_DECOMPRESSED_BYTES,
      )
      scanner.open([section], 0, section.length)
    }
    checkRecords(header, options, check)
    if (check.errors !== null) return refuseRecords(check)
    const target = options.compressionType === 'producer' ? codec : codecId(options.compressionType)
    if (target !== codec) return rebuild(header, section ?? contiguousSection(chunks), target, check, options)
    return correctHeader(header, chunks, check, options)
  } catch (error) {
    if (error instanceof RecordError) return refuseUnreadable(error)
    throw error
  } finally {
    scanner.close()
  }
}

function totalBytes(chunks: readonly Uint8Array[]): number {
  let total = 0
  for (const chunk of chunks) total += chunk.length
  return total
}

function asBuffer(chunk: Uint8Array): Buffer {
  return chunk instanceof Buffer ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
}

/** The same bytes with the first 61 (or all, if fewer) in the first chunk: copied only if they straddle chunks. */
function withContiguousHeader(records: readonly Uint8Array[], total: number): Buffer[] {
  const needed = Math.min(BATCH_HEADER_BYTES, total)
  const chunks: Buffer[] = []
  if (records.length > 0 && records[0]!.length >= needed) {
    for (const record of records) chunks.push(asBuffer(record))
    return chunks
  }
  const head = Buffer.allocUnsafe(needed)
  chunks.push(head)
  let filled = 0
  for (const record of records) {
    const chunk = asBuffer(record)
    const taken = Math.min(chunk.length, needed - filled)
    head.set(taken === chunk.length ? chunk : chunk.subarray(0, taken), filled)
    filled += taken
    if (taken < chunk.length) chunks.push(taken === 0 ? chunk : chunk.subarray(taken))
  }
  return chunks
}

/** The first `size` bytes. */
function trim(chunks: Buffer[], size: number): Buffer[] {
  const kept: Buffer[] = []
  let left = size
  for (const chunk of chunks) {
    if (left <= 0) break
    kept.push(chunk.length <= left ? chunk : chunk.subarray(0, left))
    left -= chunk.length
  }
  return kept
}

/** Bytes [start, start + count) copied out of the chunks. Only for the few bytes of a second batch's preamble. */
function copyRange(chunks: Buffer[], start: number, count: number): Buffer {
  const copy = Buffer.alloc(count)
  let position = 0
  for (const chunk of chunks) {
    const from = Math.max(0, start - position)
    const at = Math.max(0, position - start)
    if (from < chunk.length && at < count) chunk.copy(copy, at, from, Math.min(chunk.length, from + count - at))
    position += chunk.length
  }
  return copy
}

/** The records section as contiguous bytes; a copy only if it lies in several chunks. */
function contiguousSection(chunks: Buffer[]): Buffer {
  const first = chunks[0]!.subarray(BATCH_HEADER_BYTES)
  if (chunks.length === 1) return first
  const rest = chunks.slice(1)
  return Buffer.concat(first.length === 0 ? rest : [first, ...rest])
}

/**
 * Where a batch that starts with `preamble` ends: its size, 'none' if `available` bytes hold no whole batch, or the
 * reason why it cannot be a batch at all.
 */
function batchExtent(preamble: Buffer, available: number): number | 'none' | { corrupt: string } {
  if (available < BATCH_OVERHEAD_BYTES) return 'none'
  const length = preamble.readInt32BE(LENGTH_OFFSET)
  if (length < MIN_LENGTH_FIELD) return { corrupt: `Record batch length ${length} is too small for a batch.` }
  if (available < PREAMBLE_BYTES) return 'none'
  const magic = preamble.readInt8(MAGIC_OFFSET)
  if (magic < 0 || magic > MAGIC_V2) return { corrupt: `Record batch has the unknown magic ${magic}.` }
  return available < length + BATCH_OVERHEAD_BYTES ? 'none' : length + BATCH_OVERHEAD_BYTES
}

function shapeOf(chunks: Buffer[], total: number, produceVersion: number): ProduceFailure | null {
  const first = chunks[0]!
  const extent = batchExtent(first, total)
  if (extent === 'none') {
    return refuse(ErrorCode.INVALID_RECORD, total === 0 ? 'no records' : 'no whole record batch', false)
  }
  if (typeof extent === 'object') return refuse(ErrorCode.CORRUPT_MESSAGE, extent.corrupt, false, extent.corrupt)
  const magic = first[MAGIC_OFFSET]!
  if (magic !== MAGIC_V2) {
    return refuse(ErrorCode.INVALID_RECORD, `record batch has magic ${magic}; only magic 2 is accepted`, false)
  }
  const codec = first[ATTRIBUTES_OFFSET + 1]! & CODEC_MASK
  if (codec === CODEC_ZSTD && produceVersion < FIRST_ZSTD_VERSION) {
    return refuse(
      ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
      `Produce version ${produceVersion} does not carry zstd`,
      false,
    )
  }
  const rest = total - extent
  if (rest === 0) return null
  const second = batchExtent(copyRange(chunks, extent, Math.min(rest, PREAMBLE_BYTES)), rest)
  if (second === 'none') return null // left-over bytes that form no batch are dropped
  if (typeof second === 'object') return refuse(ErrorCode.CORRUPT_MESSAGE, second.corrupt, false)
  return refuse(ErrorCode.INVALID_RECORD, 'more than one record batch for one partition', false)
}

/** Checks on the raw bytes. Only the first and the last refuse "inside the log" as Kafka sees it. */
function checkRawBatch(header: BatchHeader, chunks: Buffer[], maxMessageBytes: number): ProduceFailure | null {
  if (header.baseOffset !== 0) {
    return refuse(ErrorCode.INVALID_RECORD, `base offset is ${header.baseOffset}, must be 0`, true)
  }
  if (header.sizeBytes > maxMessageBytes) {
    const reason = `record batch of ${header.sizeBytes} bytes exceeds max.message.bytes ${maxMessageBytes}`
    return refuse(ErrorCode.MESSAGE_TOO_LARGE, reason, false)
  }
  if (header.sizeBytes < BATCH_HEADER_BYTES) {
    return refuse(ErrorCode.CORRUPT_MESSAGE, `record batch of ${header.sizeBytes} bytes has no whole header`, false)
  }
  if (batchCrc(chunks) !== header.crc) return refuse(ErrorCode.CORRUPT_MESSAGE, 'wrong checksum', false)
  const codec = header.attributes & CODEC_MASK
  if (!isCodecId(codec)) return refuse(ErrorCode.UNKNOWN_SERVER_ERROR, `unknown compression codec ${codec}`, true)
  return null
}

function checkBatchFields(header: BatchHeader): ProduceFailure | null {
  const { lastOffsetDelta, recordCount } = header
  let reason: string | null = null
  if (lastOffsetDelta < 0) reason = `impossible last offset delta ${lastOffsetDelta}`
  else if (recordCount <= 0) reason = `impossible record count ${recordCount}`
  else if (lastOffsetDelta + 1 !== recordCount) {
    reason = `last offset delta ${lastOffsetDelta} does not fit record count ${recordCount}`
  } else if ((header.attributes & CONTROL_BIT) !== 0) reason = 'clients cannot write control batches'
  else if (header.producerId !== NONE && header.baseSequence < 0) {
    reason = `producer id ${header.producerId} without a sequence`
  }
  return reason === null ? null : refuse(ErrorCode.INVALID_RECORD, reason, true)
}

/** What the walk over the records of one batch found. */
class RecordCheck {
  maxTimestamp = NONE
  errors: ProducedRecordError[] | null = null
  errorCount = 0
  hasTimestampError = false

  reject(index: number, message: string): void {
    this.errorCount++
    this.errors ??= []
    if (this.errors.length < MAX_RECORD_ERRORS) this.errors.push({ batchIndex: index, message })
  }
}

/** Walk the records the scanner is opened on. Throws a RecordError if they are malformed. */
function checkRecords(header: BatchHeader, options: ProduceValidation, check: RecordCheck): void {
  const { compacted } = options
  const earliest = options.nowMs - options.timestampBeforeMaxMs
  const latest = options.nowMs + options.timestampAfterMaxMs
  const topicCreateTime = options.timestampType === 'CreateTime'
  const batchLogAppendTime = (header.attributes & TIMESTAMP_TYPE_BIT) !== 0
  const { baseTimestamp, recordCount } = header
  let maxTimestamp = NONE
  for (let index = 0; index < recordCount; index++) {
    scanner.next()
    if (scanner.offsetDelta !== index) {
      throw new RecordError('invalid', `record ${index} has the offset delta ${scanner.offsetDelta}`)
    }
    if (compacted && scanner.keyLength < 0) {
      check.reject(index, 'A record of a compacted topic needs a key.')
      continue
    }
    const timestamp = batchLogAppendTime ? header.maxTimestamp : saturate(baseTimestamp + scanner.timestampDelta)
    if (topicCreateTime && timestamp !== NONE) {
      if (timestamp < earliest || timestamp > latest) {
        check.hasTimestampError = true
        check.reject(index, `Timestamp ${timestamp} is outside of the accepted range [${earliest}, ${latest}].`)
      }
    } else if (batchLogAppendTime) {
      check.hasTimestampError = true
      check.reject(index, 'A producer must not set the timestamp type to LogAppendTime.')
    }
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
  }
  if (scanner.remaining !== 0) throw new RecordError('invalid', 'batch holds more records than it says')
  check.maxTimestamp = maxTimestamp
}

function refuseRecords(check: RecordCheck): ProduceFailure {
  const recordErrors = check.errors ?? NO_RECORD_ERRORS
  const message = check.hasTimestampError
    ? 'One or more records have an invalid timestamp.'
    : `${check.errorCount} records are invalid; the first: ${recordErrors[0]?.message}`
  const errorCode = check.hasTimestampError ? ErrorCode.INVALID_TIMESTAMP : ErrorCode.INVALID_RECORD
  return { ok: false, errorCode, errorMessage: message, reason: message, recordErrors, insideLog: true }
}

function refuseUnreadable(error: RecordError): ProduceFailure {
  switch (error.kind) {
    case 'invalid':
      return refuse(ErrorCode.INVALID_RECORD, error.message, true)
    case 'corrupt':
      return refuse(ErrorCode.UNKNOWN_SERVER_ERROR, error.message, true)
    case 'too large':
      return refuse(ErrorCode.MESSAGE_TOO_LARGE, error.message, false)
  }
}

/** Attributes as stored: codec and transactional bit kept, timestamp type the topic's, all else cleared. */
function storedAttributes(header: BatchHeader, codec: CodecId, options: ProduceValidation): number {
  const timestampBit = options.timestampType === 'LogAppendTime' ? TIMESTAMP_TYPE_BIT : 0
  return codec | timestampBit | (header.attributes & TRANSACTIONAL_BIT)
}

function storedMaxTimestamp(check: RecordCheck, options: ProduceValidation): number {
  return options.timestampType === 'LogAppendTime' ? options.nowMs : check.maxTimestamp
}

/** Keep the batch; correct attributes and maxTimestamp, and only then the checksum, if the producer's are not right. */
function correctHeader(
  header: BatchHeader,
  chunks: Buffer[],
  check: RecordCheck,
  options: ProduceValidation,
): ProduceSuccess {
  const attributes = storedAttributes(header, (header.attributes & CODEC_MASK) as CodecId, options)
  const maxTimestamp = storedMaxTimestamp(check, options)
  const rewritten = attributes !== header.attributes || maxTimestamp !== header.maxTimestamp
  if (rewritten) {
    const first = chunks[0]!
    writeInt16(first, ATTRIBUTES_OFFSET, attributes)
    writeInt64(first, MAX_TIMESTAMP_OFFSET, maxTimestamp)
    header.attributes = attributes
    header.maxTimestamp = maxTimestamp
    header.crc = sealBatch(chunks)
  }
  return { ok: true, header, chunks, rewritten }
}

/**
 * Store the records with another codec. The records section itself stays as it is: its deltas are dense and relative to
 * a header that keeps its base timestamp.
 */
function rebuild(
  header: BatchHeader,
  section: Buffer,
  codec: CodecId,
  check: RecordCheck,
  options: ProduceValidation,
): ProduceResult {
  const stored = compress(codec, section, levelFor(codec, options.levels))
  header.sizeBytes = BATCH_HEADER_BYTES + stored.length
  if (header.sizeBytes > options.maxMessageBytes) {
    const reason = `record batch of ${header.sizeBytes} bytes once stored as ${CODEC_NAMES[codec]} exceeds max.message.bytes ${options.maxMessageBytes}`
    return refuse(ErrorCode.MESSAGE_TOO_LARGE, reason, false)
  }
  header.attributes = storedAttributes(header, codec, options)
  header.maxTimestamp = storedMaxTimestamp(check, options)
  const head = Buffer.allocUnsafe(BATCH_HEADER_BYTES)
  writeBatchHeader(head, 0, header)
  const chunks = [head, stored]
  header.crc = sealBatch(chunks)
  return { ok: true, header, chunks, rewritten: true }
}

function levelFor(codec: CodecId, levels: CompressionLevels): number | undefined {
  switch (CODEC_NAMES[codec]) {
    case 'gzip':
      return levels.gzip
    case 'lz4':
      return levels.lz4
    case 'zstd':
      return levels.zstd
    default:
      return undefined
  }
}
