import { describe, expect, test } from 'bun:test'
import { FetchedChunk } from '../../../src/client/consumer/fetched-chunk.ts'
import { buildBatch, CODEC_GZIP } from '../../../src/records/batch.ts'
import { buildEndTransactionBatch } from '../../../src/records/control.ts'
import { Random } from '../../support/random.ts'

interface BatchOptions {
  readonly producerId?: number
  readonly codec?: typeof CODEC_GZIP
}

/** One record per value, from this offset on. */
function batch(baseOffset: number, values: readonly string[], { producerId, codec }: BatchOptions = {}): Buffer {
  return buildBatch({
    baseOffset,
    leaderEpoch: 3,
    ...(codec === undefined ? {} : { codec }),
    ...(producerId === undefined ? {} : { producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true }),
    records: values.map((value) => ({
      timestamp: 5,
      key: null,
      value: Buffer.from(value),
      headers: [{ key: 'h', value: null }],
    })),
  })
}

function marker(baseOffset: number, producerId: number, type: 'commit' | 'abort'): Buffer {
  return buildEndTransactionBatch({ baseOffset, producerId, producerEpoch: 0, type, coordinatorEpoch: 0, timestamp: 5 })
}

interface Given {
  readonly fetchOffset?: number
  readonly aborted?: { readonly producerId: number; readonly firstOffset: number }[] | null
  readonly checkCrcs?: boolean
  readonly maxDecompressedBytes?: number
}

function chunkOf(records: readonly Uint8Array[], given: Given = {}): FetchedChunk<Buffer, Buffer> {
  return new FetchedChunk({
    topic: 't',
    partition: 0,
    records,
    fetchOffset: given.fetchOffset ?? 0,
    abortedTransactions: given.aborted ?? null,
    checkCrcs: given.checkCrcs ?? true,
    maxDecompressedBytes: given.maxDecompressedBytes ?? 1_000_000,
  })
}

function valuesOf(chunk: FetchedChunk<Buffer, Buffer>): string[] {
  const values: string[] = []
  for (let message = chunk.next(); message !== null; message = chunk.next()) values.push(String(message.value))
  return values
}

const LOG = [batch(0, ['a', 'b']), batch(2, ['c'], { codec: CODEC_GZIP }), batch(3, ['d', 'e'])]

test('records come in order, from the offset asked for, and the end is known before', () => {
  const chunk = chunkOf(LOG, { fetchOffset: 1 })
  expect(chunk.end()).toEqual({ offset: 5, leaderEpoch: 3, isBroken: false })
  const first = chunk.next()!
  expect([first.offset, String(first.value), first.timestamp, first.leaderEpoch]).toEqual([1, 'b', 5, 3])
  expect(first.headers).toEqual([{ key: 'h', value: null }])
  expect(chunk.nextOffset).toBe(2)
  expect(valuesOf(chunk)).toEqual(['c', 'd', 'e'])
  expect(chunk.nextOffset).toBe(5)
})

test('however the bytes were cut into pieces', () => {
  const whole = Buffer.concat(LOG)
  for (let seed = 0; seed < 200; seed++) {
    const random = new Random(seed)
    const pieces: Buffer[] = []
    for (let at = 0; at < whole.length; ) {
      const size = 1 + random.below(random.chance(0.5) ? 5 : 200)
      pieces.push(whole.subarray(at, at + size))
      at += size
    }
    expect(valuesOf(chunkOf(pieces)), `seed ${seed}`).toEqual(['a', 'b', 'c', 'd', 'e'])
  }
})

test('a batch that the fetch cut off is left for the next one', () => {
  const chunk = chunkOf([LOG[0]!, LOG[2]!.subarray(0, 70)])
  expect(chunk.end().offset).toBe(2)
  expect(valuesOf(chunk)).toEqual(['a', 'b'])
})

describe('transactions', () => {
  // 7 aborts what it wrote at 0; 8 commits what it wrote in between; 7 then commits.
  const log = [
    batch(0, ['no'], { producerId: 7 }),
    batch(1, ['yes'], { producerId: 8 }),
    batch(2, ['plain']),
    batch(3, ['no either'], { producerId: 7 }),
    marker(4, 7, 'abort'),
    marker(5, 8, 'commit'),
    batch(6, ['again'], { producerId: 7 }),
    marker(7, 7, 'commit'),
  ]

  test('aborted ones are left out up to their marker, and no further', () => {
    const chunk = chunkOf(log, { aborted: [{ producerId: 7, firstOffset: 0 }] })
    expect(valuesOf(chunk)).toEqual(['yes', 'plain', 'again'])
    expect(chunk.nextOffset).toBe(8)
  })

  test('a producer counts as aborting only from the offset that is named', () => {
    const chunk = chunkOf(log, { aborted: [{ producerId: 7, firstOffset: 3 }] })
    expect(valuesOf(chunk)).toEqual(['no', 'yes', 'plain', 'again'])
  })

  test('without a list all is seen but the markers', () => {
    expect(valuesOf(chunkOf(log))).toEqual(['no', 'yes', 'plain', 'no either', 'again'])
  })
})

describe('what is wrong', () => {
  test('a checksum', () => {
    const bad = Buffer.from(LOG[0]!)
    bad[bad.length - 1]! ^= 1
    expect(() => chunkOf([bad]).next()).toThrow('fails its checksum')
  })

  test('a length', () => {
    const bad = Buffer.from(LOG[0]!)
    bad.writeInt32BE(3, 8)
    const chunk = chunkOf([LOG[2]!, bad], { fetchOffset: 3 })
    expect(chunk.end()).toEqual({ offset: 5, leaderEpoch: 3, isBroken: true })
    expect([chunk.next()!.offset, chunk.next()!.offset]).toEqual([3, 4])
    expect(() => chunk.next()).toThrow('says that it has 15 bytes')
    expect(chunk.offsetAfterUnreadable).toBeNull()
  })

  test('a message of a format before magic 2, even a short one; what comes after it can be read', () => {
    // offset, size, checksum, magic 1, no attributes, timestamp, no key, a value of one byte.
    const old = Buffer.alloc(35)
    old.writeBigInt64BE(7n, 0)
    old.writeInt32BE(old.length - 12, 8)
    old[16] = 1
    old.writeInt32BE(-1, 26)
    old.writeInt32BE(1, 30)
    const chunk = chunkOf([old, batch(8, ['new'])], { fetchOffset: 7 })
    expect(chunk.end()).toEqual({ offset: 9, leaderEpoch: 3, isBroken: false })
    expect(() => chunk.next()).toThrow('old format (magic 1) at offset 7')
    expect(chunk.offsetAfterUnreadable).toBe(8)
  })

  test('an unknown codec, and where to go on without it', () => {
    const bad = batch(4, ['a', 'b'])
    bad[22] = 7
    const chunk = chunkOf([bad], { fetchOffset: 4, checkCrcs: false })
    expect(() => chunk.next()).toThrow('unknown compression codec 7')
    expect(chunk.offsetAfterUnreadable).toBe(6)
  })

  test('a batch that expands to more than allowed', () => {
    const bomb = batch(0, ['x'.repeat(10_000)], { codec: CODEC_GZIP })
    expect(() => chunkOf([bomb], { maxDecompressedBytes: 1_000 }).next()).toThrow()
  })
})
