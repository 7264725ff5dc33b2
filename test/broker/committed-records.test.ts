import { expect, test } from 'bun:test'
import { CommittedRecords, type KeyAndValue } from '../../src/broker/committed-records.ts'
import { buildBatch, readBatchHeader } from '../../src/records/batch.ts'
import { buildEndTransactionBatch } from '../../src/records/control.ts'

function plain(key: string, value: string): Buffer {
  return buildBatch({ records: [{ timestamp: 1, key: Buffer.from(key), value: Buffer.from(value) }] })
}

function inTransaction(producerId: number, ...records: [key: string, value: string][]): Buffer {
  return buildBatch({
    producerId,
    producerEpoch: 0,
    baseSequence: 0,
    isTransactional: true,
    records: records.map(([key, value]) => ({ timestamp: 1, key: Buffer.from(key), value: Buffer.from(value) })),
  })
}

function marker(producerId: number, type: 'commit' | 'abort'): Buffer {
  return buildEndTransactionBatch({ producerId, producerEpoch: 0, type, coordinatorEpoch: 0, timestamp: 2 })
}

function holding(...batches: Buffer[]): string[] {
  const committed = new CommittedRecords()
  const records: KeyAndValue[] = []
  for (const batch of batches) committed.take(readBatchHeader(batch, 0), batch, records)
  return records.map(({ key, value }) => `${key}=${value}`)
}

test('plain records hold at once', () => {
  expect(holding(plain('a', '1'), plain('a', '2'))).toEqual(['a=1', 'a=2'])
})

test('records of a transaction hold from its commit on', () => {
  expect(holding(inTransaction(7, ['a', '1']), plain('b', '2'), marker(7, 'commit'))).toEqual(['b=2', 'a=1'])
})

test('the last record of a key holds', () => {
  expect(holding(inTransaction(7, ['a', '1'], ['a', '2']), marker(7, 'commit'))).toEqual(['a=2'])
})

test('records of an aborted transaction, and of one still open, do not hold', () => {
  expect(holding(inTransaction(7, ['a', '1']), marker(7, 'abort'), marker(7, 'commit'))).toEqual([])
  expect(holding(inTransaction(7, ['a', '1']))).toEqual([])
})

test('a plain record between a transactional one and its commit wins', () => {
  expect(holding(inTransaction(7, ['a', '1'], ['b', '1']), plain('a', '2'), marker(7, 'commit'))).toEqual([
    'a=2',
    'b=1',
  ])
})

test('transactions of several producers end by themselves', () => {
  const batches = [inTransaction(7, ['a', '7']), inTransaction(8, ['b', '8']), marker(8, 'commit'), marker(7, 'abort')]
  expect(holding(...batches)).toEqual(['b=8'])
})
