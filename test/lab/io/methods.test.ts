/** Every method moves exactly the right bytes. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { selfCommand } from '../../../src/cli/self.ts'
import { loadKernel, NO_KERNEL } from '../../../src/lab/io/kernel.ts'
import { type Method, refusalOf, type Tools, type Work } from '../../../src/lab/io/method.ts'
import { METHODS } from '../../../src/lab/io/methods/index.ts'
import { expectedContent, READ_MARK_BYTES } from '../../../src/lab/io/pattern.ts'
import { SinkProcess } from '../../../src/lab/io/sink.ts'
import { realCpuMs } from '../../../src/lab/io/timing.ts'
import { realClock } from '../../../src/storage/clock-real.ts'
import { crc32cOf } from '../../../src/storage/crc32c.ts'
import { libc, NO_LIBC } from '../../../src/storage/libc.ts'

/** A process is started, and the machine may be busy. */
setDefaultTimeout(30_000)

const KIB = 1024
const MIB = 1024 * KIB
/** Several marks, and no multiple of the larger blocks' batches. */
const FILE_BYTES = 8 * MIB + 512 * KIB
/** A sync per block takes its time. */
const SYNCED_BYTES = 256 * KIB

const folder = mkdtempSync(join(tmpdir(), 'samsa-lab-methods-'))
const readPath = join(folder, 'read')
const writePath = join(folder, 'write')
let sink: SinkProcess | null = null
const tools: Tools = {
  meters: { clock: realClock, cpuMs: realCpuMs },
  libc: libc(),
  kernel: loadKernel(),
  sink: async () => {
    sink ??= new SinkProcess([...selfCommand(), 'lab', 'io-sink'])
    return sink
  },
}

beforeAll(() => {
  writeFileSync(readPath, expectedContent(0, FILE_BYTES, READ_MARK_BYTES))
})

afterAll(async () => {
  await sink?.close()
  rmSync(folder, { recursive: true, force: true })
})

function work(path: string, blockBytes: number, more: Partial<Work> = {}, most = FILE_BYTES): Work {
  const bytes = Math.floor(most / blockBytes) * blockBytes
  return { tools, path, extent: { bytes, blockBytes, mostMs: Number.POSITIVE_INFINITY }, inspect: null, ...more }
}

/** Temporary folders may lie where direct I/O or reserving space is refused; nothing else may be. */
async function unlessRefused(method: Method, blockBytes: number, run: () => Promise<void>): Promise<void> {
  const known = method.refusal?.(tools, blockBytes) ?? null
  if (known !== null) return expect(method.name).toMatch(/direct|nowait|sendfile/)
  try {
    await run()
  } catch (error) {
    if (refusalOf(error) === null) throw error
    expect(method.name).toMatch(/direct|preallocated|sendfile/)
  }
}

function cases(direction: Method['direction'], blocks: readonly number[]): [string, Method, number][] {
  return METHODS.filter((method) => method.direction === direction).flatMap((method) => {
    if (method.blocks === 'whole')
      return [[`${method.name}, whole file`, method, FILE_BYTES] as [string, Method, number]]
    const sizes = method.blocks === 'chosen' ? blocks : [method.blocks]
    return sizes.map((bytes): [string, Method, number] => [`${method.name}, ${bytes} bytes`, method, bytes])
  })
}

describe('a file that was written holds every block in its place', () => {
  test.each([...cases('write', [4 * KIB, 64 * KIB, 512 * KIB]), ...cases('sync', [64 * KIB])])(
    '%s',
    async (_, method, blockBytes) => {
      await unlessRefused(method, blockBytes, async () => {
        try {
          const most = method.direction === 'sync' ? SYNCED_BYTES : FILE_BYTES
          const wanted = work(writePath, blockBytes, {}, most)
          const timed = await method.run(wanted)
          expect(timed.bytes).toBe(wanted.extent.bytes)
          const written = readFileSync(writePath)
          expect(written.length).toBe(wanted.extent.bytes)
          expect(written.equals(expectedContent(0, wanted.extent.bytes, blockBytes))).toBe(true)
        } finally {
          rmSync(writePath, { force: true })
        }
      })
    },
  )

  test('blocks need not be multiples of a page, except for direct I/O', async () => {
    const odd = 10_000
    for (const method of METHODS.filter(({ direction }) => direction === 'write')) {
      if (method.name.includes('direct')) {
        expect(method.refusal?.({ ...tools, kernel: { ...tools.kernel, alignedBuffer: Buffer.alloc } }, odd)).toContain(
          'multiples',
        )
        continue
      }
      await unlessRefused(method, odd, async () => {
        const { bytes } = await method.run(work(writePath, odd))
        expect(readFileSync(writePath).equals(expectedContent(0, bytes, odd)), method.name).toBe(true)
      })
      rmSync(writePath, { force: true })
    }
  })
})

describe('reading gives every byte once, in its place', () => {
  const inMemory = cases('read', [4 * KIB, 64 * KIB, 512 * KIB]).filter(([name]) => !name.startsWith('send-'))
  test.each(inMemory)('%s', async (_, method, blockBytes) => {
    await unlessRefused(method, blockBytes, async () => {
      const content = Buffer.alloc(FILE_BYTES)
      let bytesSeen = 0
      const inspect = {
        read(position: number, bytes: Uint8Array) {
          content.set(bytes, position)
          bytesSeen += bytes.length
        },
        arrived: () => expect.unreachable('nothing is sent'),
      }
      const wanted = work(readPath, blockBytes, { inspect })
      const timed = await method.run(wanted)
      expect(timed.bytes).toBe(wanted.extent.bytes)
      expect(bytesSeen).toBe(wanted.extent.bytes)
      const expected = expectedContent(0, wanted.extent.bytes, READ_MARK_BYTES)
      expect(content.subarray(0, expected.length).equals(expected)).toBe(true)
    })
  })
})

describe('what is sent arrives whole, in order and unchanged', () => {
  // The largest is more than a socket takes at once.
  const sends = cases('read', [4 * KIB, 64 * KIB, FILE_BYTES]).filter(([name]) => name.startsWith('send-'))
  test.each(sends)('%s', async (_, method, blockBytes) => {
    await unlessRefused(method, blockBytes, async () => {
      const arrivals: [number, number][] = []
      const inspect = {
        read: () => expect.unreachable('another process reads'),
        arrived: (bytes: number, checksum: number) => void arrivals.push([bytes, checksum]),
      }
      const wanted = work(readPath, blockBytes, { inspect })
      const timed = await method.run(wanted)
      expect(timed.bytes).toBe(wanted.extent.bytes)
      const expected = expectedContent(0, wanted.extent.bytes, READ_MARK_BYTES)
      expect(arrivals).toEqual([[expected.length, crc32cOf(expected, 0, expected.length)]])
    })
  })
})

describe('without a C library to call', () => {
  const without: Tools = { ...tools, libc: NO_LIBC, kernel: NO_KERNEL }

  test('what needs one refuses with its reason, and everything else works', async () => {
    const refused: string[] = []
    for (const method of METHODS.filter(({ direction, name }) => direction === 'write' || name === 'read-nowait')) {
      const known = method.refusal?.(without, 64 * KIB) ?? null
      try {
        if (known === null) await method.run(work(writePath, 64 * KIB, { tools: without }))
        else refused.push(`${method.name}: ${known}`)
      } catch (error) {
        refused.push(`${method.name}: ${refusalOf(error)}`)
      }
      rmSync(writePath, { force: true })
    }
    expect(refused).toEqual([
      'write-preallocated: needs a C library to call (fallocate)',
      'write-direct: needs a C library to call (aligned memory)',
      'write-direct-preallocated: needs a C library to call (aligned memory)',
      'write-direct-staged: needs a C library to call (aligned memory)',
      'write-direct-pool-8: needs a C library to call (aligned memory)',
      'read-nowait: needs a C library to call (preadv2)',
    ])
  })
})

test('an error that is no refusal is none', () => {
  expect(refusalOf(Object.assign(new Error('full'), { code: 'ENOSPC' }))).toBeNull()
  expect(refusalOf(Object.assign(new Error('broken'), { code: 'EIO' }))).toBeNull()
  expect(refusalOf(new TypeError('a bug'))).toBeNull()
  expect(refusalOf(Object.assign(new Error('no'), { code: 'EINVAL' }))).toContain('EINVAL')
})

test('names are unique, and every method says in one line what it does', () => {
  const names = METHODS.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  for (const { name, does } of METHODS) expect(does, name).toMatch(/^[^\n]{10,}$/)
})
