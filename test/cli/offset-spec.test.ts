import { describe, expect, test } from 'bun:test'
import { type OffsetSpec, parseOffsetSpec, resolveOffsets } from '../../src/cli/offset-spec.ts'

describe('what people write', () => {
  const cases: [string, OffsetSpec][] = [
    ['beginning', { kind: 'beginning' }],
    ['earliest', { kind: 'beginning' }],
    ['end', { kind: 'end' }],
    ['0', { kind: 'offset', offset: 0 }],
    ['1234', { kind: 'offset', offset: 1234 }],
    ['-5', { kind: 'last', count: 5 }],
    ['-0', { kind: 'end' }],
    ['@1700000000000', { kind: 'time', fromMs: 1_700_000_000_000, untilMs: null }],
    ['s@5', { kind: 'time', fromMs: 5, untilMs: null }],
    ['@5:@9', { kind: 'time', fromMs: 5, untilMs: 9 }],
    ['@1970-01-01T00:00:01Z:@1970-01-01T00:00:02Z', { kind: 'time', fromMs: 1000, untilMs: 2000 }],
  ]
  test.each(cases)('%s', (text, spec) => {
    expect(parseOffsetSpec(text)).toEqual(spec)
  })

  test.each(['middle', '@yesterday', '1.5', '99999999999999999999', ''])('%p is refused with a reason', (text) => {
    expect(parseOffsetSpec(text)).toBeString()
  })
})

describe('offsets per partition', () => {
  // Partition 0 holds 10..19, partition 1 is empty at 5. Times: offset 15 is the first one at or after 100.
  async function lookUp(timestamp: number): Promise<Map<number, number>> {
    const perPartition = { [-2]: [10, 5], [-1]: [20, 5], 100: [15, -1], 200: [-1, -1] }[timestamp] ?? []
    return new Map(perPartition.map((offset, partition) => [partition, offset]))
  }

  async function resolve(spec: OffsetSpec, stopAtEnd = false): Promise<[number[], number[]]> {
    const { from, until } = await resolveOffsets(spec, { stopAtEnd }, lookUp)
    return [[...from.values()], [...until.values()]]
  }

  test('beginning and end', async () => {
    expect(await resolve({ kind: 'beginning' })).toEqual([[10, 5], []])
    expect(await resolve({ kind: 'end' }, true)).toEqual([
      [20, 5],
      [20, 5],
    ])
  })

  test('the last N, but no more than there are', async () => {
    expect((await resolve({ kind: 'last', count: 3 }))[0]).toEqual([17, 5])
    expect((await resolve({ kind: 'last', count: 99 }))[0]).toEqual([10, 5])
  })

  test('a time that no record is as young as means the end', async () => {
    expect((await resolve({ kind: 'time', fromMs: 100, untilMs: null }))[0]).toEqual([15, 5])
  })

  test('a stretch of time ends by itself', async () => {
    expect(await resolve({ kind: 'time', fromMs: 100, untilMs: 200 })).toEqual([
      [15, 5],
      [20, 5],
    ])
  })
})
