/**
 * The memory of batches. They are written into chunks of three sizes, which are used again; the sum of all chunks out on
 * loan exceeds the budget only by a single batch's, where the budget is smaller than that needs.
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

  /** Whether a batch with `ordinal` chunks can have another one with room for `bytes`. */
  hasRoom(ordinal: number, bytes: number): boolean {
    return (
      this.usedBytes + (CHUNK_SIZES[this.sizeFor(ordinal, bytes)] ?? bytes) <= this.limitBytes || this.usedBytes === 0
    )
  }

  /** The chunk that a batch with `ordinal` chunks takes next, with room for `bytes`. */
  take(ordinal: number, bytes: number): Buffer {
    const size = this.sizeFor(ordinal, bytes)
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

  /** The index of the size, smaller where less is left; one past the last for what no chunk holds. */
  private sizeFor(ordinal: number, bytes: number): number {
    let smallest = 0
    while (smallest < CHUNK_SIZES.length && CHUNK_SIZES[smallest]! < bytes) smallest++
    let size = Math.max(smallest, Math.min(ordinal, CHUNK_SIZES.length - 1))
    while (size > smallest && this.usedBytes + CHUNK_SIZES[size]! > this.limitBytes) size--
    return size
  }

  /** For memory that is not a chunk: compressed batches. */
  reserve(bytes: number): void {
    this.usedBytes += bytes
  }

  release(bytes: number): void {
    this.usedBytes -= bytes
  }
}
