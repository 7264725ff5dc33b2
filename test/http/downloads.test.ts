/** Slow readers, many of them, ones that leave, and segments that go while they are read. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { DOWNLOAD_PIECE_BYTES_MAX } from '../../src/http/limits.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { ManualTimers } from '../../src/storage/timers-manual.ts'
import { batchOfSize, createTopic, produce } from '../broker/support/test-broker.ts'
import { type Serving, type ServingOptions, SlowReader, serving, until } from './support.ts'

/** Many megabytes are written first, perhaps to a busy disk. */
setDefaultTimeout(30_000)

let samsa: Serving
afterEach(() => samsa.stop())

const MIB = 1024 * 1024
const SEGMENT = '/v1/topics/t/partitions/0/segments/0.log'
const RECORDS = '/v1/topics/t/partitions/0/records'
/** More than sockets of this machine take without a reader. */
const LARGE = 24

async function withMebibytes(count: number, options: ServingOptions & { segmentBytes?: number } = {}): Promise<void> {
  samsa = await serving({ onDisk: true, ...options })
  const configs = { 'segment.bytes': String(options.segmentBytes ?? 1024 * MIB), 'file.delete.delay.ms': '0' }
  await createTopic(samsa.connection, 't', { configs })
  for (let i = 0; i < count; i++) await produce(samsa.connection, batchOfSize(MIB - 200), { topic: 't' })
}

function waitingDownloads(timers: ManualTimers): number {
  return timers.names().filter((name) => name.startsWith('http/download/')).length
}

function manual(): { clock: ManualClock; timers: ManualTimers } {
  const clock = new ManualClock()
  return { clock, timers: new ManualTimers(clock) }
}

describe('a slow reader', () => {
  test('is read for no further than its socket takes, and gets every byte in the end', async () => {
    const { clock, timers } = manual()
    await withMebibytes(LARGE, { http: { clock, timers } })
    const { sizeBytes } = samsa.log('t')
    const file = samsa.log('t').segments.first.file()
    let bytesRead = 0
    const read = file.read.bind(file)
    file.read = (buffer, offset, length, position) => {
      bytesRead += length
      return read(buffer, offset, length, position)
    }
    const reader = await SlowReader.get(samsa.http.port, SEGMENT)
    await until(() => waitingDownloads(timers) === 1)
    expect(bytesRead).toBeLessThan(sizeBytes - 8 * MIB)
    reader.read()
    await reader.closed
    expect(reader.body.length).toBe(sizeBytes)
    expect(bytesRead).toBe(sizeBytes)
  })

  test('that takes nothing for a minute is cut off, and seen to be', async () => {
    const { clock, timers } = manual()
    await withMebibytes(LARGE, { http: { clock, timers } })
    const reader = await SlowReader.get(samsa.http.port, SEGMENT)
    await until(() => waitingDownloads(timers) === 1)
    timers.advance(59_000)
    expect(samsa.http.downloadCount).toBe(1)
    timers.advance(1_000)
    await until(() => samsa.http.downloadCount === 0)
    reader.read()
    await reader.closed
    expect(reader.head).toContain(`content-length: ${samsa.log('t').sizeBytes}`)
    expect(reader.body.length).toBeLessThan(samsa.log('t').sizeBytes)
  })

  test('that leaves frees its place', async () => {
    const { clock, timers } = manual()
    await withMebibytes(LARGE, { http: { clock, timers } })
    const reader = await SlowReader.get(samsa.http.port, SEGMENT)
    await until(() => waitingDownloads(timers) === 1)
    reader.leave()
    await until(() => samsa.http.downloadCount === 0)
    expect(waitingDownloads(timers)).toBe(0)
  })

  test('a hundred of them hold a piece or two each, and the port answers others', async () => {
    const { clock, timers } = manual()
    await withMebibytes(LARGE, { http: { clock, timers } })
    const file = samsa.log('t').segments.first.file()
    const before = process.memoryUsage.rss()
    let held = 0
    const read = file.read.bind(file)
    file.read = async (buffer, offset, length, position) => {
      held = Math.max(held, length)
      return read(buffer, offset, length, position)
    }
    const readers = await Promise.all(Array.from({ length: 100 }, () => SlowReader.get(samsa.http.port, SEGMENT)))
    await until(() => waitingDownloads(timers) === 100)
    expect(held).toBeLessThanOrEqual(DOWNLOAD_PIECE_BYTES_MAX)
    // 100 x 24 MiB are being downloaded.
    expect(process.memoryUsage.rss() - before).toBeLessThan(400 * MIB)
    expect((await fetch(samsa.url('/healthz'))).status).toBe(200)
    for (const reader of readers) reader.leave()
    await until(() => samsa.http.downloadCount === 0)
  })
})

describe('downloads at once', () => {
  test('are bounded: one too many is told to come again, and HEAD needs no place', async () => {
    const { clock, timers } = manual()
    await withMebibytes(LARGE, { http: { clock, timers, limits: { downloads: 2 } } })
    const readers = [await SlowReader.get(samsa.http.port, SEGMENT), await SlowReader.get(samsa.http.port, RECORDS)]
    await until(() => waitingDownloads(timers) === 2)
    const refused = await fetch(samsa.url(SEGMENT))
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('2')
    expect(((await refused.json()) as { error: { code: string } }).error.code).toBe('too_many_downloads')
    expect((await fetch(samsa.url(SEGMENT), { method: 'HEAD' })).status).toBe(200)
    readers[0]!.leave()
    await until(() => samsa.http.downloadCount === 1)
    const served = await fetch(samsa.url(SEGMENT), { headers: { range: 'bytes=0-99' } })
    expect([served.status, (await served.arrayBuffer()).byteLength]).toEqual([206, 100])
    readers[1]!.leave()
  })
})

describe('what is deleted in mid-download', () => {
  test('a segment that is being sent is sent to its end', async () => {
    const { clock, timers } = manual()
    await withMebibytes(LARGE, { http: { clock, timers } })
    const log = samsa.log('t')
    const expected = Buffer.alloc(log.sizeBytes)
    log.segments.first.file().readNow(expected, 0, expected.length, 0)
    const reader = await SlowReader.get(samsa.http.port, SEGMENT)
    await until(() => waitingDownloads(timers) === 1)
    await samsa.broker.context.topics.delete([{ name: 't', topicId: ZERO_UUID }])
    expect(samsa.broker.context.partitions.get('t', 0)).toBeUndefined()
    reader.read()
    await reader.closed
    expect(reader.body.equals(expected)).toBe(true)
    expect((await fetch(samsa.url(SEGMENT))).status).toBe(404)
  })

  test('a stream over segments that went before their turn ends short, with right bytes up to there', async () => {
    const { clock, timers } = manual()
    await withMebibytes(LARGE, { http: { clock, timers }, segmentBytes: 12 * MIB })
    const log = samsa.log('t')
    expect(log.segments.count).toBe(2)
    const whole = Buffer.from(await (await fetch(samsa.url(RECORDS))).arrayBuffer())
    const reader = await SlowReader.get(samsa.http.port, RECORDS)
    await until(() => waitingDownloads(timers) === 1)
    log.startOver(0)
    await produce(samsa.connection, batchOfSize(100), { topic: 't' })
    reader.read()
    await reader.closed
    expect(reader.body.length).toBeLessThan(whole.length)
    expect(reader.body.equals(whole.subarray(0, reader.body.length))).toBe(true)
  })
})
