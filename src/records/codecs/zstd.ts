/**
 * zstd: any number of frames in, one frame out. Levels -131072..22, default 3.
 *
 * The frames are walked before decoding: their block headers bound the output, so that data that cannot exceed the
 * limit takes the decoder without a limit (much faster for small batches), and an early end or bytes after the last
 * frame, which the native decoders pass over in silence, are found.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { corrupt, fromZlib } from './bounded.ts'

const DEFAULT_LEVEL = 3
const MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
/** No block of a frame decodes to more. */
const MAX_BLOCK_OUTPUT_BYTES = 128 * 1024
const BLOCK_RAW = 0
const BLOCK_REPEAT = 1
const BLOCK_COMPRESSED = 2

export function compressZstd(data: Buffer, level: number = DEFAULT_LEVEL): Buffer {
  return zstdCompressSync(data, { params: { [constants.ZSTD_c_compressionLevel]: level } })
}

export function decompressZstd(data: Buffer, maxBytes: number): Buffer {
  const bound = outputBound(data)
  try {
    if (bound <= maxBytes) return Bun.zstdDecompressSync(data)
    return zstdDecompressSync(data, { maxOutputLength: maxBytes })
  } catch (error) {
    throw fromZlib('zstd', maxBytes, error)
  }
}

/** The most bytes these frames can decode to. */
function outputBound(data: Buffer): number {
  let position = 0
  let bound = 0
  if (data.length === 0) throw corrupt('zstd', 'no frame')
  while (position < data.length) {
    if (position + 8 > data.length) throw corrupt('zstd', 'frame is cut short')
    const magic = data.readUInt32LE(position)
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      position += 8 + data.readUInt32LE(position + 4)
      if (position > data.length) throw corrupt('zstd', 'frame is cut short')
      continue
    }
    if (magic !== MAGIC) throw corrupt('zstd', 'not a zstd frame')
    const descriptor = data[position + 4]!
    position += 5 + frameHeaderBytes(descriptor)
    let last = false
    while (!last) {
      if (position + 3 > data.length) throw corrupt('zstd', 'frame is cut short')
      const blockHeader = data.readUIntLE(position, 3)
      position += 3
      last = (blockHeader & 1) !== 0
      const type = (blockHeader >>> 1) & 3
      const size = blockHeader >>> 3
      if (type === BLOCK_RAW || type === BLOCK_REPEAT) bound += size
      else if (type === BLOCK_COMPRESSED) bound += MAX_BLOCK_OUTPUT_BYTES
      else throw corrupt('zstd', 'reserved block type')
      position += type === BLOCK_REPEAT ? 1 : size
    }
    if ((descriptor & 0x04) !== 0) position += 4 // content checksum
    if (position > data.length) throw corrupt('zstd', 'frame is cut short')
  }
  return bound
}

/** Bytes between the frame header descriptor and the first block. */
function frameHeaderBytes(descriptor: number): number {
  const singleSegment = (descriptor & 0x20) !== 0
  const contentSizeFlag = descriptor >>> 6
  const contentSizeBytes = contentSizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << contentSizeFlag
  const dictionaryIdFlag = descriptor & 3
  const dictionaryIdBytes = dictionaryIdFlag === 3 ? 4 : dictionaryIdFlag
  return (singleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes
}
