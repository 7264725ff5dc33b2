/**
 * The disk as one process sees it: the memory disk under a device that fails, is slow, and outlives the process. The process can die between
 * any two operations, or in the middle of a write. What had been done is there; what comes after never happens: calls of a dead process
 * throw, and what it waits for never comes.
 *
 * What waits for a device stays "in the air" until the simulation lets it land, in any order. A sync covers what was there when it began.
 */
import { dirname } from 'node:path'
import { type Disk, DiskError, type DiskFile, type FileStat, type Lock } from '../../src/storage/disk.ts'
import type { MemoryDisk, MemoryFile } from '../../src/storage/disk-memory.ts'
import type { SeededRandom } from '../../src/storage/random-seeded.ts'

/** How often an operation fails, as a share of 1. */
export interface DiskWeather {
  readonly writeFails: number
  readonly syncFails: number
  /** Opening, renaming, replacing small files and the like. */
  readonly otherFails: number
}

export const CALM: DiskWeather = { writeFails: 0, syncFails: 0, otherFails: 0 }

/** Whoever is still at work takes it for an unusable disk. */
class ProcessDied extends DiskError {
  override readonly name = 'ProcessDied'

  constructor() {
    super('EIO', '(any)', 'the process died here')
  }
}

export class ProcessDisk implements Disk {
  readonly kind = 'memory'
  readonly mostOpenFiles = Number.POSITIVE_INFINITY
  readonly memory: MemoryDisk
  readonly random: SeededRandom
  weather: DiskWeather = CALM
  isDead = false
  /** Operations that changed something. */
  operations = 0
  readonly faults = { writes: 0, syncs: 0, others: 0 }
  #diesAt = Number.POSITIVE_INFINITY
  #inTheAir: (() => void)[] = []
  /** How often a file was replaced at once: that wins over a slow replacement that began before. */
  readonly #replacements = new Map<string, number>()

  constructor(memory: MemoryDisk, random: SeededRandom) {
    this.memory = memory
    this.random = random
  }

  /** Dies at the n-th change from now on. */
  dieAfter(changes: number): void {
    this.#diesAt = this.operations + changes
  }

  die(): void {
    this.isDead = true
    this.#inTheAir = []
  }

  get operationsInTheAir(): number {
    return this.#inTheAir.length + this.memory.writesInTheAir
  }

  /** Ends one of the operations under way. */
  landOne(): void {
    const index = this.random.below(this.operationsInTheAir)
    const [land] = this.#inTheAir.splice(index, 1)
    if (land !== undefined) land()
    else this.memory.landNext(index - this.#inTheAir.length)
  }

  checkAlive(): void {
    if (this.isDead) throw new ProcessDied()
  }

  /** Called before every change. */
  step(): void {
    this.checkAlive()
    if (this.operations++ < this.#diesAt) return
    this.die()
    throw new ProcessDied()
  }

  get diesNow(): boolean {
    return !this.isDead && this.operations >= this.#diesAt
  }

  failNow(path: string, share: number, kind: keyof ProcessDisk['faults']): void {
    if (share === 0 || this.random.next() >= share) return
    this.faults[kind]++
    throw new DiskError('EIO', path, `${path}: injected fault`)
  }

  #change(path: string): void {
    this.step()
    this.failNow(path, this.weather.otherFails, 'others')
  }

  /** What `land` does happens later, or never. */
  later<T>(land: () => T): Promise<T> {
    if (this.isDead) return new Promise(() => {})
    return new Promise((resolve, reject) => {
      this.#inTheAir.push(() => {
        try {
          resolve(land())
        } catch (error) {
          // A process that died in the middle of it hears nothing.
          if (!this.isDead) reject(error)
        }
      })
    })
  }

  open(path: string, options: { create?: boolean } = {}): DiskFile {
    if (options.create === true && !this.memory.exists(path)) this.#change(path)
    this.checkAlive()
    return new ProcessFile(this, this.memory.open(path, options) as MemoryFile)
  }

  exists(path: string): boolean {
    this.checkAlive()
    return this.memory.exists(path)
  }

  list(directory: string): string[] {
    this.checkAlive()
    return this.memory.list(directory)
  }

  stat(path: string): FileStat | null {
    this.checkAlive()
    return this.memory.stat(path)
  }

  makeDirectory(path: string): void {
    this.#change(path)
    this.memory.makeDirectory(path)
  }

  rename(from: string, to: string): void {
    this.#change(from)
    this.memory.rename(from, to)
  }

  remove(path: string, options: { recursive?: boolean } = {}): void {
    this.#change(path)
    this.memory.remove(path, options)
  }

  removeLater(path: string): Promise<void> {
    return this.later(() => this.remove(path, { recursive: true }))
  }

  readWhole(path: string): Buffer | null {
    this.checkAlive()
    return this.memory.readWhole(path)
  }

  writeWhole(path: string, bytes: Uint8Array): void {
    this.#writeTemporary(path, bytes)
    this.rename(`${path}.tmp`, path)
  }

  writeNew(path: string, bytes: Uint8Array): void {
    const file = this.open(path, { create: true })
    file.truncate(0)
    file.writev([bytes], 0)
  }

  replaceWhole(path: string, bytes: Uint8Array): void {
    this.#replacements.set(path, (this.#replacements.get(path) ?? 0) + 1)
    this.#writeTemporary(path, bytes).syncNow()
    this.rename(`${path}.tmp`, path)
    this.syncDirectory(dirname(path))
  }

  async replaceWholeLater(path: string, bytes: Uint8Array): Promise<void> {
    const replacements = this.#replacements.get(path)
    const isOvertaken = () => this.#replacements.get(path) !== replacements
    const file = await this.later(() => (isOvertaken() ? null : this.#writeTemporary(path, bytes)))
    await file?.sync()
    await this.later(() => {
      if (!isOvertaken()) this.rename(`${path}.tmp`, path)
    })
    await this.syncDirectoryLater(dirname(path))
  }

  #writeTemporary(path: string, bytes: Uint8Array): DiskFile {
    const file = this.open(`${path}.tmp`, { create: true })
    file.truncate(0)
    file.writev([bytes], 0)
    return file
  }

  setModified(path: string, modifiedMs: number): void {
    this.#change(path)
    this.memory.setModified(path, modifiedMs)
  }

  syncDirectory(directory: string): void {
    this.step()
    this.failNow(directory, this.weather.syncFails, 'syncs')
    this.memory.syncDirectory(directory)
  }

  syncDirectoryLater(directory: string): Promise<void> {
    return this.later(() => this.syncDirectory(directory))
  }

  directWriteSpeed(): number | null {
    return this.memory.directWriteSpeed()
  }

  syncFileSystem(): boolean {
    return false
  }

  free(): { totalBytes: number; usableBytes: number } {
    return this.memory.free()
  }

  lock(path: string): Lock | null {
    this.checkAlive()
    return this.memory.lock(path)
  }

  isLocked(path: string): boolean {
    return this.memory.isLocked(path)
  }
}

class ProcessFile implements DiskFile {
  readonly #disk: ProcessDisk
  readonly #file: MemoryFile

  constructor(disk: ProcessDisk, file: MemoryFile) {
    this.#disk = disk
    this.#file = file
  }

  get path(): string {
    return this.#file.path
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes
  }

  writev(chunks: readonly Uint8Array[], position: number): void {
    const disk = this.#disk
    if (disk.diesNow) this.#writePart(chunks, position)
    disk.step()
    const before = disk.faults.writes
    try {
      disk.failNow(this.path, disk.weather.writeFails, 'writes')
    } finally {
      if (disk.faults.writes > before) this.#writePart(chunks, position)
    }
    this.#file.writev(chunks, position)
  }

  /** What a failed write, or the last one of a process, leaves: any number of the bytes, from the first on. */
  #writePart(chunks: readonly Uint8Array[], position: number): void {
    const bytes = Buffer.concat(chunks)
    this.#file.writev([bytes.subarray(0, this.#disk.random.below(bytes.length + 1))], position)
  }

  writeDirectly(
    chunks: readonly Uint8Array[],
    position: number,
    done: (error: DiskError | null) => void,
  ): Uint8Array | null {
    this.#disk.step()
    const { random, weather, memory } = this.#disk
    if (weather.writeFails > 0 && random.next() < weather.writeFails) {
      this.#disk.faults.writes++
      memory.failNextWrite('EIO', { matching: (path) => path === this.path, bytesWritten: random.below(1000) })
    }
    return this.#file.writeDirectly(chunks, position, done)
  }

  recentlyWritten(): null {
    return null
  }

  readNow(buffer: Uint8Array, offset: number, length: number, position: number): number {
    this.#disk.checkAlive()
    return this.#file.readNow(buffer, offset, length, position)
  }

  /** Now and then the pages are not in memory. */
  readHot(buffer: Uint8Array, offset: number, length: number, position: number): number {
    this.#disk.checkAlive()
    if (this.#disk.random.next() < 0.1) return -1
    return this.#file.readHot(buffer, offset, length, position)
  }

  sendHot(): 'unsupported' {
    return 'unsupported'
  }

  hold(): void {
    this.#file.hold()
  }

  letGo(): void {
    this.#file.letGo()
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    // As on a real disk, closing the file meanwhile does not stop what is under way.
    this.#file.hold()
    return this.#disk.later(() => {
      try {
        return this.#file.readNow(buffer, offset, length, position)
      } finally {
        this.#file.letGo()
      }
    })
  }

  async sync(): Promise<void> {
    const disk = this.#disk
    disk.checkAlive()
    const end = this.#file.beginSync()
    await disk.later(() => {
      disk.step()
      disk.failNow(this.path, disk.weather.syncFails, 'syncs')
      end()
    })
  }

  syncNow(): void {
    const disk = this.#disk
    disk.step()
    disk.failNow(this.path, disk.weather.syncFails, 'syncs')
    this.#file.syncNow()
  }

  truncate(sizeBytes: number): void {
    this.#disk.step()
    this.#disk.failNow(this.path, this.#disk.weather.otherFails, 'others')
    this.#file.truncate(sizeBytes)
  }

  preallocate(): void {}

  close(): void {
    this.#file.close()
  }
}
