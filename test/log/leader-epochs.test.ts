import { describe, expect, test } from 'bun:test'
import { LeaderEpochs } from '../../src/log/leader-epochs.ts'

function epochs(...pairs: [number, number][]): LeaderEpochs {
  return new LeaderEpochs(pairs.map(([epoch, startOffset]) => ({ epoch, startOffset })))
}

function pairs(from: LeaderEpochs): [number, number][] {
  return from.entries.map((entry) => [entry.epoch, entry.startOffset])
}

describe('assigning', () => {
  test('a higher epoch at a higher offset is added', () => {
    const cache = epochs([0, 0])
    expect(cache.assign(2, 10)).toBe(true)
    expect(pairs(cache)).toEqual([
      [0, 0],
      [2, 10],
    ])
  })

  test('the latest epoch again changes nothing', () => {
    const cache = epochs([0, 0], [2, 10])
    expect(cache.assign(2, 15)).toBe(false)
    expect(pairs(cache)).toEqual([
      [0, 0],
      [2, 10],
    ])
  })

  test('entries that contradict the new one go', () => {
    const cache = epochs([0, 0], [2, 10], [4, 20])
    expect(cache.assign(3, 15)).toBe(true)
    expect(pairs(cache)).toEqual([
      [0, 0],
      [2, 10],
      [3, 15],
    ])
    expect(cache.assign(5, 10)).toBe(true)
    expect(pairs(cache)).toEqual([
      [0, 0],
      [5, 10],
    ])
  })
})

describe('cutting', () => {
  test('the end', () => {
    const cache = epochs([0, 0], [2, 10], [4, 20])
    expect(cache.truncateEnd(20)).toBe(true)
    expect(pairs(cache)).toEqual([
      [0, 0],
      [2, 10],
    ])
    expect(cache.truncateEnd(11)).toBe(false)
  })

  test('the start moves the epoch that holds it', () => {
    const cache = epochs([0, 0], [2, 10], [4, 20])
    expect(cache.truncateStart(15)).toBe(true)
    expect(pairs(cache)).toEqual([
      [2, 15],
      [4, 20],
    ])
    expect(cache.truncateStart(15)).toBe(false)
    expect(cache.truncateStart(400)).toBe(true)
    expect(pairs(cache)).toEqual([[4, 400]])
  })
})

describe('end offset of an epoch, log end 100', () => {
  const cache = epochs([2, 10], [4, 20], [7, 50])
  test.each([
    [-1, -1, -1],
    [8, -1, -1],
    [7, 7, 100],
    [6, 4, 50],
    [4, 4, 50],
    [3, 2, 20],
    [1, 1, 10],
  ])('asked for %d: epoch %d ends at %d', (asked, leaderEpoch, endOffset) => {
    expect(cache.endOffsetFor(asked, 100)).toEqual({ leaderEpoch, endOffset })
  })

  test('nothing known', () => {
    expect(epochs().endOffsetFor(0, 100)).toEqual({ leaderEpoch: -1, endOffset: -1 })
    expect(epochs().latest).toBe(-1)
    expect(epochs().earliest).toBeNull()
  })

  test('epoch of an offset', () => {
    expect([9, 10, 19, 20, 99].map((offset) => cache.epochAt(offset))).toEqual([-1, 2, 2, 4, 7])
  })
})
