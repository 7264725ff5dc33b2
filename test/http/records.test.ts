/** A partition as one stream of batches, and the bound that nothing passes: the high watermark. */
import { afterEach, describe, expect, test } from 'bun:test'
import {
  batchOf,
  batchOfSize,
  bytesOf,
  createTopic,
  fetchOne,
  produce,
  valuesOf,
} from '../broker/support/test-broker.ts'
import { type Serving, serving } from './support.ts'

let samsa: Serving
afterEach(() => samsa.stop())

const RECORDS = '/v1/topics/t/partitions/0/records'

async function records(query = '') {
  const answer = await fetch(samsa.url(RECORDS + query))
  const bytes = Buffer.from(await answer.arrayBuffer())
  const offset = (name: string): number => Number(answer.headers.get(`samsa-${name}-offset`))
  return { status: answer.status, bytes, first: offset('first'), next: offset('next') }
}

async function withRecords(): Promise<void> {
  samsa = await serving()
  await createTopic(samsa.connection, 't')
  samsa.rollAt('t', 20_000)
  for (let i = 0; i < 40; i++) {
    await produce(samsa.connection, batchOf([`a${i}`, `b${i}`, 'x'.repeat(i * 50)]), { topic: 't' })
  }
}

describe('the records of a partition', () => {
  test('are what a consumer fetches, over all segments', async () => {
    await withRecords()
    expect(samsa.log('t').segments.count).toBeGreaterThan(2)
    const fetched: Buffer[] = []
    for (let offset = 0; offset < 120; ) {
      const row = await fetchOne(samsa.connection, { topic: 't', offset })
      fetched.push(bytesOf(row))
      offset += valuesOf(row).length
    }
    const { status, bytes, first, next } = await records()
    expect([status, first, next]).toEqual([200, 0, 120])
    expect(bytes.equals(Buffer.concat(fetched))).toBe(true)
  })

  test('begin with the batch that holds the offset, at each offset', async () => {
    await withRecords()
    const all = (await records()).bytes
    for (let from = 0; from < 120; from++) {
      const { bytes, first, next } = await records(`?from=${from}`)
      expect([first, next]).toEqual([from - (from % 3), 120])
      expect(bytes.equals(all.subarray(all.length - bytes.length))).toBe(true)
      expect(Number(bytes.readBigInt64BE(0))).toBe(first)
    }
  })

  test('are none at the end, and an error with the bounds outside', async () => {
    await withRecords()
    expect(await records('?from=120')).toMatchObject({ status: 200, bytes: Buffer.alloc(0), first: 120, next: 120 })
    samsa.log('t').deleteRecordsTo(10)
    for (const from of [9, 121]) {
      const { status, bytes } = await records(`?from=${from}`)
      expect(status).toBe(416)
      expect(JSON.parse(bytes.toString()).error).toMatchObject({
        code: 'offset_out_of_range',
        logStartOffset: 10,
        highWatermark: 120,
      })
    }
    expect(await records()).toMatchObject({ status: 200, first: 9 })
  })
})

describe('the high watermark', () => {
  test('bounds segments and records, wherever it stands', async () => {
    await withRecords()
    const log = samsa.log('t')
    const all = (await records()).bytes
    log.highWatermarkFollowsLog = false
    for (let highWatermark = 0; highWatermark <= 120; highWatermark += 5) {
      log.highWatermark = highWatermark
      // A batch that is not wholly below is not below.
      const lastWhole = highWatermark - (highWatermark % 3)
      const { bytes } = await records()
      expect(all.subarray(0, bytes.length).equals(bytes)).toBe(true)
      const answer = await fetch(samsa.url('/v1/topics/t/partitions/0/segments'))
      const { segments } = (await answer.json()) as { segments: { baseOffset: number; bytes: number }[] }
      expect(segments.reduce((sum, segment) => sum + segment.bytes, 0)).toBe(bytes.length)
      let downloaded = 0
      for (const segment of log.segments.all) {
        const one = await fetch(samsa.url(`/v1/topics/t/partitions/0/segments/${segment.baseOffset}.log`))
        downloaded += (await one.arrayBuffer()).byteLength
      }
      expect(downloaded).toBe(bytes.length)
      const end = bytes.length < all.length ? Number(all.readBigInt64BE(bytes.length)) : 120
      expect(end).toBe(lastWhole)
    }
  })

  test('is never passed while a producer writes', async () => {
    samsa = await serving()
    await createTopic(samsa.connection, 't')
    samsa.rollAt('t', 200_000)
    let producing = true
    const producer = (async () => {
      for (let i = 0; i < 200; i++) await produce(samsa.connection, batchOfSize(100 + i * 17), { topic: 't' })
      producing = false
    })()
    let seen = Buffer.alloc(0)
    while (producing) {
      const { bytes, next } = await records()
      expect(next).toBeLessThanOrEqual(samsa.log('t').highWatermark)
      expect(bytes.subarray(0, seen.length).equals(seen)).toBe(true)
      const from = await records(`?from=${next}`)
      expect(from.first).toBe(next)
      seen = bytes
    }
    await producer
    expect((await records()).next).toBe(200)
  })
})
