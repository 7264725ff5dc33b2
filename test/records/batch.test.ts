/** Reading and building batches: the header view, round trips over random records, look-ups by time. */
import { describe, expect, test } from 'bun:test'
import {
  batchCrc,
  buildBatch,
  checkCrc,
  codecOf,
  firstRecordAtOrAfter,
  hasDeleteHorizon,
  isControl,
  isTransactional,
  iterateRecords,
  lastOffset,
  lastSequence,
  patchBaseOffset,
  patchLeaderEpoch,
  RecordError,
  type RecordInput,
  readBatchHeader,
  timestampType,
} from '../../src/records/batch.ts'
import { CODEC_NAMES, codecId } from '../../src/records/codecs/index.ts'
import { validateProduced } from '../../src/records/validate.ts'
import { fuzzRounds, Random } from '../support/random.ts'
import { cut, HOUR_MS, NOW_MS, ORDINARY_TOPIC, randomRecords, record, threeRecords, withHeader } from './support.ts'

/** What compaction leaves of a batch whose records are all gone, as a broker stored it. */
const EMPTY_BATCH = Buffer.from(
  '0000000000000002000000310000000002' +
    '64ca4831000000000000ffffffffffffffff000001a1fb3a1ec600000000000000000000000000' +
    '0200000000',
  'hex',
)

describe('the header', () => {
  test('of an empty batch left by compaction', () => {
    expect(readBatchHeader(EMPTY_BATCH, 0)).toMatchObject({ baseOffset: 2, sizeBytes: 61, recordCount: 0 })
    expect(readBatchHeader(EMPTY_BATCH, 0).baseTimestamp).toBe(-1)
    expect(checkCrc([EMPTY_BATCH])).toBe(true)
    expect([...iterateRecords(EMPTY_BATCH)]).toEqual([])
  })

  test('attribute bits', () => {
    const header = readBatchHeader(withHeader(threeRecords(), { attributes: 0x7c }), 0)
    expect(codecOf(header)).toBe(4)
    expect(timestampType(header)).toBe('LogAppendTime')
    expect([isTransactional(header), isControl(header), hasDeleteHorizon(header)]).toEqual([true, true, true])
    const plain = readBatchHeader(threeRecords(), 0)
    expect([isTransactional(plain), isControl(plain), hasDeleteHorizon(plain)]).toEqual([false, false, false])
  })

  test('at a position of a larger buffer', () => {
    const two = Buffer.concat([threeRecords(), withHeader(threeRecords(), { baseOffset: 3 })])
    expect(readBatchHeader(two, threeRecords().length).baseOffset).toBe(3)
  })

  test('every field survives writing, at its limits, too', () => {
    const fields = {
      baseOffset: Number.MAX_SAFE_INTEGER,
      partitionLeaderEpoch: 2147483647,
      attributes: -32768,
      lastOffsetDelta: 2147483647,
      baseTimestamp: -Number.MAX_SAFE_INTEGER,
      maxTimestamp: 4294967296,
      producerId: 4294967295,
      producerEpoch: 32767,
      baseSequence: 2147483647,
      recordCount: -2,
    }
    expect(readBatchHeader(withHeader(threeRecords(), fields), 0)).toMatchObject(fields)
  })

  test('64-bit fields beyond 2^53-1 saturate', () => {
    const batch = threeRecords()
    batch.writeBigInt64BE(2n ** 63n - 1n, 0)
    batch.writeBigInt64BE(-(2n ** 63n), 35)
    const header = readBatchHeader(batch, 0)
    expect(header.baseOffset).toBe(Number.MAX_SAFE_INTEGER)
    expect(header.maxTimestamp).toBe(-Number.MAX_SAFE_INTEGER)
  })

  test('last offset and last sequence', () => {
    const header = readBatchHeader(withHeader(threeRecords(), { baseOffset: 10, baseSequence: 2147483646 }), 0)
    expect(lastOffset(header)).toBe(12)
    expect(lastSequence(header)).toBe(0)
    expect(lastSequence({ ...header, baseSequence: -1 })).toBe(-1)
    expect(lastSequence({ ...header, baseSequence: 2147483645 })).toBe(2147483647)
  })

  test('base offset and leader epoch are assigned without touching the checksum', () => {
    const batch = threeRecords()
    patchBaseOffset(batch, 0, 8_589_934_593)
    patchLeaderEpoch(batch, 0, 77)
    expect(readBatchHeader(batch, 0)).toMatchObject({ baseOffset: 8_589_934_593, partitionLeaderEpoch: 77 })
    expect(checkCrc([batch])).toBe(true)
  })
})

describe('the checksum', () => {
  test('is the same however the batch is cut', () => {
    const batch = threeRecords()
    const random = new Random(5)
    for (let round = 0; round < 200; round++) {
      const chunks = cut(random, batch, 1 + random.below(6))
      expect(batchCrc(chunks)).toBe(batchCrc([batch]))
      expect(checkCrc(chunks)).toBe(true)
    }
  })

  test('notices a change anywhere behind itself', () => {
    for (let position = 17; position < threeRecords().length; position++) {
      const batch = threeRecords()
      batch[position]! ^= 0x10
      expect(checkCrc([batch])).toBe(false)
    }
  })
})

function asInput(batch: Buffer): RecordInput[] {
  return [...iterateRecords(batch)].map(({ timestamp, key, value, headers }) => ({ timestamp, key, value, headers }))
}

describe('round trips', () => {
  test.each(CODEC_NAMES)('%s: built, validated in chunks, read again', (codec) => {
    const rounds = fuzzRounds(150)
    for (let seed = 1; seed <= rounds; seed++) {
      const random = new Random(seed)
      const records = randomRecords(random, 1 + random.below(60))
      const batch = buildBatch({ codec: codecId(codec), records })
      const result = validateProduced(cut(random, batch, 1 + random.below(8)), ORDINARY_TOPIC)
      if (!result.ok) throw new Error(`seed ${seed}: ${result.reason}`)
      const stored = Buffer.concat(result.chunks)
      expect(stored.equals(batch), `seed ${seed}`).toBe(true)
      expect(asInput(stored), `seed ${seed}`).toEqual(records)
      expect(
        [...iterateRecords(stored)].map(({ offset }) => offset),
        `seed ${seed}`,
      ).toEqual(records.map((_, index) => index))
    }
  })

  test('a batch cut in two and in three at every position', () => {
    const records = randomRecords(new Random(1), 4)
    const batch = buildBatch({ records })
    for (let first = 0; first <= batch.length; first++) {
      for (let second = first; second <= batch.length; second += first % 16 === 0 ? 1 : 37) {
        const chunks = [batch.subarray(0, first), batch.subarray(first, second), batch.subarray(second)]
        const result = validateProduced(chunks, ORDINARY_TOPIC)
        if (!result.ok) throw new Error(`cut at ${first} and ${second}: ${result.reason}`)
        expect(result.chunks[0]!.length).toBeGreaterThanOrEqual(61)
        expect(Buffer.concat(result.chunks).equals(batch)).toBe(true)
      }
    }
  })

  test('numbers of every length inside records', () => {
    const timestamps = [0, 63, 64, 8191, 8192, 2 ** 20, 2 ** 27, 2 ** 31, 2 ** 40].flatMap((delta) => [delta, -delta])
    const records = timestamps.map((delta) => record(0, { timestamp: NOW_MS + delta }))
    expect(asInput(buildBatch({ records })).map(({ timestamp }) => timestamp - NOW_MS)).toEqual(
      timestamps.map((delta) => delta + 0),
    )
    const values = [0, 63, 64, 8191, 8192, 1_048_575, 1_048_576].map((length) =>
      record(0, { value: Buffer.alloc(length) }),
    )
    expect(asInput(buildBatch({ records: values }))).toEqual(asInput(buildBatch({ records: values, codec: 4 })))
    const many = Array.from({ length: 9000 }, (_, index) => record(index, { key: null, value: null }))
    expect([...iterateRecords(buildBatch({ records: many }))].at(-1)?.offset).toBe(8999)
  })

  test('everything a batch can say', () => {
    const batch = buildBatch({
      baseOffset: 1000,
      leaderEpoch: 4,
      producerId: 12345678901,
      producerEpoch: 9,
      baseSequence: 30,
      isTransactional: true,
      timestampType: 'LogAppendTime',
      logAppendTimeMs: NOW_MS + 5,
      records: [record(0), record(1)],
    })
    const header = readBatchHeader(batch, 0)
    expect(header).toMatchObject({
      baseOffset: 1000,
      partitionLeaderEpoch: 4,
      producerId: 12345678901,
      baseSequence: 30,
    })
    expect(isTransactional(header)).toBe(true)
    expect([...iterateRecords(batch)].map(({ offset, timestamp }) => [offset, timestamp])).toEqual([
      [1000, NOW_MS + 5],
      [1001, NOW_MS + 5],
    ])
  })

  test('a batch without records cannot be built', () => {
    expect(() => buildBatch({ records: [] })).toThrow()
  })
})

describe('readers', () => {
  test('deltas are relative to the base timestamp even when it is a delete horizon', () => {
    const batch = withHeader(threeRecords(), { attributes: 0x40, baseTimestamp: NOW_MS - 500 })
    expect(asInput(batch).map(({ timestamp }) => timestamp - NOW_MS)).toEqual([-500, -499, -498])
  })

  test('holes left by compaction keep their offsets', () => {
    const batch = threeRecords()
    const [second, third] = [1, 2].map((index) => 61 + index * 19)
    expect(third! + 19).toBe(batch.length)
    const holes = Buffer.concat([batch.subarray(0, second), batch.subarray(third)])
    const kept = withHeader(holes, { baseOffset: 100, sizeBytes: holes.length, recordCount: 2 })
    expect([...iterateRecords(kept)].map(({ offset }) => offset)).toEqual([100, 102])
  })

  test.each([
    ['a buffer shorter than a header', threeRecords().subarray(0, 60)],
    ['a batch cut short', threeRecords().subarray(0, -1)],
    ['magic 1', withHeader(threeRecords(), { magic: 1 })],
    ['a size below a header', withHeader(threeRecords(), { sizeBytes: 60 }, { seal: false })],
    ['too many records', withHeader(threeRecords(), { recordCount: 2 })],
    ['too few records', withHeader(threeRecords(), { recordCount: 4 })],
    ['codec 6', withHeader(threeRecords(), { attributes: 6 })],
  ])('%s is refused', (_name, bytes) => {
    expect(() => [...iterateRecords(bytes)]).toThrow(RecordError)
  })

  test('the memory limit is the reader’s', () => {
    const batch = buildBatch({ codec: 4, records: [record(0, { value: Buffer.alloc(100_000) })] })
    expect(() => [...iterateRecords(batch, { maxDecompressedBytes: 1000 })]).toThrow(RecordError)
    expect([...iterateRecords(batch)]).toHaveLength(1)
  })
})

describe('look-ups by time', () => {
  const times = [5, 3, 9, 9, 7].map((seconds) => NOW_MS + seconds * 1000)
  const records = times.map((timestamp, index) => record(index, { timestamp }))

  test.each(CODEC_NAMES)('%s', (codec) => {
    const batch = buildBatch({ baseOffset: 40, codec: codecId(codec), records })
    const found = (seconds: number, startOffset?: number) =>
      firstRecordAtOrAfter(batch, NOW_MS + seconds * 1000, startOffset)?.offset ?? null
    expect([0, 5, 6, 9, 10].map((seconds) => found(seconds))).toEqual([40, 40, 42, 42, null])
    expect([found(0, 41), found(6, 43), found(6, 44), found(8, 44)]).toEqual([41, 43, 44, null])
  })

  test('with append time every record has the time of the batch', () => {
    const batch = buildBatch({ records, timestampType: 'LogAppendTime', logAppendTimeMs: NOW_MS + HOUR_MS })
    expect(firstRecordAtOrAfter(batch, NOW_MS + HOUR_MS)).toEqual({ offset: 0, timestamp: NOW_MS + HOUR_MS })
    expect(firstRecordAtOrAfter(batch, NOW_MS + HOUR_MS + 1)).toBeNull()
  })
})
