// A memory disk on which the device under a folder stops working: from then on every call that touches it fails.

import { type Disk, DiskError, type DiskFile } from '../../src/storage/disk.ts'
import type { MemoryDisk } from '../../src/storage/disk-memory.ts'

type Call = (...args: unknown[]) => unknown

/** Rejects instead of throwing. */
const ASYNC: ReadonlySet<string> = new Set(['removeLater', 'replaceWholeLater', 'syncDirectoryLater', 'read', 'sync'])
/** Says something about memory, or cannot be refused. */
const ALWAYS: ReadonlySet<string> = new Set([
  'close',
  'hold',
  'letGo',
  'preallocate',
  'recentlyWritten',
  'directWriteSpeed',
])

export class FailingDisk {
  readonly disk: Disk
  readonly #broken = new Set<string>()
  #code = 'EIO'

  constructor(memory: MemoryDisk) {
    this.disk = this.#wrap(memory, (args) => args.filter((arg): arg is string => typeof arg === 'string'))
  }

  breakFolder(folder: string, code = 'EIO'): void {
    this.#broken.add(folder)
    this.#code = code
  }

  repair(): void {
    this.#broken.clear()
  }

  #failure(paths: readonly string[]): DiskError | null {
    const path = paths.find((each) =>
      [...this.#broken].some((folder) => each === folder || each.startsWith(`${folder}/`)),
    )
    return path === undefined ? null : new DiskError(this.#code, path, `${path}: the device does not work`)
  }

  #wrap<T extends object>(target: T, pathsOf: (args: unknown[]) => string[]): T {
    return new Proxy(target, {
      get: (_target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        const call = value.bind(target) as Call
        if (ALWAYS.has(String(name))) return call
        return (...args: unknown[]): unknown => {
          const failure = this.#failure(pathsOf(args))
          if (failure !== null && ASYNC.has(String(name))) return Promise.reject(failure)
          if (failure !== null) throw failure
          const result = call(...args)
          if (name !== 'open') return result
          const file = result as DiskFile
          return this.#wrap(file, () => [file.path])
        }
      },
    })
  }
}
