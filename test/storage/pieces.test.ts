// The small pieces: buffer pool, checksum, randomness.

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { crc32c as nativeCrc32c } from '@node-rs/crc32'
import { BufferPool } from '../../src/storage/buffer-pool.ts'
import { crc32cOf } from '../../src/storage/crc32c.ts'
import { type Crc32c, compiledCrc32c } from '../../src/storage/crc32c-compiled.ts'
import { isReservedUuid, uuidFromBytes } from '../../src/storage/random.ts'
import { realRandom } from '../../src/storage/random-real.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'

describe('buffer pool', () => {
  test('gives a returned buffer out again', () => {
    const pool = new BufferPool()
    const first = pool.take(20_000)
    expect(first.length).toBe(32_768)
    expect(pool.takenBytes).toBe(32_768)
    pool.give(first)
    expect(pool.takenBytes).toBe(0)
    expect(pool.freeBytes).toBe(32_768)
    expect(pool.take(32_768)).toBe(first)
    expect(pool.freeBytes).toBe(0)
  })

  test('sizes are classes from 16 KiB up; what is larger than all of them is not kept', () => {
    const pool = new BufferPool()
    expect(pool.take(0).length).toBe(16 * 1024)
    expect(pool.take(16 * 1024).length).toBe(16 * 1024)
    expect(pool.take(16 * 1024 + 1).length).toBe(32 * 1024)
    const huge = pool.take(64 * 1024 * 1024 + 1)
    expect(huge.length).toBe(64 * 1024 * 1024 + 1)
    pool.give(huge)
    expect(pool.freeBytes).toBe(0)
  })

  test('counts what is out: given back or declared lost', () => {
    const pool = new BufferPool()
    const [first, second] = [pool.take(20_000), pool.take(20_000)]
    expect(pool.takenBytes).toBe(first.length + second.length)
    pool.lose(first)
    pool.give(second)
    expect(pool.takenBytes).toBe(0)
    expect(pool.take(20_000)).toBe(second)
    expect(pool.take(20_000)).not.toBe(first)
  })

  test('keeps no more than its budget', () => {
    const pool = new BufferPool(100_000)
    const buffers = Array.from({ length: 10 }, () => pool.take(32_768))
    for (const buffer of buffers) pool.give(buffer)
    expect(pool.freeBytes).toBe(98_304)
    pool.clear()
    expect(pool.freeBytes).toBe(0)
  })
})

describe('CRC-32C', () => {
  test('known value', () => {
    expect(crc32cOf(Buffer.from('123456789'), 0, 9)).toBe(0xe3069283)
  })

  test('agrees with the native one for every length, place and continuation', () => {
    const random = new SeededRandom(7)
    const bytes = Buffer.from(Array.from({ length: 1000 }, () => random.below(256)))
    for (let length = 0; length < 500; length++) {
      const from = random.below(bytes.length - length)
      const initial = nativeCrc32c(bytes.subarray(0, from))
      expect(crc32cOf(bytes, from, from + length)).toBe(nativeCrc32c(bytes.subarray(from, from + length)))
      expect(crc32cOf(bytes, from, from + length, initial)).toBe(nativeCrc32c(bytes.subarray(0, from + length)))
    }
  })
})

describe('the compiled CRC-32C', () => {
  const plain: Crc32c = (buffer, from, to, initial) => nativeCrc32c(buffer.subarray(from, to), initial)
  const compiled = compiledCrc32c(plain)

  test('is there on the platform it is written for', () => {
    const isWrittenFor = process.platform === 'linux' && process.arch === 'x64' && process.env.SAMSA_NO_FFI !== '1'
    const hasInstruction = isWrittenFor && readFileSync('/proc/cpuinfo', 'latin1').includes('sse4_2')
    expect(compiled !== null).toBe(hasInstruction)
  })

  test('agrees with the library for every length around its stretches, place and continuation', () => {
    const random = new SeededRandom(11)
    const bytes = Buffer.from(Array.from({ length: 70_000 }, () => random.below(256)))
    const stretches = [0, 4096, 8192, 12_288, 16_384, 24_576, 36_864, 65_536]
    for (const length of stretches.flatMap((near) =>
      Array.from({ length: 20 }, (_, by) => Math.max(1, near + by - 10)),
    )) {
      const from = random.below(bytes.length - length)
      const initial = random.below(2 ** 32)
      const expected = nativeCrc32c(bytes.subarray(from, from + length), initial)
      // Where it is not there, this says the same of what serves in its place.
      const sum = compiled?.(bytes, from, from + length, initial) ?? crc32cOf(bytes, from, from + length, initial)
      expect(sum).toBe(expected)
    }
  })
})

describe('randomness', () => {
  test('ids have 22 characters, are no reserved ones and do not begin with a dash', () => {
    for (const random of [realRandom, new SeededRandom(3)]) {
      const seen = new Set<string>()
      for (let count = 0; count < 500; count++) {
        const id = random.uuid()
        expect(id).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
        seen.add(id)
      }
      expect(seen.size).toBe(500)
    }
    expect(uuidFromBytes(new Uint8Array(16).fill(0xfb))).toBeNull()
    expect(isReservedUuid(new Uint8Array(16))).toBe(true)
    expect(isReservedUuid(Buffer.from('0000000000000000000000000000006400000000', 'hex').subarray(0, 16))).toBe(false)
  })

  test('the same seed gives the same sequence', () => {
    const first = new SeededRandom(42)
    const second = new SeededRandom(42)
    for (let count = 0; count < 100; count++) expect(first.next()).toBe(second.next())
    expect(new SeededRandom(43).next()).not.toBe(new SeededRandom(42).next())
  })
})
