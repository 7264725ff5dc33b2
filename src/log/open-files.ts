// Bounds how many segments keep a file descriptor and their indexes in memory. The least recently used one gives its up first.

/** Something that can give up what it holds and take it again when it is needed. */
export interface Closable {
  /** Bytes of memory it holds besides its descriptor. */
  readonly heldBytes: number
  giveUp(): void
}

export class OpenFiles {
  /** In order of use, the least recent first. */
  readonly #held = new Set<Closable>()
  readonly #maxFiles: number
  readonly #maxBytes: number
  #newest: Closable | null = null

  constructor(maxFiles: number, maxBytes = Number.POSITIVE_INFINITY) {
    this.#maxFiles = maxFiles
    this.#maxBytes = maxBytes
  }

  get size(): number {
    return this.#held.size
  }

  /** It is in use now. */
  touch(item: Closable): void {
    if (this.#newest === item) return
    const known = this.#held.delete(item)
    this.#held.add(item)
    this.#newest = item
    if (!known) this.#makeRoom()
  }

  /** It holds nothing any more, or is somebody else's to count. */
  forget(item: Closable): void {
    this.#held.delete(item)
    if (this.#newest === item) this.#newest = null
  }

  #makeRoom(): void {
    let bytes = 0
    if (Number.isFinite(this.#maxBytes)) for (const item of this.#held) bytes += item.heldBytes
    for (const item of this.#held) {
      if (this.#held.size <= this.#maxFiles && bytes <= this.#maxBytes) return
      if (item === this.#newest) return
      this.#held.delete(item)
      bytes -= item.heldBytes
      item.giveUp()
    }
  }
}
