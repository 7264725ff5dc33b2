/**
 * LZ4 frames around the native block codec.
 *
 * Written as Java clients write them: one frame of independent 64 KiB blocks without checksums or content size.
 * Read: any block size, block checksums, content size and content checksum. Refused, because Java readers cannot decode
 * them and a stored batch must be readable by every consumer: blocks that depend on earlier ones, dictionaries,
 * reserved bits, a wrong header checksum, anything after the frame.
 */
import { corrupt, tooLarge } from './bounded.ts'
import { loadCodec, requireHere } from './native.ts'
import { xxhash32 } from './xxhash32.ts'

type Lz4 = typeof import('lz4-napi')
let loaded: Lz4 | null = null

function lz4(): Lz4 {
  loaded ??= loadCodec('lz4', 'lz4-napi', () => {
    return (typeof require === 'function' ? require('lz4-napi') : requireHere('lz4-napi')) as Lz4
  })
  return loaded
}

const MAGIC = 0x184d2204
/** Magic, FLG (version 1, independent blocks), BD (64 KiB), header checksum. */
const FRAME_HEADER = Buffer.from('04224d18604082', 'hex')
const END_MARK = Buffer.alloc(4)
const BLOCK_INPUT_BYTES = 64 * 1024
const STORED_BIT = 0x80000000

const FLAG_DICTIONARY = 0x01
const FLAG_RESERVED = 0x02
const FLAG_CONTENT_CHECKSUM = 0x04
const FLAG_CONTENT_SIZE = 0x08
const FLAG_BLOCK_CHECKSUM = 0x10
const FLAG_INDEPENDENT = 0x20

/** The native block codec puts the uncompressed length, little endian, before a block. */
const PREFIX_BYTES = 4
/** A byte of an LZ4 sequence stands for at most 255 bytes of output. */
const MAX_EXPANSION = 255

/**
 * Compress into one frame. The level is accepted because `compression.lz4.level` exists, but has no effect: the native
 * library has only the fast compressor (Kafka's default level 9 selects its fast one, too). Every LZ4 reader decodes
 * the result; it is merely larger than a high-compression one would be.
 */
export function compressLz4(data: Buffer, _level?: number): Buffer {
  const parts: Buffer[] = [FRAME_HEADER]
  for (let start = 0; start < data.length; start += BLOCK_INPUT_BYTES) {
    const input = data.subarray(start, start + BLOCK_INPUT_BYTES)
    const prefixed = lz4().compressSync(input)
    const compressedBytes = prefixed.length - PREFIX_BYTES
    if (compressedBytes < input.length) {
      // The prefix has the size of the frame's block length field: overwrite it.
      prefixed.writeUInt32LE(compressedBytes, 0)
      parts.push(prefixed)
    } else {
      const length = Buffer.allocUnsafe(4)
      length.writeUInt32LE((input.length | STORED_BIT) >>> 0, 0)
      parts.push(length, input)
    }
  }
  parts.push(END_MARK)
  return Buffer.concat(parts)
}

interface FrameHeader {
  blockMaxBytes: number
  blockChecksums: boolean
  contentChecksum: boolean
  /** Where the blocks start. */
  end: number
}

function readFrameHeader(data: Buffer): FrameHeader {
  if (data.length < FRAME_HEADER.length) throw corrupt('lz4', 'frame header is cut short')
  if (data.readUInt32LE(0) !== MAGIC) throw corrupt('lz4', 'not an LZ4 frame')
  const flags = data[4]!
  const descriptor = data[5]!
  if (flags >>> 6 !== 1) throw corrupt('lz4', `unknown frame version ${flags >>> 6}`)
  if ((flags & FLAG_RESERVED) !== 0 || (descriptor & 0x8f) !== 0) throw corrupt('lz4', 'reserved bits are set')
  if ((flags & FLAG_DICTIONARY) !== 0) throw corrupt('lz4', 'frame needs a dictionary')
  if ((flags & FLAG_INDEPENDENT) === 0) throw corrupt('lz4', 'frame has blocks that depend on each other')
  const blockSizeCode = descriptor >>> 4
  if (blockSizeCode < 4) throw corrupt('lz4', `unknown block size code ${blockSizeCode}`)
  const checksumAt = 6 + ((flags & FLAG_CONTENT_SIZE) !== 0 ? 8 : 0)
  if (checksumAt >= data.length) throw corrupt('lz4', 'frame header is cut short')
  if (((xxhash32(data, 4, checksumAt) >>> 8) & 0xff) !== data[checksumAt]) {
    throw corrupt('lz4', 'wrong frame header checksum')
  }
  return {
    blockMaxBytes: 1 << (2 * blockSizeCode + 8),
    blockChecksums: (flags & FLAG_BLOCK_CHECKSUM) !== 0,
    contentChecksum: (flags & FLAG_CONTENT_CHECKSUM) !== 0,
    end: checksumAt + 1,
  }
}

export function decompressLz4(data: Buffer, maxBytes: number): Buffer {
  const header = readFrameHeader(data)
  const parts: Buffer[] = []
  let total = 0
  let position = header.end
  for (;;) {
    if (position + 4 > data.length) throw corrupt('lz4', 'frame ends without an end mark')
    const field = data.readUInt32LE(position)
    position += 4
    if (field === 0) break
    const stored = field >= STORED_BIT
    const length = stored ? field - STORED_BIT : field
    if (length > header.blockMaxBytes) throw corrupt('lz4', `block of ${length} bytes is larger than the frame allows`)
    const end = position + length
    const next = header.blockChecksums ? end + 4 : end
    if (next > data.length) throw corrupt('lz4', 'block is cut short')
    if (header.blockChecksums && xxhash32(data, position, end) !== data.readUInt32LE(end)) {
      throw corrupt('lz4', 'wrong block checksum')
    }
    const block = data.subarray(position, end)
    const part = stored ? block : decompressBlock(block, header.blockMaxBytes)
    total += part.length
    if (total > maxBytes) throw tooLarge('lz4', maxBytes)
    parts.push(part)
    position = next
  }
  if (header.contentChecksum) position += 4
  if (position !== data.length) throw corrupt('lz4', 'frame is not where the data ends')
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, total)
}

function decompressBlock(block: Buffer, blockMaxBytes: number): Buffer {
  const prefixed = Buffer.allocUnsafe(PREFIX_BYTES + block.length)
  // The library makes an output of this size, fails if the block needs more, and cuts it to what the block held.
  prefixed.writeUInt32LE(Math.min(blockMaxBytes, block.length * MAX_EXPANSION), 0)
  block.copy(prefixed, PREFIX_BYTES)
  try {
    return lz4().uncompressSync(prefixed)
  } catch (error) {
    throw corrupt('lz4', error instanceof Error ? error.message : String(error), error)
  }
}
