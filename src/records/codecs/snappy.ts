/**
 * snappy in the two shapes found in record batches: the stream of snappy-java (16 bytes of header, then chunks of at
 * most 32 KiB each behind its length), which Java clients write and so do we, and one bare raw block, which librdkafka
 * writes. Several streams may follow one another.
 */
import { corrupt, tooLarge } from './bounded.ts'
import { loadCodec, requireHere } from './native.ts'

type Snappy = typeof import('snappy')
let loaded: Snappy | null = null

/** Loaded at first use: the package takes longer to load than the rest of a start. */
function snappy(): Snappy {
  loaded ??= loadCodec('snappy', 'snappy', () => {
    return (typeof require === 'function' ? require('snappy') : requireHere('snappy')) as Snappy
  })
  return loaded
}

/** 0x82 "SNAPPY" 0, version 1, lowest compatible version 1. */
const STREAM_HEADER = Buffer.from('82534e41505059000000000100000001', 'hex')
const STREAM_MAGIC_BYTES = 8
const STREAM_MAGIC_HEAD = STREAM_HEADER.readInt32BE(0)
const CHUNK_INPUT_BYTES = 32 * 1024
/** No snappy element makes more than 64 bytes of 3; a block that claims more is lying. */
const MAX_EXPANSION = 32
/** Two napi options: copy the output instead of handing over foreign memory, which is measured twice as fast. */
const UNCOMPRESS_OPTIONS = { copyOutputData: true, asBuffer: true }

export function compressSnappy(data: Buffer): Buffer {
  const parts: Buffer[] = [STREAM_HEADER]
  for (let start = 0; start < data.length; start += CHUNK_INPUT_BYTES) {
    const block = snappy().compressSync(data.subarray(start, start + CHUNK_INPUT_BYTES))
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(block.length, 0)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

export function decompressSnappy(data: Buffer, maxBytes: number): Buffer {
  const isStream =
    data.length >= STREAM_MAGIC_BYTES && data.compare(STREAM_HEADER, 0, STREAM_MAGIC_BYTES, 0, STREAM_MAGIC_BYTES) === 0
  return isStream ? decompressStream(data, maxBytes) : decompressBlock(data, maxBytes)
}

function decompressStream(data: Buffer, maxBytes: number): Buffer {
  const parts: Buffer[] = []
  let total = 0
  let position = 0
  while (position < data.length) {
    if (position + 4 > data.length) throw corrupt('snappy', 'stream ends inside a chunk length')
    const length = data.readInt32BE(position)
    if (length === STREAM_MAGIC_HEAD) {
      if (position + STREAM_HEADER.length > data.length) throw corrupt('snappy', 'stream ends inside its header')
      position += STREAM_HEADER.length
      continue
    }
    position += 4
    if (length <= 0 || length > data.length - position) throw corrupt('snappy', `impossible chunk length ${length}`)
    const part = decompressBlock(data.subarray(position, position + length), maxBytes - total)
    total += part.length
    parts.push(part)
    position += length
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, total)
}

function decompressBlock(block: Buffer, maxBytes: number): Buffer {
  const claimed = uncompressedLength(block)
  if (claimed > block.length * MAX_EXPANSION) throw corrupt('snappy', 'impossible uncompressed length')
  if (claimed > maxBytes) throw tooLarge('snappy', maxBytes)
  try {
    // The declared type is `string | Buffer`; asBuffer makes it a Buffer.
    return snappy().uncompressSync(block, UNCOMPRESS_OPTIONS) as Buffer
  } catch (error) {
    throw corrupt('snappy', error instanceof Error ? error.message : String(error), error)
  }
}

/** The unsigned varint a raw block starts with. */
function uncompressedLength(block: Buffer): number {
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index]
    if (byte === undefined) throw corrupt('snappy', 'block ends inside its length')
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return length
  }
  throw corrupt('snappy', 'block length is too long')
}
