/** Cutting frames out of what a socket delivers. */
import { bench, group } from 'mitata'
import { FrameReader } from '../../src/protocol/frame.ts'

const KIB = 1024
/** What the runtime hands over at most. */
const CHUNK_BYTES = 512 * KIB

function framesOf(payloadBytes: number, totalBytes: number): Buffer {
  const frame = Buffer.alloc(4 + payloadBytes, 7)
  frame.writeInt32BE(payloadBytes, 0)
  return Buffer.concat(Array.from({ length: Math.max(1, Math.floor(totalBytes / frame.length)) }, () => frame))
}

function chunksOf(bytes: Buffer, chunkBytes: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.subarray(at, at + chunkBytes))
  return chunks
}

function pushBench(name: string, chunks: readonly Buffer[], expected: number): void {
  const reader = new FrameReader()
  let seen = 0
  const count = (): void => {
    seen++
  }
  const pushAll = (): number => {
    for (const chunk of chunks) reader.push(chunk, count)
    return seen
  }
  if (pushAll() !== expected) throw new Error(`${name}: ${seen} frames instead of ${expected}`)
  bench(name, pushAll)
}

export function register(): void {
  group('frames', () => {
    const small = framesOf(150, 64 * KIB)
    pushBench(`frame parse: ${small.length / 154} frames of 150 B in one chunk`, [small], small.length / 154)
    const split = chunksOf(small, 1460)
    pushBench(`frame parse: the same in ${split.length} chunks of 1460 B`, split, small.length / 154)
    pushBench('frame parse: one of 16 KiB in one chunk', [framesOf(16 * KIB, 0)], 1)
    pushBench('frame parse: one of 1 MiB in 3 chunks', chunksOf(framesOf(1024 * KIB, 0), CHUNK_BYTES), 1)
    pushBench('frame parse: one of 1 MiB in 17 chunks of 64 KiB', chunksOf(framesOf(1024 * KIB, 0), 64 * KIB), 1)
  })
}
