/** Measuring: with engines and a clock that do what they are told. */
import { describe, expect, test } from 'bun:test'
import type { CutBatch } from '../../../src/lab/codecs/cutting.ts'
import { measureDictionaries, rawDictionary } from '../../../src/lab/codecs/dictionary.ts'
import type { Candidate } from '../../../src/lab/codecs/engines/index.ts'
import { loadZstdLibrary } from '../../../src/lab/codecs/engines/zstd.ts'
import { type Figures, type MeasureOptions, measure, percentile } from '../../../src/lab/codecs/measure.ts'
import { sampleRecords } from '../../../src/lab/codecs/samples/index.ts'
import { BATCH_HEADER_BYTES } from '../../../src/records/batch.ts'
import { fakeEngine } from './support.ts'

const SECTION_BYTES = 1_000

/** Batches of 1,000 bytes behind their header, all of them different. */
function batches(count: number): CutBatch[] {
  return Array.from({ length: count }, (_, index) => {
    return { bytes: Buffer.alloc(BATCH_HEADER_BYTES + SECTION_BYTES, index), recordCount: 1 }
  })
}

/** Time passes only inside of the calls. */
class Clock {
  now = 0

  engine(name: string, compressNs: (call: number) => number, decompressNs: (call: number) => number): Candidate {
    let [compressed, decompressed] = [0, 0]
    const engine = fakeEngine(name, {
      compress: (plain) => {
        this.now += compressNs(compressed++)
        return Buffer.from(plain.subarray(0, plain.length / 2))
      },
      decompress: (packed) => {
        this.now += decompressNs(decompressed++)
        return Buffer.concat([packed, packed])
      },
    })
    return { engine, level: null }
  }

  options(over: Partial<MeasureOptions> = {}): MeasureOptions {
    return {
      rounds: 3,
      passMs: 0.1,
      nowNs: () => this.now,
      collectGarbage: () => {
        this.now += 7_777
      },
      breathe: async () => undefined,
      ...over,
    }
  }
}

function figures(outcome: Figures | { failed: string }): Figures {
  if ('failed' in outcome) throw new Error(outcome.failed)
  return outcome
}

describe('measure', () => {
  test('rates, latencies and sizes come from the calls alone', async () => {
    const clock = new Clock()
    const candidate = clock.engine(
      'steady',
      () => 10_000,
      () => 4_000,
    )
    const [measured] = await measure([candidate], batches(10), clock.options())
    const { plainBytes, packedBytes, compress, decompress } = figures(measured!.outcome)
    expect([plainBytes, packedBytes]).toEqual([10_000, 5_000])
    // 1,000 bytes in 10 microseconds, with the collections of garbage off the clock.
    expect(compress).toEqual({ mbPerSecond: { median: 100, low: 100, high: 100 }, batchUsP50: 10, batchUsP99: 10 })
    expect(decompress.mbPerSecond.median).toBe(250)
  })

  test('a slow round moves the spread, not the median', async () => {
    const clock = new Clock()
    // 10 calls of the check, 10 in the first round, 4 in the second, which is slow.
    const candidate = clock.engine(
      'uneven',
      (call) => (call >= 20 && call < 24 ? 40_000 : 10_000),
      () => 4_000,
    )
    const [measured] = await measure([candidate], batches(10), clock.options())
    const { mbPerSecond } = figures(measured!.outcome).compress
    expect(mbPerSecond).toEqual({ median: 100, low: 25, high: 100 })
  })

  test('candidates take turns, and the order moves on', async () => {
    const clock = new Clock()
    const seen: string[] = []
    const candidates = ['a', 'b', 'c'].map((name) =>
      clock.engine(
        name,
        () => 50_000,
        () => 50_000,
      ),
    )
    const breathe = async (_done: number, _total: number, what: string): Promise<void> => {
      if (what.startsWith('round')) seen.push(what.at(-1)!)
    }
    await measure(candidates, batches(4), clock.options({ breathe }))
    expect(seen.join('')).toBe('abcbcacab')
  })

  test('an engine that gives something else back has no figures', async () => {
    const clock = new Clock()
    const wrong = fakeEngine('wrong', { decompress: (packed) => Buffer.alloc(packed.length, 1) })
    const throwing = fakeEngine('throwing', {
      compress: () => {
        throw new Error('out of memory')
      },
    })
    const right = clock.engine(
      'right',
      () => 1_000,
      () => 1_000,
    )
    const candidates = [{ engine: wrong, level: null }, right, { engine: throwing, level: null }]
    const measured = await measure(candidates, batches(3), clock.options())
    expect(measured[0]!.outcome).toEqual({ failed: 'batch 0 came back different' })
    expect(measured[1]!.outcome).toHaveProperty('compress')
    expect(measured[2]!.outcome).toEqual({ failed: 'batch 0: out of memory' })
  })

  test('engines are closed, also when the measurement is interrupted', async () => {
    const closed: string[] = []
    const engine = fakeEngine('closing', { close: () => closed.push('closed') })
    const breathe = async (): Promise<void> => {
      throw new Error('interrupted')
    }
    const measuring = measure([{ engine, level: null }], batches(3), new Clock().options({ breathe }))
    expect(measuring).rejects.toThrow('interrupted')
    await measuring.catch(() => undefined)
    expect(closed).toEqual(['closed'])
  })
})

describe('dictionaries', () => {
  const options = {
    level: 3,
    batchBytes: 16_384,
    rounds: 1,
    nowNs: () => Bun.nanoseconds(),
    collectGarbage: () => undefined,
    breathe: async () => undefined,
  }

  test.each([
    ['of the system library, if there is one, with its trainer', undefined],
    ['of the runtime alone, raw content', '1'],
  ])('%s', async (_name, withoutFfi) => {
    if (withoutFfi !== undefined) process.env.SAMSA_NO_FFI = withoutFfi
    try {
      const experiment = (await measureDictionaries(sampleRecords('json', 1, 400_000), options))!
      const engine = withoutFfi === undefined && typeof loadZstdLibrary() !== 'string' ? 'zstd/system' : 'zstd/node'
      const kinds = new Set(experiment.rows.map(({ dictionary }) => dictionary))
      expect([experiment.engine, kinds.has('trained')]).toEqual([engine, engine === 'zstd/system'])
      expect(experiment.experimental).toBe(true)
      // A single record gains most: the dictionary is all the context it has.
      const ratioOf = (dictionary: string): number =>
        experiment.rows.find((row) => row.batchBytes === 1 && row.dictionary === dictionary)!.ratio
      expect(ratioOf('raw')).toBeGreaterThan(ratioOf('none') * 1.5)
    } finally {
      delete process.env.SAMSA_NO_FFI
    }
  })

  test('too few records are nothing to learn from', async () => {
    expect(await measureDictionaries(sampleRecords('json', 1, 20_000), options)).toBeNull()
  })

  test('raw content is whole records from all over, within the size', () => {
    const samples = Array.from({ length: 100 }, (_, index) => Buffer.from(`record-${String(index).padStart(3, '0')};`))
    const names = rawDictionary(samples, 120).toString().split(';').slice(0, -1)
    expect(names.length).toBeWithin(8, 11)
    expect(names.at(-1)).toBe('record-099')
    expect(names[0]! < 'record-030').toBe(true)
  })
})

test('percentiles are values that were measured', () => {
  expect(percentile([5, 1, 4, 2, 3], 0.5)).toBe(3)
  expect(
    percentile(
      Array.from({ length: 100 }, (_, index) => index + 1),
      0.99,
    ),
  ).toBe(99)
  expect(percentile([], 0.5)).toBeNaN()
})
