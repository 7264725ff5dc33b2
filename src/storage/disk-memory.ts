// A disk in memory: for `--storage memory`, and for tests, which can make it fail and can pull its plug.
// A crash is modelled as the strict reading of POSIX: file content counts from `sync`, names count from `syncDirectory`; everything
// else may be lost, or kept in part (a torn tail). Keeping the durable copies costs memory, so it has to be asked for.

import { dirname } from 'node:path'
import { type Disk, DiskError, type DiskFile, type FileStat, type Lock } from './disk.ts'

const PAGE_BITS = 18
const PAGE_BYTES = 1 << PAGE_BITS // 256 KiB
const SMALLEST_PAGE_BYTES = 512

export interface MemoryDiskOptions {
  /** Where file times come from. */
  readonly now?: () => number
  /** Remember what a power loss would leave. */
  readonly trackDurable?: boolean
  /** Takes direct writes; they stay in the air until `landNext`. */
  readonly directWrites?: boolean
}

/** A write in the air. */
interface DirectWrite {
  readonly bytes: number
  /** Writes so many of the bytes. */
  readonly land: (bytes: number) => DiskError | null
  readonly done: (error: DiskError | null) => void
}

export type FailureKind = 'ENOSPC' | 'EIO'

/** What a power loss leaves of the bytes written since the last sync: a number of them, from the first on. */
export type TornTail = (path: string, unsyncedBytes: number) => number

interface WriteFault {
  readonly code: FailureKind
  readonly matching: (path: string) => boolean
  /** Bytes that reach the file before it fails. */
  readonly bytesWritten: number
}

export class MemoryDisk implements Disk {
  readonly kind = 'memory'
  readonly mostOpenFiles: number = Number.POSITIVE_INFINITY
  readonly #now: () => number
  readonly #trackDurable: boolean
  #names = new Map<string, Content>()
  #durableNames = new Map<string, Content>()
  #directories = new Set<string>(['/', '.'])
  /** Raised by a crash: handles of before are dead. */
  #generation = 0
  readonly #locks = new Set<string>()
  #writeFaults: WriteFault[] = []
  #syncFaults: ((path: string) => boolean)[] = []
  #coldReads = false
  readonly takesDirectWrites: boolean
  #inTheAir: DirectWrite[] = []
  /** Bytes this disk can hold. */
  capacityBytes = Number.POSITIVE_INFINITY
  /** Counted for tests that must show that something does not touch the disk. */
  readonly counts = { reads: 0, writes: 0, syncs: 0, opens: 0 }

  constructor(options: MemoryDiskOptions = {}) {
    this.#now = options.now ?? (() => 0)
    this.#trackDurable = options.trackDurable === true
    this.takesDirectWrites = options.directWrites === true
  }

  // ---- faults -------------------------------------------------------------------------------------------------

  /** The next write to a matching file fails, after `bytesWritten` bytes have gone in (a short write). */
  failNextWrite(
    code: FailureKind,
    options: { matching?: (path: string) => boolean; bytesWritten?: number } = {},
  ): void {
    const { matching = () => true, bytesWritten = 0 } = options
    this.#writeFaults.push({ code, matching, bytesWritten })
  }

  failNextSync(matching: (path: string) => boolean = () => true): void {
    this.#syncFaults.push(matching)
  }

  /** Forgets the failures that were asked for and have not happened yet. */
  clearFaults(): void {
    this.#writeFaults = []
    this.#syncFaults = []
  }

  /** With true, `readHot` always says that it would have to wait. */
  setCold(cold: boolean): void {
    this.#coldReads = cold
  }

  /** From now on nothing more fits; reads and removals go on. */
  fill(): void {
    this.capacityBytes = this.usedBytes
  }

  get usedBytes(): number {
    let total = 0
    for (const content of this.#names.values()) total += content.size
    return total
  }

  /** Writes that have not landed. */
  get writesInTheAir(): number {
    return this.#inTheAir.length
  }

  /** Ends one of the writes under way, the oldest unless told otherwise; false if there is none. */
  landNext(index = 0): boolean {
    const [write] = this.#inTheAir.splice(index, 1)
    if (write === undefined) return false
    write.done(write.land(write.bytes))
    return true
  }

  /**
   * The process is gone, the machine is not: all that was written stays, locks and handles do not. Of the writes in the air as many bytes
   * stay as `landed` says.
   */
  killProcess(landed: (bytes: number) => number = () => 0): void {
    for (const write of this.#inTheAir.splice(0)) write.land(landed(write.bytes))
    this.#generation++
    this.#locks.clear()
  }

  /** The power is gone: back to what is durable. `tornTail` says how much of each file's unsynced end stays. */
  crash(tornTail: TornTail = () => 0): void {
    if (!this.#trackDurable) throw new Error('a crash needs a disk made with trackDurable')
    this.killProcess()
    this.#names = new Map(this.#durableNames)
    for (const [path, content] of this.#names) content.powerLoss((unsynced) => tornTail(path, unsynced))
  }

  // ---- Disk ---------------------------------------------------------------------------------------------------

  open(path: string, options: { create?: boolean } = {}): DiskFile {
    this.counts.opens++
    let content = this.#names.get(path)
    if (content === undefined) {
      if (options.create !== true) throw missing(path, 'open')
      if (!this.#directories.has(dirname(path))) throw missing(dirname(path), 'create a file in')
      content = new Content(this.#trackDurable, this.#now())
      this.#names.set(path, content)
    }
    return new MemoryFile(this, path, content)
  }

  exists(path: string): boolean {
    return this.#names.has(path) || this.#directories.has(path)
  }

  list(directory: string): string[] {
    if (!this.#directories.has(directory)) throw missing(directory, 'list')
    const prefix = directory === '/' ? '/' : `${directory}/`
    const found: string[] = []
    for (const name of this.#names.keys()) {
      if (name.startsWith(prefix) && !name.includes('/', prefix.length)) found.push(name.slice(prefix.length))
    }
    for (const name of this.#directories) {
      if (name !== '/' && name.startsWith(prefix) && !name.includes('/', prefix.length))
        found.push(name.slice(prefix.length))
    }
    return found
  }

  stat(path: string): FileStat | null {
    const content = this.#names.get(path)
    if (content !== undefined) return { sizeBytes: content.size, modifiedMs: content.modifiedMs, isDirectory: false }
    return this.#directories.has(path) ? { sizeBytes: 0, modifiedMs: 0, isDirectory: true } : null
  }

  makeDirectory(path: string): void {
    for (let at = path; !this.#directories.has(at); at = dirname(at)) this.#directories.add(at)
  }

  rename(from: string, to: string): void {
    const content = this.#names.get(from)
    if (content !== undefined) {
      this.#names.delete(from)
      this.#names.set(to, content)
      return
    }
    if (!this.#directories.has(from)) throw missing(from, 'rename')
    if (this.exists(to)) throw new DiskError('ENOTEMPTY', from, `cannot rename ${from} to ${to}: it exists`)
    this.#directories = new Set([...this.#directories].map((name) => moved(name, from, to)))
    // Moving a folder moves what it holds in one step, also for the durable names: the same entries under another parent.
    this.#names = new Map([...this.#names].map(([name, held]) => [moved(name, from, to), held]))
    this.#durableNames = new Map([...this.#durableNames].map(([name, held]) => [moved(name, from, to), held]))
  }

  remove(path: string, options: { recursive?: boolean } = {}): void {
    this.#names.delete(path)
    if (!this.#directories.has(path)) return
    if (options.recursive !== true) throw new DiskError('EISDIR', path, `cannot remove ${path}: it is a folder`)
    const prefix = `${path}/`
    for (const name of this.#names.keys()) if (name.startsWith(prefix)) this.#names.delete(name)
    for (const name of this.#durableNames.keys()) if (name.startsWith(prefix)) this.#durableNames.delete(name)
    for (const name of this.#directories) {
      if (name === path || name.startsWith(prefix)) this.#directories.delete(name)
    }
  }

  async removeLater(path: string): Promise<void> {
    this.remove(path, { recursive: true })
  }

  readWhole(path: string): Buffer | null {
    const content = this.#names.get(path)
    if (content === undefined) return null
    const bytes = Buffer.alloc(content.size)
    content.read(bytes, 0, content.size, 0)
    return bytes
  }

  writeWhole(path: string, bytes: Uint8Array): void {
    const file = this.open(`${path}.tmp`, { create: true })
    file.truncate(0)
    file.writev([bytes], 0)
    this.rename(`${path}.tmp`, path)
  }

  writeNew(path: string, bytes: Uint8Array): void {
    const file = this.open(path, { create: true })
    file.truncate(0)
    file.writev([bytes], 0)
  }

  replaceWhole(path: string, bytes: Uint8Array): void {
    const file = this.open(`${path}.tmp`, { create: true })
    file.truncate(0)
    file.writev([bytes], 0)
    file.syncNow()
    this.rename(`${path}.tmp`, path)
    this.syncDirectory(dirname(path))
  }

  async replaceWholeLater(path: string, bytes: Uint8Array): Promise<void> {
    this.replaceWhole(path, bytes)
  }

  setModified(path: string, modifiedMs: number): void {
    const content = this.#names.get(path)
    if (content === undefined) throw missing(path, 'set the time of')
    content.modifiedMs = modifiedMs
  }

  syncDirectory(directory: string): void {
    this.counts.syncs++
    if (!this.#trackDurable) return
    for (const name of this.#durableNames.keys()) {
      if (dirname(name) === directory && !this.#names.has(name)) this.#durableNames.delete(name)
    }
    for (const [name, content] of this.#names) if (dirname(name) === directory) this.#durableNames.set(name, content)
  }

  async syncDirectoryLater(directory: string): Promise<void> {
    this.syncDirectory(directory)
  }

  syncFileSystem(): boolean {
    return false
  }

  directWriteSpeed(): number | null {
    return this.takesDirectWrites ? Number.POSITIVE_INFINITY : null
  }

  free(): { totalBytes: number; usableBytes: number } {
    const total = Number.isFinite(this.capacityBytes) ? this.capacityBytes : 2 ** 40
    return { totalBytes: total, usableBytes: Math.max(0, total - this.usedBytes) }
  }

  lock(path: string): Lock | null {
    if (this.#locks.has(path)) return null
    this.open(path, { create: true })
    this.#locks.add(path)
    const generation = this.#generation
    return {
      path,
      release: () => {
        if (generation !== this.#generation || !this.#locks.delete(path)) return
        this.#names.delete(path)
      },
    }
  }

  isLocked(path: string): boolean {
    return this.#locks.has(path)
  }

  // ---- called by the files ------------------------------------------------------------------------------------

  get generation(): number {
    return this.#generation
  }

  get cold(): boolean {
    return this.#coldReads
  }

  get nowMs(): number {
    return this.#now()
  }

  inTheAir(write: DirectWrite): void {
    this.#inTheAir.push(write)
  }

  /** How many of `bytes` may be written, and with what it fails if not all. */
  admitWrite(path: string, bytes: number, growth: number): { bytes: number; code: FailureKind | null } {
    this.counts.writes++
    const index = this.#writeFaults.findIndex((fault) => fault.matching(path))
    const fault = this.#writeFaults[index]
    if (fault !== undefined) {
      this.#writeFaults.splice(index, 1)
      return { bytes: Math.min(bytes, fault.bytesWritten), code: fault.code }
    }
    if (growth <= 0 || !Number.isFinite(this.capacityBytes)) return { bytes, code: null }
    const room = this.capacityBytes - this.usedBytes
    if (growth <= room) return { bytes, code: null }
    return { bytes: Math.max(0, bytes - (growth - Math.max(0, room))), code: 'ENOSPC' }
  }

  admitSync(path: string): void {
    this.counts.syncs++
    const index = this.#syncFaults.findIndex((matching) => matching(path))
    if (index < 0) return
    this.#syncFaults.splice(index, 1)
    throw new DiskError('EIO', path, `cannot sync ${path}: injected fault`)
  }
}

function missing(path: string, action: string): DiskError {
  return new DiskError('ENOENT', path, `cannot ${action} ${path}: no such file or folder`)
}

function moved(name: string, from: string, to: string): string {
  return name === from || name.startsWith(`${from}/`) ? to + name.slice(from.length) : name
}

/** A file's bytes, in pages, so that a growing file is never copied as a whole. The first page alone grows by doubling. */
class Content {
  size = 0
  modifiedMs: number
  readonly #pages: Buffer[] = []
  /** The bytes as of the last sync; null where nobody asked for it. */
  #durable: Buffer | null
  /** Length up to which `#durable` and the pages are known to agree. */
  #unchangedSinceSync = 0
  #syncsBegun = 0
  #newestSync = 0

  constructor(trackDurable: boolean, nowMs: number) {
    this.#durable = trackDurable ? Buffer.alloc(0) : null
    this.modifiedMs = nowMs
  }

  write(chunk: Uint8Array, offset: number, length: number, position: number): void {
    this.#unchangedSinceSync = Math.min(this.#unchangedSinceSync, position)
    for (let done = 0; done < length; ) {
      const at = position + done
      const inPage = at & (PAGE_BYTES - 1)
      const count = Math.min(length - done, PAGE_BYTES - inPage)
      const page = this.#pageFor(Math.floor(at / PAGE_BYTES), inPage + count)
      page.set(chunk.subarray(offset + done, offset + done + count), inPage)
      done += count
    }
    if (position + length > this.size) this.size = position + length
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.size - position))
    for (let done = 0; done < count; ) {
      const at = position + done
      const inPage = at & (PAGE_BYTES - 1)
      const part = Math.min(count - done, PAGE_BYTES - inPage)
      const page = this.#pages[Math.floor(at / PAGE_BYTES)]
      const held = page === undefined ? 0 : Math.max(0, Math.min(part, page.length - inPage))
      if (page !== undefined && held > 0) buffer.set(page.subarray(inPage, inPage + held), offset + done)
      if (held < part) buffer.fill(0, offset + done + held, offset + done + part)
      done += part
    }
    return count
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.size) {
      this.#unchangedSinceSync = Math.min(this.#unchangedSinceSync, sizeBytes)
      this.#pages.length = Math.min(this.#pages.length, Math.ceil(sizeBytes / PAGE_BYTES))
      const last = this.#pages[Math.floor(sizeBytes / PAGE_BYTES)]
      last?.fill(0, Math.min(last.length, sizeBytes & (PAGE_BYTES - 1)))
    }
    this.size = sizeBytes
  }

  markDurable(): void {
    if (this.#durable === null) return
    const kept = this.#durable.subarray(0, this.#unchangedSinceSync)
    const bytes = Buffer.alloc(this.size)
    bytes.set(kept.subarray(0, Math.min(kept.length, this.size)))
    const from = Math.min(kept.length, this.size)
    this.read(bytes, from, this.size - from, from)
    this.#durable = bytes
    this.#unchangedSinceSync = this.size
    this.#newestSync = ++this.#syncsBegun
  }

  /** What is there now is durable once the returned function was called, unless a later sync has ended before. */
  beginSync(): () => void {
    if (this.#durable === null) return () => {}
    const order = ++this.#syncsBegun
    const bytes = Buffer.alloc(this.size)
    this.read(bytes, 0, this.size, 0)
    return () => {
      if (order < this.#newestSync) return
      this.#newestSync = order
      this.#durable = bytes
      this.#unchangedSinceSync = 0
    }
  }

  powerLoss(keepUnsynced: (unsyncedBytes: number) => number): void {
    if (this.#durable === null) return
    const durable = this.#durable
    const appended = Math.max(0, this.size - durable.length)
    const keep = appended > 0 ? Math.min(appended, keepUnsynced(appended)) : 0
    const tail = Buffer.alloc(keep)
    this.read(tail, 0, keep, durable.length)
    this.truncate(0)
    this.write(durable, 0, durable.length, 0)
    if (keep > 0) this.write(tail, 0, keep, durable.length)
    this.#unchangedSinceSync = durable.length
  }

  #pageFor(index: number, bytes: number): Buffer {
    while (this.#pages.length < index) this.#pages.push(Buffer.alloc(PAGE_BYTES))
    const page = this.#pages[index]
    if (page !== undefined && page.length >= bytes) return page
    let size = index > 0 ? PAGE_BYTES : Math.max(SMALLEST_PAGE_BYTES, page?.length ?? 0)
    while (size < bytes) size *= 2
    const larger = Buffer.alloc(size)
    if (page !== undefined) larger.set(page)
    this.#pages[index] = larger
    return larger
  }
}

export class MemoryFile implements DiskFile {
  readonly path: string
  readonly #disk: MemoryDisk
  readonly #content: Content
  readonly #generation: number
  #closed = false
  #holders = 0

  constructor(disk: MemoryDisk, path: string, content: Content) {
    this.#disk = disk
    this.path = path
    this.#content = content
    this.#generation = disk.generation
  }

  get sizeBytes(): number {
    return this.#content.size
  }

  writev(chunks: readonly Uint8Array[], position: number): void {
    this.#checkOpen()
    this.#write(chunks, position, Number.POSITIVE_INFINITY)
  }

  #write(chunks: readonly Uint8Array[], position: number, bytesMax: number): void {
    let total = 0
    for (let index = 0; index < chunks.length; index++) total += chunks[index]!.length
    total = Math.min(total, bytesMax)
    const admitted = this.#disk.admitWrite(this.path, total, position + total - this.#content.size)
    let done = 0
    for (let index = 0; index < chunks.length && done < admitted.bytes; index++) {
      const chunk = chunks[index]!
      const count = Math.min(chunk.length, admitted.bytes - done)
      this.#content.write(chunk, 0, count, position + done)
      done += count
    }
    this.#content.modifiedMs = this.#disk.nowMs
    if (admitted.code !== null) {
      const reason = admitted.code === 'ENOSPC' ? 'no space left' : 'injected fault'
      throw new DiskError(admitted.code, this.path, `cannot write at position ${position} of ${this.path}: ${reason}`)
    }
  }

  writeDirectly(
    chunks: readonly Uint8Array[],
    position: number,
    done: (error: DiskError | null) => void,
  ): Uint8Array | null {
    this.#checkOpen()
    if (!this.#disk.takesDirectWrites) return null
    const copy = Buffer.concat(chunks)
    this.#disk.inTheAir({ bytes: copy.length, land: (bytes) => this.#land(copy, position, bytes), done })
    return copy
  }

  /** Whether the file was closed meanwhile makes no difference to a write that had begun. */
  #land(copy: Uint8Array, position: number, bytes: number): DiskError | null {
    try {
      this.#write([copy], position, bytes)
      return null
    } catch (error) {
      if (error instanceof DiskError) return error
      throw error
    }
  }

  recentlyWritten(): null {
    return null
  }

  readNow(buffer: Uint8Array, offset: number, length: number, position: number): number {
    if (this.#holders === 0) this.#checkOpen()
    this.#disk.counts.reads++
    return this.#content.read(buffer, offset, length, position)
  }

  readHot(buffer: Uint8Array, offset: number, length: number, position: number): number {
    if (this.#disk.cold) return -1
    return this.readNow(buffer, offset, length, position)
  }

  sendHot(): 'unsupported' {
    return 'unsupported'
  }

  hold(): void {
    this.#holders++
  }

  letGo(): void {
    this.#holders--
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return this.readNow(buffer, offset, length, position)
  }

  async sync(): Promise<void> {
    // Nobody of a process that is gone hears how it ended.
    if (this.#generation !== this.#disk.generation) return new Promise(() => {})
    this.syncNow()
  }

  syncNow(): void {
    this.#checkOpen()
    this.#disk.admitSync(this.path)
    this.#content.markDurable()
  }

  /** A sync that takes its time: what is written after this call is not part of it. The returned function ends it, or throws. */
  beginSync(): () => void {
    this.#checkOpen()
    const end = this.#content.beginSync()
    return () => {
      this.#disk.admitSync(this.path)
      end()
    }
  }

  truncate(sizeBytes: number): void {
    this.#checkOpen()
    this.#content.truncate(sizeBytes)
  }

  preallocate(): void {
    // Memory is taken as it is written.
  }

  close(): void {
    this.#closed = true
  }

  #checkOpen(): void {
    if (this.#closed || this.#generation !== this.#disk.generation) {
      throw new DiskError('EBADF', this.path, `${this.path} was closed`)
    }
  }
}
