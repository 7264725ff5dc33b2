/** What the figures are taken to mean: each rule, and what makes it say something else. */
import { describe, expect, test } from 'bun:test'
import type { Row } from '../../../src/lab/io/figures.ts'
import type { CacheState } from '../../../src/lab/io/method.ts'
import { METHODS } from '../../../src/lab/io/methods/index.ts'
import { type Recommendation, readingOf } from '../../../src/lab/io/reading.ts'

const KIB = 1024
const MIB = 1024 * KIB

interface Constructed {
  readonly method: string
  readonly blockBytes?: number | null
  readonly cache?: CacheState
  /** MB/s. */
  readonly rate?: number
  readonly onDevice?: number
  readonly operations?: number
  readonly cpu?: number
  readonly p50Us?: number
  readonly p99Us?: number
  readonly refused?: string
}

function row(constructed: Constructed): Row {
  const {
    method,
    blockBytes = MIB,
    cache = null,
    rate = 1000,
    operations = 1000,
    cpu = 0.3,
    refused = null,
  } = constructed
  const { direction } = METHODS.find(({ name }) => name === method)!
  const spread = (median: number) => ({ median, min: median, max: median })
  const { p50Us = 100, p99Us = 1000 } = constructed
  const figures = {
    rounds: 3,
    throughput: spread(rate),
    onDevice: direction === 'write' ? spread(constructed.onDevice ?? rate) : null,
    operationsPerSecond: spread(operations),
    cpuSecondsPerGb: cpu,
    latencyUs: { p50: p50Us, p99: p99Us, p999: p99Us, max: p99Us, count: 1000 },
  }
  return { direction, method, blockBytes, cache, refused, note: null, figures: refused === null ? figures : null }
}

function recommended(setting: string, rows: readonly Constructed[]): Recommendation | null {
  const { recommendations } = readingOf(rows.map(row))
  return recommendations.find((recommendation) => recommendation.setting.startsWith(setting)) ?? null
}

describe('samsa.write.mode', () => {
  const buffered: Constructed = { method: 'write', rate: 3000, onDevice: 1000 }

  function mode(...rows: Constructed[]): Recommendation | null {
    return recommended('samsa.write.mode', rows)
  }

  test('direct where large appends reach the device clearly faster that way', () => {
    const chosen = mode(buffered, { method: 'write-direct-staged', rate: 1500, cpu: 0.1 })
    expect(chosen?.value).toBe('direct')
    expect(chosen?.reason).toContain('1,500 MB/s')
    expect(chosen?.reason).toContain('1,000 MB/s')
    expect(chosen?.reason).toContain('0.1 CPU s/GB')
  })

  test('buffered where they do so clearly slower, however fast memory takes them', () => {
    expect(mode(buffered, { method: 'write-direct-staged', rate: 800 })?.value).toBe('buffered')
  })

  test('auto where the difference is noise', () => {
    expect(mode(buffered, { method: 'write-direct-staged', rate: 1050 })?.value).toBe('auto')
    expect(mode(buffered, { method: 'write-direct-staged', rate: 950 })?.value).toBe('auto')
  })

  test('buffered where direct I/O is refused, with the reason', () => {
    const chosen = mode(buffered, { method: 'write-direct-staged', refused: 'the file system refuses it (EINVAL)' })
    expect(chosen).toMatchObject({ value: 'buffered' })
    expect(chosen?.reason).toContain('EINVAL')
  })

  test('the best of the buffered ways is the measure, at the same block size', () => {
    const direct: Constructed = { method: 'write-direct-staged', rate: 1500 }
    const preallocated: Constructed = { method: 'write-preallocated', onDevice: 2000 }
    expect(mode(buffered, direct, preallocated)?.value).toBe('buffered')
    expect(mode(buffered, direct, { ...preallocated, blockBytes: 4 * KIB })?.value).toBe('direct')
  })

  test('the best of the direct ways is the other: a broker has more than one file under way', () => {
    const staged: Constructed = { method: 'write-direct-staged', rate: 800 }
    const several: Constructed = { method: 'write-direct-pool-8', rate: 1300 }
    expect(mode(buffered, staged, several)).toMatchObject({ value: 'direct' })
    expect(mode(buffered, staged, several)?.reason).toContain('write-direct-pool-8 puts 1,300 MB/s')
    expect(mode(buffered, staged, { ...several, blockBytes: 64 * KIB })?.value).toBe('buffered')
  })

  test('small appends say nothing about it', () => {
    const blockBytes = 4 * KIB
    expect(mode({ ...buffered, blockBytes }, { method: 'write-direct-staged', blockBytes })).toBeNull()
  })
})

describe('--durability', () => {
  function durability(group: Partial<Constructed>, sync: Partial<Constructed> = {}): Recommendation | null {
    return recommended('--durability', [
      { method: 'group-8', blockBytes: KIB, operations: 1, p99Us: 1e6 },
      { method: 'group-64', blockBytes: KIB, operations: 50_000, p99Us: 4000, ...group },
      { method: 'fdatasync', ...sync },
    ])
  }

  test('fsync where writers that share syncs are served fast and often', () => {
    const chosen = durability({})
    expect(chosen?.value).toBe('fsync')
    expect(chosen?.reason).toContain('64 waiting writers get 50,000 commits/s')
    expect(chosen?.reason).toContain('4 ms')
  })

  test('os where some of them wait long', () => {
    expect(durability({ p99Us: 10_001 })?.value).toBe('os')
    expect(durability({ p99Us: 10_000 })?.value).toBe('fsync')
  })

  test('os where there are too few commits', () => {
    expect(durability({ operations: 9_999 })?.value).toBe('os')
  })

  test('os where a sync reaches no device, however fast it is', () => {
    const chosen = durability({}, { p50Us: 2 })
    expect(chosen?.value).toBe('os')
    expect(chosen?.reason).toContain('promises nothing')
  })
})

describe('batch.size', () => {
  function batch(rates: Readonly<Record<number, number>>, onDevice: number): Recommendation | null {
    const rows = Object.entries(rates).map(([kib, rate]) => ({
      method: 'write',
      blockBytes: Number(kib) * KIB,
      rate,
      onDevice,
    }))
    return recommended('batch.size', rows)
  }

  test("Kafka's default where small appends are nearly as fast as large ones", () => {
    expect(batch({ 4: 900, 16: 950, 1024: 1000 }, 5000)).toMatchObject({ value: '16384' })
  })

  test('the smallest that gets four fifths of the best', () => {
    const chosen = batch({ 4: 100, 16: 400, 64: 790, 256: 800, 1024: 1000 }, 5000)
    expect(chosen).toMatchObject({ value: String(256 * KIB) })
    expect(chosen?.reason).toContain('80 % of the best')
  })

  test('no more than the device takes in the long run', () => {
    const chosen = batch({ 4: 100, 16: 400, 64: 790, 256: 800, 1024: 1000 }, 350)
    expect(chosen).toMatchObject({ value: '16384' })
    expect(chosen?.reason).toContain('350 MB/s that the device takes')
  })

  test('large appends count as the faster of both ways', () => {
    const rows: Constructed[] = [
      { method: 'write', blockBytes: 16 * KIB, rate: 700, onDevice: 2000 },
      { method: 'write', blockBytes: 256 * KIB, rate: 800, onDevice: 2000 },
      { method: 'write-direct-staged', blockBytes: 256 * KIB, rate: 1600 },
    ]
    expect(recommended('batch.size', rows)).toMatchObject({ value: String(256 * KIB) })
  })

  test('one block size says nothing', () => {
    expect(batch({ 64: 100 }, 100)).toBeNull()
  })
})

describe('log.segment.bytes', () => {
  function segment(...rows: Constructed[]): Recommendation | null {
    return recommended('log.segment.bytes', rows)
  }

  test("Kafka's default where the disk reads it in a second", () => {
    const chosen = segment({ method: 'read', cache: 'uncached', rate: 2000 })
    expect(chosen).toMatchObject({ value: String(1024 * MIB) })
    expect(chosen?.reason).toContain('2,000 MB/s')
  })

  test('what it reads in a second, down to 64 MiB', () => {
    expect(segment({ method: 'read', cache: 'uncached', rate: 300 })).toMatchObject({ value: String(256 * MIB) })
    expect(segment({ method: 'read', cache: 'uncached', rate: 20 })).toMatchObject({ value: String(64 * MIB) })
  })

  test('around the page cache counts too, from memory does not', () => {
    expect(segment({ method: 'read-direct', cache: 'bypassed', rate: 300 })).toMatchObject({ value: String(256 * MIB) })
    expect(segment({ method: 'read', cache: 'cached', rate: 9000 })).toBeNull()
  })

  test('larger where syncing a full one would cost more than a hundredth of the time', () => {
    const slowToRead: Constructed = { method: 'read', cache: 'uncached', rate: 100 }
    const written: Constructed = { method: 'write', onDevice: 500 }
    const fast: Constructed = { method: 'fdatasync', p50Us: 100 }
    expect(segment(slowToRead, written, fast)).toMatchObject({ value: String(64 * MIB) })
    const chosen = segment(slowToRead, written, { ...fast, p50Us: 3000 })
    expect(chosen).toMatchObject({ value: String(512 * MIB) })
    expect(chosen?.reason).toContain('3 ms each')
  })
})

describe('findings', () => {
  function findings(...rows: Constructed[]): string {
    return readingOf(rows.map(row)).findings.join('\n')
  }

  test('name the method and the block that did best', () => {
    const text = findings(
      { method: 'write', rate: 2000, onDevice: 500 },
      { method: 'writev', blockBytes: 4 * KIB, rate: 3000, onDevice: 400 },
      { method: 'read', cache: 'cached', rate: 5000 },
      { method: 'read-pool-8', cache: 'uncached', rate: 700 },
    )
    expect(text).toContain('up to 3,000 MB/s (writev, 4 KiB), and are on the device at up to 500 MB/s (write, 1 MiB)')
    expect(text).toContain('5,000 MB/s from memory (read, 1 MiB) and 700 MB/s from the device (read-pool-8, 1 MiB)')
  })

  test.each([
    [2000, 'pays'],
    [1050, 'makes no clear difference'],
    [500, 'costs'],
  ])('a method at %i MB/s beside 1000 %s', (rate, verdict) => {
    expect(findings({ method: 'write', rate: 1000 }, { method: 'write-mmap', rate })).toContain(
      `mapping ${verdict} at 1 MiB`,
    )
  })

  test('one by one and gathered are compared at the same block size', () => {
    const gathered: Constructed = { method: 'writev', blockBytes: 4 * KIB, rate: 3000 }
    expect(findings(gathered, { method: 'write', blockBytes: 64 * KIB, rate: 1000 })).not.toContain('one writev')
    const text = findings(gathered, { method: 'write', blockBytes: 4 * KIB, rate: 1000 })
    expect(text).toContain('Many blocks of 4 KiB in one writev are 3 times as fast')
  })

  test('the fastest and the cheapest way to a socket', () => {
    const text = findings(
      { method: 'send-mmap', cache: 'cached', rate: 3000, cpu: 0.3 },
      { method: 'send-sendfile', cache: 'cached', rate: 2500, cpu: 0.1 },
    )
    expect(text).toContain(
      'send-mmap, 1 MiB is the fastest (3,000 MB/s) and send-sendfile, 1 MiB the cheapest (0.1 CPU s/GB)',
    )
  })

  test('nothing measured, nothing said', () => {
    expect(readingOf([])).toEqual({ findings: [], recommendations: [] })
    expect(readingOf([row({ method: 'read-direct', cache: 'bypassed', refused: 'no' })]).findings).toEqual([])
  })
})
