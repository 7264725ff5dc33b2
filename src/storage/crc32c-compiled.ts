// crc32c.c, compiled by the C compiler inside the runtime when it is first needed (3 ms): four times as fast as the library, which counts
// where every byte that is produced is summed. Where it cannot be had (another processor, no compiler, no FFI), or where its sum of a test
// block is not that of the plain loop, there is none, and the library serves.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** CRC-32C of buffer[from..to), continuing from `initial`. */
export type Crc32c = (buffer: Uint8Array, from: number, to: number, initial: number) => number

const TEST_BYTES = 3 * 3 * 4096 + 77
const TEST_INITIAL = 0x12345678

let compiled: Crc32c | null | undefined

/** `plain` sums in the language itself. */
export function compiledCrc32c(plain: Crc32c): Crc32c | null {
  if (compiled === undefined) compiled = load(plain)
  return compiled
}

function load(plain: Crc32c): Crc32c | null {
  if (process.platform !== 'linux' || process.arch !== 'x64' || process.env.SAMSA_NO_FFI === '1') return null
  if (typeof Bun === 'undefined' || !hasInstruction()) return null
  try {
    const { cc, ptr } = require('bun:ffi') as typeof import('bun:ffi')
    const { symbols } = cc({
      source: fileURLToPath(new URL('./crc32c.c', import.meta.url)),
      symbols: { crc32c: { args: ['ptr', 'i32', 'i32'], returns: 'i32' } },
    })
    // An unsigned argument that the engine keeps as a double would arrive wrong; int32 it is, whatever the engine thinks.
    const crc32c: Crc32c = (buffer, from, to, initial) =>
      symbols.crc32c(ptr(buffer, from), (to - from) | 0, initial | 0) >>> 0
    return agrees(crc32c, plain) ? crc32c : null
  } catch {
    return null // no compiler, or no source beside this file
  }
}

/** The compiler would not tell: an unknown instruction ends the process. */
function hasInstruction(): boolean {
  try {
    return /^flags\b.*\bsse4_2\b/m.test(readFileSync('/proc/cpuinfo', 'latin1'))
  } catch {
    return false
  }
}

function agrees(crc32c: Crc32c, plain: Crc32c): boolean {
  const block = Buffer.allocUnsafe(TEST_BYTES)
  for (let index = 0; index < TEST_BYTES; index++) block[index] = (index * 31) ^ (index >>> 7)
  return crc32c(block, 0, TEST_BYTES, TEST_INITIAL) === plain(block, 0, TEST_BYTES, TEST_INITIAL)
}
