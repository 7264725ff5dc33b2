import { expect, test } from 'bun:test'
import { loadBatch } from '../../src/broker/coordinator-topic-log.ts'
import { buildBatch, readBatchHeader } from '../../src/records/batch.ts'
import { buildEndTransactionBatch } from '../../src/records/control.ts'

function loaded(...batches: Buffer[]): string[] {
  const seen: string[] = []
  const sink = {
    records: (records: readonly { key: Buffer | null; value: Buffer | null }[], producerId: number | null) => {
      for (const { key, value } of records) seen.push(`${key}=${value} of ${producerId}`)
    },
    marker: (producerId: number, committed: boolean) => {
      seen.push(`${committed ? 'commit' : 'abort'} of ${producerId}`)
    },
  }
  for (const batch of batches) loadBatch(readBatchHeader(batch, 0), batch, sink)
  return seen
}

const record = (key: string, value: string | null) => ({
  timestamp: 1,
  key: Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
})

test('a load tells plain records from those of a transaction, and hands out the markers between them', () => {
  const producer = { producerId: 7, producerEpoch: 0 }
  const plain = buildBatch({ records: [record('a', '1'), record('b', null)] })
  const transactional = buildBatch({ ...producer, baseSequence: 0, isTransactional: true, records: [record('a', '2')] })
  const marker = (type: 'commit' | 'abort') =>
    buildEndTransactionBatch({ ...producer, type, coordinatorEpoch: 0, timestamp: 2 })
  expect(loaded(plain, transactional, marker('commit'), marker('abort'))).toEqual([
    'a=1 of null',
    'b=null of null',
    'a=2 of 7',
    'commit of 7',
    'abort of 7',
  ])
})

test('what a load hands out outlives the buffer it was read into', () => {
  const kept: Buffer[] = []
  const batch = buildBatch({ records: [record('key', 'value')] })
  loadBatch(readBatchHeader(batch, 0), batch, {
    records: (records) => kept.push(...records.map(({ value }) => value!)),
    marker: () => {},
  })
  batch.fill(0)
  expect(kept.map(String)).toEqual(['value'])
})
