// A memory disk on which the process dies between two operations, or in the middle of a write. What had been done is there, what comes
// after never happens: every later call throws, whoever makes it.

import { type Disk, DiskError, type DiskFile } from '../../src/storage/disk.ts'
import type { MemoryDisk } from '../../src/storage/disk-memory.ts'

/** Whoever is still at work takes it for an unusable disk. */
class Crash extends DiskError {
  override readonly name = 'Crash'

  constructor(message: string) {
    super('EIO', '(any)', message)
  }
}

const CHANGES: ReadonlySet<string> = new Set([
  'makeDirectory',
  'rename',
  'remove',
  'removeLater',
  'writeWhole',
  'writeNew',
  'replaceWhole',
  'replaceWholeLater',
  'setModified',
  'syncDirectory',
  'syncDirectoryLater',
])
const FILE_CHANGES: ReadonlySet<string> = new Set(['writev', 'writeLater', 'truncate', 'sync', 'syncNow'])

type Call = (...args: unknown[]) => unknown

export class CrashingDisk {
  readonly disk: Disk
  /** Operations that changed something. */
  operations = 0
  dead = false
  #crashAt = Number.POSITIVE_INFINITY

  constructor(memory: MemoryDisk) {
    const open = (path: string, options?: { create?: boolean }): DiskFile => {
      if (options?.create === true && !memory.exists(path)) this.#step()
      this.#checkAlive()
      return this.#wrap(memory.open(path, options), FILE_CHANGES)
    }
    const disk = this.#wrap<Disk>(memory, CHANGES)
    this.disk = new Proxy(disk, { get: (target, name) => (name === 'open' ? open : Reflect.get(target, name)) })
  }

  /** Dies at the n-th change from now on. */
  crashAfter(changes: number): void {
    this.#crashAt = this.operations + changes
  }

  #checkAlive(): void {
    if (this.dead) throw new Crash('the process is dead')
  }

  #step(): void {
    this.#checkAlive()
    if (this.operations++ < this.#crashAt) return
    this.dead = true
    throw new Crash('the process dies here')
  }

  #wrap<T extends object>(target: T, changes: ReadonlySet<string>): T {
    return new Proxy(target, {
      get: (_target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        const call = value.bind(target) as Call
        return (...args: unknown[]): unknown => {
          if (!changes.has(String(name))) this.#checkAlive()
          else if (name === 'writev' && !this.dead && this.operations === this.#crashAt) this.#tear(call, args)
          else this.#step()
          return call(...args)
        }
      },
    })
  }

  /** Half of the bytes get into the file. */
  #tear(call: Call, [chunks, position]: unknown[]): never {
    const bytes = Buffer.concat(chunks as Uint8Array[])
    call([bytes.subarray(0, bytes.length >>> 1)], position)
    this.dead = true
    throw new Crash('the process dies in the middle of a write')
  }
}
