// Calls of the lab that node:fs does not offer: putting a file out of the page cache, asking how much of it is there, and memory
// that direct I/O takes. Each is optional: without a C library to call it is null, and what needs it says so in its row.

import { dlopen, FFIType, ptr } from 'bun:ffi'
import { fdatasyncSync } from 'node:fs'
import { CACHESTAT, LIBRARY_NAMES } from '../../storage/libc.ts'

const POSIX_FADV_DONTNEED = 4

/** What positions, lengths and addresses of direct I/O are multiples of: no device asks for more. */
export const DIRECT_ALIGNMENT_BYTES = 4096

export interface Kernel {
  /** Puts a file out of the page cache, after it was written back. */
  readonly dropCached: ((descriptor: number) => void) | null
  /** Bytes of the file that are in the page cache; null if the kernel does not tell. */
  readonly cachedBytes: ((descriptor: number, bytes: number) => number | null) | null
  /** Memory at an address that direct I/O takes. */
  readonly alignedBuffer: ((bytes: number) => Buffer) | null
}

export const NO_KERNEL: Kernel = { dropCached: null, cachedBytes: null, alignedBuffer: null }

export function loadKernel(): Kernel {
  if (process.env.SAMSA_NO_FFI === '1' || process.platform !== 'linux') return NO_KERNEL
  for (const library of LIBRARY_NAMES.linux ?? []) {
    try {
      return { ...loadCalls(library), alignedBuffer }
    } catch {
      // Not this library: the next one, or none.
    }
  }
  return NO_KERNEL
}

function loadCalls(library: string): Pick<Kernel, 'dropCached' | 'cachedBytes'> {
  const { symbols } = dlopen(library, {
    posix_fadvise: { args: ['i32', FFIType.i64_fast, FFIType.i64_fast, 'i32'], returns: 'i32' },
    syscall: { args: [FFIType.i64_fast, 'i32', 'ptr', 'ptr', 'i32'], returns: FFIType.i64_fast },
    getpagesize: { args: [], returns: 'i32' },
  })
  const pageBytes = symbols.getpagesize()
  // struct cachestat_range { u64 offset, length } and struct cachestat, whose first field counts the cached pages.
  const range = new BigUint64Array(2)
  const statistics = new BigUint64Array(5)
  return {
    dropCached(descriptor) {
      fdatasyncSync(descriptor) // pages that wait to be written cannot be dropped
      symbols.posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    },
    cachedBytes(descriptor, bytes) {
      range[1] = BigInt(bytes)
      if (Number(symbols.syscall(CACHESTAT, descriptor, ptr(range), ptr(statistics), 0)) !== 0) return null
      return Math.min(bytes, Number(statistics[0]) * pageBytes)
    },
  }
}

/** The address decides, so a buffer is cut out of one that is larger by the alignment. */
function alignedBuffer(bytes: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(bytes + DIRECT_ALIGNMENT_BYTES)
  const over = Number(ptr(whole)) % DIRECT_ALIGNMENT_BYTES
  const from = over === 0 ? 0 : DIRECT_ALIGNMENT_BYTES - over
  return whole.subarray(from, from + bytes)
}
