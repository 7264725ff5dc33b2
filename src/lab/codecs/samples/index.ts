/**
 * Synthetic records, for who has no data at hand: each kind looks like what people keep in topics of that kind, with the
 * repetition such data has (few hosts, skewed customers, slowly moving values), because that is what codecs live on.
 *
 * What must hold: the same seed gives the same bytes, on every machine. Nothing here reads a clock.
 */
import type { RecordInput } from '../../../records/batch.ts'
import { SeededRandom } from '../../../storage/random-seeded.ts'
import { avroRecords } from './avro.ts'
import { jsonRecords } from './json.ts'
import { logRecords } from './logs.ts'
import { metricRecords } from './metrics.ts'
import { randomRecords } from './noise.ts'

interface Sample {
  readonly summary: string
  readonly records: (random: SeededRandom) => Generator<RecordInput>
}

export const SAMPLE_NAMES = ['json', 'logs', 'avro', 'metrics', 'random'] as const
export type SampleName = (typeof SAMPLE_NAMES)[number]

export const SAMPLES: Readonly<Record<SampleName, Sample>> = {
  json: { summary: 'order events as JSON with nested items, keyed by customer', records: jsonRecords },
  logs: { summary: 'access and application log lines, keyed by host', records: logRecords },
  avro: { summary: 'Avro binary payments behind a schema id, keyed by account', records: avroRecords },
  metrics: { summary: 'measurements in line protocol, keyed by series', records: metricRecords },
  random: { summary: 'random bytes: what is encrypted or compressed already', records: randomRecords },
}

/** Records of one kind until their keys and values come to `bytes`. */
export function sampleRecords(name: SampleName, seed: number, bytes: number): RecordInput[] {
  const records: RecordInput[] = []
  let total = 0
  for (const record of SAMPLES[name].records(new SeededRandom(seed))) {
    records.push(record)
    total += (record.key?.length ?? 0) + (record.value?.length ?? 0)
    if (total >= bytes) break
  }
  return records
}
