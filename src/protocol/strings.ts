// Recently read strings and uuids, so that the same topic name or id in every request is not decoded and allocated
// again. Two small direct-mapped tables: a collision replaces the older entry, so what clients send cannot make them
// grow. The tables only save work; a lookup returns the same value whether or not it was there before.

import { MAX_INTERNED_STRING_BYTES } from './limits.ts'

const SLOTS = 2048

const recentStrings: (string | undefined)[] = new Array<string | undefined>(SLOTS).fill(undefined)

/** The UTF-8 string in `bytes[start, end)`. */
export function readString(bytes: Buffer, start: number, end: number): string {
  const length = end - start
  if (length > MAX_INTERNED_STRING_BYTES) return bytes.toString('utf8', start, end)
  if (length === 0) return ''
  let hash = length
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193)
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
  const recent = recentStrings[slot]
  if (recent !== undefined && isAsciiOf(recent, bytes, start, length)) return recent
  const value = bytes.toString('utf8', start, end)
  // Only ASCII is kept, since only there do character codes equal bytes.
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
export const UUID_CHARACTERS = 22

const recentUuids: (string | undefined)[] = new Array<string | undefined>(SLOTS).fill(undefined)
const recentUuidBytes = new Uint8Array(SLOTS * UUID_BYTES)

/** The uuid in the 16 bytes from `start`, as 22 characters of base64url. */
export function readUuid(bytes: Buffer, start: number): string {
  let hash = 0
  for (let index = start; index < start + UUID_BYTES; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193)
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
  const recent = recentUuids[slot]
  const base = slot * UUID_BYTES
  if (recent !== undefined) {
    let index = 0
    while (index < UUID_BYTES && recentUuidBytes[base + index] === bytes[start + index]) index++
    if (index === UUID_BYTES) return recent
  }
  const value = bytes.toString('base64url', start, start + UUID_BYTES)
  recentUuids[slot] = value
  for (let index = 0; index < UUID_BYTES; index++) recentUuidBytes[base + index] = bytes[start + index]!
  return value
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const NOT_BASE64URL = 255
const SEXTETS = new Uint8Array(256).fill(NOT_BASE64URL)
for (let index = 0; index < BASE64URL.length; index++) SEXTETS[BASE64URL.charCodeAt(index)] = index

/** Writes the 16 bytes of a uuid at `position`; false if `value` is no uuid. */
export function writeUuid(value: string, bytes: Uint8Array, position: number): boolean {
  if (value.length !== UUID_CHARACTERS) return false
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
