// A 128-bit hash of a record's key: MurmurHash3, the variant for 32-bit arithmetic, which needs no allocation and no BigInt.
//
// The cleaner compares keys by their hash alone, so two keys with the same one would cost the older record its place. With 128 well mixed
// bits, four thousand million keys in one map collide with a probability of 10^-20; 64 bits would already collide at that number. Nothing
// here has to withstand an attacker: who may write to the topic may delete any key of it anyway. The seed is random all the same, so
// that no set of keys is unlucky on every broker.

export class KeyHash {
  /** The four words of the last hash. */
  first = 0
  second = 0
  third = 0
  fourth = 0
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed | 0
  }

  /** Hashes bytes[from .. from + length). */
  of(bytes: Uint8Array, from: number, length: number): void {
    let h1 = this.#seed
    let h2 = this.#seed
    let h3 = this.#seed
    let h4 = this.#seed
    let at = from
    for (const end = from + length - 15; at < end; at += 16) {
      let k = Math.imul(wordAt(bytes, at), 0x239b961b)
      h1 ^= Math.imul((k << 15) | (k >>> 17), 0xab0e9789)
      h1 = (Math.imul(((h1 << 19) | (h1 >>> 13)) + h2, 5) + 0x561ccd1b) | 0
      k = Math.imul(wordAt(bytes, at + 4), 0xab0e9789)
      h2 ^= Math.imul((k << 16) | (k >>> 16), 0x38b34ae5)
      h2 = (Math.imul(((h2 << 17) | (h2 >>> 15)) + h3, 5) + 0x0bcaa747) | 0
      k = Math.imul(wordAt(bytes, at + 8), 0x38b34ae5)
      h3 ^= Math.imul((k << 17) | (k >>> 15), 0xa1e38b93)
      h3 = (Math.imul(((h3 << 15) | (h3 >>> 17)) + h4, 5) + 0x96cd1c35) | 0
      k = Math.imul(wordAt(bytes, at + 12), 0xa1e38b93)
      h4 ^= Math.imul((k << 18) | (k >>> 14), 0x239b961b)
      h4 = (Math.imul(((h4 << 13) | (h4 >>> 19)) + h1, 5) + 0x32ac3b17) | 0
    }
    const end = from + length
    if (end - at > 12) h4 ^= mixed(partialWord(bytes, at + 12, end), 0xa1e38b93, 18, 0x239b961b)
    if (end - at > 8) h3 ^= mixed(partialWord(bytes, at + 8, end), 0x38b34ae5, 17, 0xa1e38b93)
    if (end - at > 4) h2 ^= mixed(partialWord(bytes, at + 4, end), 0xab0e9789, 16, 0x38b34ae5)
    if (end > at) h1 ^= mixed(partialWord(bytes, at, end), 0x239b961b, 15, 0xab0e9789)
    this.#finish(h1 ^ length, h2 ^ length, h3 ^ length, h4 ^ length)
  }

  /** Every word comes to depend on every other one. */
  #finish(first: number, second: number, third: number, fourth: number): void {
    const sum = (first + second + third + fourth) | 0
    const h1 = avalanche(sum)
    const h2 = avalanche((second + sum) | 0)
    const h3 = avalanche((third + sum) | 0)
    const h4 = avalanche((fourth + sum) | 0)
    this.first = (h1 + h2 + h3 + h4) | 0
    this.second = (h2 + this.first) | 0
    this.third = (h3 + this.first) | 0
    this.fourth = (h4 + this.first) | 0
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** The word at the position as far as there are bytes before `end`, the others zero. */
function partialWord(bytes: Uint8Array, at: number, end: number): number {
  if (end - at >= 4) return wordAt(bytes, at)
  let word = 0
  for (let index = end - 1; index >= at; index--) word = (word << 8) | bytes[index]!
  return word
}

function mixed(word: number, before: number, turn: number, after: number): number {
  const k = Math.imul(word, before)
  return Math.imul((k << turn) | (k >>> (32 - turn)), after)
}

function avalanche(word: number): number {
  let h = word ^ (word >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
