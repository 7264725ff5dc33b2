/**
 * Avro binary records as serializers with a schema registry write them: a zero byte, the schema id, then the fields
 * without names. Little text, many varints: the hardest of the structured kinds.
 *
 * Schema: Payment { id fixed(16), account long, amount long (cents), currency string, merchant string, category enum,
 * at long (timestamp-millis), location { latitude double, longitude double }, note union(null, string), tags array<string> }
 */
import type { RecordInput } from '../../../records/batch.ts'
import { writeVarlong } from '../../../records/varint.ts'
import type { SeededRandom } from '../../../storage/random-seeded.ts'
import { bell, pick, SAMPLE_START_MS, skewed } from './draw.ts'

const SCHEMA_ID = 1037
const ACCOUNTS = 200_000
const MERCHANTS = 3_000
const CURRENCIES = ['EUR', 'EUR', 'EUR', 'CHF', 'GBP', 'USD']
const MERCHANT_WORDS = ['Bakery', 'Market', 'Station', 'Books', 'Pharmacy', 'Cinema', 'Cafe', 'Garage', 'Hotel', 'Rail']
const NOTES = ['monthly subscription', 'refund pending', 'contactless', 'recurring', 'split bill']
const TAGS = ['online', 'contactless', 'foreign', 'weekend', 'first-use']
const CATEGORIES = 14
/** No record of this schema is longer. */
const RECORD_BYTES_MAX = 512

export function* avroRecords(random: SeededRandom): Generator<RecordInput> {
  const scratch = Buffer.alloc(RECORD_BYTES_MAX)
  let timestamp = SAMPLE_START_MS
  for (;;) {
    timestamp += random.below(8)
    const account = skewed(random, ACCOUNTS)
    const length = payment(random, scratch, account, timestamp)
    const key = Buffer.alloc(8)
    key.writeUInt32BE(account, 4)
    yield { timestamp, key, value: Buffer.from(scratch.subarray(0, length)) }
  }
}

function payment(random: SeededRandom, target: Buffer, account: number, timestamp: number): number {
  target[0] = 0
  target.writeInt32BE(SCHEMA_ID, 1)
  let at = 5
  for (let index = 0; index < 16; index++) target[at++] = random.below(256)
  const merchant = skewed(random, MERCHANTS)
  at = writeVarlong(target, at, account)
  at = writeVarlong(target, at, 100 + skewed(random, 25_000))
  at = writeString(target, at, pick(random, CURRENCIES))
  at = writeString(target, at, `${MERCHANT_WORDS[merchant % MERCHANT_WORDS.length]} ${merchant}`)
  at = writeVarlong(target, at, merchant % CATEGORIES)
  at = writeVarlong(target, at, timestamp)
  // A merchant stays where it is; receivers scatter a little.
  at = target.writeDoubleLE(round5(47 + (merchant % 60) / 10 + bell(random) / 1000), at)
  at = target.writeDoubleLE(round5(7 + (merchant % 70) / 10 + bell(random) / 1000), at)
  const note = random.next() < 0.2 ? pick(random, NOTES) : null
  at = writeVarlong(target, at, note === null ? 0 : 1)
  if (note !== null) at = writeString(target, at, note)
  const tags = random.below(3)
  if (tags > 0) at = writeVarlong(target, at, tags)
  for (let index = 0; index < tags; index++) at = writeString(target, at, pick(random, TAGS))
  return writeVarlong(target, at, 0)
}

/** Avro's zigzag long is the varlong of record batches. */
function writeString(target: Buffer, at: number, text: string): number {
  const start = writeVarlong(target, at, Buffer.byteLength(text))
  return start + target.write(text, start)
}

function round5(degrees: number): number {
  return Math.round(degrees * 100_000) / 100_000
}
