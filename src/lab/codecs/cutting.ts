/**
 * Cuts records into batches as a producer does: records in their order, each batch filled up to `batchBytes` of encoded
 * records before compression (the count of librdkafka and of this project's producer; the Java producer fills up to its
 * guess of the compressed size). A record that is larger stands in a batch alone.
 *
 * What must hold: every batch, with whatever an engine made of its records section, is one that a broker accepts.
 */
import {
  BATCH_HEADER_BYTES,
  buildBatch,
  CODEC_GZIP,
  CODEC_LZ4,
  CODEC_NONE,
  CODEC_SNAPPY,
  CODEC_ZSTD,
  type CodecId,
  type RecordInput,
  readBatchHeader,
  sealBatch,
  writeBatchHeader,
} from '../../records/batch.ts'
import { SeededRandom } from '../../storage/random-seeded.ts'
import type { SizeDistribution } from './distribution.ts'
import type { CodecLabel } from './engines/index.ts'

/** What a batch takes at most besides keys, values and headers: lengths, deltas, counts. */
const RECORD_OVERHEAD_BYTES_MAX = 30
const HEADER_OVERHEAD_BYTES_MAX = 10
/** As many records as the client packs into a batch at most. */
const RECORDS_PER_BATCH_MAX = 100_000

const CODEC_IDS: Readonly<Record<CodecLabel, CodecId>> = {
  none: CODEC_NONE,
  gzip: CODEC_GZIP,
  snappy: CODEC_SNAPPY,
  lz4: CODEC_LZ4,
  zstd: CODEC_ZSTD,
}

/** One uncompressed batch, as built by src/records. */
export interface CutBatch {
  readonly bytes: Buffer
  readonly recordCount: number
}

/** What engines compress: everything behind the header. */
export function sectionOf(batch: CutBatch): Buffer {
  return batch.bytes.subarray(BATCH_HEADER_BYTES)
}

export function cutBatches(records: readonly RecordInput[], batchBytes: number): CutBatch[] {
  const batches: CutBatch[] = []
  let open: RecordInput[] = []
  let openBytes = 0
  const seal = (): void => {
    if (open.length > 0) batches.push({ bytes: buildBatch({ records: open }), recordCount: open.length })
    open = []
    openBytes = 0
  }
  for (const record of records) {
    const bytes = encodedBytesMax(record)
    if (openBytes + bytes > batchBytes || open.length === RECORDS_PER_BATCH_MAX) seal()
    open.push(record)
    openBytes += bytes
  }
  seal()
  return batches
}

/** The batch with its records section as an engine compressed it. */
export function compressedBatch(batch: CutBatch, codec: CodecLabel, packed: Buffer): Buffer {
  const target = Buffer.allocUnsafe(BATCH_HEADER_BYTES + packed.length)
  packed.copy(target, BATCH_HEADER_BYTES)
  const header = readBatchHeader(batch.bytes, 0)
  writeBatchHeader(target, 0, { ...header, sizeBytes: target.length, attributes: header.attributes | CODEC_IDS[codec] })
  sealBatch([target])
  return target
}

function encodedBytesMax({ key, value, headers }: RecordInput): number {
  let bytes = RECORD_OVERHEAD_BYTES_MAX + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers ?? []) {
    bytes += HEADER_OVERHEAD_BYTES_MAX + Buffer.byteLength(header.key) + (header.value?.length ?? 0)
  }
  return bytes
}

export interface Reshape {
  readonly keySize: SizeDistribution | null
  readonly valueSize: SizeDistribution | null
  readonly seed: number
}

/** Distinct keys that are made up for drawn key sizes. */
const KEYS = 10_000

/**
 * Records with sizes of the user's choice: values are cut anew from the data's own bytes, so what they hold stays real;
 * keys are made up, a few thousand distinct ones that come again and again.
 */
export function reshape(records: readonly RecordInput[], { keySize, valueSize, seed }: Reshape): RecordInput[] {
  const random = new SeededRandom(seed)
  const values = valueSize === null ? null : cutValues(records, valueSize, random)
  const count = values?.length ?? records.length
  const reshaped: RecordInput[] = []
  for (let index = 0; index < count; index++) {
    const record = records[Math.min(index, records.length - 1)]!
    const value = values === null ? record.value : values[index]!
    const key = keySize === null ? record.key : madeUpKey(random.below(KEYS), keySize.draw(random))
    reshaped.push({ ...record, key, value })
  }
  return reshaped
}

function cutValues(records: readonly RecordInput[], size: SizeDistribution, random: SeededRandom): Buffer[] {
  const stream = Buffer.concat(records.flatMap(({ value }) => (value === null ? [] : [value])))
  const values: Buffer[] = []
  let position = 0
  while (position < stream.length) {
    const bytes = Math.max(1, size.draw(random))
    values.push(stream.subarray(position, position + bytes))
    position += bytes
  }
  return values
}

/** `key-0042` drawn out, or cut, to the size. */
function madeUpKey(number: number, bytes: number): Buffer {
  const name = `key-${String(number).padStart(4, '0')}`
  return Buffer.from(bytes <= name.length ? name.slice(name.length - bytes) : name.padEnd(bytes, `-${name}`))
}
