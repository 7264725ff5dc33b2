import { describe, expect, test } from 'bun:test'
import { type RetentionInput, segmentsToDelete } from '../../src/log/retention.ts'

/** Four segments of 100 bytes, 0..9, 10..19, 20..29 and the active one 30..39, with timestamps 1000, 2000, 3000, 4000. */
function input(
  changes: Partial<RetentionInput> & { retentionMs?: number; retentionBytes?: number; remove?: boolean } = {},
): RetentionInput {
  const { retentionMs = -1, retentionBytes = -1, remove = true, ...rest } = changes
  return {
    segments: [0, 1, 2, 3].map((index) => ({
      sizeBytes: 100,
      upperBound: (index + 1) * 10,
      isActive: index === 3,
      largestTimestamp: () => (index + 1) * 1000,
    })),
    logStartOffset: 0,
    highWatermark: 40,
    config: { cleanupPolicy: { compact: false, delete: remove }, retentionBytes, retentionMs },
    nowMs: 4500,
    ...rest,
  }
}

function total(from: RetentionInput): number {
  return segmentsToDelete(from).reduce((sum, decision) => sum + decision.count, 0)
}

describe('log start', () => {
  test.each([
    [0, 0],
    [9, 0],
    [10, 1],
    [29, 2],
    [30, 3],
    [40, 3],
  ])('start %d lets %d segments go', (logStartOffset, count) => {
    expect(total(input({ logStartOffset }))).toBe(count)
  })

  test('holds whatever the policy', () => {
    expect(total(input({ logStartOffset: 20, remove: false }))).toBe(2)
  })
})

describe('size', () => {
  test.each([
    [-1, 0],
    [400, 0],
    [399, 0],
    [300, 1],
    [299, 1],
    [200, 2],
    [100, 3],
    [1, 3],
    [0, 4],
  ])('retention.bytes %d lets %d segments go', (retentionBytes, count) => {
    expect(total(input({ retentionBytes }))).toBe(count)
  })

  test('only with the policy delete', () => {
    expect(total(input({ retentionBytes: 1, remove: false }))).toBe(0)
  })
})

describe('time', () => {
  test.each([
    [-1, 0],
    [4000, 0],
    [3500, 0],
    [3499, 1],
    [1000, 3],
    [500, 3],
    [499, 4],
    [0, 4],
  ])('retention.ms %d lets %d segments go', (retentionMs, count) => {
    expect(total(input({ retentionMs }))).toBe(count)
  })

  test('a segment with a future timestamp keeps those after it', () => {
    const from = input({ retentionMs: 0 })
    const segments = from.segments.map((segment, index) =>
      index === 1 ? { ...segment, largestTimestamp: () => 9000 } : segment,
    )
    expect(total({ ...from, segments })).toBe(1)
  })

  test('an empty active segment stays', () => {
    const from = input({ retentionMs: 0 })
    const segments = from.segments.map((segment) => (segment.isActive ? { ...segment, sizeBytes: 0 } : segment))
    expect(total({ ...from, segments })).toBe(3)
  })
})

test('nothing above the high watermark goes', () => {
  expect(total(input({ retentionMs: 0, highWatermark: 25 }))).toBe(2)
  expect(total(input({ retentionMs: 0, highWatermark: 0 }))).toBe(0)
})

test('the rules work one after the other and are named', () => {
  expect(segmentsToDelete(input({ logStartOffset: 10, retentionBytes: 200, retentionMs: 1000 }))).toEqual([
    { count: 1, reason: 'log start offset' },
    { count: 1, reason: 'retention.bytes' },
    { count: 1, reason: 'retention.ms' },
  ])
})
