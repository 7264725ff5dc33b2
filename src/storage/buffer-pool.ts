// Buffers for reading, kept by size class, because a fresh large buffer costs its page faults every time.
// The pool keeps at most `budgetBytes` of unused buffers; what is given back above that is left to the collector, so the pool
// itself never grows without bound. A buffer that cannot be given back is declared lost, so that the count of what is out stays right.

const SMALLEST_CLASS_BITS = 14 // 16 KiB
const LARGEST_CLASS_BITS = 26 // 64 MiB
const DEFAULT_POOL_BUDGET_BYTES = 64 * 1024 * 1024

export class BufferPool {
  readonly #free: Buffer[][] = []
  readonly #budgetBytes: number
  #freeBytes = 0
  #takenBytes = 0

  constructor(budgetBytes = DEFAULT_POOL_BUDGET_BYTES) {
    this.#budgetBytes = budgetBytes
    for (let bits = SMALLEST_CLASS_BITS; bits <= LARGEST_CLASS_BITS; bits++) this.#free.push([])
  }

  /** Bytes of unused buffers held. */
  get freeBytes(): number {
    return this.#freeBytes
  }

  /** Bytes handed out and not given back. */
  get takenBytes(): number {
    return this.#takenBytes
  }

  /** A buffer of at least this many bytes with arbitrary content. */
  take(bytes: number): Buffer {
    const classIndex = classFor(bytes)
    if (classIndex >= this.#free.length) {
      this.#takenBytes += bytes
      return Buffer.allocUnsafeSlow(bytes)
    }
    const size = 1 << (SMALLEST_CLASS_BITS + classIndex)
    this.#takenBytes += size
    const pooled = this.#free[classIndex]?.pop()
    if (pooled === undefined) return Buffer.allocUnsafeSlow(size)
    this.#freeBytes -= size
    return pooled
  }

  /** Gives back exactly what `take` returned (never a part of it); the giver must not touch it again. */
  give(buffer: Buffer): void {
    const size = buffer.length
    this.#takenBytes -= size
    const classIndex = classFor(size)
    const list = this.#free[classIndex]
    if (list === undefined || size !== 1 << (SMALLEST_CLASS_BITS + classIndex)) return
    if (this.#freeBytes + size > this.#budgetBytes) return
    this.#freeBytes += size
    list.push(buffer)
  }

  /** What `take` returned is lost: somebody may still read it, so it goes to the collector. */
  lose(buffer: Buffer): void {
    this.#takenBytes -= buffer.length
  }

  /** Lets every unused buffer go. */
  clear(): void {
    for (const list of this.#free) list.length = 0
    this.#freeBytes = 0
  }
}

function classFor(bytes: number): number {
  if (bytes <= 1 << SMALLEST_CLASS_BITS) return 0
  if (bytes > 1 << LARGEST_CLASS_BITS) return LARGEST_CLASS_BITS + 1
  return 32 - Math.clz32(bytes - 1) - SMALLEST_CLASS_BITS
}
