/** What each codec must read, must refuse, and how its output is framed. */
import { describe, expect, test } from 'bun:test'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { compressSync as lz4Block } from 'lz4-napi'
import { compressSync as rawSnappy } from 'snappy'
import { CODEC_NAMES, type CodecName, codecId, compress, decompress } from '../../../src/records/codecs/index.ts'
import { xxhash32 } from '../../../src/records/codecs/xxhash32.ts'
import { RecordError, type RecordErrorKind } from '../../../src/records/record-error.ts'
import { Random } from '../../support/random.ts'

const MIB = 1024 * 1024
const TEXT = Buffer.from('The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog.\n')
const COMPRESSED: CodecName[] = ['gzip', 'snappy', 'lz4', 'zstd']
/** 90,000 bytes of the same sentence as two blocks that depend on each other, by the reference tool. */
const LZ4_LINKED =
  '04224d1844405e38010000ff1e54686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672e202d00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffbb50726f776e20690000000ff0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffd750646f672e20000000002ffe0eb8'

function unpack(codec: CodecName, data: Buffer | string, maxBytes = MIB): Buffer {
  return decompress(codecId(codec), typeof data === 'string' ? Buffer.from(data, 'hex') : data, maxBytes)
}

function refusal(codec: CodecName, data: Buffer | string, maxBytes = MIB): RecordErrorKind | 'accepted' {
  try {
    unpack(codec, data, maxBytes)
    return 'accepted'
  } catch (error) {
    if (error instanceof RecordError) return error.kind
    throw error
  }
}

describe.each(CODEC_NAMES)('%s', (codec) => {
  test('data of every kind and size round-trips', () => {
    const random = new Random(11)
    for (const length of [0, 1, 100, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 300_000]) {
      for (const data of [random.bytes(length), Buffer.alloc(length, 'abcdefghij'), Buffer.alloc(length)]) {
        const packed = compress(codecId(codec), data)
        expect(unpack(codec, packed).equals(data)).toBe(true)
      }
    }
  })

  test('the limit is exact', () => {
    const data = Buffer.alloc(200_000, 'limits are limits. ')
    const packed = compress(codecId(codec), data)
    expect(unpack(codec, packed, data.length).length).toBe(data.length)
    expect(refusal(codec, packed, data.length - 1)).toBe('too large')
  })
})

describe.each(COMPRESSED)('%s from a stranger', (codec) => {
  const packed = compress(codecId(codec), TEXT)

  test('an early end anywhere is refused', () => {
    // Cutting after the last snappy chunk but before none leaves nothing to notice: there is no end mark.
    const accepted = Array.from({ length: packed.length }, (_, length) => length).filter(
      (length) => refusal(codec, packed.subarray(0, length)) === 'accepted',
    )
    expect(accepted).toEqual(codec === 'snappy' ? [16] : [])
  })

  test('a single wrong bit never crashes nor exceeds the limit', () => {
    for (let bit = 0; bit < packed.length * 8; bit++) {
      const changed = Buffer.from(packed)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(['accepted', 'corrupt', 'too large']).toContain(refusal(codec, changed, 1000))
    }
  })

  test('a bomb is refused without its memory being used', () => {
    const bomb = compress(codecId(codec), Buffer.alloc(96 * MIB))
    Bun.gc(true)
    const before = process.memoryUsage.rss()
    expect(refusal(codec, bomb, 8 * MIB)).toBe('too large')
    expect(process.memoryUsage.rss() - before).toBeLessThan(48 * MIB)
  })
})

test('a number that names no codec is refused', () => {
  for (const codec of [5, 6, 7]) expect(() => decompress(codec, TEXT, MIB)).toThrow(RecordError)
})

describe('gzip', () => {
  test('several members are one stream', () => {
    const members = Buffer.concat([gzipSync(TEXT.subarray(0, 30)), gzipSync(TEXT.subarray(30))])
    expect(unpack('gzip', members).equals(TEXT)).toBe(true)
  })

  test('the operating system is not told', () => {
    expect(compress(1, TEXT).subarray(0, 10).toString('hex')).toBe('1f8b08000000000000ff')
  })
})

describe('snappy', () => {
  test('written as the stream Java clients write', () => {
    const packed = compress(2, Buffer.alloc(70_000, 'x'))
    expect(packed.subarray(0, 16).toString('hex')).toBe('82534e41505059000000000100000001')
    const lengths: number[] = []
    for (let at = 16; at < packed.length; at += 4 + packed.readInt32BE(at)) lengths.push(packed.readInt32BE(at))
    expect(lengths).toHaveLength(3)
  })

  test('one bare block', () => {
    expect(unpack('snappy', rawSnappy(TEXT)).equals(TEXT)).toBe(true)
  })

  test('streams one after another', () => {
    const streams = Buffer.concat([compress(2, TEXT.subarray(0, 20)), compress(2, TEXT.subarray(20))])
    expect(unpack('snappy', streams).equals(TEXT)).toBe(true)
  })

  test.each([
    ['a block that claims 4 GiB', 'ffffffff0f00'],
    ['a chunk of no bytes', '82534e4150505900000000010000000100000000'],
    ['a chunk of negative length', '82534e41505059000000000100000001ffffffff'],
    ['a second header cut short', '82534e4150505900000000010000000182534e4150'],
    ['a length that never ends', 'ffffffffffff'],
  ])('%s', (_name, hex) => {
    expect(refusal('snappy', hex)).toBe('corrupt')
  })
})

describe('lz4', () => {
  /** The same text by the reference tool with other frame options. */
  const FRAMES: [string, string][] = [
    [
      'block checksum and content checksum',
      '04224d187440bd38000000ff1e54686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672e202d001550646f672e0a8230484300000000c342ae0a',
    ],
    [
      'content size and content checksum',
      '04224d186c405a000000000000003138000000ff1e54686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672e202d001550646f672e0a00000000c342ae0a',
    ],
    [
      'no checksum',
      '04224d1860408238000000ff1e54686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672e202d001550646f672e0a00000000',
    ],
    [
      'everything at once',
      '04224d187c405a000000000000009a38000000ff1e54686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672e202d001550646f672e0a8230484300000000c342ae0a',
    ],
  ]
  const PLAIN_FRAME = Buffer.from(FRAMES[2]![1], 'hex')

  /** A frame header with its right checksum byte, before the blocks of the plain frame. */
  function frameWith(flags: number, descriptor: number, between = ''): Buffer {
    const described = Buffer.from([flags, descriptor, ...Buffer.from(between, 'hex')])
    const checksum = (xxhash32(described, 0, described.length) >>> 8) & 0xff
    return Buffer.concat([PLAIN_FRAME.subarray(0, 4), described, Buffer.from([checksum]), PLAIN_FRAME.subarray(7)])
  }

  test.each(FRAMES)('%s', (_name, hex) => {
    expect(unpack('lz4', hex).equals(TEXT)).toBe(true)
  })

  test.each([0x40, 0x50, 0x60, 0x70])('block size code %d', (descriptor) => {
    expect(unpack('lz4', frameWith(0x60, descriptor)).equals(TEXT)).toBe(true)
  })

  test('blocks larger than 64 KiB are read where the frame allows them', () => {
    const data = Buffer.alloc(200_000, 'large blocks. ')
    const block = lz4Block(data)
    block.writeUInt32LE(block.length - 4, 0)
    const frame = (descriptor: number) =>
      Buffer.concat([frameWith(0x60, descriptor).subarray(0, 7), block, Buffer.alloc(4)])
    expect(unpack('lz4', frame(0x50)).equals(data)).toBe(true)
    expect(refusal('lz4', frame(0x40))).toBe('corrupt')
  })

  const wrongBlockChecksum = Buffer.from(FRAMES[0]![1], 'hex')
  wrongBlockChecksum[wrongBlockChecksum.length - 9]! ^= 1
  const wrongHeaderChecksum = Buffer.from(PLAIN_FRAME)
  wrongHeaderChecksum[6]! ^= 1

  test.each([
    ['blocks that depend on each other', Buffer.from(LZ4_LINKED, 'hex')],
    ['a frame that needs a dictionary', frameWith(0x61, 0x40, '01000000')],
    ['a reserved flag', frameWith(0x62, 0x40)],
    ['a reserved bit of the descriptor', frameWith(0x60, 0xc0)],
    ['a reserved low bit of the descriptor', frameWith(0x60, 0x41)],
    ['another frame version', frameWith(0xa0, 0x40)],
    ['block size code 3', frameWith(0x60, 0x30)],
    ['a wrong header checksum', wrongHeaderChecksum],
    ['a wrong block checksum', wrongBlockChecksum],
    ['a second frame', Buffer.concat([PLAIN_FRAME, PLAIN_FRAME])],
    ['the legacy frame magic', Buffer.concat([Buffer.from('02214c18', 'hex'), PLAIN_FRAME.subarray(4)])],
  ])('%s: refused', (_name, frame) => {
    expect(refusal('lz4', frame)).toBe('corrupt')
  })

  test('written as Java clients write it', () => {
    const packed = compress(3, Buffer.concat([Buffer.alloc(70_000, 'x'), new Random(3).bytes(100)]))
    expect(packed.subarray(0, 7).toString('hex')).toBe('04224d18604082')
    expect(packed.subarray(-4).toString('hex')).toBe('00000000')
    const incompressible = compress(3, new Random(3).bytes(100))
    expect(incompressible.readUInt32LE(7)).toBe(0x80000000 + 100)
  })

  test('xxhash32 has the published values', () => {
    const hash = (text: string) => xxhash32(Buffer.from(text), 0, text.length)
    expect(hash('')).toBe(0x02cc5d05)
    expect(hash('a')).toBe(0x550d7456)
    expect(hash('abc')).toBe(0x32d153ff)
    expect(hash('Nobody inspects the spammish repetition')).toBe(0xe2293b2f)
  })
})

describe('zstd', () => {
  const SKIPPABLE = Buffer.from('502a4d180200000000ff', 'hex')
  const withoutSize = Buffer.from(
    '28b52ffd0058b50100e40254686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672e200a01000d9aaa0c',
    'hex',
  )
  const packed = zstdCompressSync(TEXT)
  const checked = zstdCompressSync(TEXT, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })

  test.each([
    ['no content size', withoutSize],
    ['a content checksum', checked],
    ['a skippable frame before', Buffer.concat([SKIPPABLE, packed])],
    ['a skippable frame behind', Buffer.concat([packed, SKIPPABLE])],
  ])('%s', (_name, frames) => {
    expect(unpack('zstd', frames).equals(TEXT)).toBe(true)
  })

  test('frames one after another', () => {
    expect(unpack('zstd', Buffer.concat([packed, withoutSize])).equals(Buffer.concat([TEXT, TEXT]))).toBe(true)
  })

  test('a limit below what the block headers allow still lets smaller data pass', () => {
    // One compressed block may hold 128 KiB; the text has 90 bytes.
    expect(unpack('zstd', withoutSize, TEXT.length).equals(TEXT)).toBe(true)
    expect(refusal('zstd', withoutSize, TEXT.length - 1)).toBe('too large')
  })

  const wrongChecksum = Buffer.from(checked)
  wrongChecksum[wrongChecksum.length - 1]! ^= 1

  test.each([
    ['a content size of 1 TiB for three bytes', Buffer.from('28b52ffde00000000000010000190000616263', 'hex')],
    ['a reserved block type', Buffer.from('28b52ffd00581f0000616263', 'hex')],
    ['a wrong checksum', wrongChecksum],
    ['bytes behind the frame', Buffer.concat([packed, TEXT])],
    ['a skippable frame cut short', Buffer.concat([packed, SKIPPABLE.subarray(0, -1)])],
  ])('%s: refused', (_name, frames) => {
    expect(refusal('zstd', frames)).toBe('corrupt')
  })

  test.each([-131072, -5, 1, 22])('level %d', (level) => {
    expect(unpack('zstd', compress(4, TEXT, level)).equals(TEXT)).toBe(true)
  })
})
