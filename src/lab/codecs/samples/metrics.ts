/** Measurements in line protocol: the same series again and again, values that move slowly. */
import type { RecordInput } from '../../../records/batch.ts'
import type { SeededRandom } from '../../../storage/random-seeded.ts'
import { bell, SAMPLE_START_MS } from './draw.ts'

const HOSTS = 40
const REGIONS = ['eu-central-1', 'eu-west-1', 'us-east-1']
const MEASUREMENTS: readonly (readonly [string, readonly string[]])[] = [
  ['cpu', ['usage_user', 'usage_system', 'usage_iowait', 'usage_idle']],
  ['mem', ['used_percent', 'available_percent', 'cached_percent']],
  ['disk', ['used_percent', 'inodes_used_percent']],
  ['net', ['in_mbit', 'out_mbit', 'drop_percent']],
]
const INTERVAL_MS = 10_000

export function* metricRecords(random: SeededRandom): Generator<RecordInput> {
  const values = new Map<string, number>()
  for (let tick = 0; ; tick++) {
    for (let host = 0; host < HOSTS; host++) {
      const timestamp = SAMPLE_START_MS + tick * INTERVAL_MS + host * 7
      for (const [measurement, fields] of MEASUREMENTS) {
        const series = `${measurement},host=node-${String(host).padStart(3, '0')},region=${REGIONS[host % REGIONS.length]}`
        const readings = fields.map((field) => `${field}=${walk(random, values, `${series}/${field}`)}`)
        const line = `${series} ${readings.join(',')} ${timestamp}000000`
        yield { timestamp, key: Buffer.from(series), value: Buffer.from(line) }
      }
    }
  }
}

/** A random walk between 0 and 100. */
function walk(random: SeededRandom, values: Map<string, number>, name: string): string {
  const before = values.get(name) ?? random.next() * 100
  const next = Math.min(100, Math.max(0, before + bell(random) / 2))
  values.set(name, next)
  return next.toFixed(2)
}
