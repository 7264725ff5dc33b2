import { describe, expect, test } from 'bun:test'
import { KeyHash } from '../../src/log/key-hash.ts'
import { OffsetMap } from '../../src/log/offset-map.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'

function hashOf(text: string, seed = 0): string {
  const bytes = Buffer.from(text)
  const hash = new KeyHash(seed)
  hash.of(Buffer.concat([Buffer.from('??'), bytes, Buffer.from('!')]), 2, bytes.length)
  return [hash.first, hash.second, hash.third, hash.fourth]
    .map((word) => (word >>> 0).toString(16).padStart(8, '0'))
    .join('')
}

describe('the hash of a key', () => {
  test('is MurmurHash3 for 32-bit arithmetic', () => {
    expect(hashOf('')).toBe('0'.repeat(32))
    expect(hashOf('The quick brown fox jumps over the lazy dog')).toBe('2f1583c3ecee2c675d7bf66ce5e91d2c')
  })

  test.each([0, 1, 2 ** 31, 0xdeadbeef])('differs for keys that are alike, of every length, with seed %i', (seed) => {
    const seen = new Set<string>()
    const keys: string[] = []
    for (let length = 0; length < 70; length++) {
      for (const last of ['', 'a', 'b', '\0', '\0\0']) keys.push('x'.repeat(length) + last)
    }
    for (const key of keys) seen.add(hashOf(key, seed))
    expect(seen.size).toBe(keys.length)
  })

  test('depends on the seed', () => {
    expect(hashOf('key', 1)).not.toBe(hashOf('key', 2))
  })
})

describe('the map', () => {
  test('keeps the last offset of every key', () => {
    const map = new OffsetMap({ maxBytes: 1 << 20, loadFactor: 0.9, mostKeys: 5000, seed: 3 })
    const random = new SeededRandom(1)
    const model = new Map<string, number>()
    for (let offset = 0; offset < 20_000; offset++) {
      const key = `key${random.below(5000)}`
      const bytes = Buffer.from(`..${key}.`)
      expect(map.put(bytes, 2, key.length, offset)).toBe(true)
      model.set(key, offset)
    }
    expect(map.size).toBe(model.size)
    for (const [key, offset] of model) expect(map.get(Buffer.from(key), 0, key.length)).toBe(offset)
    for (let key = 5000; key < 6000; key++) expect(map.get(Buffer.from(`key${key}`), 0, 7)).toBe(-1)
    map.release()
  })

  test('takes no more keys than its memory and load factor allow, but newer offsets of those it has', () => {
    const map = new OffsetMap({ maxBytes: 24 * 100, loadFactor: 0.5, mostKeys: 1_000_000, seed: 3 })
    const put = (key: number, offset: number) => map.put(Buffer.from(`key${key}`), 0, `key${key}`.length, offset)
    let taken = 0
    while (put(taken, taken)) taken++
    expect(taken).toBe(50)
    expect(map.capacity).toBe(50)
    expect(put(7, 1000)).toBe(true)
    expect(map.get(Buffer.from('key7'), 0, 4)).toBe(1000)
  })
})
