// The disk of this machine.

import {
  closeSync,
  constants,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  read as readWithCallback,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
  writevSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { tryDirectWrites, writePastCache } from './direct-write.ts'
import { type Disk, DiskError, type DiskFile, type FileStat, type Lock } from './disk.ts'
import { type Libc, libc, NOT_SUPPORTED, SOCKET_FULL, WOULD_BLOCK } from './libc.ts'
import { RecentWrites, STAGED_BYTES_MAX, Staging } from './staging.ts'

/** Without a way to ask the kernel, bytes this close to the written end are taken to be in memory still. */
const ASSUMED_HOT_BYTES = 16 * 1024 * 1024

/** Locks held by this process: POSIX locks do not exclude their own process. */
const heldLocks = new Set<string>()
const DEFAULT_OPEN_FILES = 1024
const WRITE_PROBE_FILE = '.samsa-write-probe'

function failure(error: unknown, path: string, action: string): DiskError {
  if (error instanceof DiskError) return error
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EIO'
  const reason = error instanceof Error ? error.message : String(error)
  return new DiskError(code, path, `cannot ${action} ${path}: ${reason}`, { cause: error })
}

function attempt<T>(path: string, action: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw failure(error, path, action)
  }
}

/** The limit of this process (`ulimit -n`); where it cannot be asked for, what every system allows. */
function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1]
    if (soft !== undefined) return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    // No such file outside Linux.
  }
  return DEFAULT_OPEN_FILES
}

export class RealDisk implements Disk {
  readonly kind = 'real'
  readonly mostOpenFiles: number = openFilesLimit()
  readonly #libc: Libc
  readonly #staging = new Staging()

  constructor(calls: Libc = libc()) {
    this.#libc = calls
  }

  open(path: string, options: { create?: boolean } = {}): DiskFile {
    return attempt(path, 'open', () => {
      const descriptor = openForWriting(path, options.create === true)
      return new RealFile(path, descriptor, fstatSync(descriptor).size, this.#libc, this.#staging)
    })
  }

  exists(path: string): boolean {
    return existsSync(path)
  }

  list(directory: string): string[] {
    return attempt(directory, 'list', () => readdirSync(directory))
  }

  stat(path: string): FileStat | null {
    return attempt(path, 'look at', () => {
      const found = statSync(path, { throwIfNoEntry: false })
      if (found === undefined) return null
      return { sizeBytes: found.size, modifiedMs: Math.floor(found.mtimeMs), isDirectory: found.isDirectory() }
    })
  }

  makeDirectory(path: string): void {
    attempt(path, 'create the folder', () => {
      try {
        mkdirSync(path)
      } catch {
        mkdirSync(path, { recursive: true }) // it is there, or its parent is not
      }
    })
  }

  rename(from: string, to: string): void {
    attempt(from, `rename to ${to}`, () => renameSync(from, to))
  }

  remove(path: string, options: { recursive?: boolean } = {}): void {
    attempt(path, 'remove', () => {
      if (options.recursive === true) rmSync(path, { recursive: true, force: true })
      else if (existsSync(path)) unlinkSync(path)
    })
  }

  async removeLater(path: string): Promise<void> {
    try {
      await rm(path, { recursive: true, force: true })
    } catch (error) {
      throw failure(error, path, 'remove')
    }
  }

  readWhole(path: string): Buffer | null {
    try {
      return readFileSync(path)
    } catch (error) {
      const failed = failure(error, path, 'read')
      if (failed.code === 'ENOENT') return null
      throw failed
    }
  }

  writeWhole(path: string, bytes: Uint8Array): void {
    attempt(path, 'write', () => {
      writeFileSync(`${path}.tmp`, bytes)
      renameSync(`${path}.tmp`, path)
    })
  }

  writeNew(path: string, bytes: Uint8Array): void {
    attempt(path, 'write', () => writeFileSync(path, bytes))
  }

  replaceWhole(path: string, bytes: Uint8Array): void {
    attempt(path, 'replace', () => {
      withNewFile(`${path}.tmp`, bytes, fsyncSync)
      renameSync(`${path}.tmp`, path)
      this.syncDirectory(dirname(path))
    })
  }

  async replaceWholeLater(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${path}.tmp`
    try {
      const descriptor = openSync(temporary, 'w')
      try {
        writeAll(descriptor, bytes)
        await synced(fsync, descriptor)
      } finally {
        closeSync(descriptor)
      }
      if (!existsSync(temporary)) return // `replaceWhole` came in between: its content is the newer one
      renameSync(temporary, path)
    } catch (error) {
      throw failure(error, path, 'replace')
    }
    await this.syncDirectoryLater(dirname(path))
  }

  setModified(path: string, modifiedMs: number): void {
    attempt(path, 'set the time of', () => utimesSync(path, modifiedMs / 1000, modifiedMs / 1000))
  }

  syncDirectory(directory: string): void {
    attempt(directory, 'sync', () => {
      const descriptor = openSync(directory, 'r')
      try {
        fsyncSync(descriptor)
      } finally {
        closeSync(descriptor)
      }
    })
  }

  async syncDirectoryLater(directory: string): Promise<void> {
    try {
      const descriptor = openSync(directory, 'r')
      try {
        await synced(fsync, descriptor)
      } finally {
        closeSync(descriptor)
      }
    } catch (error) {
      throw failure(error, directory, 'sync')
    }
  }

  syncFileSystem(directory: string): boolean {
    const { syncFileSystem } = this.#libc
    if (syncFileSystem === null) return false
    return attempt(directory, 'sync the file system of', () => {
      const descriptor = openSync(directory, 'r')
      try {
        return syncFileSystem(descriptor)
      } finally {
        closeSync(descriptor)
      }
    })
  }

  directWriteSpeed(directory: string): number | null {
    return tryDirectWrites(`${directory}/${WRITE_PROBE_FILE}`, this.#libc)
  }

  free(path: string): { totalBytes: number; usableBytes: number } {
    return attempt(path, 'ask for the free space of', () => {
      const found = statfsSync(path)
      return { totalBytes: found.blocks * found.bsize, usableBytes: found.bavail * found.bsize }
    })
  }

  lock(path: string): Lock | null {
    const name = resolve(path)
    if (heldLocks.has(name)) return null
    const lockFile = this.#libc.lockWholeFile
    const descriptor = attempt(path, 'open', () => openForWriting(path, true))
    const taken = lockFile === null ? claimByProcessId(path, descriptor) : lockFile(descriptor)
    if (!taken) {
      closeSync(descriptor)
      return null
    }
    heldLocks.add(name)
    return {
      path,
      release() {
        if (!heldLocks.delete(name)) return
        rmSync(path, { force: true })
        closeSync(descriptor)
      },
    }
  }

  isLocked(path: string): boolean {
    if (heldLocks.has(resolve(path))) return true
    if (!this.exists(path)) return false
    const descriptor = attempt(path, 'open', () => openForWriting(path, false))
    try {
      // A lock that is taken is gone when the descriptor is closed.
      const lockFile = this.#libc.lockWholeFile
      return lockFile === null ? isClaimed(path) : !lockFile(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }
}

/** Read and write, created if asked; never cut. */
function openForWriting(path: string, create: boolean): number {
  return openSync(path, create ? constants.O_RDWR | constants.O_CREAT : 'r+')
}

function withNewFile(path: string, bytes: Uint8Array, finish: (descriptor: number) => void): void {
  const descriptor = openSync(path, 'w')
  try {
    writeAll(descriptor, bytes)
    finish(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function totalOf(chunks: readonly Uint8Array[]): number {
  let total = 0
  for (let index = 0; index < chunks.length; index++) total += chunks[index]!.length
  return total
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done, bytes.length - done, done)
}

function synced(call: typeof fsync, descriptor: number): Promise<void> {
  return new Promise((resolvePromise, reject) => {
    call(descriptor, (error) => (error ? reject(error) : resolvePromise()))
  })
}

/** The lock where no record lock can be had: the holder's process id in the file. A dead holder's claim is void. */
function claimByProcessId(path: string, descriptor: number): boolean {
  if (isClaimed(path)) return false
  ftruncateSync(descriptor, 0)
  writeAll(descriptor, Buffer.from(`${process.pid}\n`))
  return true
}

function isClaimed(path: string): boolean {
  const holder = Number.parseInt(readFileSync(path, 'latin1'), 10)
  return holder > 0 && holder !== process.pid && isAlive(holder)
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return true
  } catch (error) {
    return failure(error, String(processId), 'signal').code === 'EPERM'
  }
}

class RealFile implements DiskFile {
  readonly path: string
  sizeBytes: number
  readonly #descriptor: number
  readonly #libc: Libc
  readonly #staging: Staging
  readonly #recent: RecentWrites
  #takesDirectWrites = true
  /** Counts cuts: a write that was under way then may have put bytes where the file has none. */
  #cuts = 0
  #readCached: Libc['readCached']
  #sendCached: Libc['sendCached']
  /** Where this handle's own writing began: from there on bytes were in memory once. */
  #writtenFrom = Number.POSITIVE_INFINITY
  /** Operations on the thread pool, and holders, that still use the descriptor; it is closed after the last one. */
  #inFlight = 0
  #closed = false

  /** The number of a closed descriptor may belong to another file already. */
  #checkOpen(): void {
    if (this.#closed) throw new DiskError('EBADF', this.path, `${this.path} was closed`)
  }

  /** Whoever holds the file may read it after it was closed. */
  #checkReadable(): void {
    if (this.#inFlight === 0) this.#checkOpen()
  }

  constructor(path: string, descriptor: number, sizeBytes: number, calls: Libc, staging: Staging) {
    this.path = path
    this.#staging = staging
    this.#recent = new RecentWrites(staging)
    this.#descriptor = descriptor
    this.sizeBytes = sizeBytes
    this.#libc = calls
    this.#readCached = calls.readCached
    this.#sendCached = calls.sendCached
  }

  writev(chunks: readonly Uint8Array[], position: number): void {
    this.#checkOpen()
    const total = totalOf(chunks)
    try {
      const written = writevSync(this.#descriptor, chunks as Uint8Array[], position)
      if (written < total) this.#writeRest(chunks, position, written)
    } catch (error) {
      throw this.#writeFailure(error, total, position)
    }
    this.#wrote(position, total)
  }

  #wrote(position: number, bytes: number): void {
    if (position < this.#writtenFrom) this.#writtenFrom = position
    if (position + bytes > this.sizeBytes) this.sizeBytes = position + bytes
  }

  /** Part of the bytes may be in the file. */
  #writeFailure(error: unknown, bytes: number, position: number): DiskError {
    const found = attempt(this.path, 'look at', () => fstatSync(this.#descriptor).size)
    this.sizeBytes = Math.max(this.sizeBytes, found)
    return failure(error, this.path, `write ${bytes} bytes at position ${position} of`)
  }

  writeDirectly(
    chunks: readonly Uint8Array[],
    position: number,
    done: (error: DiskError | null) => void,
  ): Uint8Array | null {
    this.#checkOpen()
    const bytes = totalOf(chunks)
    const staged = this.#takesDirectWrites && bytes <= STAGED_BYTES_MAX ? this.#staging.take() : null
    if (staged === null) return null
    staged.fill(chunks, position)
    const content = staged.view(position, staged.to)
    const cuts = this.#cuts
    const landed = (error: unknown): void => {
      const problem = error === null ? null : this.#afterFailedDirectWrite(error, content, position)
      const failed = problem === null ? null : this.#writeFailure(problem, bytes, position)
      if (failed === null && !this.#closed && cuts === this.#cuts) this.#recent.add(staged)
      else this.#staging.give(staged)
      // Of what went past the page cache nothing is in it.
      if (failed === null) this.#writtenFrom = Number.POSITIVE_INFINITY
      if (failed === null) this.#wrote(staged.to, 0)
      this.#landed()
      done(failed)
    }
    try {
      if (!writePastCache(this.path, this.#descriptor, staged, landed)) {
        this.#staging.give(staged)
        return null
      }
    } catch (error) {
      this.#staging.give(staged)
      throw this.#writeFailure(error, bytes, position)
    }
    this.#inFlight++
    return content
  }

  /** A file system that takes no direct writes says so at the first one: then, and from then on, the page cache serves. */
  #afterFailedDirectWrite(error: unknown, content: Uint8Array, position: number): unknown {
    if (failure(error, this.path, 'write').code !== 'EINVAL') return error
    this.#takesDirectWrites = false
    try {
      this.#writeRest([content], position, 0)
      return null
    } catch (restError) {
      return restError
    }
  }

  recentlyWritten(position: number, length: number): Uint8Array | null {
    return this.#recent.at(position, Math.min(length, this.sizeBytes - position))
  }

  /** After a short write the rest goes out piece by piece, so that the reason for the shortness surfaces as an error. */
  #writeRest(chunks: readonly Uint8Array[], position: number, alreadyWritten: number): void {
    let skip = alreadyWritten
    let at = position + alreadyWritten
    for (const chunk of chunks) {
      if (skip >= chunk.length) {
        skip -= chunk.length
        continue
      }
      for (let done = skip; done < chunk.length; ) {
        const written = writeSync(this.#descriptor, chunk, done, chunk.length - done, at)
        if (written === 0) throw new DiskError('EIO', this.path, `${this.path} takes no more bytes at position ${at}`)
        done += written
        at += written
      }
      skip = 0
    }
  }

  readNow(buffer: Uint8Array, offset: number, length: number, position: number): number {
    this.#checkOpen()
    return attempt(this.path, `read ${length} bytes at position ${position} of`, () => {
      let done = 0
      while (done < length) {
        const count = readSync(this.#descriptor, buffer, offset + done, length - done, position + done)
        if (count === 0) break
        done += count
      }
      return done
    })
  }

  readHot(buffer: Uint8Array, offset: number, length: number, position: number): number {
    this.#checkReadable()
    if (length === 0 || position >= this.sizeBytes) return 0
    const recent = this.#recent.at(position, length)
    if (recent !== null) {
      buffer.set(recent, offset)
      return recent.length
    }
    if (this.#readCached !== null) {
      const count = this.#readCached(this.#descriptor, buffer, offset, length, position)
      if (count !== NOT_SUPPORTED) return count
      this.#readCached = null // this file system cannot tell: guess, like a machine without the call
    }
    if (position < this.#writtenFrom || position < this.sizeBytes - ASSUMED_HOT_BYTES) return WOULD_BLOCK
    return this.readNow(buffer, offset, length, position)
  }

  sendHot(
    socketDescriptor: number,
    position: number,
    length: number,
  ): number | 'notHot' | 'socketFull' | 'unsupported' {
    this.#checkReadable()
    if (this.#sendCached === null) return 'unsupported'
    const count = this.#sendCached(socketDescriptor, this.#descriptor, position, length)
    if (count >= 0) return count
    if (count === WOULD_BLOCK) return 'notHot'
    if (count === SOCKET_FULL) return 'socketFull'
    this.#sendCached = null
    return 'unsupported'
  }

  hold(): void {
    this.#checkOpen()
    this.#inFlight++
  }

  letGo(): void {
    this.#landed()
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    this.#checkReadable()
    let done = 0
    this.#inFlight++
    try {
      while (done < length) {
        const count = await this.#readOnce(buffer, offset + done, length - done, position + done)
        if (count === 0) break
        done += count
      }
    } catch (error) {
      throw failure(error, this.path, `read ${length} bytes at position ${position} of`)
    } finally {
      this.#landed()
    }
    return done
  }

  #readOnce(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return new Promise((resolvePromise, reject) => {
      readWithCallback(this.#descriptor, buffer, offset, length, position, (error, count) =>
        error ? reject(error) : resolvePromise(count),
      )
    })
  }

  async sync(): Promise<void> {
    this.#checkOpen()
    this.#inFlight++
    try {
      await synced(fdatasync, this.#descriptor)
    } catch (error) {
      throw failure(error, this.path, 'sync')
    } finally {
      this.#landed()
    }
  }

  syncNow(): void {
    this.#checkOpen()
    attempt(this.path, 'sync', () => fdatasyncSync(this.#descriptor))
  }

  truncate(sizeBytes: number): void {
    this.#checkOpen()
    attempt(this.path, `cut to ${sizeBytes} bytes`, () => ftruncateSync(this.#descriptor, sizeBytes))
    if (sizeBytes < this.sizeBytes) this.#cuts++
    this.#recent.cutTo(sizeBytes)
    this.sizeBytes = sizeBytes
  }

  preallocate(bytes: number): void {
    if (bytes > this.sizeBytes) {
      this.#libc.allocateKeepingSize?.(this.#descriptor, this.sizeBytes, bytes - this.sizeBytes)
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#recent.cutTo(0)
    if (this.#inFlight === 0) closeSync(this.#descriptor)
  }

  #landed(): void {
    this.#inFlight--
    if (this.#closed && this.#inFlight === 0) closeSync(this.#descriptor)
  }
}
