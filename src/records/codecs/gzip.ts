/** gzip: any number of members in, one member out. Levels -1 (default) and 1..9. */
import { fromZlib } from './bounded.ts'
import { zlib } from './native.ts'

const DEFAULT_LEVEL = -1
/** The member header names the writer's operating system; as in Java's, that is nobody's business. */
const OPERATING_SYSTEM_BYTE = 9
const UNKNOWN_OPERATING_SYSTEM = 0xff

export function compressGzip(data: Buffer, level: number = DEFAULT_LEVEL): Buffer {
  const member = zlib().gzipSync(data, { level })
  member[OPERATING_SYSTEM_BYTE] = UNKNOWN_OPERATING_SYSTEM
  return member
}

export function decompressGzip(data: Buffer, maxBytes: number): Buffer {
  try {
    return zlib().gunzipSync(data, { maxOutputLength: maxBytes })
  } catch (error) {
    throw fromZlib('gzip', maxBytes, error)
  }
}
