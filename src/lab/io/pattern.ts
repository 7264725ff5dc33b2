// What the lab's files hold: bytes that do not compress, and at every mark the position it stands at, so that a block that was
// written or read in the wrong place shows. Any part of a file can be computed, so tests know what every byte must be.

/** Length of the noise; a power of two, so that blocks up to it never repeat within themselves. */
const NOISE_BYTES = 1024 * 1024
const MARK_BYTES = 8

/** How far apart the marks of the file that is read are. Files that are written carry one per block. */
export const READ_MARK_BYTES = NOISE_BYTES

let noiseBytes: Buffer | null = null

function noise(): Buffer {
  if (noiseBytes !== null) return noiseBytes
  const words = new Uint32Array(NOISE_BYTES / 4)
  let state = 0x9e3779b9
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  noiseBytes = Buffer.from(words.buffer)
  return noiseBytes
}

/** Writes a position where a mark stands; does nothing in blocks too short for one. */
export function mark(block: Buffer, position: number): void {
  if (block.length < MARK_BYTES) return
  block.writeUInt32LE(position >>> 0, 0)
  block.writeUInt32LE(Math.floor(position / 2 ** 32), 4)
}

/** The unmarked content of one block. */
export function fillWithNoise(block: Uint8Array): void {
  const source = noise()
  for (let at = 0; at < block.length; at += NOISE_BYTES) {
    block.set(source.subarray(0, Math.min(NOISE_BYTES, block.length - at)), at)
  }
}

/** What a file with a mark every `markEvery` bytes holds from `position` on. */
export function expectedContent(position: number, length: number, markEvery: number): Buffer {
  const block = Buffer.alloc(markEvery)
  fillWithNoise(block)
  const content = Buffer.alloc(length)
  for (let at = 0; at < length; ) {
    const from = (position + at) % markEvery
    mark(block, position + at - from)
    at += block.copy(content, at, from, Math.min(markEvery, from + length - at))
  }
  return content
}
