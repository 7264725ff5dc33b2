// The few libc calls that node:fs does not offer, through FFI. Every one is optional: without a libc to call (or on another
// platform) the function is null and the caller has another way. Only calls that never wait for a device are made here (but for
// one, at the end), because an FFI call holds up the event loop.

import { dlopen, FFIType, type Pointer, ptr, read } from 'bun:ffi'
import { readFileSync } from 'node:fs'

const F_TLOCK = 2
const FALLOC_FL_KEEP_SIZE = 1
const RWF_NOWAIT = 8
const MSG_DONTWAIT = 0x40
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const EOPNOTSUPP = 95
const EINVAL = 22
const EIO = 5
const ENOSYS = 38
/** cachestat(2), Linux 6.5, the same number on x64 and arm64. */
export const CACHESTAT = 451

/** Names under which a C library is found: glibc, musl, macOS. */
export const LIBRARY_NAMES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`],
  darwin: ['libSystem.B.dylib'],
}

/** What a read of memory-resident bytes came to. */
export const WOULD_BLOCK = -1
export const NOT_SUPPORTED = -2
/** A socket takes nothing more at present, or nothing at all any more: a write to it tells which. */
export const SOCKET_FULL = -3

export interface Libc {
  /** Exclusive POSIX record lock over the whole file: true if taken, false if another process holds it. */
  readonly lockWholeFile: ((descriptor: number) => boolean) | null
  /** Reserves space without changing the length; false if the file system cannot or has none. */
  readonly allocateKeepingSize: ((descriptor: number, position: number, bytes: number) => boolean) | null
  /** Reads what is in the page cache: bytes read, WOULD_BLOCK or NOT_SUPPORTED. */
  readonly readCached:
    | ((descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number) => number)
    | null
  /** Hands bytes in the page cache to a socket without copying them: bytes sent, WOULD_BLOCK, SOCKET_FULL or NOT_SUPPORTED. */
  readonly sendCached: ((socket: number, descriptor: number, position: number, length: number) => number) | null
  /** Brings the file system that the descriptor is of to the device. False if an error was met on the way. */
  readonly syncFileSystem: ((descriptor: number) => boolean) | null
  /** Takes from a socket what has arrived, into memory of the caller's choosing: bytes, 0 at the end, WOULD_BLOCK (or worse). */
  readonly receive: ((socket: number, buffer: Uint8Array, offset: number, length: number) => number) | null
  /** Sets how much the system buffers of what a socket sends, or receives; false if it does not. */
  readonly setSocketBuffer: ((socket: number, which: 'send' | 'receive', bytes: number) => boolean) | null
}

export const NO_LIBC: Libc = {
  lockWholeFile: null,
  allocateKeepingSize: null,
  readCached: null,
  sendCached: null,
  syncFileSystem: null,
  receive: null,
  setSocketBuffer: null,
}

let loaded: Libc | null = null

export function libc(): Libc {
  loaded ??= load()
  return loaded
}

function load(): Libc {
  if (process.env.SAMSA_NO_FFI === '1') return NO_LIBC
  for (const name of LIBRARY_NAMES[process.platform] ?? []) {
    const lockWholeFile = loadLock(name)
    if (lockWholeFile === null) continue
    if (process.platform !== 'linux') return { ...NO_LIBC, lockWholeFile }
    return {
      lockWholeFile,
      allocateKeepingSize: loadAllocate(name),
      readCached: loadReadCached(name),
      sendCached: loadSendCached(name),
      syncFileSystem: loadSyncFileSystem(name),
      receive: loadReceive(name),
      setSocketBuffer: loadSetSocketBuffer(name),
    }
  }
  return NO_LIBC
}

function loadLock(library: string): Libc['lockWholeFile'] {
  try {
    const { symbols } = dlopen(library, { lockf: { args: ['i32', 'i32', 'i64'], returns: 'i32' } })
    return (descriptor) => symbols.lockf(descriptor, F_TLOCK, 0) === 0
  } catch {
    return null // no such library or symbol: the caller locks in another way
  }
}

function loadAllocate(library: string): Libc['allocateKeepingSize'] {
  try {
    const { symbols } = dlopen(library, { fallocate: { args: ['i32', 'i32', 'i64', 'i64'], returns: 'i32' } })
    return (descriptor, position, bytes) => symbols.fallocate(descriptor, FALLOC_FL_KEEP_SIZE, position, bytes) === 0
  } catch {
    return null // space is then taken as it is written
  }
}

function loadReadCached(library: string): Libc['readCached'] {
  try {
    const { symbols } = dlopen(library, {
      preadv2: { args: ['i32', 'ptr', 'i32', 'i64', 'i32'], returns: FFIType.i64_fast },
      __errno_location: { args: [], returns: 'ptr' },
    })
    // struct iovec { void *base; size_t length }, little-endian on every platform this is loaded on.
    const vector = new DataView(new ArrayBuffer(16))
    const vectorPointer = ptr(vector)
    return (descriptor, buffer, offset, length, position) => {
      const address: number = ptr(buffer) + offset
      vector.setUint32(0, address >>> 0, true)
      vector.setUint32(4, Math.floor(address / 2 ** 32), true)
      vector.setUint32(8, length, true)
      vector.setUint32(12, 0, true)
      const count = Number(symbols.preadv2(descriptor, vectorPointer, 1, position, RWF_NOWAIT))
      if (count >= 0) return count
      const errno = read.i32(symbols.__errno_location() as Pointer)
      return errno === EOPNOTSUPP || errno === ENOSYS || errno === EINVAL ? NOT_SUPPORTED : WOULD_BLOCK
    }
  } catch {
    return null // whether bytes are in memory is then guessed from what was written lately
  }
}

/** Counts the pages of the range that are in memory first: sendfile itself would wait for the device for the others. */
function loadSendCached(library: string): Libc['sendCached'] {
  try {
    const { symbols } = dlopen(library, {
      sendfile: { args: ['i32', 'i32', 'ptr', FFIType.i64_fast], returns: FFIType.i64_fast },
      syscall: { args: [FFIType.i64_fast, 'i32', 'ptr', 'ptr', 'i32'], returns: FFIType.i64_fast },
      getpagesize: { args: [], returns: 'i32' },
      __errno_location: { args: [], returns: 'ptr' },
    })
    const pageBytes = symbols.getpagesize()
    // struct cachestat_range { u64 offset, length } and struct cachestat, whose first field counts the cached pages.
    const range = new DataView(new ArrayBuffer(16))
    const statistics = new DataView(new ArrayBuffer(40))
    const offset = new DataView(new ArrayBuffer(8))
    const [rangePointer, statisticsPointer, offsetPointer] = [ptr(range), ptr(statistics), ptr(offset)]
    return (socket, descriptor, position, length) => {
      setUint64(range, 0, position)
      setUint64(range, 8, length)
      if (symbols.syscall(CACHESTAT, descriptor, rangePointer, statisticsPointer, 0) !== 0) return NOT_SUPPORTED
      const pages = Math.floor((position + length - 1) / pageBytes) - Math.floor(position / pageBytes) + 1
      if (statistics.getUint32(0, true) < pages) return WOULD_BLOCK
      setUint64(offset, 0, position)
      const count = Number(symbols.sendfile(socket, descriptor, offsetPointer, length))
      if (count >= 0) return count
      const errno = read.i32(symbols.__errno_location() as Pointer)
      return errno === EINVAL || errno === ENOSYS || errno === EIO ? NOT_SUPPORTED : SOCKET_FULL
    }
  } catch {
    return null // bytes are then read and written
  }
}

/** The one call here that waits for the device: for the end of a process, when nobody is served any more. */
function loadSyncFileSystem(library: string): Libc['syncFileSystem'] {
  try {
    const { symbols } = dlopen(library, { syncfs: { args: ['i32'], returns: 'i32' } })
    return (descriptor) => symbols.syncfs(descriptor) === 0
  } catch {
    return null // files are then synced one by one
  }
}

function loadReceive(library: string): Libc['receive'] {
  try {
    const { symbols } = dlopen(library, {
      recv: { args: ['i32', 'ptr', FFIType.i64_fast, 'i32'], returns: FFIType.i64_fast },
    })
    return (socket, buffer, offset, length) => {
      const count = Number(symbols.recv(socket, ptr(buffer, offset), length, MSG_DONTWAIT))
      return count >= 0 ? count : WOULD_BLOCK
    }
  } catch {
    return null // bytes then come in buffers of the runtime's choosing
  }
}

function loadSetSocketBuffer(library: string): Libc['setSocketBuffer'] {
  try {
    const { symbols } = dlopen(library, { setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' } })
    const value = new Int32Array(1)
    const pointer = ptr(value)
    return (socket, which, bytes) => {
      value[0] = bytes
      return symbols.setsockopt(socket, SOL_SOCKET, which === 'send' ? SO_SNDBUF : SO_RCVBUF, pointer, 4) === 0
    }
  } catch {
    return null // the system then sizes them by itself
  }
}

function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

/** Becomes the same command anew, with the environment given. Returns only if that is not possible. */
export function replaceProcess(environment: Readonly<Record<string, string | undefined>>): void {
  if (process.platform !== 'linux' || process.env.SAMSA_NO_FFI === '1') return
  const words = ownCommand()
  if (words === null) return
  const settings = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  )
  for (const name of LIBRARY_NAMES.linux ?? []) {
    try {
      const { symbols } = dlopen(name, { execve: { args: ['ptr', 'ptr', 'ptr'], returns: 'i32' } })
      const path = cString(process.execPath, 'utf8')
      const argumentList = new PointerList(words.map((word) => cString(word, 'latin1')))
      const environmentList = new PointerList(settings.map((setting) => cString(setting, 'utf8')))
      symbols.execve(ptr(path), argumentList.pointer, environmentList.pointer)
      return
    } catch {
      // Not this library: the next one, or none.
    }
  }
}

/** The words this process was started with, byte for byte (as latin1); null where the system does not tell. */
function ownCommand(): string[] | null {
  try {
    return readFileSync('/proc/self/cmdline').toString('latin1').split('\0').slice(0, -1)
  } catch {
    return null
  }
}

function cString(text: string, encoding: BufferEncoding): Buffer {
  return Buffer.concat([Buffer.from(text, encoding), Buffer.alloc(1)])
}

/** A null-terminated array of pointers, and what they point to. */
class PointerList {
  readonly #strings: readonly Buffer[]
  readonly #pointers: BigUint64Array

  constructor(strings: readonly Buffer[]) {
    this.#strings = strings
    this.#pointers = new BigUint64Array(strings.length + 1)
    for (const [index, text] of this.#strings.entries()) this.#pointers[index] = BigInt(ptr(text))
  }

  get pointer(): Pointer {
    return ptr(this.#pointers)
  }
}
