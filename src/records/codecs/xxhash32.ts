/** xxHash32 with seed 0: LZ4 frames use it for the header checksum and, if the producer asked for it, per block. */
const PRIME_1 = 0x9e3779b1
const PRIME_2 = 0x85ebca77
const PRIME_3 = 0xc2b2ae3d
const PRIME_4 = 0x27d4eb2f
const PRIME_5 = 0x165667b1

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function round(lane: number, input: number): number {
  return Math.imul(rotateLeft((lane + Math.imul(input, PRIME_2)) | 0, 13), PRIME_1)
}

function readUint32(data: Uint8Array, at: number): number {
  return data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)
}

/** Hash of `data[start, end)` as an unsigned number. */
export function xxhash32(data: Uint8Array, start: number, end: number): number {
  const length = end - start
  let position = start
  let hash: number
  if (length >= 16) {
    let lane1 = (PRIME_1 + PRIME_2) | 0
    let lane2 = PRIME_2 | 0
    let lane3 = 0
    let lane4 = -PRIME_1 | 0
    for (const lastStripe = end - 16; position <= lastStripe; position += 16) {
      lane1 = round(lane1, readUint32(data, position))
      lane2 = round(lane2, readUint32(data, position + 4))
      lane3 = round(lane3, readUint32(data, position + 8))
      lane4 = round(lane4, readUint32(data, position + 12))
    }
    hash = (rotateLeft(lane1, 1) + rotateLeft(lane2, 7) + rotateLeft(lane3, 12) + rotateLeft(lane4, 18)) | 0
  } else hash = PRIME_5 | 0
  hash = (hash + length) | 0
  for (; position + 4 <= end; position += 4) {
    hash = Math.imul(rotateLeft((hash + Math.imul(readUint32(data, position), PRIME_3)) | 0, 17), PRIME_4)
  }
  for (; position < end; position++) {
    hash = Math.imul(rotateLeft((hash + Math.imul(data[position]!, PRIME_5)) | 0, 11), PRIME_1)
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2)
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3)
  return (hash ^ (hash >>> 16)) >>> 0
}
