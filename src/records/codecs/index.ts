/**
 * The four compression codecs of record batches, by their number in the batch attributes.
 *
 * `compress` is for batches built or rebuilt here; producers' compressed batches are stored as they came.
 * `decompress` is for untrusted data: it never produces more than `maxBytes` and throws a RecordError of kind
 * 'too large' or 'corrupt'.
 */
import { CODEC_GZIP, CODEC_LZ4, CODEC_NONE, CODEC_SNAPPY, CODEC_ZSTD, type CodecId } from '../header.ts'
import { RecordError } from '../record-error.ts'
import { tooLarge } from './bounded.ts'
import { compressGzip, decompressGzip } from './gzip.ts'
import { compressLz4, decompressLz4 } from './lz4.ts'
import { compressSnappy, decompressSnappy } from './snappy.ts'
import { compressZstd, decompressZstd } from './zstd.ts'

export { CodecUnavailableError } from './native.ts'

/** Names as used in `compression.type`, at the index of their number. */
export const CODEC_NAMES = ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type CodecName = (typeof CODEC_NAMES)[number]

export function codecId(name: CodecName): CodecId {
  return CODEC_NAMES.indexOf(name) as CodecId
}

export function isCodecId(codec: number): codec is CodecId {
  return codec >= 0 && codec < CODEC_NAMES.length
}

/** Compress a records section. Without a level the codec's default is used; snappy has no levels. */
export function compress(codec: CodecId, data: Buffer, level?: number): Buffer {
  switch (codec) {
    case CODEC_NONE:
      return data
    case CODEC_GZIP:
      return compressGzip(data, level)
    case CODEC_SNAPPY:
      return compressSnappy(data)
    case CODEC_LZ4:
      return compressLz4(data, level)
    case CODEC_ZSTD:
      return compressZstd(data, level)
  }
}

/**
 * Large results are garbage a moment later, and the collector, which counts them late, would let them pile up to several times the
 * bound; from this size on it is asked to look (50 us, on its own thread).
 */
const COLLECT_FROM_BYTES = 8 * 1024 * 1024

/** Decompress a records section into at most `maxBytes`. The answer may be a view of `data` (codec none). */
export function decompress(codec: number, data: Buffer, maxBytes: number): Buffer {
  let decompressedBytes = maxBytes
  try {
    const decompressed = decompressWith(codec, data, maxBytes)
    decompressedBytes = decompressed.length
    return decompressed
  } finally {
    if (decompressedBytes >= COLLECT_FROM_BYTES && typeof Bun !== 'undefined') Bun.gc(false)
  }
}

function decompressWith(codec: number, data: Buffer, maxBytes: number): Buffer {
  switch (codec) {
    case CODEC_NONE:
      if (data.length > maxBytes) throw tooLarge('uncompressed', maxBytes)
      return data
    case CODEC_GZIP:
      return decompressGzip(data, maxBytes)
    case CODEC_SNAPPY:
      return decompressSnappy(data, maxBytes)
    case CODEC_LZ4:
      return decompressLz4(data, maxBytes)
    case CODEC_ZSTD:
      return decompressZstd(data, maxBytes)
    default:
      throw new RecordError('corrupt', `unknown compression codec ${codec}`)
  }
}
