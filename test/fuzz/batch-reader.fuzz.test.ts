/**
 * Broken batches, as a hostile or buggy peer may send them: whatever is changed, validation and the readers either
 * refuse the batch or read it cleanly, and use no memory beyond their limit. More rounds: SAMSA_FUZZ_ROUNDS=100000.
 */
import { expect, test } from 'bun:test'
import { buildBatch, iterateRecords, RecordError, readBatchHeader, sealBatch } from '../../src/records/batch.ts'
import { CODEC_NAMES, codecId } from '../../src/records/codecs/index.ts'
import { validateProduced } from '../../src/records/validate.ts'
import { cut, ORDINARY_TOPIC, randomRecords } from '../records/support.ts'
import { fuzzRounds, Random } from '../support/random.ts'

const MAX_DECOMPRESSED_BYTES = 1024 * 1024
const INTERESTING = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff]

/** Change, cut out, double or add a few bytes. */
function mutate(random: Random, batch: Buffer): Buffer {
  let bytes = Buffer.from(batch)
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    // Headers and record beginnings are where the meaning is: half of the changes go there.
    const position = random.below(random.chance(0.5) ? Math.min(bytes.length, 90) : bytes.length)
    const length = 1 + random.below(8)
    switch (random.below(5)) {
      case 0:
        bytes[position]! ^= 1 << random.below(8)
        break
      case 1:
        bytes[position] = random.pick(INTERESTING)
        break
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, position), bytes.subarray(position + length)])
        break
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, position + length), bytes.subarray(position)])
        break
      default:
        bytes = Buffer.concat([bytes.subarray(0, position), random.bytes(length), bytes.subarray(position)])
    }
    if (bytes.length === 0) return bytes
  }
  return bytes
}

/** Make length and checksum right again, so that the change gets past them. */
function mend(bytes: Buffer): void {
  if (bytes.length < 61) return
  bytes.writeInt32BE(bytes.length - 12, 8)
  sealBatch([bytes])
}

function readAll(bytes: Buffer): number | 'refused' {
  try {
    return [...iterateRecords(bytes, { maxDecompressedBytes: MAX_DECOMPRESSED_BYTES })].length
  } catch (error) {
    if (error instanceof RecordError) return 'refused'
    throw error
  }
}

test.each(CODEC_NAMES)(
  'mutated %s batches are refused or read cleanly',
  (codec) => {
    const rounds = fuzzRounds(4000)
    const before = process.memoryUsage.rss()
    let passed = 0
    for (let seed = 1; seed <= rounds; seed++) {
      const random = new Random(seed * 8 + codecId(codec))
      const bytes = mutate(
        random,
        buildBatch({ codec: codecId(codec), records: randomRecords(random, 1 + random.below(6)) }),
      )
      if (random.chance(0.9)) mend(bytes)
      const context = `seed ${seed}: ${bytes.toString('hex')}`
      const alone = readAll(Buffer.from(bytes))
      const result = validateProduced(cut(random, Buffer.from(bytes), 1 + random.below(4)), {
        ...ORDINARY_TOPIC,
        compacted: random.chance(0.2),
        timestampType: random.pick(['CreateTime', 'LogAppendTime']),
        compressionType: random.pick(['producer', ...CODEC_NAMES]),
        maxDecompressedBytes: MAX_DECOMPRESSED_BYTES,
      })
      if (!result.ok) continue
      passed++
      const stored = Buffer.concat(result.chunks)
      const header = readBatchHeader(stored, 0)
      expect(header, context).toEqual(result.header)
      expect(readAll(stored), context).toBe(header.recordCount)
      expect(alone, context).toBe(header.recordCount)
    }
    // The target is worth something only if a share of the mutants gets through.
    expect(passed).toBeGreaterThan(rounds / 100)
    expect(process.memoryUsage.rss() - before).toBeLessThan(256 * 1024 * 1024)
  },
  120_000,
)

test('random bytes behind a header that promises each codec', () => {
  for (let seed = 1; seed <= fuzzRounds(4000); seed++) {
    const random = new Random(seed)
    const batch = buildBatch({ records: randomRecords(random, 1) })
    const bytes = Buffer.concat([batch.subarray(0, 61), random.bytes(random.below(200))])
    bytes[22] = random.below(8)
    mend(bytes)
    const result = validateProduced([Buffer.from(bytes)], {
      ...ORDINARY_TOPIC,
      maxDecompressedBytes: MAX_DECOMPRESSED_BYTES,
    })
    if (result.ok) expect(readAll(bytes)).toBe(1)
  }
})
