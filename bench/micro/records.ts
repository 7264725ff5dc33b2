/** What a produced batch costs: header, checksum, validation of every record, plain and compressed; and what reading records does. */
import { bench, group } from 'mitata'
import { batchCrc, buildBatch, iterateRecords, readBatchHeader } from '../../src/records/batch.ts'
import { CODEC_NAMES, codecId } from '../../src/records/codecs/index.ts'
import { type ProduceValidation, validateProduced } from '../../src/records/validate.ts'
import { readVarint, readVarlong, writeVarint, writeVarlong } from '../../src/records/varint.ts'
import { crc32cOf } from '../../src/storage/crc32c.ts'

const KIB = 1024
const NOW_MS = 1_700_000_000_000
const OPTIONS: ProduceValidation = {
  nowMs: NOW_MS,
  produceVersion: 9,
  compacted: false,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: 3_600_000,
  compressionType: 'producer',
  levels: {},
  maxMessageBytes: 2_000_000,
}

/** Records of 100 bytes of value that compress about as JSON lines do. */
function recordsFor(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    timestamp: NOW_MS + index,
    key: null,
    value: Buffer.from(
      `{"id":${index},"name":"customer-${(index * 7919) % 1000}","city":"Rotterdam"}`.padEnd(100, '. '),
    ),
  }))
}

function validated(name: string, chunks: readonly Buffer[]): void {
  const result = validateProduced(chunks, OPTIONS)
  if (!result.ok) throw new Error(`${name}: ${result.reason}`)
  bench(`validate: ${name}`, () => validateProduced(chunks, OPTIONS))
}

function checksums(): void {
  const bytes = Buffer.allocUnsafeSlow(KIB * KIB).fill('samsa')
  for (const size of [64, 256, 384, KIB, 16 * KIB, 128 * KIB, KIB * KIB]) {
    const label = size < KIB ? `${size} B` : `${size / KIB} KiB`
    bench(`crc32c: ${label}`, () => crc32cOf(bytes, 0, size))
  }
}

const VARINTS = Array.from({ length: 64 }, (_, index) => (index % 4 === 3 ? 2 ** (index / 3) : index) | 0)
const VARLONGS = VARINTS.map((value) => value * 1_000_003)

/** 64 values each, so that the loop around them weighs little. Each calls its function by name, as the code that is measured does. */
function varints(): void {
  const buffer = Buffer.alloc(1024)
  const writeAll = (): number => {
    let at = 0
    for (const value of VARINTS) at = writeVarint(buffer, at, value)
    return at
  }
  const end = writeAll()
  bench('varint: write 64', writeAll)
  bench('varint: read 64', () => {
    let sum = 0
    for (let at = 0; at < end; ) {
      const decoded = readVarint(buffer, at)
      sum += decoded.value
      at = decoded.end
    }
    return sum
  })
}

function varlongs(): void {
  const buffer = Buffer.alloc(1024)
  const writeAll = (): number => {
    let at = 0
    for (const value of VARLONGS) at = writeVarlong(buffer, at, value)
    return at
  }
  const end = writeAll()
  bench('varlong: write 64', writeAll)
  bench('varlong: read 64', () => {
    let sum = 0
    for (let at = 0; at < end; ) {
      const decoded = readVarlong(buffer, at)
      sum += decoded.value
      at = decoded.end
    }
    return sum
  })
}

export function register(): void {
  const one = buildBatch({ records: recordsFor(1) })
  const medium = buildBatch({ records: recordsFor(150) })
  const large = buildBatch({ records: recordsFor(9_700) })
  const third = Math.floor(large.length / 3)
  const largeChunks = [large.subarray(0, third), large.subarray(third, 2 * third), large.subarray(2 * third)]

  group('checksums', checksums)
  group('varints', () => {
    varints()
    varlongs()
  })
  group('batches', () => {
    bench('batch header: read', () => readBatchHeader(one, 0))
    bench(`batch checksum: ${large.length >> 10} KiB in 3 chunks`, () => batchCrc(largeChunks))
    validated('1 record of 100 B', [one])
    validated(`150 records, ${medium.length >> 10} KiB`, [medium])
    validated(`9700 records, ${large.length >> 10} KiB in 3 chunks`, largeChunks)
    for (const name of CODEC_NAMES.slice(1)) {
      const codec = codecId(name)
      validated(`150 records, ${name}`, [buildBatch({ codec, records: recordsFor(150) })])
    }
  })
  group('records', () => {
    const records = recordsFor(150)
    bench('records: iterate 150', () => {
      let sum = 0
      for (const record of iterateRecords(medium)) sum += record.offset
      return sum
    })
    bench('records: build a batch of 150', () => buildBatch({ records }))
  })
}
