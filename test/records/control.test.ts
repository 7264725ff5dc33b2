import { describe, expect, test } from 'bun:test'
import { checkCrc, iterateRecords, RecordError, readBatchHeader } from '../../src/records/batch.ts'
import { buildEndTransactionBatch, readControlType, readEndTransactionMarker } from '../../src/records/control.ts'

/** A commit marker as a broker stored it. */
const COMMIT_MARKER = Buffer.from(
  '0000000000000002000000420000000002a689737b003000000000000001a1fb2d1a26000001a1fb2d1a26000000000000000700' +
    '01ffffffff00000001200000000800000001' +
    '0c00000000000000',
  'hex',
)

function recordOf(key: string, value: string | null) {
  return { key: Buffer.from(key, 'hex'), value: value === null ? null : Buffer.from(value, 'hex') }
}

describe('end-transaction markers', () => {
  test('a stored commit marker is read', () => {
    const header = readBatchHeader(COMMIT_MARKER, 0)
    expect(checkCrc([COMMIT_MARKER])).toBe(true)
    expect(header).toMatchObject({ baseOffset: 2, sizeBytes: 78, attributes: 0x30, producerId: 7, producerEpoch: 1 })
    const [record] = [...iterateRecords(COMMIT_MARKER)]
    expect(record!.offset).toBe(2)
    expect(readEndTransactionMarker(record!)).toEqual({ type: 'commit', coordinatorEpoch: 0 })
  })

  test('a built commit marker has the stored bytes', () => {
    const built = buildEndTransactionBatch({
      type: 'commit',
      coordinatorEpoch: 0,
      producerId: 7,
      producerEpoch: 1,
      timestamp: readBatchHeader(COMMIT_MARKER, 0).baseTimestamp,
      baseOffset: 2,
      leaderEpoch: 0,
    })
    expect(built.toString('hex')).toBe(COMMIT_MARKER.toString('hex'))
  })

  test('an abort marker round-trips with its coordinator epoch', () => {
    const built = buildEndTransactionBatch({
      type: 'abort',
      coordinatorEpoch: 41,
      producerId: 9,
      producerEpoch: 3,
      timestamp: 5,
    })
    const [record] = [...iterateRecords(built)]
    expect(readEndTransactionMarker(record!)).toEqual({ type: 'abort', coordinatorEpoch: 41 })
  })

  test('other control types are no end-transaction markers', () => {
    expect(readEndTransactionMarker(recordOf('00000002', '0000'))).toBeNull()
    expect(readControlType(recordOf('00000006', null))).toBe(6)
  })

  test('a later key or value version is read as the first', () => {
    expect(readEndTransactionMarker(recordOf('00010001ff', '00010000000800'))).toEqual({
      type: 'commit',
      coordinatorEpoch: 8,
    })
  })

  test.each([
    ['no key', { key: null, value: null }],
    ['a short key', recordOf('0000', null)],
    ['a negative key version', recordOf('ffff0001', '000000000000')],
    ['no value', recordOf('00000001', null)],
    ['a short value', recordOf('00000001', '000000')],
    ['a negative value version', recordOf('00000001', 'ffff00000000')],
  ])('%s is refused', (_name, record) => {
    expect(() => readEndTransactionMarker(record)).toThrow(RecordError)
  })
})
