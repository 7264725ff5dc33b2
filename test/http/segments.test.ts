/** Segments over HTTP, byte by byte against the files. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { batchOfSize, createTopic, produce } from '../broker/support/test-broker.ts'
import { type Serving, serving } from './support.ts'

interface Listed {
  readonly baseOffset: number
  readonly nextOffset: number
  readonly bytes: number
  readonly state: 'sealed' | 'active'
  readonly lastModified: string
  readonly file: string
}

let samsa: Serving

beforeAll(async () => {
  samsa = await serving({ onDisk: true })
  await createTopic(samsa.connection, 't', { partitions: 2 })
  samsa.rollAt('t', 100_000)
  for (let size = 1; size <= 30; size++) {
    await produce(samsa.connection, batchOfSize(size * 700), { topic: 't', version: 12 })
  }
})

afterAll(() => samsa.stop())

const SEGMENTS = '/v1/topics/t/partitions/0/segments'

async function listed(partition = 0): Promise<Listed[]> {
  const answer = await fetch(samsa.url(`/v1/topics/t/partitions/${partition}/segments`))
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { segments: Listed[] }).segments
}

function onDisk(file: string): Buffer {
  return readFileSync(join(samsa.folder, 't-0', file))
}

async function get(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const answer = await fetch(samsa.url(path), { headers, method })
  return { answer, status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) }
}

describe('the list of segments', () => {
  test('says what the files say', async () => {
    const segments = await listed()
    expect(segments.length).toBeGreaterThan(2)
    expect(segments.map(({ state }) => state)).toEqual([...segments.slice(1).map(() => 'sealed' as const), 'active'])
    for (const [index, segment] of segments.entries()) {
      expect(segment.bytes).toBe(onDisk(segment.file).length)
      expect(segment.nextOffset).toBe(segments[index + 1]?.baseOffset ?? 30)
      expect(Math.abs(Date.parse(segment.lastModified) - Date.now())).toBeLessThan(3_600_000)
    }
  })

  test('of an empty partition has one segment without bytes', async () => {
    expect(await listed(1)).toMatchObject([{ baseOffset: 0, nextOffset: 0, bytes: 0, state: 'active' }])
    const { status, bytes } = await get('/v1/topics/t/partitions/1/segments/0.log')
    expect([status, bytes.length]).toEqual([200, 0])
  })
})

describe('a segment', () => {
  test('is the file, every one of them, and HEAD says the same without it', async () => {
    for (const { file, baseOffset, nextOffset } of await listed()) {
      const whole = await get(`${SEGMENTS}/${file}`)
      expect(whole.status).toBe(200)
      expect(whole.bytes.equals(onDisk(file))).toBe(true)
      expect(whole.headers.get('content-type')).toBe('application/octet-stream')
      expect(whole.headers.get('content-length')).toBe(String(onDisk(file).length))
      expect(whole.headers.get('samsa-first-offset')).toBe(String(baseOffset))
      expect(whole.headers.get('samsa-next-offset')).toBe(String(nextOffset))
      const head = await get(`${SEGMENTS}/${file}`, { range: 'bytes=5-9' }, 'HEAD')
      expect([head.status, head.bytes.length]).toEqual([200, 0])
      for (const name of ['content-length', 'etag', 'last-modified', 'accept-ranges']) {
        expect(head.headers.get(name), name).toBe(whole.headers.get(name)!)
      }
    }
  })

  test('is found by the number alone', async () => {
    const [, second] = await listed()
    const { bytes } = await get(`${SEGMENTS}/${second!.baseOffset}.log`)
    expect(bytes.equals(onDisk(second!.file))).toBe(true)
  })

  test('has every range that exists, to the byte', async () => {
    const file = (await listed())[0]!.file
    const all = onDisk(file)
    const n = all.length
    const cases: [string, number, number][] = [
      ['bytes=0-0', 0, 1],
      ['bytes=0-', 0, n],
      [`bytes=${n - 1}-`, n - 1, n],
      [`bytes=${n - 1}-${n - 1}`, n - 1, n],
      [`bytes=${n - 1}-${n + 100}`, n - 1, n],
      ['bytes=61-4096', 61, 4097],
      ['bytes=4095-4096', 4095, 4097],
      ['bytes=-1', n - 1, n],
      [`bytes=-${n}`, 0, n],
      [`bytes=-${n + 1}`, 0, n],
    ]
    for (const [range, start, end] of cases) {
      const part = await get(`${SEGMENTS}/${file}`, { range })
      expect(part.status, range).toBe(206)
      expect(part.headers.get('content-range'), range).toBe(`bytes ${start}-${end - 1}/${n}`)
      expect(part.headers.get('content-length'), range).toBe(String(end - start))
      expect(part.bytes.equals(all.subarray(start, end)), range).toBe(true)
    }
  })

  test('answers 416 with its length for a range beyond the end', async () => {
    const { file, bytes: n } = (await listed())[0]!
    for (const range of [`bytes=${n}-`, `bytes=${n + 5}-${n + 9}`, 'bytes=-0']) {
      const refused = await get(`${SEGMENTS}/${file}`, { range })
      expect(refused.status).toBe(416)
      expect(refused.headers.get('content-range')).toBe(`bytes */${n}`)
      expect(JSON.parse(refused.bytes.toString()).error).toMatchObject({ code: 'range_not_satisfiable', bytes: n })
    }
  })

  test('is sent whole where the range is a list or makes no sense', async () => {
    const { file, bytes: n } = (await listed())[0]!
    for (const range of ['bytes=0-1,4-5', 'bytes=9-1', 'lines=1-2']) {
      const whole = await get(`${SEGMENTS}/${file}`, { range })
      expect([whole.status, whole.bytes.length]).toEqual([200, n])
    }
  })

  test('is not sent again to who has it, and resumed only for who has the same', async () => {
    const { file, bytes: n } = (await listed())[0]!
    const etag = (await get(`${SEGMENTS}/${file}`, {}, 'HEAD')).headers.get('etag')!
    expect(etag).toMatch(/^"[\w-]+"$/)
    const again = await get(`${SEGMENTS}/${file}`, { 'if-none-match': etag })
    expect([again.status, again.bytes.length]).toEqual([304, 0])
    expect((await get(`${SEGMENTS}/${file}`, { 'if-none-match': '"other"' })).status).toBe(200)
    const resumed = await get(`${SEGMENTS}/${file}`, { range: 'bytes=100-', 'if-range': etag })
    expect([resumed.status, resumed.bytes.length]).toEqual([206, n - 100])
    for (const condition of ['"other"', `W/${etag}`, new Date().toUTCString()]) {
      const whole = await get(`${SEGMENTS}/${file}`, { range: 'bytes=100-', 'if-range': condition })
      expect([whole.status, whole.bytes.length]).toEqual([200, n])
    }
  })

  test('changes its entity tag when it grows; its first bytes, asked for by size, keep theirs', async () => {
    const before = (await listed()).at(-1)!
    const path = `${SEGMENTS}/${before.file}`
    const tagOf = async (query: string) => (await get(path + query, {}, 'HEAD')).headers.get('etag')
    const [whole, frozen] = [await tagOf(''), await tagOf(`?size=${before.bytes}`)]
    expect(frozen).toBe(whole)
    await produce(samsa.connection, batchOfSize(50), { topic: 't' })
    expect(await tagOf('')).not.toBe(whole)
    expect(await tagOf(`?size=${before.bytes}`)).toBe(frozen)
    const first = await get(`${path}?size=${before.bytes}`)
    expect(first.bytes.equals(onDisk(before.file).subarray(0, before.bytes))).toBe(true)
    expect(first.headers.get('samsa-next-offset')).toBe('30')
    const refused = await get(`${path}?size=${before.bytes - 1}`)
    expect(refused.status).toBe(416)
    const { bytes } = JSON.parse(refused.bytes.toString()).error as { bytes: number }
    expect(bytes).toBeLessThan(before.bytes - 1)
    expect((await get(`${path}?size=${bytes}`)).status).toBe(200)
  })
})

describe('what there is not', () => {
  test.each([
    ['/v1/topics/nope/partitions/0/segments', 404, 'unknown_topic'],
    ['/v1/topics/nope/partitions', 404, 'unknown_topic'],
    ['/v1/topics/t/partitions/2/segments', 404, 'unknown_partition'],
    ['/v1/topics/t/partitions/0/segments/1.log', 404, 'unknown_segment'],
    ['/v1/topics/t/partitions/0/segments/0.index', 404, 'unknown_path'],
    ['/v1/topics/%2e%2e%2fx/partitions', 404, 'unknown_topic'],
    ['/v1/topics/%ff/partitions', 400, 'bad_path'],
    ['/v1/topics/t/partitions/-1/segments', 404, 'unknown_path'],
    ['/v1/topics/t/partitions/0/segments/0.log?size=x', 400, 'bad_parameter'],
    ['/', 404, 'unknown_path'],
  ])('%s is %d', async (path, status, code) => {
    const refused = await get(path)
    expect(refused.status).toBe(status)
    expect(refused.headers.get('content-type')).toBe('application/json')
    expect(JSON.parse(refused.bytes.toString()).error.code).toBe(code)
  })

  test('methods other than GET and HEAD are refused', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const refused = await get(`${SEGMENTS}/0.log`, {}, method)
      expect(refused.status).toBe(405)
      expect(refused.headers.get('allow')).toBe('GET, HEAD')
    }
  })
})
