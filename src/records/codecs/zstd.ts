/**
 * zstd: any number of frames in, one frame out. Levels -131072..22, default 3.
 *
 * The frames are walked before decoding: their block headers bound the output, so that data that cannot exceed the
 * limit takes the decoder without a limit (much faster for small batches), and an early end or bytes after the last
 * frame, which the native decoders pass over in silence, are found.
 */
import { corrupt, fromZlib } from './bounded.ts'
import { CodecUnavailableError, zlib } from './native.ts'

const DEFAULT_LEVEL = 3
const MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
/** No block of a frame decodes to more. */
const MAX_BLOCK_OUTPUT_BYTES = 128 * 1024
const CHECKSUM_FLAG = 0x04
const BLOCK_RAW = 0
const BLOCK_REPEAT = 1
const BLOCK_COMPRESSED = 2

export function compressZstd(data: Buffer, level: number = DEFAULT_LEVEL): Buffer {
  checkRuntime()
  const { constants, zstdCompressSync } = zlib()
  return zstdCompressSync(data, { params: { [constants.ZSTD_c_compressionLevel]: level } })
}

function checkRuntime(): void {
  if (typeof zlib().zstdCompressSync === 'function') return
  throw new CodecUnavailableError('zstd needs Bun, or Node 22.15 or later: this runtime has no zstd in node:zlib')
}

export function decompressZstd(data: Buffer, maxBytes: number): Buffer {
  const bound = outputBound(data)
  checkRuntime()
  try {
    if (bound <= maxBytes && typeof Bun !== 'undefined') return Bun.zstdDecompressSync(data)
    return zlib().zstdDecompressSync(data, { maxOutputLength: maxBytes })
  } catch (error) {
    throw fromZlib('zstd', maxBytes, error)
  }
}

/** The most bytes these frames can decode to. */
function outputBound(data: Buffer): number {
  if (data.length === 0) throw corrupt('zstd', 'no frame')
  let position = 0
  let bound = 0
  while (position < data.length) {
    if (position + 8 > data.length) throw corrupt('zstd', 'frame is cut short')
    const magic = data.readUInt32LE(position)
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      position += 8 + data.readUInt32LE(position + 4)
    } else if (magic === MAGIC) {
      const frame = walkFrame(data, position)
      bound += frame.bound
      position = frame.end
    } else throw corrupt('zstd', 'not a zstd frame')
    if (position > data.length) throw corrupt('zstd', 'frame is cut short')
  }
  return bound
}

/** End of the frame that starts at `start` (may lie beyond the data) and the most bytes it can decode to. */
function walkFrame(data: Buffer, start: number): { end: number; bound: number } {
  const descriptor = data[start + 4]!
  const singleSegment = (descriptor & 0x20) !== 0
  const contentSizeFlag = descriptor >>> 6
  const contentSizeBytes = contentSizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << contentSizeFlag
  const dictionaryIdFlag = descriptor & 3
  const contentSizeAt = start + 5 + (singleSegment ? 0 : 1) + (dictionaryIdFlag === 3 ? 4 : dictionaryIdFlag)
  let position = contentSizeAt + contentSizeBytes
  let bound = 0
  let last = false
  while (!last) {
    if (position + 3 > data.length) throw corrupt('zstd', 'frame is cut short')
    const blockHeader = data.readUIntLE(position, 3)
    last = (blockHeader & 1) !== 0
    const type = (blockHeader >>> 1) & 3
    const size = blockHeader >>> 3
    if (type === BLOCK_RAW || type === BLOCK_REPEAT) bound += size
    else if (type === BLOCK_COMPRESSED) bound += MAX_BLOCK_OUTPUT_BYTES
    else throw corrupt('zstd', 'reserved block type')
    position += 3 + (type === BLOCK_REPEAT ? 1 : size)
  }
  // A decoder allocates what the frame claims to hold: the claim must be possible.
  if (contentSize(data, contentSizeAt, contentSizeBytes) > bound) throw corrupt('zstd', 'impossible content size')
  return { end: position + ((descriptor & CHECKSUM_FLAG) !== 0 ? 4 : 0), bound }
}

/** The claimed content size; 0 if the frame does not say. */
function contentSize(data: Buffer, at: number, bytes: number): number {
  switch (bytes) {
    case 1:
      return data[at]!
    case 2:
      return data.readUInt16LE(at) + 256
    case 4:
      return data.readUInt32LE(at)
    case 8:
      return data.readUInt32LE(at) + data.readUInt32LE(at + 4) * 4294967296
    default:
      return 0
  }
}
