// Recently read strings and uuids, so that the same topic name or id in every request is not decoded and allocated
// again, and keeps the hash by which maps find it. Small direct-mapped tables: a collision replaces the older entry, so
// what clients send cannot make them grow. They only save work: a lookup gives the same value whether or not it was there.

import { MAX_INTERNED_STRING_BYTES } from './limits.ts'

const SLOTS = 2048

/** Where the value with these bytes is kept, if it is. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0
  for (let index = start; index < end; index++) hash = (Math.imul(hash, 31) + bytes[index]!) | 0
  return (hash ^ (hash >>> 11)) & (SLOTS - 1)
}

const recentStrings: (string | undefined)[] = new Array<string | undefined>(SLOTS).fill(undefined)

/** The UTF-8 string in `bytes[start, end)`. */
export function readString(bytes: Buffer, start: number, end: number): string {
  const length = end - start
  if (length === 0) return ''
  if (length > MAX_INTERNED_STRING_BYTES) return bytes.toString('utf8', start, end)
  const slot = slotOf(bytes, start, end)
  const recent = recentStrings[slot]
  if (recent !== undefined && isAsciiOf(recent, bytes, start, length)) return recent
  const value = bytes.toString('utf8', start, end)
  // Only where every byte became one character can characters be compared with bytes next time.
  if (value.length === length) recentStrings[slot] = value
  return value
}

function isAsciiOf(value: string, bytes: Buffer, start: number, length: number): boolean {
  if (value.length !== length) return false
  for (let index = 0; index < length; index++) {
    if (value.charCodeAt(index) !== bytes[start + index]) return false
  }
  return true
}

export const UUID_BYTES = 16
const UUID_CHARACTERS = 22

/** Uuids as text and, at the same slot, as bytes; one table for each direction since their slots are found differently. */
interface UuidTable {
  readonly text: (string | undefined)[]
  readonly bytes: Uint8Array
}

function uuidTable(): UuidTable {
  return { text: new Array<string | undefined>(SLOTS).fill(undefined), bytes: new Uint8Array(SLOTS * UUID_BYTES) }
}

const recentlyRead = uuidTable()
const recentlyWritten = uuidTable()

/** The uuid in the 16 bytes from `start`, as 22 characters of base64url. */
export function readUuid(bytes: Buffer, start: number): string {
  const slot = slotOf(bytes, start, start + UUID_BYTES)
  const known = recentlyRead.bytes
  const base = slot * UUID_BYTES
  const recent = recentlyRead.text[slot]
  if (recent !== undefined) {
    let index = 0
    while (index < UUID_BYTES && known[base + index] === bytes[start + index]) index++
    if (index === UUID_BYTES) return recent
  }
  const value = bytes.toString('base64url', start, start + UUID_BYTES)
  recentlyRead.text[slot] = value
  for (let index = 0; index < UUID_BYTES; index++) known[base + index] = bytes[start + index]!
  return value
}

/** Writes the 16 bytes of a uuid at `position`; false if `value` is no uuid. */
export function writeUuid(value: string, bytes: Uint8Array, position: number): boolean {
  if (value.length !== UUID_CHARACTERS) return false
  let hash = 0
  for (let index = 1; index < UUID_CHARACTERS; index += 5) hash = (Math.imul(hash, 67) + value.charCodeAt(index)) | 0
  const slot = (hash ^ (hash >>> 11)) & (SLOTS - 1)
  const known = recentlyWritten.bytes
  const base = slot * UUID_BYTES
  if (recentlyWritten.text[slot] !== value) {
    recentlyWritten.text[slot] = undefined
    if (!parseUuid(value, known, base)) return false
    recentlyWritten.text[slot] = value
  }
  for (let index = 0; index < UUID_BYTES; index++) bytes[position + index] = known[base + index]!
  return true
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const NOT_BASE64URL = 255
const SEXTETS = new Uint8Array(256).fill(NOT_BASE64URL)
for (let index = 0; index < BASE64URL.length; index++) SEXTETS[BASE64URL.charCodeAt(index)] = index

function parseUuid(value: string, bytes: Uint8Array, position: number): boolean {
  let bits = 0
  let bitCount = 0
  let invalid = 0
  let at = position
  for (let index = 0; index < UUID_CHARACTERS; index++) {
    const code = value.charCodeAt(index)
    const sextet = code < 256 ? SEXTETS[code]! : NOT_BASE64URL
    invalid |= sextet & 0xc0
    bits = ((bits << 6) | sextet) & 0xffff
    bitCount += 6
    if (bitCount >= 8) {
      bitCount -= 8
      bytes[at++] = bits >>> bitCount
    }
  }
  // 22 characters hold 132 bits: the last four must be zero.
  return invalid === 0 && (bits & 0xf) === 0
}
