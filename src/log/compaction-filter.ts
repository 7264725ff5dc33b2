// What remains of one batch when its log is compacted, by Kafka's rules (the delete horizon is that of KIP-534):
//   - a record goes if a later one with its key is in the map, or if its transaction was aborted;
//   - a tombstone and a marker without data stay until their delete horizon, which the first cleaning that keeps them writes into the
//     batch: the horizon takes the place of the base timestamp and the records' timestamps are told relative to it;
//   - the last batch of every known producer stays, if need be without records, because of its sequence number and epoch; so does the last
//     one of the cleaned part, because of its offset;
//   - offsets never change, and a batch that loses nothing stays byte for byte. Messages of the formats before magic 2 stay as they are.

import { RecordError } from '../records/batch.ts'
import { compress, decompress, isCodecId } from '../records/codecs/index.ts'
import { type EndTransactionMarker, readEndTransactionMarker } from '../records/control.ts'
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  CODEC_MASK,
  CODEC_NONE,
  codecOf,
  DELETE_HORIZON_BIT,
  hasDeleteHorizon,
  isControl,
  lastOffset,
  MAGIC_V2,
  NONE,
  readBatchHeader,
  sealBatch,
  timestampType,
  writeBatchHeader,
} from '../records/header.ts'
import { RecordScanner } from '../records/record-scanner.ts'
import { saturate, sizeOfVarlong, writeVarint, writeVarlong } from '../records/varint.ts'
import { isIntact } from './batch-cursor.ts'
import type { CleanedChunks } from './cleaned-chunks.ts'
import type { CleanedTransactions } from './cleaned-transactions.ts'
import type { OffsetMap } from './offset-map.ts'
import type { AbortedEntry } from './txn-index.ts'

/** What a producer's state in the log ends with. */
export interface LastOfProducer {
  /** Of its newest data batch, -1 if none is known. */
  readonly lastDataOffset: number
  readonly epoch: number
}

export interface FilterOptions {
  readonly map: OffsetMap
  readonly transactions: CleanedTransactions
  readonly lastOfProducers: ReadonlyMap<number, LastOfProducer>
  /** Offset that the part to be cleaned ends below. */
  readonly endOffset: number
  readonly nowMs: number
  readonly deleteRetentionMs: number
  readonly maxDecompressedBytes: number
}

/** A varint of a record may grow by so much when its timestamp is told anew. */
const LARGEST_GROWTH_PER_RECORD = 16

/** What was done with the batch. */
export interface Filtered {
  /** Bytes handed to the output, 0 if the batch is gone. */
  bytes: number
  lastOffset: number
  maxTimestamp: number
  recordsRead: number
  recordsKept: number
  /** The batch is an abort marker that still needs its place in the index of aborted transactions. */
  aborted: AbortedEntry | null
}

export class BatchFilter {
  readonly #options: FilterOptions
  readonly #scanner = new RecordScanner()
  /** Begin and end of runs of kept records in the records section. */
  readonly #ranges: number[] = []
  readonly #result: Filtered = {
    bytes: 0,
    lastOffset: 0,
    maxTimestamp: NONE,
    recordsRead: 0,
    recordsKept: 0,
    aborted: null,
  }

  constructor(options: FilterOptions) {
    this.#options = options
  }

  /** Hands what remains of the batch buffer[at .. at + size) to the output. The answer is valid until the next call. */
  filter(buffer: Buffer, at: number, sizeBytes: number, output: CleanedChunks): Filtered {
    const header = readBatchHeader(buffer, at)
    const result = this.#result
    result.bytes = 0
    result.lastOffset = lastOffset(header)
    result.maxTimestamp = header.maxTimestamp
    result.recordsRead = header.magic < MAGIC_V2 ? 1 : header.recordCount
    result.recordsKept = 0
    result.aborted = null
    if (header.magic < MAGIC_V2) {
      result.recordsKept = 1
      result.lastOffset = header.baseOffset
      return this.#keep(buffer, at, sizeBytes, output)
    }
    const control = isControl(header)
    const { isObsolete, entry } = control
      ? this.#options.transactions.onControl(header, markerIn(buffer, at, header))
      : { isObsolete: this.#options.transactions.onData(header), entry: null }
    result.aborted = entry
    const dropRecords = control ? isObsolete && this.#isPastHorizon(header) : isObsolete
    if (dropRecords) return this.#mustStay(header) ? this.#empty(header, output) : result
    const section = this.#sectionOf(buffer, at, header)
    this.#scanRecords(section, header, control)
    const horizonDue = (isObsolete || this.#hasTombstones) && !hasDeleteHorizon(header)
    if (result.recordsKept === 0) return this.#mustStay(header) ? this.#empty(header, output) : result
    if (result.recordsKept === header.recordCount && !horizonDue) return this.#keep(buffer, at, sizeBytes, output)
    // From here on the checksum is ours: it must not make good what was bad.
    if (!isIntact(buffer, at, sizeBytes, header.magic)) throw new RecordError('corrupt', 'checksum mismatch')
    return this.#rewrite(section, header, horizonDue, output)
  }

  // ---- decisions ----------------------------------------------------------------------------------------------

  #hasTombstones = false

  #isPastHorizon(header: BatchHeader): boolean {
    return hasDeleteHorizon(header) && header.baseTimestamp <= this.#options.nowMs
  }

  /** Whether the batch has to stay even without records. */
  #mustStay(header: BatchHeader): boolean {
    if (lastOffset(header) + 1 === this.#options.endOffset) return true
    if (header.producerId === NONE) return false
    const last = this.#options.lastOfProducers.get(header.producerId)
    if (last === undefined) return false
    if (last.lastDataOffset >= 0) return lastOffset(header) === last.lastDataOffset
    return isControl(header) && header.producerEpoch === last.epoch
  }

  /** Finds out which records stay: fills `#ranges`, the count, the largest timestamp. */
  #scanRecords(section: Section, header: BatchHeader, control: boolean): void {
    const { map, nowMs } = this.#options
    const { bytes, from, to } = section
    const scanner = this.#scanner
    const ranges = this.#ranges
    const keepTombstones = !hasDeleteHorizon(header) || nowMs < header.baseTimestamp
    ranges.length = 0
    this.#hasTombstones = false
    let kept = 0
    let maxDelta = Number.NEGATIVE_INFINITY
    scanner.open([bytes], from, to - from)
    for (let index = 0; index < header.recordCount; index++) {
      const start = to - scanner.remaining
      scanner.next()
      const offset = header.baseOffset + scanner.offsetDelta
      const isTombstone = scanner.valueLength < 0
      if (!control && offset <= map.latestOffset) {
        if (scanner.keyLength < 0 || (isTombstone && !keepTombstones)) continue
        if (offset < map.get(bytes, scanner.keyPosition, scanner.keyLength)) continue
        if (isTombstone) this.#hasTombstones = true
      }
      kept++
      if (scanner.timestampDelta > maxDelta) maxDelta = scanner.timestampDelta
      if (ranges.length > 0 && ranges[ranges.length - 1] === start) ranges[ranges.length - 1] = to - scanner.remaining
      else ranges.push(start, to - scanner.remaining)
    }
    if (scanner.remaining !== 0) throw new RecordError('invalid', 'batch holds more records than it says')
    this.#result.recordsKept = kept
    if (kept > 0 && kept < header.recordCount && timestampType(header) === 'CreateTime')
      this.#result.maxTimestamp = header.baseTimestamp + maxDelta
  }

  // ---- output -------------------------------------------------------------------------------------------------

  #keep(buffer: Buffer, at: number, sizeBytes: number, output: CleanedChunks): Filtered {
    output.addUntouched(buffer, at, at + sizeBytes)
    this.#result.bytes = sizeBytes
    return this.#result
  }

  /** The header alone: offsets, producer, epoch and sequence. */
  #empty(header: BatchHeader, output: CleanedChunks): Filtered {
    const bytes = output.room(BATCH_HEADER_BYTES)
    const attributes = header.attributes & ~CODEC_MASK & ~DELETE_HORIZON_BIT
    this.#seal(bytes, BATCH_HEADER_BYTES, { ...header, attributes, baseTimestamp: NONE, recordCount: 0 }, output)
    this.#result.recordsKept = 0
    this.#result.maxTimestamp = header.maxTimestamp
    return this.#result
  }

  #rewrite(section: Section, header: BatchHeader, horizonDue: boolean, output: CleanedChunks): Filtered {
    const { recordsKept, maxTimestamp } = this.#result
    const { nowMs, deleteRetentionMs } = this.#options
    const baseTimestamp = horizonDue ? saturate(nowMs + deleteRetentionMs) : header.baseTimestamp
    const codec = codecOf(header)
    const changed: BatchHeader = {
      ...header,
      attributes: horizonDue ? header.attributes | DELETE_HORIZON_BIT : header.attributes,
      baseTimestamp,
      maxTimestamp,
      recordCount: recordsKept,
    }
    const most = section.to - section.from + recordsKept * LARGEST_GROWTH_PER_RECORD
    if (codec === CODEC_NONE) {
      const bytes = output.room(BATCH_HEADER_BYTES + most)
      const end = this.#writeRecords(section, header, horizonDue ? baseTimestamp : null, bytes, BATCH_HEADER_BYTES)
      return this.#seal(bytes, end, changed, output)
    }
    if (!isCodecId(codec)) throw new RecordError('corrupt', `unknown compression codec ${codec}`)
    const plain = Buffer.allocUnsafe(most)
    const end = this.#writeRecords(section, header, horizonDue ? baseTimestamp : null, plain, 0)
    const packed = compress(codec, plain.subarray(0, end))
    const bytes = output.room(BATCH_HEADER_BYTES + packed.length)
    packed.copy(bytes, BATCH_HEADER_BYTES)
    return this.#seal(bytes, BATCH_HEADER_BYTES + packed.length, changed, output)
  }

  /** Writes header and checksum of the batch of so many bytes at the start of `bytes`. */
  #seal(bytes: Buffer, sizeBytes: number, header: BatchHeader, output: CleanedChunks): Filtered {
    writeBatchHeader(bytes, 0, { ...header, sizeBytes })
    sealBatch([bytes.subarray(0, sizeBytes)])
    output.addWritten(sizeBytes)
    this.#result.bytes = sizeBytes
    return this.#result
  }

  /** Writes the kept records, with timestamps told relative to a new base if there is one. Returns the position after them. */
  #writeRecords(section: Section, header: BatchHeader, newBase: number | null, target: Buffer, at: number): number {
    const { bytes } = section
    const ranges = this.#ranges
    let position = at
    for (let index = 0; index < ranges.length; index += 2) {
      const from = ranges[index]!
      const to = ranges[index + 1]!
      if (newBase !== null) {
        position = this.#writeMoved(bytes, from, to, header, newBase, target, position)
        continue
      }
      bytes.copy(target, position, from, to)
      position += to - from
    }
    return position
  }

  /** The records in bytes[from .. to) with their timestamps relative to the new base. */
  #writeMoved(
    bytes: Buffer,
    from: number,
    to: number,
    header: BatchHeader,
    newBase: number,
    target: Buffer,
    at: number,
  ): number {
    const scanner = this.#scanner
    const appendTime = timestampType(header) === 'LogAppendTime'
    let position = at
    scanner.open([bytes], from, to - from)
    while (scanner.remaining > 0) {
      const start = afterVarint(bytes, to - scanner.remaining)
      scanner.next()
      const end = to - scanner.remaining
      const timestamp = appendTime ? header.maxTimestamp : header.baseTimestamp + scanner.timestampDelta
      const delta = timestamp - newBase
      const rest = afterVarint(bytes, start + 1)
      position = writeVarint(target, position, 1 + sizeOfVarlong(delta) + end - rest)
      target[position++] = bytes[start]!
      position = writeVarlong(target, position, delta)
      bytes.copy(target, position, rest, end)
      position += end - rest
    }
    return position
  }

  #sectionOf(buffer: Buffer, at: number, header: BatchHeader): Section {
    return recordsSection(buffer, at, header, this.#options.maxDecompressedBytes)
  }
}

/** The uncompressed records of a batch: bytes[from .. to). */
export interface Section {
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
}

export function recordsSection(buffer: Buffer, at: number, header: BatchHeader, maxBytes: number): Section {
  const from = at + BATCH_HEADER_BYTES
  const to = at + header.sizeBytes
  const codec = codecOf(header)
  if (codec === CODEC_NONE || header.recordCount === 0) return { bytes: buffer, from, to }
  const bytes = decompress(codec, buffer.subarray(from, to), maxBytes)
  return { bytes, from: 0, to: bytes.length }
}

/** The end-of-transaction marker in the control batch; null if it is empty or of another kind. */
export function markerIn(buffer: Buffer, at: number, header: BatchHeader): EndTransactionMarker | null {
  if (header.recordCount === 0) return null
  const { bytes, from, to } = recordsSection(buffer, at, header, header.sizeBytes)
  const scanner = new RecordScanner()
  scanner.open([bytes], from, to - from)
  scanner.next()
  return readEndTransactionMarker({
    key: part(bytes, scanner.keyPosition, scanner.keyLength),
    value: part(bytes, scanner.valuePosition, scanner.valueLength),
  })
}

function part(bytes: Buffer, position: number, length: number): Buffer | null {
  return length < 0 ? null : bytes.subarray(position, position + length)
}

/** Position after the varint, which has been checked. */
function afterVarint(bytes: Buffer, at: number): number {
  let position = at
  while (bytes[position]! >= 0x80) position++
  return position + 1
}
