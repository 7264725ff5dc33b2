/** gzip: any number of members in, one member out. Levels -1 (default) and 1..9. */
import { gunzipSync, gzipSync } from 'node:zlib'
import { fromZlib } from './bounded.ts'

const DEFAULT_LEVEL = -1

export function compressGzip(data: Buffer, level: number = DEFAULT_LEVEL): Buffer {
  return gzipSync(data, { level })
}

export function decompressGzip(data: Buffer, maxBytes: number): Buffer {
  try {
    return gunzipSync(data, { maxOutputLength: maxBytes })
  } catch (error) {
    throw fromZlib('gzip', maxBytes, error)
  }
}
