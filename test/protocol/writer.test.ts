import { describe, expect, test } from 'bun:test'
import { EncodeError } from '../../src/protocol/errors.ts'
import { PASS_THROUGH_BYTES } from '../../src/protocol/limits.ts'
import { Writer } from '../../src/protocol/writer.ts'

const SLAB = 64 * 1024

function written(write: (writer: Writer) => void): string {
  const writer = new Writer()
  write(writer)
  return Buffer.concat(writer.finish()).toString('hex')
}

describe('scalars', () => {
  const cases: [string, (writer: Writer) => void, string][] = [
    ['int8', (writer) => writer.int8(-2), 'fe'],
    ['int16', (writer) => writer.int16(-2), 'fffe'],
    ['uint16', (writer) => writer.uint16(65535), 'ffff'],
    ['int32', (writer) => writer.int32(-2), 'fffffffe'],
    ['int64', (writer) => writer.int64(4294967298), '0000000100000002'],
    ['a negative int64', (writer) => writer.int64(-1), 'ffffffffffffffff'],
    ['int64 just below -2^32', (writer) => writer.int64(-4294967297), 'fffffffeffffffff'],
    ['the largest exact int64', (writer) => writer.int64(Number.MAX_SAFE_INTEGER - 1), '001ffffffffffffe'],
    ['a saturated int64', (writer) => writer.int64(Number.MAX_SAFE_INTEGER), '7fffffffffffffff'],
    ['a saturated negative int64', (writer) => writer.int64(Number.MIN_SAFE_INTEGER), '8000000000000000'],
    ['float64', (writer) => writer.float64(1.5), '3ff8000000000000'],
    ['bool', (writer) => writer.bool(true), '01'],
    ['varint', (writer) => writer.unsignedVarint(300), 'ac02'],
    ['string', (writer) => writer.string('aü'), '000361c3bc'],
    ['compact string', (writer) => writer.compactString('aü'), '0461c3bc'],
    ['lone surrogate', (writer) => writer.compactString('\ud800'), '04efbfbd'],
    ['null string', (writer) => writer.nullableString(null), 'ffff'],
    ['compact null string', (writer) => writer.compactNullableString(null), '00'],
    ['null bytes', (writer) => writer.nullableBytes(null), 'ffffffff'],
    ['compact null bytes', (writer) => writer.compactNullableBytes(null), '00'],
    ['compact bytes', (writer) => writer.compactBytes(Buffer.from([7])), '0207'],
    ['null records', (writer) => writer.records(null), 'ffffffff'],
    ['records', (writer) => writer.records([Buffer.from([1]), new Uint8Array([2, 3])]), '00000003010203'],
    ['compact null records', (writer) => writer.compactRecords(null), '00'],
    ['uuid', (writer) => writer.uuid('AAECAwQFBgcICQoLDA0ODw'), '000102030405060708090a0b0c0d0e0f'],
  ]
  for (const [name, write, expected] of cases) test(name, () => expect(written(write)).toBe(expected))

  test('strings around every length at which the way of writing changes', () => {
    for (const length of [63, 64, 65, 126, 127, 128, 16382, 16383, 32767]) {
      for (const character of ['a', 'ü']) {
        const text = character.repeat(Math.floor(length / Buffer.byteLength(character)))
        const bytes = Buffer.from(text)
        const size = Buffer.alloc(2)
        size.writeInt16BE(bytes.length)
        expect(written((writer) => writer.string(text))).toBe(size.toString('hex') + bytes.toString('hex'))
        expect(written((writer) => writer.compactString(text)).endsWith(bytes.toString('hex'))).toBe(true)
      }
    }
  })

  test('a string that the length cannot hold is refused', () => {
    expect(() => written((writer) => writer.string('a'.repeat(32768)))).toThrow(EncodeError)
    expect(() => written((writer) => writer.compactString('ü'.repeat(20000)))).toThrow(EncodeError)
  })

  test('what is no uuid is refused, also after a good one', () => {
    const writer = new Writer()
    writer.uuid('AAECAwQFBgcICQoLDA0ODw')
    for (const bad of [
      '',
      'AAECAwQFBgcICQoLDA0OD',
      'AAECAwQFBgcICQoLDA0OD+',
      'AAECAwQFBgcICQoLDA0ODx',
      'ÄAECAwQFBgcICQoLDA0ODw',
    ]) {
      expect(() => writer.uuid(bad)).toThrow(EncodeError)
    }
    writer.uuid('AAECAwQFBgcICQoLDA0ODw')
    expect(Buffer.concat(writer.finish()).toString('hex')).toBe('000102030405060708090a0b0c0d0e0f'.repeat(2))
  })
})

describe('tagged fields', () => {
  for (const size of [0, 1, 126, 127, 128, 129, 16383, 16384, 70_000]) {
    test(`of ${size} bytes get their size in front`, () => {
      const writer = new Writer()
      writer.int8(9)
      const begin = writer.beginTaggedField(5)
      writer.raw(Buffer.alloc(size, 3))
      writer.endTaggedField(begin)
      writer.int8(8)
      const expected = new Writer()
      expected.int8(9)
      expected.unsignedVarint(5)
      expected.unsignedVarint(size)
      expected.raw(Buffer.alloc(size, 3))
      expected.int8(8)
      expect(Buffer.concat(writer.finish()).equals(Buffer.concat(expected.finish()))).toBe(true)
    })
  }
})

describe('buffers', () => {
  test('a large view becomes a part of its own, uncopied; a small one is copied in', () => {
    const large = Buffer.alloc(PASS_THROUGH_BYTES, 1)
    const small = Buffer.alloc(PASS_THROUGH_BYTES - 1, 2)
    const writer = new Writer()
    writer.beginFrame()
    writer.int8(7)
    writer.records([large, small, large])
    writer.int8(8)
    writer.endFrame()
    const parts = writer.finish()
    expect(parts.length).toBe(5)
    expect(parts[1]).toBe(large)
    expect(parts[3]).toBe(large)
    small.fill(0)
    const all = Buffer.concat(parts)
    expect(all.readInt32BE(0)).toBe(all.length - 4)
    expect(all.readInt32BE(5)).toBe(3 * PASS_THROUGH_BYTES - 1)
    expect(all[9 + PASS_THROUGH_BYTES]).toBe(2)
    expect(all.at(-1)).toBe(8)
  })

  test('a view that is no Buffer is passed through without a copy', () => {
    const view = new Uint8Array(PASS_THROUGH_BYTES + 10).subarray(10)
    const writer = new Writer()
    writer.records([view])
    const part = writer.finish()[1]!
    expect(Buffer.isBuffer(part)).toBe(true)
    expect([part.buffer, part.byteOffset, part.length]).toEqual([view.buffer, 10, view.length])
  })

  test('what finish returned is never written to again', () => {
    const writer = new Writer()
    const finished: { parts: Buffer[]; expected: string }[] = []
    for (let index = 0; index < 300; index++) {
      const length = (index * 7919) % 3000
      writer.beginFrame()
      writer.raw(Buffer.alloc(length, index))
      writer.endFrame()
      const parts = writer.finish()
      finished.push({ parts, expected: Buffer.concat(parts).toString('hex') })
    }
    for (const { parts, expected } of finished) expect(Buffer.concat(parts).toString('hex')).toBe(expected)
  })

  test('several frames collect in one writer, with sizes of their own', () => {
    const writer = new Writer(100)
    const sizes = [0, 10, 5000, 1, PASS_THROUGH_BYTES, 3, 40_000, 90_000]
    for (const size of sizes) {
      writer.beginFrame()
      writer.records([Buffer.alloc(size, size % 256)])
      writer.endFrame()
    }
    const all = Buffer.concat(writer.finish())
    let position = 0
    for (const size of sizes) {
      expect(all.readInt32BE(position)).toBe(size + 4)
      expect(all.readInt32BE(position + 4)).toBe(size)
      position += 8 + size
    }
    expect(position).toBe(all.length)
  })

  test('a message that grows keeps what was written, at every size around the slab', () => {
    for (let size = 65_000; size < 66_000; size += 37) {
      const writer = new Writer()
      writer.raw(Buffer.alloc(size, 1))
      writer.int64(2)
      writer.string('end')
      const all = Buffer.concat(writer.finish())
      expect(all.length).toBe(size + 8 + 5)
      expect(all.subarray(size).toString('hex')).toBe('0000000000000002' + '0003656e64')
    }
  })

  test('a large message made of small pieces is a list of parts, no piece copied twice', () => {
    const writer = new Writer()
    writer.beginFrame()
    for (let index = 0; index < 200; index++) writer.records([Buffer.alloc(10_000, index)])
    writer.endFrame()
    const parts = writer.finish()
    expect(parts.length).toBeGreaterThan(10)
    const all = Buffer.concat(parts)
    expect(all.readInt32BE(0)).toBe(200 * 10_004)
    for (let index = 0; index < 200; index++) expect(all[4 + 10_004 * index + 10_003]).toBe(index)
  })

  test('strings and tagged fields stay whole wherever a slab ends', () => {
    for (let room = 0; room < 40; room++) {
      const writer = new Writer(SLAB)
      const before = Buffer.alloc(SLAB - room, 1)
      writer.raw(before)
      writer.string('grün')
      writer.compactString('grün')
      const begin = writer.beginTaggedField(1)
      writer.raw(Buffer.alloc(200, 2))
      writer.endTaggedField(begin)
      const all = Buffer.concat(writer.finish())
      const expected = `0005${'6772c3bc6e'}06${'6772c3bc6e'}01c801${'02'.repeat(200)}`
      expect(all.subarray(SLAB - room).toString('hex')).toBe(expected)
    }
  })

  test('discard forgets an unfinished message only', () => {
    const writer = new Writer()
    writer.int8(1)
    const first = writer.finish()
    writer.beginFrame()
    writer.records([Buffer.alloc(PASS_THROUGH_BYTES)])
    writer.discard()
    expect(writer.length).toBe(0)
    writer.int8(2)
    expect(Buffer.concat([...first, ...writer.finish()]).toString('hex')).toBe('0102')
  })
})
