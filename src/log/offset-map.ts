// The last offset of every key in the part of a log that is being compacted, in a table of fixed size. A key takes 24 bytes whatever its
// length, because only its hash is kept (see key-hash.ts). Owned by one cleaning, which releases it.

import { KeyHash } from './key-hash.ts'

/** Four words of hash and an offset. */
const SLOT_BYTES = 24
const HASH_WORDS = 4
/** A table with room for more is not filled further than this: looking things up takes longer and longer. */
const COMFORTABLE_LOAD = 0.7
/** Below this a topic of a few keys would take many rounds. */
const FEWEST_SLOTS = 64
/** An array of the offsets must not pass what one allocation may take. */
const MOST_SLOTS = 2 ** 28

export interface OffsetMapOptions {
  /** `log.cleaner.dedupe.buffer.size` */
  readonly maxBytes: number
  /** `log.cleaner.io.buffer.load.factor`: so much of the table is filled at most. */
  readonly loadFactor: number
  /** More keys than this cannot come. */
  readonly mostKeys: number
  readonly seed: number
}

export class OffsetMap {
  size = 0
  /** Every key of an offset up to this one is in the map; -1 before the first. */
  latestOffset = -1
  /** So many keys fit. */
  readonly capacity: number
  readonly #slots: number
  readonly #hash: KeyHash
  #hashes: Int32Array
  /** One above the key's offset; 0 where the slot is free, which is how memory comes. */
  #offsets: Float64Array

  constructor(options: OffsetMapOptions) {
    const loadFactor = Math.min(Math.max(options.loadFactor, 0.01), 0.99)
    const allowed = Math.min(MOST_SLOTS, Math.floor(options.maxBytes / SLOT_BYTES))
    const useful = Math.ceil(options.mostKeys / Math.min(loadFactor, COMFORTABLE_LOAD)) + 1
    this.#slots = Math.max(FEWEST_SLOTS, Math.min(allowed, useful))
    this.capacity = Math.max(1, Math.floor(this.#slots * loadFactor))
    this.#hash = new KeyHash(options.seed)
    this.#hashes = new Int32Array(this.#slots * HASH_WORDS)
    this.#offsets = new Float64Array(this.#slots)
  }

  /** Remembers the offset for the key bytes[from .. from + length), whose earlier offsets are lower. False if there is no room. */
  put(bytes: Uint8Array, from: number, length: number, offset: number): boolean {
    this.#hash.of(bytes, from, length)
    const slot = this.#find()
    if (this.#offsets[slot] === 0) {
      if (this.size >= this.capacity) return false
      this.size++
      const { first, second, third, fourth } = this.#hash
      const at = slot * HASH_WORDS
      this.#hashes[at] = first
      this.#hashes[at + 1] = second
      this.#hashes[at + 2] = third
      this.#hashes[at + 3] = fourth
    }
    this.#offsets[slot] = offset + 1
    return true
  }

  /** The key's last offset, -1 if the map does not have it. */
  get(bytes: Uint8Array, from: number, length: number): number {
    this.#hash.of(bytes, from, length)
    return this.#offsets[this.#find()]! - 1
  }

  /** The slot of the last hash, or the free one where it would go. There always is a free one. */
  #find(): number {
    const { first, second, third, fourth } = this.#hash
    const hashes = this.#hashes
    const offsets = this.#offsets
    let slot = (first >>> 0) % this.#slots
    while (offsets[slot] !== 0) {
      const at = slot * HASH_WORDS
      if (hashes[at] === first && hashes[at + 1] === second && hashes[at + 2] === third && hashes[at + 3] === fourth) {
        return slot
      }
      if (++slot === this.#slots) slot = 0
    }
    return slot
  }

  /** Gives the memory back now: it is too much to wait for the collector. */
  release(): void {
    ;(this.#hashes.buffer as ArrayBuffer).transfer(0)
    ;(this.#offsets.buffer as ArrayBuffer).transfer(0)
    this.#hashes = new Int32Array(0)
    this.#offsets = new Float64Array(0)
    this.size = 0
  }
}
