/**
 * The memory of batches. They are written into chunks of three sizes, which are used again; the sum of all chunks out on
 * loan never exceeds the budget by more than one record.
 */

/** The first chunk of a batch is small, since many batches stay small; the later ones follow what arrives. */
const CHUNK_SIZES = [2 * 1024, 16 * 1024, 64 * 1024] as const
/** Chunks kept for reuse, bytes per size. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024

export class ProducerMemory {
  readonly limitBytes: number
  /** Bytes out on loan. */
  usedBytes = 0
  private readonly free: Buffer[][] = CHUNK_SIZES.map(() => [])

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  /** Whether so many more bytes fit. A record larger than the whole budget is refused before it comes here. */
  hasRoom(bytes: number): boolean {
    return this.usedBytes + bytes <= this.limitBytes || this.usedBytes === 0
  }

  /** The chunk that a batch with `ordinal` chunks takes next, with room for `bytes`. */
  take(ordinal: number, bytes: number): Buffer {
    let size = Math.min(ordinal, CHUNK_SIZES.length - 1)
    while (size < CHUNK_SIZES.length && CHUNK_SIZES[size]! < bytes) size++
    // What is larger than any chunk gets memory of its own, exactly as much as it needs.
    const chunk =
      size === CHUNK_SIZES.length
        ? Buffer.allocUnsafeSlow(bytes)
        : (this.free[size]!.pop() ?? Buffer.allocUnsafeSlow(CHUNK_SIZES[size]!))
    this.usedBytes += chunk.byteLength
    return chunk
  }

  /** Nobody reads or writes these chunks any more: they may be used again. */
  giveBack(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      this.usedBytes -= chunk.byteLength
      const size = CHUNK_SIZES.indexOf(chunk.byteLength as (typeof CHUNK_SIZES)[number])
      if (size < 0) continue
      const free = this.free[size]!
      if ((free.length + 1) * chunk.byteLength <= KEPT_BYTES_MAX) free.push(chunk)
    }
  }

  /** For memory that is not a chunk: compressed batches. */
  reserve(bytes: number): void {
    this.usedBytes += bytes
  }

  release(bytes: number): void {
    this.usedBytes -= bytes
  }
}
