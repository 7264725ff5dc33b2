import { describe, expect, test } from 'bun:test'
import { decodeTransaction, encodeTransaction } from '../../../src/coordinator/txn/records.ts'
import { entry, STATUSES } from './support.ts'

/** What Kafka 4.3.1 wrote for a transaction of version 2. */
const KEY = '000000026964'

describe('entries', () => {
  for (const status of STATUSES) {
    test(`${status} comes back, except for what is kept in memory only`, () => {
      const value = entry(status, { lastProducerEpoch: 4, nextProducerId: status === 'PrepareCommit' ? 12 : -1 })
      const { key, value: bytes } = encodeTransaction('id', value)
      expect(decodeTransaction(key, bytes)).toEqual({
        type: 'transaction',
        transactionalId: 'id',
        value: { ...value, lastProducerEpoch: -1 },
      })
    })
  }

  test('a forgotten id is a tombstone', () => {
    const { key, value } = encodeTransaction('id', null)
    expect(value).toBeNull()
    expect(key.toString('hex')).toBe(KEY)
    expect(decodeTransaction(key, null)).toEqual({ type: 'transaction', transactionalId: 'id', value: null })
  })

  test('the layout is version 1 of TransactionLogValue: an Empty entry has null partitions', () => {
    const { value } = encodeTransaction('id', entry('Empty', { previousProducerId: -1, clientVersion: 0 }))
    const fields = [
      '0001',
      '0000000000000007',
      '0005',
      '0000ea60',
      '00',
      '00',
      '00000000000f3e58',
      'ffffffffffffffff',
      '00',
    ]
    expect(value?.toString('hex')).toBe(fields.join(''))
  })

  for (const status of STATUSES) {
    test(`${status} as version 0, without what that cannot say`, () => {
      const value = entry(status, { clientVersion: 2 })
      const { key, value: bytes } = encodeTransaction('id', value, 0)
      expect(bytes?.readInt16BE(0)).toBe(0)
      const read = { ...value, lastProducerEpoch: -1, previousProducerId: -1, clientVersion: 0 }
      expect(decodeTransaction(key, bytes)).toEqual({ type: 'transaction', transactionalId: 'id', value: read })
    })
  }

  test('version 0 is read', () => {
    const fields = [
      '0000',
      '0000000000000007',
      '0005',
      '0000ea60',
      '01',
      '00000001',
      '0003666f6f',
      '00000001',
      '00000002',
    ]
    const bytes = Buffer.from([...fields, '0000000000000064', '0000000000000032'].join(''), 'hex')
    expect(decodeTransaction(Buffer.from(KEY, 'hex'), bytes)).toMatchObject({
      value: {
        status: 'Ongoing',
        partitions: new Map([['foo', [2]]]),
        lastUpdateMs: 100,
        startMs: 50,
        clientVersion: 0,
      },
    })
  })

  test('Dead is an id that is gone', () => {
    const { key, value } = encodeTransaction('id', entry('CompleteAbort'))
    value!.writeInt8(6, 16)
    expect(decodeTransaction(key, value)).toMatchObject({ value: null })
  })
})

describe('what cannot be read is skipped', () => {
  const { key, value } = encodeTransaction('id', entry('Ongoing'))

  test('no key, a key or value of another version, an unknown status', () => {
    expect(decodeTransaction(null, value).type).toBe('skipped')
    expect(decodeTransaction(Buffer.from('000100026964', 'hex'), value).type).toBe('skipped')
    const later = Buffer.from(value!)
    later.writeInt16BE(2, 0)
    expect(decodeTransaction(key, later).type).toBe('skipped')
    const unknown = Buffer.from(value!)
    unknown.writeInt8(9, 16)
    expect(decodeTransaction(key, unknown).type).toBe('skipped')
  })

  test('every shorter value', () => {
    for (let length = 0; length < value!.length; length++) {
      expect(decodeTransaction(key, value!.subarray(0, length)).type).toBe('skipped')
    }
  })
})
