/**
 * What the record layer costs per produced batch: validation (checksum and every record) of uncompressed batches of the
 * usual sizes, of a large one that arrives in three chunks, and of compressed ones.
 *
 *   ./node_modules/.bin/bun bench/micro/records.bench.ts
 */
import { bench, group, run, summary } from 'mitata'
import { batchCrc, buildBatch, iterateRecords, readBatchHeader } from '../../src/records/batch.ts'
import { CODEC_NAMES, codecId } from '../../src/records/codecs/index.ts'
import { type ProduceValidation, validateProduced } from '../../src/records/validate.ts'

const NOW_MS = 1_700_000_000_000
const options: ProduceValidation = {
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

function validated(name: string, chunks: readonly Buffer[]) {
  const result = validateProduced(chunks, options)
  if (!result.ok) throw new Error(`${name}: ${result.reason}`)
  bench(name, () => validateProduced(chunks, options))
}

const small = buildBatch({ records: recordsFor(1) })
const medium = buildBatch({ records: recordsFor(150) })
const large = buildBatch({ records: recordsFor(9_700) })
const third = Math.floor(large.length / 3)
const largeChunks = [large.subarray(0, third), large.subarray(third, 2 * third), large.subarray(2 * third)]

summary(() => {
  group('validate', () => {
    validated('1 record of 100 B', [small])
    validated(`${medium.length >> 10} KiB`, [medium])
    validated(`${large.length >> 10} KiB in 3 chunks`, largeChunks)
    bench(`checksum alone, ${large.length >> 10} KiB in 3 chunks`, () => batchCrc(largeChunks))
    bench('header alone', () => readBatchHeader(small, 0))
  })
})

group('validate compressed, 150 records', () => {
  for (const name of CODEC_NAMES.slice(1)) {
    validated(name, [buildBatch({ codec: codecId(name), records: recordsFor(150) })])
  }
})

group('validate compressed, 1 record', () => {
  for (const name of CODEC_NAMES.slice(1)) {
    validated(name, [buildBatch({ codec: codecId(name), records: recordsFor(1) })])
  }
})

group('read and build, 150 records', () => {
  const records = recordsFor(150)
  bench('iterateRecords', () => {
    let count = 0
    for (const record of iterateRecords(medium)) count += record.offset
    return count
  })
  bench('buildBatch', () => buildBatch({ records }))
})

await run()
