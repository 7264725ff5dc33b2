// Repeatable randomness for tests and simulation.

import { type Random, uuidFromBytes } from './random.ts'

export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  uuid(): string {
    for (;;) {
      const bytes = new Uint8Array(16)
      for (let index = 0; index < 16; index++) bytes[index] = this.below(256)
      const text = uuidFromBytes(bytes)
      if (text !== null) return text
    }
  }
}
