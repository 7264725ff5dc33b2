/** Recommendations, on figures that were made up to stand on either side of a rule. */
import { describe, expect, test } from 'bun:test'
import {
  cpuMsPerMb,
  type Goal,
  type RatedCodec,
  recommend,
  streamMbPerSecond,
  underWayMsPerMb,
} from '../../../src/lab/codecs/recommend.ts'
import { codec } from './support.ts'

const NONE = codec('none', null, 1, 5_000, 5_000)
const LZ4 = codec('lz4', 1, 2.7, 600, 2_500)
const ZSTD_3 = codec('zstd', 3, 4.2, 250, 800)
const ZSTD_19 = codec('zstd', 19, 5.1, 3, 900)
const GZIP_6 = codec('gzip', 6, 4.2, 80, 400)
const ALL = [NONE, LZ4, ZSTD_3, ZSTD_19, GZIP_6]

function choice(goal: Goal, networkMbPerSecond: number, codecs: readonly RatedCodec[] = ALL, minCompress = 20): string {
  return recommend(codecs, { goal, networkMbPerSecond, minCompressMbPerSecond: minCompress })!.choice.id
}

describe('the network decides', () => {
  test.each([
    ['balanced', 5_000, 'none/x'],
    ['balanced', 400, 'lz4/x 1'],
    ['balanced', 40, 'zstd/x 3'],
    ['balanced', 0.1, 'zstd/x 19'],
    ['throughput', 5_000, 'none/x'],
    ['throughput', 300, 'lz4/x 1'],
    ['throughput', 40, 'zstd/x 3'],
    ['throughput', 0.1, 'zstd/x 19'],
  ] as const)('%s with %d MB/s: %s', (goal, network, id) => {
    expect(choice(goal, network)).toBe(id)
  })
})

describe('the goal decides', () => {
  test('size takes the smallest that compresses as fast as it must', () => {
    expect(choice('size', 125, ALL, 2)).toBe('zstd/x 19')
    expect(choice('size', 125, ALL, 20)).toBe('zstd/x 3')
    expect(choice('size', 125, ALL, 300)).toBe('lz4/x 1')
  })

  test('between two of the same size the cheaper one wins', () => {
    expect(choice('size', 125, [NONE, GZIP_6, ZSTD_3])).toBe('zstd/x 3')
    expect(choice('size', 125, [NONE, { ...GZIP_6, ratio: 4.3 }, ZSTD_3])).toBe('gzip/x 6')
  })

  test('nothing that compresses fast enough leaves no recommendation', () => {
    expect(recommend(ALL, { goal: 'size', networkMbPerSecond: 125, minCompressMbPerSecond: 1e6 })).toBeNull()
  })
})

describe('data that is compressed already', () => {
  const codecs = [NONE, { ...LZ4, ratio: 0.999 }, { ...ZSTD_3, ratio: 1 }]

  test.each(['throughput', 'balanced', 'size'] as const)('%s: leave compression off, and say why', (goal) => {
    const recommendation = recommend(codecs, { goal, networkMbPerSecond: 10, minCompressMbPerSecond: 20 })!
    expect(recommendation.choice.id).toBe('none/x')
    expect(recommendation.settings).toEqual(['compression.type=none'])
    expect(recommendation.reason).toContain('no codec makes it smaller (best ratio 1.00)')
  })
})

describe('the reason', () => {
  const reason = (goal: Goal, network: number): string =>
    recommend(ALL, { goal, networkMbPerSecond: network, minCompressMbPerSecond: 20 })!.reason

  test('names costs, savings, effect and the alternative, from the figures', () => {
    expect(reason('balanced', 40)).toBe(
      'For this data, with 40 MB/s of network and the shortest way from producer to consumer as the goal, zstd level 3 (x) ' +
        'costs 4 ms of CPU per MB at the producer and 1.3 ms at the consumer, and saves 76 % of disk and network (ratio 4.20). ' +
        'A MB of records is under way for 17 ms instead of 50 ms uncompressed. ' +
        'zstd level 19 (x) would leave 18 % fewer bytes for 64 times the CPU.',
    )
  })

  test('throughput speaks of rates', () => {
    expect(reason('throughput', 40)).toContain("One producer's core can send 168 MB/s of records instead of 40.")
  })

  test('of the smallest, the alternative is a cheaper one', () => {
    expect(reason('size', 0.1)).toContain('zstd level 19 (x) would leave')
    const slow = recommend(ALL, { goal: 'size', networkMbPerSecond: 125, minCompressMbPerSecond: 1 })!
    expect(slow.reason).toEndWith('lz4 level 1 (x) would take 0.6 % of the CPU and leave 1.9 times the bytes.')
  })

  test('a network faster than any codec is a reason against all of them', () => {
    expect(reason('balanced', 5_000)).toStartWith('For this data with 5000 MB/s of network')
    expect(reason('balanced', 5_000)).toContain('leave compression off: lz4 level 1 (x) would save 63 % of the bytes')
  })
})

describe('settings', () => {
  const settings = (name: string, level: number | null): readonly string[] => {
    const codecs = [NONE, codec(name, level, 9, 1_000, 1_000)]
    return recommend(codecs, { goal: 'size', networkMbPerSecond: 1, minCompressMbPerSecond: 1 })!.settings
  }

  test.each([
    ['zstd', -5, 'compression.zstd.level=-5'],
    ['gzip', 9, 'compression.gzip.level=9'],
    ['lz4', 12, 'compression.lz4.level=12'],
    // Java takes 9 for "the default", which is its fast compressor.
    ['lz4', 9, 'compression.lz4.level=10'],
  ] as const)('%s level %d: %s', (name, level, setting) => {
    expect(settings(name, level)).toEqual([`compression.type=${name}`, setting])
  })

  test.each([
    ['gzip', 12],
    ['lz4', 1],
    ['snappy', null],
  ] as const)('%s level %p has none', (name, level) => {
    expect(settings(name, level)).toEqual([`compression.type=${name}`])
  })
})

test('the model: the slowest stage limits a stream, the sum of the stages is the way', () => {
  expect(streamMbPerSecond(ZSTD_3, 40)).toBe(168)
  expect(streamMbPerSecond(ZSTD_3, 100)).toBe(250)
  expect(cpuMsPerMb(codec('zstd', 3, 2, 100, 200))).toBe(15)
  // Two hops of half a MB each at 50 MB/s.
  expect(underWayMsPerMb(codec('zstd', 3, 2, 100, 200), 50)).toBe(35)
})
