/** Random bytes: no codec gains anything here, so its cost stands alone. */
import type { RecordInput } from '../../../records/batch.ts'
import type { SeededRandom } from '../../../storage/random-seeded.ts'
import { between, SAMPLE_START_MS } from './draw.ts'

const KEY_BYTES = 16
const VALUE_BYTES_MIN = 200
const VALUE_BYTES_MAX = 1_000

export function* randomRecords(random: SeededRandom): Generator<RecordInput> {
  for (let timestamp = SAMPLE_START_MS; ; timestamp++) {
    const value = randomBytes(random, between(random, VALUE_BYTES_MIN, VALUE_BYTES_MAX))
    yield { timestamp, key: randomBytes(random, KEY_BYTES), value }
  }
}

function randomBytes(random: SeededRandom, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let index = 0; index < length; index++) bytes[index] = random.below(256)
  return bytes
}
