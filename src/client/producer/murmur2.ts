/** Which partition a key belongs to: murmur2 as the Java client computes it, so that all clients agree. */

const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995

/** Of the first `length` bytes. */
export function murmur2(data: Uint8Array, length = data.byteLength): number {
  let hash = SEED ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let word = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)
    word = Math.imul(word, MULTIPLIER)
    word ^= word >>> 24
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER)
  }
  const rest = length - at
  if (rest === 3) hash ^= data[at + 2]! << 16
  if (rest >= 2) hash ^= data[at + 1]! << 8
  if (rest >= 1) hash = Math.imul(hash ^ data[at]!, MULTIPLIER)
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER)
  return hash ^ (hash >>> 15)
}

export function partitionForKey(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount
}
