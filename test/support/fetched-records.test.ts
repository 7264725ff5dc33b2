import { describe, expect, test } from 'bun:test'
import { buildBatch } from '../../src/records/batch.ts'
import { buildEndTransactionBatch } from '../../src/records/control.ts'
import { nextOffsetAfter, readRecords } from './fetched-records.ts'

function batch(baseOffset: number, values: readonly string[], producer?: { id: number }): Buffer {
  return buildBatch({
    baseOffset,
    ...(producer === undefined
      ? {}
      : { producerId: producer.id, producerEpoch: 0, baseSequence: 0, isTransactional: true }),
    records: values.map((value) => ({ timestamp: 1, key: null, value: Buffer.from(value) })),
  })
}

function marker(baseOffset: number, producerId: number, type: 'abort' | 'commit'): Buffer {
  return buildEndTransactionBatch({ baseOffset, producerId, producerEpoch: 0, timestamp: 1, type, coordinatorEpoch: 0 })
}

function values(bytes: Buffer, from: number, aborted: { producerId: number; firstOffset: number }[] | null = null) {
  return [...readRecords(bytes, from, aborted)].map(({ value }) => value?.toString())
}

test('records before the wanted offset are left out: batches come whole', () => {
  expect(values(batch(10, ['a', 'b', 'c']), 11)).toEqual(['b', 'c'])
})

test('a batch that is cut off at the end is not read', () => {
  const bytes = Buffer.concat([batch(0, ['a']), batch(1, ['b']).subarray(0, 65)])
  expect(values(bytes, 0)).toEqual(['a'])
  expect(nextOffsetAfter(bytes, 0)).toBe(1)
})

test('the next offset lies behind the last batch, also behind control batches', () => {
  expect(nextOffsetAfter(Buffer.concat([batch(5, ['a', 'b']), marker(7, 1, 'commit')]), 5)).toBe(8)
})

test('an answer without records moves nothing', () => {
  expect(nextOffsetAfter(Buffer.alloc(0), 42)).toBe(42)
})

test('a damaged batch is an error, not data', () => {
  const bytes = batch(0, ['abc'])
  bytes[bytes.length - 2]! ^= 1
  expect(() => values(bytes, 0)).toThrow('offset 0 fails its checksum')
})

test('a batch that claims to be shorter than its header is an error, not an endless loop', () => {
  const bytes = batch(0, ['abc'])
  bytes.writeInt32BE(-12, 8)
  expect(() => nextOffsetAfter(bytes, 0)).toThrow('says that it has 0 bytes')
})

describe('transactions', () => {
  const log = Buffer.concat([
    batch(0, ['plain']),
    batch(1, ['aborted by 7'], { id: 7 }),
    batch(2, ['committed by 8'], { id: 8 }),
    marker(3, 7, 'abort'),
    batch(4, ['committed by 7'], { id: 7 }),
    marker(5, 8, 'commit'),
    marker(6, 7, 'commit'),
  ])

  test('read uncommitted shows all but the markers', () => {
    expect(values(log, 0)).toEqual(['plain', 'aborted by 7', 'committed by 8', 'committed by 7'])
  })

  test('read committed hides the aborted one, not the next transaction of the same producer', () => {
    expect(values(log, 0, [{ producerId: 7, firstOffset: 1 }])).toEqual(['plain', 'committed by 8', 'committed by 7'])
  })
})
