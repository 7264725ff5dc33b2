/** What the tests of the record layer share: building odd batches and the options of an ordinary topic. */
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  buildBatch,
  type RecordInput,
  readBatchHeader,
  sealBatch,
  writeBatchHeader,
} from '../../src/records/batch.ts'
import type { ProduceValidation } from '../../src/records/validate.ts'
import type { Random } from '../support/random.ts'

export const NOW_MS = 1_700_000_000_000
export const HOUR_MS = 3_600_000

export const ORDINARY_TOPIC: ProduceValidation = {
  nowMs: NOW_MS,
  produceVersion: 9,
  compacted: false,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: HOUR_MS,
  compressionType: 'producer',
  levels: {},
  maxMessageBytes: 1_048_588,
}

export function record(index: number, over: Partial<RecordInput> = {}): RecordInput {
  return { timestamp: NOW_MS + index, key: Buffer.from(`key-${index}`), value: Buffer.from(`value-${index}`), ...over }
}

/** A batch of three records: what most tests change one thing of. */
export function threeRecords(): Buffer {
  return buildBatch({ records: [record(0), record(1), record(2)] })
}

/** The batch with other header fields and, unless told otherwise, a right checksum. */
export function withHeader(batch: Buffer, over: Partial<BatchHeader>, options = { seal: true }): Buffer {
  const copy = Buffer.from(batch)
  writeBatchHeader(copy, 0, { ...readBatchHeader(copy, 0), ...over })
  if (options.seal) sealBatch([copy])
  return copy
}

/** The header of `batch` before another records section. */
export function withSection(batch: Buffer, section: Buffer, over: Partial<BatchHeader> = {}): Buffer {
  const joined = Buffer.concat([batch.subarray(0, BATCH_HEADER_BYTES), section])
  return withHeader(joined, { sizeBytes: joined.length, ...over })
}

export function sectionOf(batch: Buffer): Buffer {
  return Buffer.from(batch.subarray(BATCH_HEADER_BYTES))
}

export function randomRecords(random: Random, count: number): RecordInput[] {
  const bytes = (most: number) => (random.chance(0.15) ? null : random.bytes(random.below(most)))
  return Array.from({ length: count }, () => ({
    timestamp: random.chance(0.1) ? -1 : NOW_MS + random.below(2 * HOUR_MS) - HOUR_MS,
    key: bytes(20),
    value: random.chance(0.1) ? random.bytes(300) : bytes(80),
    headers: Array.from({ length: random.chance(0.3) ? random.below(4) : 0 }, () => ({
      key: random.pick(['', 'trace', 'größe', 'x'.repeat(70)]),
      value: bytes(90),
    })),
  }))
}

/** `bytes` cut into `pieces` at random places; some pieces may be empty. */
export function cut(random: Random, bytes: Buffer, pieces: number): Buffer[] {
  const cuts = Array.from({ length: pieces - 1 }, () => random.below(bytes.length + 1)).sort((a, b) => a - b)
  return [...cuts, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : cuts[index - 1], end))
}
