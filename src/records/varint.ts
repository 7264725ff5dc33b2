/**
 * Zigzag varints as used inside records: seven bits per byte, lowest group first, sign in the lowest bit.
 * (Unsigned varints of flexible messages belong to src/protocol.)
 *
 * Values are numbers. A 64-bit value beyond 2^53-1 saturates: no offset or timestamp in practice reaches it, and a
 * saturated one still compares as "very large".
 */
import { RecordError } from './record-error.ts'

const TWO_TO_32 = 4294967296

/** Clamp a sum of two 64-bit quantities to what a number can hold exactly. */
export function saturate(value: number): number {
  if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER
  if (value < -Number.MAX_SAFE_INTEGER) return -Number.MAX_SAFE_INTEGER
  return value
}

/** Turn the two halves of an unsigned 64-bit varint into the signed value it stands for. */
export function zigzagDecodeHalves(low: number, high: number): number {
  const negative = (low & 1) !== 0
  const shiftedLow = ((low >>> 1) | (high << 31)) >>> 0
  const magnitude = (high >>> 1) * TWO_TO_32 + shiftedLow
  return saturate(negative ? -magnitude - 1 : magnitude)
}

export function sizeOfVarint(value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  let bytes = 1
  while (rest > 0x7f) {
    rest >>>= 7
    bytes++
  }
  return bytes
}

export function sizeOfVarlong(value: number): number {
  let rest = value < 0 ? -(value + 1) : value
  // The magnitude takes six bits of the first byte (the seventh is the sign) and seven of every other one.
  rest = Math.floor(rest / 64)
  let bytes = 1
  while (rest > 0) {
    rest = Math.floor(rest / 128)
    bytes++
  }
  return bytes
}

/** Write a 32-bit value; answers the position after it. */
export function writeVarint(buffer: Uint8Array, position: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 0x7f) {
    buffer[position++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  buffer[position++] = rest
  return position
}

/** Write a 64-bit value (a safe integer); answers the position after it. */
export function writeVarlong(buffer: Uint8Array, position: number, value: number): number {
  if (value >= -0x40000000 && value < 0x40000000) return writeVarint(buffer, position, value)
  const negative = value < 0
  const magnitude = negative ? -(value + 1) : value
  let group = ((magnitude % 64) << 1) | (negative ? 1 : 0)
  let rest = Math.floor(magnitude / 64)
  while (rest > 0) {
    buffer[position++] = group | 0x80
    group = rest % 128
    rest = Math.floor(rest / 128)
  }
  buffer[position++] = group
  return position
}

export interface DecodedVarint {
  value: number
  /** Position after the varint. */
  end: number
}

/** Read a 32-bit value from contiguous bytes. Not for hot paths: it allocates its answer. */
export function readVarint(buffer: Uint8Array, position: number): DecodedVarint {
  let raw = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = buffer[position++]
    if (byte === undefined) throw new RecordError('invalid', 'varint runs past the end of the data')
    raw |= (byte & 0x7f) << shift
    if (byte < 0x80) return { value: (raw >>> 1) ^ -(raw & 1), end: position }
  }
  throw new RecordError('invalid', 'varint is longer than 5 bytes')
}

/** Read a 64-bit value from contiguous bytes. Not for hot paths: it allocates its answer. */
export function readVarlong(buffer: Uint8Array, position: number): DecodedVarint {
  let low = 0
  let high = 0
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = buffer[position++]
    if (byte === undefined) throw new RecordError('invalid', 'varint runs past the end of the data')
    const bits = byte & 0x7f
    if (shift < 28) low |= bits << shift
    else if (shift === 28) {
      low |= bits << 28
      high |= bits >>> 4
    } else high |= bits << (shift - 32)
    if (byte < 0x80) return { value: zigzagDecodeHalves(low >>> 0, high >>> 0), end: position }
  }
  throw new RecordError('invalid', 'varint is longer than 10 bytes')
}
