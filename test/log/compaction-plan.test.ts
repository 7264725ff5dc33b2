import { describe, expect, test } from 'bun:test'
import {
  type CompactionInput,
  groupSegments,
  isCompactionDue,
  planCompaction,
  type SegmentView,
} from '../../src/log/compaction-plan.ts'

const NEVER = Number.MAX_SAFE_INTEGER
const NOW = 1_000_000

/** Segments of 100 offsets and 100 bytes each, one second apart; the last one is written to. */
function plan(changes: Partial<CompactionInput> = {}, count = 5) {
  const segments = Array.from(
    { length: count },
    (_unused, index): SegmentView => ({
      baseOffset: index * 100,
      sizeBytes: 100,
      firstTimestamp: () => NOW - (count - index) * 1000,
      largestTimestamp: () => NOW - (count - index) * 1000 + 999,
    }),
  )
  return planCompaction({
    segments,
    logStartOffset: 0,
    logEndOffset: count * 100,
    stableOffset: count * 100,
    cleanedUpTo: -1,
    config: { minCompactionLagMs: 0, maxCompactionLagMs: NEVER, minCleanableDirtyRatio: 0.5 },
    nowMs: NOW,
    ...changes,
  })
}

describe('what can be cleaned', () => {
  test('everything but the segment that is written to', () => {
    expect(plan()).toMatchObject({
      firstDirtyOffset: 0,
      firstUncleanableOffset: 400,
      cleanBytes: 0,
      cleanableBytes: 400,
    })
  })

  test('only what was not cleaned before is dirty; a segment around that point counts on both sides', () => {
    expect(plan({ cleanedUpTo: 200 })).toMatchObject({ cleanBytes: 200, cleanableBytes: 200, dirtyRatio: 0.5 })
    expect(plan({ cleanedUpTo: 250 })).toMatchObject({ cleanBytes: 300, cleanableBytes: 200, dirtyRatio: 0.4 })
  })

  test.each([
    [0, 0],
    [99, 0],
    [100, 100],
    [250, 200],
    [499, 400],
  ])('stable up to %i: whole segments below it, up to %i', (stableOffset, firstUncleanableOffset) => {
    expect(plan({ stableOffset })).toMatchObject({ firstUncleanableOffset })
  })

  test('not what is younger than min.compaction.lag.ms', () => {
    const config = { minCompactionLagMs: 2500, maxCompactionLagMs: NEVER, minCleanableDirtyRatio: 0.5 }
    expect(plan({ config })).toMatchObject({ firstUncleanableOffset: 200 })
  })

  test.each([
    [50, 100],
    [600, 0],
  ])(
    'an earlier end at %i that is not in the log, which starts at %i, counts for nothing',
    (cleanedUpTo, logStartOffset) => {
      expect(plan({ cleanedUpTo, logStartOffset })).toMatchObject({ restarted: true, firstDirtyOffset: logStartOffset })
    },
  )
})

describe('when it is due', () => {
  const config = { minCompactionLagMs: 0, maxCompactionLagMs: NEVER, minCleanableDirtyRatio: 0.5 }

  test('when the dirty share is above the ratio', () => {
    expect(isCompactionDue(plan({ cleanedUpTo: 100 }), config)).toBe(true)
    expect(isCompactionDue(plan({ cleanedUpTo: 200 }), config)).toBe(false)
  })

  test('or something has waited for longer than max.compaction.lag.ms', () => {
    const lagging = { ...config, maxCompactionLagMs: 2999 }
    expect(isCompactionDue(plan({ cleanedUpTo: 200, config: lagging }), lagging)).toBe(true)
    expect(isCompactionDue(plan({ cleanedUpTo: 300, config: lagging }), lagging)).toBe(false)
  })

  test('never while there is nothing to clean', () => {
    expect(isCompactionDue(plan({ cleanedUpTo: 400 }), { minCleanableDirtyRatio: 0 })).toBe(false)
    expect(isCompactionDue(plan({}, 1), { minCleanableDirtyRatio: 0 })).toBe(false)
  })
})

describe('which segments become one', () => {
  const segment = (baseOffset: number, sizeBytes: number, offsetIndexBytes = 1, timeIndexBytes = 1) => ({
    baseOffset,
    sizeBytes,
    offsetIndexBytes,
    timeIndexBytes,
  })
  const bases = (segments: ReturnType<typeof segment>[], endOffset: number) =>
    groupSegments(segments, endOffset, { segmentBytes: 100, segmentIndexBytes: 10 }).map((group) =>
      group.map(({ baseOffset }) => baseOffset),
    )

  test('as many as fit by size', () => {
    expect(bases([segment(0, 40), segment(10, 60), segment(20, 1), segment(30, 200), segment(40, 1)], 50)).toEqual([
      [0, 10],
      [20],
      [30],
      [40],
    ])
  })

  test('and by the size of both indexes', () => {
    expect(bases([segment(0, 1, 6), segment(10, 1, 6), segment(20, 1, 1, 9), segment(30, 1, 1, 9)], 40)).toEqual([
      [0],
      [10, 20],
      [30],
    ])
  })

  test('and by their offsets, except that an empty one always fits', () => {
    const far = 2 ** 31
    expect(bases([segment(0, 1), segment(10, 1)], far)).toEqual([[0, 10]])
    expect(bases([segment(0, 1), segment(10, 1)], far + 1)).toEqual([[0], [10]])
    expect(bases([segment(0, 1), segment(10, 0)], far + 1)).toEqual([[0, 10]])
  })
})
