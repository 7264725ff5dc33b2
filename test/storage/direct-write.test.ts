// Direct writes on the real disk: whatever the position and length, the file is exactly what was written, and what was written lately is in
// memory. On a file system that takes none (tmpfs), the tests say so and show that the disk says so, too.

import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DiskError, DiskFile } from '../../src/storage/disk.ts'
import { RealDisk } from '../../src/storage/disk-real.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { BLOCK_BYTES, STAGED_BYTES_MAX } from '../../src/storage/staging.ts'

const folder = mkdtempSync(join(tmpdir(), 'samsa-direct-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const takesDirectWrites = new RealDisk().directWriteSpeed(folder) !== null
if (!takesDirectWrites) console.warn(`direct writes are not tested: the file system of ${folder} takes none`)

/** Resolves with the error, or null. */
function written(file: DiskFile, chunks: readonly Uint8Array[], position: number): Promise<DiskError | null> {
  return new Promise((resolve, reject) => {
    if (file.writeDirectly(chunks, position, resolve) === null) reject(new Error('no direct write was begun'))
  })
}

function randomBytes(random: SeededRandom, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at++) bytes[at] = random.below(256)
  return bytes
}

function cutIntoChunks(random: SeededRandom, bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + random.below(50_000))
    chunks.push(bytes.subarray(at, end))
    at = end
  }
  return chunks
}

describe.skipIf(!takesDirectWrites)('direct writes', () => {
  test('mixed with ordinary ones, of any length, at any position, make up the file byte for byte', async () => {
    const random = new SeededRandom(5)
    const file = new RealDisk().open(join(folder, 'mixed'), { create: true })
    file.preallocate(16 << 20)
    let expected = Buffer.alloc(0)
    const lengths = [BLOCK_BYTES, BLOCK_BYTES * 3 - 1, BLOCK_BYTES * 3 + 1, 70_000, 131_072, 300_001]
    for (let round = 0; round < 40; round++) {
      const small = randomBytes(random, random.below(6000))
      file.writev([small], expected.length)
      expected = Buffer.concat([expected, small])
      const large = randomBytes(random, 2 * BLOCK_BYTES + lengths[round % lengths.length]!)
      expect(await written(file, cutIntoChunks(random, large), expected.length)).toBeNull()
      expected = Buffer.concat([expected, large])
      expect(file.sizeBytes).toBe(expected.length)
      expect(statSync(file.path).size).toBe(expected.length)
    }
    expect(readFileSync(file.path).equals(expected)).toBe(true)
    file.close()
  })

  test('are in memory afterwards, and read as they are in the file', async () => {
    const random = new SeededRandom(6)
    const file = new RealDisk().open(join(folder, 'recent'), { create: true })
    const head = randomBytes(random, 1000)
    const body = randomBytes(random, 200_000)
    file.writev([head], 0)
    await written(file, [body], 1000)
    expect(file.recentlyWritten(999, 10)).toBeNull()
    expect(file.recentlyWritten(1000, 10)).toEqual(body.subarray(0, 10))
    expect(file.recentlyWritten(150_000, 1 << 20)).toEqual(body.subarray(149_000))
    expect(file.recentlyWritten(201_000, 1)).toBeNull()
    const buffer = Buffer.alloc(5000)
    expect(file.readHot(buffer, 100, 4000, 50_000)).toBe(4000)
    expect(buffer.subarray(100, 4100).equals(body.subarray(49_000, 53_000))).toBe(true)
    file.close()
  })

  test('leave memory when the file is cut below their end, or closed', async () => {
    const file = new RealDisk().open(join(folder, 'cut'), { create: true })
    await written(file, [Buffer.alloc(100_000, 1)], 0)
    await written(file, [Buffer.alloc(100_000, 2)], 100_000)
    file.truncate(150_000)
    expect(file.recentlyWritten(120_000, 10)).toBeNull()
    expect(file.recentlyWritten(50_000, 10)).toEqual(Buffer.alloc(10, 1))
    file.close()
    expect(file.recentlyWritten(50_000, 10)).toBeNull()
  })

  test('under way while the file is cut and closed end without touching a file that is opened then', async () => {
    const disk = new RealDisk()
    const path = join(folder, 'closed')
    const file = disk.open(path, { create: true })
    const under = written(file, [Buffer.alloc(1 << 20, 7)], 0)
    file.close()
    const others = Array.from({ length: 20 }, (_unused, index) =>
      disk.open(join(folder, `other-${index}`), { create: true }),
    )
    expect(await under).toBeNull()
    expect(readFileSync(path).equals(Buffer.alloc(1 << 20, 7))).toBe(true)
    for (const other of others) {
      expect(statSync(other.path).size).toBe(0)
      other.close()
    }
  })

  test('use a bounded number of buffers: more at a time are not begun, and memory of the oldest goes to the next', async () => {
    const disk = new RealDisk()
    const files = Array.from({ length: 40 }, (_unused, index) =>
      disk.open(join(folder, `many-${index}`), { create: true }),
    )
    const bytes = Buffer.alloc(300_000, 3)
    const outcomes: Promise<void>[] = []
    let refused = 0
    for (const file of files) {
      const { promise, resolve } = Promise.withResolvers<void>()
      if (file.writeDirectly([bytes], 0, () => resolve()) === null) refused++
      else outcomes.push(promise)
    }
    expect(refused).toBeGreaterThan(0)
    await Promise.all(outcomes)
    const first = files[0]!
    expect(first.recentlyWritten(0, 1)).not.toBeNull()
    for (const file of files.slice(outcomes.length)) expect(await written(file, [bytes], 0)).toBeNull()
    expect(first.recentlyWritten(0, 1)).toBeNull()
    for (const file of files) file.close()
  })

  test('of more than a buffer holds are not begun', () => {
    const file = new RealDisk().open(join(folder, 'too-large'), { create: true })
    expect(file.writeDirectly([Buffer.alloc(STAGED_BYTES_MAX + 1)], 0, () => {})).toBeNull()
    file.close()
  })
})
