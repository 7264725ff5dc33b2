import { describe, expect, test } from 'bun:test'
import { type OffsetPoint, type OffsetSpec, parseOffsetSpec, resolvePoint } from '../../src/cli/offset-spec.ts'

const NOW_MS = 10_000_000

describe('what people write', () => {
  const cases: [string, OffsetSpec][] = [
    ['beginning', { from: { kind: 'beginning' } }],
    ['earliest', { from: { kind: 'beginning' } }],
    ['end', { from: { kind: 'end' } }],
    ['stored', { from: { kind: 'stored' } }],
    ['0', { from: { kind: 'offset', offset: 0 } }],
    ['1234', { from: { kind: 'offset', offset: 1234 } }],
    ['-5', { from: { kind: 'last', count: 5 } }],
    ['+5', { from: { kind: 'after', count: 5 } }],
    ['-0', { from: { kind: 'end' } }],
    ['@1700000000000', { from: { kind: 'time', timeMs: 1_700_000_000_000 } }],
    ['@-1h', { from: { kind: 'time', timeMs: NOW_MS - 3_600_000 } }],
    ['@-90s:@-1s', { from: { kind: 'time', timeMs: NOW_MS - 90_000 }, until: { kind: 'time', timeMs: NOW_MS - 1000 } }],
    ['s@5', { from: { kind: 'time', timeMs: 5 } }],
    ['e@9', { until: { kind: 'time', timeMs: 9 } }],
    ['@5:@9', { from: { kind: 'time', timeMs: 5 }, until: { kind: 'time', timeMs: 9 } }],
    [
      '@1970-01-01T00:00:01Z:@1970-01-01T00:00:02Z',
      { from: { kind: 'time', timeMs: 1000 }, until: { kind: 'time', timeMs: 2000 } },
    ],
    ['@1970-01-01T00:00:01Z:end', { from: { kind: 'time', timeMs: 1000 }, until: { kind: 'end' } }],
    ['100:200', { from: { kind: 'offset', offset: 100 }, until: { kind: 'offset', offset: 200 } }],
    [':end', { from: { kind: 'beginning' }, until: { kind: 'end' } }],
    ['-10:-5', { from: { kind: 'last', count: 10 }, until: { kind: 'last', count: 5 } }],
  ]
  test.each(cases)('%s', (text, spec) => {
    expect(parseOffsetSpec(text, NOW_MS)).toEqual(spec)
  })

  test.each(['middle', '@yesterday', '@-5x', '1.5', '99999999999999999999', '', '5:', 'e@', 'x:y'])(
    '%p is refused with a reason',
    (text) => {
      expect(parseOffsetSpec(text, NOW_MS)).toBeString()
    },
  )
})

describe('offsets per partition', () => {
  // Partition 0 holds 10..19, partition 1 is empty at 5. Times: offset 15 is the first one at or after 100.
  async function lookUp(timestamp: number): Promise<Map<number, number>> {
    const perPartition = { [-2]: [10, 5], [-1]: [20, 5], 100: [15, -1], 200: [-1, -1] }[timestamp] ?? []
    return new Map(perPartition.map((offset, partition) => [partition, offset]))
  }

  async function resolve(point: OffsetPoint): Promise<number[]> {
    return [...(await resolvePoint(point, lookUp)).values()]
  }

  test('beginning and end', async () => {
    expect(await resolve({ kind: 'beginning' })).toEqual([10, 5])
    expect(await resolve({ kind: 'end' })).toEqual([20, 5])
  })

  test('the last N and N after the beginning, but no more than there are', async () => {
    expect(await resolve({ kind: 'last', count: 3 })).toEqual([17, 5])
    expect(await resolve({ kind: 'last', count: 99 })).toEqual([10, 5])
    expect(await resolve({ kind: 'after', count: 3 })).toEqual([13, 5])
    expect(await resolve({ kind: 'after', count: 99 })).toEqual([20, 5])
  })

  test('a time that no record is as young as means the end', async () => {
    expect(await resolve({ kind: 'time', timeMs: 100 })).toEqual([15, 5])
    expect(await resolve({ kind: 'time', timeMs: 200 })).toEqual([20, 5])
  })
})
