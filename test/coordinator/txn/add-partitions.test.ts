import { describe, expect, test } from 'bun:test'
import { addPartitions, union, verifyPartitions } from '../../../src/coordinator/txn/add-partitions.ts'
import type { Transaction } from '../../../src/coordinator/txn/state.ts'
import { context, entry, NOW, PARTITIONS, STATUSES, told, written } from './support.ts'

const MORE = new Map([
  ['topic', [2, 0]],
  ['other', [3]],
])

function add(transaction: Transaction | undefined, more: { producerId?: number; producerEpoch?: number } = {}) {
  const input = { producerId: 7, producerEpoch: 5, partitions: MORE, clientVersion: 2, ...more } as const
  return addPartitions(transaction, input, context())
}

describe('adding', () => {
  for (const status of STATUSES) {
    test(`${status}, by the current producer and by others`, () => {
      const isEnding = status.startsWith('Prepare')
      const result = isEnding ? 'answers 51' : 'Ongoing 7/5, answers 0'
      expect(told(add(entry(status)))).toBe(result)
      expect(told(add(entry(status), { producerId: 8 }))).toBe(isEnding ? 'answers 51' : 'answers 49')
      for (const producerEpoch of [4, 6]) {
        expect(told(add(entry(status), { producerEpoch }))).toBe(isEnding ? 'answers 51' : 'answers 90')
      }
    })
  }

  test('an unknown id', () => expect(told(add(undefined))).toBe('answers 49'))

  test('begins a transaction now, without partitions of the last one', () => {
    const stale = entry('CompleteCommit', { partitions: PARTITIONS, startMs: 1 })
    expect(written(add(stale))).toMatchObject({
      startMs: NOW,
      partitions: new Map([
        ['topic', [0, 2]],
        ['other', [3]],
      ]),
    })
  })

  test('grows an open transaction, which began when it began', () => {
    const open = entry('Ongoing')
    const grown = written(add(open))
    expect(grown.startMs).toBe(open.startMs)
    expect(grown.partitions).toEqual(
      new Map([
        ['topic', [0, 1, 2]],
        ['other', [3]],
      ]),
    )
  })

  test('what is in an open transaction already is not written again', () => {
    const open = entry('Ongoing', { partitions: union(PARTITIONS, MORE) })
    expect(told(add(open))).toBe('answers 0')
  })
})

describe('verifying', () => {
  const ask = {
    producerId: 7,
    producerEpoch: 5,
    partitions: new Map([
      ['topic', [0, 9]],
      ['none', [0]],
    ]),
  }

  test('an open transaction: a code for each partition', () => {
    expect(verifyPartitions(entry('Ongoing'), ask)).toMatchObject({ answer: [0, 120, 120] })
  })

  test('no open transaction: nothing is part of it', () => {
    for (const status of ['Empty', 'CompleteCommit', 'CompleteAbort'] as const) {
      expect(verifyPartitions(entry(status), ask)).toMatchObject({ answer: [120, 120, 120] })
    }
  })

  test('an ending one: come back', () => {
    for (const status of ['PrepareCommit', 'PrepareAbort'] as const) {
      expect(verifyPartitions(entry(status), ask)).toMatchObject({ answer: [51, 51, 51] })
    }
  })

  test('other producers', () => {
    expect(verifyPartitions(entry('Ongoing'), { ...ask, producerEpoch: 4 })).toMatchObject({ answer: [90, 90, 90] })
    expect(verifyPartitions(entry('Ongoing'), { ...ask, producerId: 8 })).toMatchObject({ answer: [49, 49, 49] })
    expect(verifyPartitions(undefined, ask)).toMatchObject({ answer: [49, 49, 49] })
  })
})
