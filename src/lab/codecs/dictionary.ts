/**
 * An experiment: what a zstd dictionary would bring. It is made of the first half of the records and measured on the
 * batches of the second half, so that nothing is compressed with what it was learnt from.
 *
 * It stays an experiment: Kafka's protocol has no way to hand a dictionary to a consumer, so a topic written with one is
 * readable only to those who were given it otherwise. No batch made here ever reaches a broker.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { RecordInput } from '../../records/batch.ts'
import { median } from '../broker/statistics.ts'
import { cutBatches, sectionOf } from './cutting.ts'
import { stateless, type Transform } from './engines/index.ts'
import { loadZstdLibrary, SystemZstd, trainDictionary } from './engines/zstd.ts'

export interface DictionaryOptions {
  readonly level: number
  readonly batchBytes: number
  readonly rounds: number
  readonly nowNs: () => number
  readonly collectGarbage: () => void
  readonly breathe: (done: number, total: number, what: string) => Promise<void>
}

export interface DictionaryRow {
  /** What batches are filled up to; the smallest hold one record. */
  readonly batchBytes: number
  readonly dictionary: 'none' | 'raw' | 'trained'
  readonly dictionaryBytes: number
  readonly ratio: number
  readonly compressMbPerSecond: number
  readonly decompressMbPerSecond: number
}

export interface DictionaryExperiment {
  readonly experimental: true
  readonly level: number
  readonly engine: string
  /** How the dictionaries came about. */
  readonly method: string
  readonly rows: readonly DictionaryRow[]
}

/** What `zstd --train` makes by default. */
const DICTIONARY_BYTES_MAX = 112_640
/** A dictionary is worth nothing where it is larger than what it was learnt from; the tool asks for a hundred times as much. */
const TRAINING_FACTOR = 10
/** Batch sizes besides the one asked for: dictionaries help where batches are small. */
const SMALL_BATCH_BYTES = [1, 4096]
const RECORDS_MIN = 100
/** Of each batch size, so that single records do not take for ever. */
const MEASURED_BYTES_MAX = 512 * 1024

/** Null where there are too few records to learn from one part and measure on another. */
export async function measureDictionaries(
  records: readonly RecordInput[],
  options: DictionaryOptions,
): Promise<DictionaryExperiment | null> {
  if (records.length < RECORDS_MIN) return null
  const middle = records.length >> 1
  const samples = records
    .slice(0, middle)
    .flatMap(({ value }) => (value === null || value.length === 0 ? [] : [Buffer.from(value)]))
  const trainingBytes = samples.reduce((sum, sample) => sum + sample.length, 0)
  const maxBytes = Math.min(DICTIONARY_BYTES_MAX, Math.floor(trainingBytes / TRAINING_FACTOR))
  if (maxBytes < 1024) return null
  const library = loadZstdLibrary()
  const open = (dictionary: Buffer | null): Transform =>
    typeof library === 'string'
      ? runtimeTransform(options.level, dictionary)
      : new SystemZstd(library, options.level, dictionary)
  const trained = typeof library === 'string' ? null : trainDictionary(library, samples, maxBytes)
  const dictionaries: { dictionary: DictionaryRow['dictionary']; content: Buffer | null }[] = [
    { dictionary: 'none', content: null },
    { dictionary: 'raw', content: rawDictionary(samples, maxBytes) },
    ...(trained === null ? [] : [{ dictionary: 'trained' as const, content: trained }]),
  ]
  const sizes = [...SMALL_BATCH_BYTES.filter((bytes) => bytes < options.batchBytes), options.batchBytes]
  const rows: DictionaryRow[] = []
  for (const batchBytes of sizes) {
    const sections = firstSections(records.slice(middle), batchBytes)
    const transforms = dictionaries.map(({ content }) => open(content))
    try {
      await options.breathe(
        rows.length,
        sizes.length * dictionaries.length,
        `dictionaries, batches of ${batchBytes} bytes`,
      )
      const figures = time(transforms, sections, options)
      dictionaries.forEach(({ dictionary, content }, index) => {
        rows.push({ batchBytes, dictionary, dictionaryBytes: content?.length ?? 0, ...figures[index]! })
      })
    } finally {
      for (const transform of transforms) transform.close()
    }
  }
  const { engine, method } = describe(library, trained)
  return { experimental: true, level: options.level, engine, method, rows }
}

function describe(library: unknown, trained: Buffer | null): { engine: string; method: string } {
  const raw = "'raw' is made of records from all over the first half of the data, as they are"
  if (typeof library === 'string') {
    const cost = 'its speed suffers because the runtime digests the dictionary anew for every batch'
    return { engine: 'zstd/node', method: `${raw}; nothing trained, since ${library}; ${cost}` }
  }
  const learnt =
    trained === null ? 'the trainer found too little to learn from' : "'trained' by ZDICT_trainFromBuffer of libzstd"
  return { engine: 'zstd/system', method: `${raw}; ${learnt}` }
}

function runtimeTransform(level: number, dictionary: Buffer | null): Transform {
  const params = { [constants.ZSTD_c_compressionLevel]: level }
  if (dictionary === null) {
    return stateless({
      compress: (plain) => zstdCompressSync(plain, { params }),
      decompress: (packed) => zstdDecompressSync(packed),
    })
  }
  return stateless({
    compress: (plain) => zstdCompressSync(plain, { params, dictionary }),
    decompress: (packed) => zstdDecompressSync(packed, { dictionary }),
  })
}

/** Records from all over the samples, whole ones, until the dictionary is full. zstd finds matches at its end cheapest. */
export function rawDictionary(samples: readonly Buffer[], maxBytes: number): Buffer {
  const average = samples.reduce((sum, sample) => sum + sample.length, 0) / samples.length
  const step = Math.max(1, Math.floor(samples.length / Math.max(1, maxBytes / average)))
  const parts: Buffer[] = []
  let bytes = 0
  for (let index = samples.length - 1; index >= 0; index -= step) {
    const sample = samples[index]!
    if (bytes + sample.length > maxBytes) break
    parts.unshift(sample)
    bytes += sample.length
  }
  return bytes === 0 ? Buffer.from(samples[0]!.subarray(0, maxBytes)) : Buffer.concat(parts)
}

function firstSections(records: readonly RecordInput[], batchBytes: number): Buffer[] {
  const sections: Buffer[] = []
  let bytes = 0
  for (const batch of cutBatches(records, batchBytes)) {
    const section = sectionOf(batch)
    sections.push(section)
    bytes += section.length
    if (bytes >= MEASURED_BYTES_MAX) break
  }
  return sections
}

type Timed = Pick<DictionaryRow, 'ratio' | 'compressMbPerSecond' | 'decompressMbPerSecond'>

/** All transforms in turn, round by round, after a round that checks and warms up. */
function time(transforms: readonly Transform[], sections: readonly Buffer[], options: DictionaryOptions): Timed[] {
  const { nowNs } = options
  const plainBytes = sections.reduce((sum, section) => sum + section.length, 0)
  const packed = transforms.map((transform) => sections.map((section) => Buffer.from(transform.compress(section))))
  const rates = transforms.map(() => ({ compress: [] as number[], decompress: [] as number[] }))
  for (let round = 0; round <= options.rounds; round++) {
    transforms.forEach((transform, index) => {
      options.collectGarbage()
      const startNs = nowNs()
      for (const section of sections) transform.compress(section)
      const compressedNs = nowNs() - startNs
      options.collectGarbage()
      let decompressedNs = 0
      sections.forEach((section, at) => {
        const beforeNs = nowNs()
        const plain = transform.decompress(packed[index]![at]!, section.length)
        decompressedNs += nowNs() - beforeNs
        if (!plain.equals(section)) throw new Error('a batch compressed with a dictionary came back different')
      })
      if (round === 0) return
      rates[index]!.compress.push((plainBytes / Math.max(1, compressedNs)) * 1000)
      rates[index]!.decompress.push((plainBytes / Math.max(1, decompressedNs)) * 1000)
    })
  }
  return transforms.map((_transform, index) => ({
    ratio: plainBytes / packed[index]!.reduce((sum, each) => sum + each.length, 0),
    compressMbPerSecond: median(rates[index]!.compress),
    decompressMbPerSecond: median(rates[index]!.decompress),
  }))
}
