/** Cutting: what the lab compresses are batches that a broker accepts. */
import { describe, expect, test } from 'bun:test'
import { compressedBatch, cutBatches, reshape, sectionOf } from '../../../src/lab/codecs/cutting.ts'
import { parseDistribution, type SizeDistribution } from '../../../src/lab/codecs/distribution.ts'
import { SAMPLE_START_MS } from '../../../src/lab/codecs/samples/draw.ts'
import { SAMPLE_NAMES, sampleRecords } from '../../../src/lab/codecs/samples/index.ts'
import { codecOf, iterateRecords, type RecordInput } from '../../../src/records/batch.ts'
import { CODEC_NAMES } from '../../../src/records/codecs/index.ts'
import { validateProduced } from '../../../src/records/validate.ts'
import { SeededRandom } from '../../../src/storage/random-seeded.ts'
import { ORDINARY_TOPIC } from '../../records/support.ts'
import { usableEngines } from './support.ts'

const BROKER = { ...ORDINARY_TOPIC, nowMs: SAMPLE_START_MS + 3_600_000 }

function distribution(text: string): SizeDistribution {
  const parsed = parseDistribution(text)
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

function draws(text: string, count = 2_000): number[] {
  const random = new SeededRandom(3)
  const size = distribution(text)
  return Array.from({ length: count }, () => size.draw(random)).toSorted((a, b) => a - b)
}

describe('batches', () => {
  test.each(usableEngines().map((engine) => [`${engine.codec}/${engine.name}`, engine] as const))(
    'a broker accepts those that %s compressed',
    (_id, engine) => {
      const transform = engine.open(engine.defaultLevel)
      for (const name of SAMPLE_NAMES) {
        for (const batch of cutBatches(sampleRecords(name, 1, 40_000), 16_384)) {
          const bytes = compressedBatch(batch, engine.codec, transform.compress(sectionOf(batch)))
          const result = validateProduced([bytes], BROKER)
          if (!result.ok) throw new Error(result.reason)
          expect(CODEC_NAMES[codecOf(result.header)]).toBe(engine.codec === 'none' ? 'uncompressed' : engine.codec)
          expect(result.header.recordCount).toBe(batch.recordCount)
        }
      }
      transform.close()
    },
  )

  test('hold all records in their order, and none is fuller than asked', () => {
    const records = sampleRecords('logs', 1, 100_000)
    const batches = cutBatches(records, 8_192)
    const found = batches.flatMap((batch) => [...iterateRecords(batch.bytes)])
    expect(found.map(({ key, value, timestamp }) => ({ timestamp, key, value }))).toEqual(
      records.map(({ key, value, timestamp }) => ({ timestamp, key, value }) as never),
    )
    expect(Math.max(...batches.map((batch) => sectionOf(batch).length))).toBeLessThanOrEqual(8_192)
    // Full ones, too: all but the last hold at least half.
    const sizes = batches.slice(0, -1).map((batch) => sectionOf(batch).length)
    expect(Math.min(...sizes)).toBeGreaterThan(4_096)
  })

  test('a record larger than a batch stands alone', () => {
    const record = (bytes: number): RecordInput => ({ timestamp: 1, key: null, value: Buffer.alloc(bytes) })
    const batches = cutBatches([record(10), record(5_000), record(10), record(10)], 1_000)
    expect(batches.map(({ recordCount }) => recordCount)).toEqual([1, 1, 2])
  })

  test('headers and missing keys and values stay', () => {
    const headers = [{ key: 'trace', value: Buffer.from('abc') }]
    const [batch] = cutBatches([{ timestamp: 5, key: null, value: null, headers }], 1_000)
    expect([...iterateRecords(batch!.bytes)]).toEqual([{ offset: 0, timestamp: 5, key: null, value: null, headers }])
  })
})

describe('sizes of the user’s choice', () => {
  const records = sampleRecords('json', 1, 50_000)

  test('values are cut anew from the same bytes', () => {
    const reshaped = reshape(records, { keySize: null, valueSize: distribution('100'), seed: 1 })
    const bytesOf = (some: readonly RecordInput[]) => Buffer.concat(some.map(({ value }) => Buffer.from(value!)))
    expect(bytesOf(reshaped).equals(bytesOf(records))).toBe(true)
    expect(new Set(reshaped.slice(0, -1).map(({ value }) => value!.length))).toEqual(new Set([100]))
  })

  test('keys are made up, have the size, and come again', () => {
    const reshaped = reshape(records, { keySize: distribution('20'), valueSize: distribution('10'), seed: 1 })
    const keys = reshaped.map(({ key }) => Buffer.from(key!).toString())
    expect(new Set(keys.map((key) => key.length))).toEqual(new Set([20]))
    expect(new Set(keys).size).toBeGreaterThan(1_000)
    expect(new Set(keys).size).toBeLessThan(keys.length)
  })

  test('the same seed draws the same', () => {
    const wish = { keySize: distribution('5..9'), valueSize: distribution('normal:300:50'), seed: 9 }
    expect(reshape(records, wish)).toEqual(reshape(records, wish))
    expect(reshape(records, wish)).not.toEqual(reshape(records, { ...wish, seed: 10 }))
  })
})

describe('distributions', () => {
  test('fixed, even, normal and lognormal', () => {
    expect(new Set(draws('64'))).toEqual(new Set([64]))
    const even = draws('10..20')
    expect([even[0], even.at(-1)]).toEqual([10, 20])
    expect(draws('normal:500:50')[1_000]!).toBeWithin(490, 510)
    const skewed = draws('lognormal:400:2')
    expect(skewed[1_000]!).toBeWithin(380, 420)
    // One in six is larger than twice the median.
    expect(skewed.filter((size) => size > 800).length / skewed.length).toBeWithin(0.13, 0.19)
  })

  test('no size is negative', () => {
    expect(draws('normal:10:50')[0]).toBe(0)
  })

  test.each(['', 'abc', '20..10', '-5', 'normal:5', 'lognormal:5:0.5', '2000000'])("'%s' is refused", (text) => {
    expect(parseDistribution(text)).toBeString()
  })
})
