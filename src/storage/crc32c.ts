// CRC-32C of a part of a buffer. Calling into native code costs as much as several hundred bytes of a table-driven loop, and the batches
// of unhurried producers are smaller than that; larger pieces go to a native library, which is an order of magnitude faster per byte, and
// large ones to one that is faster still, where it can be had.

import { createRequire } from 'node:module'
import { compiledCrc32c } from './crc32c-compiled.ts'

const LIBRARY_FROM_BYTES = 384
const COMPILED_FROM_BYTES = 1024
const POLYNOMIAL = 0x82f63b78

/** Table k holds the CRC of a byte followed by k zero bytes. */
const [TABLE_0, TABLE_1, TABLE_2, TABLE_3] = makeTables()

function makeTables(): [Int32Array, Int32Array, Int32Array, Int32Array] {
  const tables: [Int32Array, Int32Array, Int32Array, Int32Array] = [
    new Int32Array(256),
    new Int32Array(256),
    new Int32Array(256),
    new Int32Array(256),
  ]
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? POLYNOMIAL ^ (crc >>> 1) : crc >>> 1
    tables[0][byte] = crc
  }
  for (let table = 1; table < 4; table++) {
    for (let byte = 0; byte < 256; byte++) {
      const previous = tables[table - 1]![byte]!
      tables[table]![byte] = tables[0][previous & 0xff]! ^ (previous >>> 8)
    }
  }
  return tables
}

type LibraryCrc32c = (bytes: Uint8Array, initial: number) => number
let library: LibraryCrc32c | null = null

/** Loaded at first use: it takes several megabytes, and a client whose batches are small or compiled sums serve never calls it. */
function libraryCrc32c(): LibraryCrc32c {
  if (library === null) {
    // Outside of Bun, modules have no `require` of their own; a bundler follows this one.
    const loaded = typeof require === 'function' ? require('@node-rs/crc32') : requireHere('@node-rs/crc32')
    library = (loaded as typeof import('@node-rs/crc32')).crc32c
  }
  return library
}

const requireHere = createRequire(import.meta.url)

/** CRC-32C of buffer[from..to), continuing from `initial` (the CRC of what came before). */
export function crc32cOf(buffer: Uint8Array, from: number, to: number, initial = 0): number {
  if (to - from >= COMPILED_FROM_BYTES) {
    const compiled = compiledCrc32c(tableCrc32c)
    if (compiled !== null) return compiled(buffer, from, to, initial)
  }
  if (to - from >= LIBRARY_FROM_BYTES) return libraryCrc32c()(buffer.subarray(from, to), initial)
  return tableCrc32c(buffer, from, to, initial)
}

function tableCrc32c(buffer: Uint8Array, from: number, to: number, initial: number): number {
  let crc = ~initial
  let at = from
  for (const end = to - 3; at < end; at += 4) {
    const word = crc ^ (buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24))
    crc = TABLE_3[word & 0xff]! ^ TABLE_2[(word >>> 8) & 0xff]! ^ TABLE_1[(word >>> 16) & 0xff]! ^ TABLE_0[word >>> 24]!
  }
  for (; at < to; at++) crc = TABLE_0[(crc ^ buffer[at]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}
