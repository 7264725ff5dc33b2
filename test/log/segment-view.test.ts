/** How far into a segment somebody outside of the log may look, at every bound of offsets and of bytes. */
import { afterEach, expect, test } from 'bun:test'
import { isCurrent, positionOf, readableEnd, viewSegment } from '../../src/log/segment-view.ts'
import { BATCH_HEADER_BYTES } from '../../src/records/header.ts'
import { batchOf, createTopic, produce } from '../broker/support/test-broker.ts'
import { type Serving, serving } from '../http/support.ts'

let samsa: Serving
afterEach(() => samsa.stop())

const RECORDS_PER_BATCH = 3
const BATCHES = 60

/** Ends of the batches, by bytes: enough of them, and large enough, for several index entries. */
async function written(): Promise<number[]> {
  samsa = await serving()
  await createTopic(samsa.connection, 't')
  const ends = [0]
  for (let i = 0; i < BATCHES; i++) {
    await produce(samsa.connection, batchOf(['a', 'b', 'x'.repeat(100 + 17 * i)]), { topic: 't' })
    ends.push(samsa.log('t').sizeBytes)
  }
  samsa.log('t').segments.active.loadIndexes()
  expect(samsa.log('t').segments.active.offsetIndex.count).toBeGreaterThan(3)
  return ends
}

test('a view ends with the last batch that is whole below the high watermark', async () => {
  const ends = await written()
  const log = samsa.log('t')
  const segment = log.segments.active
  log.highWatermarkFollowsLog = false
  for (let highWatermark = 0; highWatermark <= BATCHES * RECORDS_PER_BATCH; highWatermark++) {
    log.highWatermark = highWatermark
    const whole = Math.floor(highWatermark / RECORDS_PER_BATCH)
    const view = await viewSegment(log, segment)
    expect(readableEnd(log, segment)).toBe(highWatermark)
    expect([view.sizeBytes, view.nextOffset]).toEqual([ends[whole]!, whole * RECORDS_PER_BATCH])
    expect(view.lastHeader.length).toBe(whole === 0 ? 0 : BATCH_HEADER_BYTES)
  }
})

test('a view of so many bytes ends with the last batch that is whole within them', async () => {
  const ends = await written()
  const log = samsa.log('t')
  for (let batch = 1; batch <= BATCHES; batch++) {
    for (const bytes of [ends[batch]! - 1, ends[batch]!, ends[batch]! + 1]) {
      const whole = bytes < ends[batch]! ? batch - 1 : batch
      const view = await viewSegment(log, log.segments.active, bytes)
      expect([view.sizeBytes, view.nextOffset]).toEqual([ends[whole]!, whole * RECORDS_PER_BATCH])
      expect(view.lastHeader.length).toBe(whole === 0 ? 0 : BATCH_HEADER_BYTES)
    }
  }
})

test('the position of an offset is where its batch begins', async () => {
  const ends = await written()
  for (let offset = 0; offset <= BATCHES * RECORDS_PER_BATCH; offset++) {
    expect(await positionOf(samsa.log('t').segments.active, offset)).toBe(ends[Math.floor(offset / RECORDS_PER_BATCH)]!)
  }
})

test('a segment that was replaced is not the one of its name', async () => {
  await written()
  const log = samsa.log('t')
  const before = log.segments.active
  expect(isCurrent(log, before)).toBe(true)
  log.startOver(0)
  expect(log.segments.active.baseOffset).toBe(before.baseOffset)
  expect(isCurrent(log, before)).toBe(false)
})
