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
  readonly #failures = new Map<string, DiskError>()
  #heldFolder: string | null = null
  #hold: (path: string) => Promise<void> = () => Promise.resolve()
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

  /** The next call of this name that is about this very path fails. */
  failOnce(call: string, path: string): void {
    this.#failures.set(`${call} ${path}`, new DiskError('EIO', path, `${path}: the device does not work`))
  }

  /** Syncs of files in the folder that begin from now on do not end before the function returned is called; then they fail. */
  holdSyncs(folder: string): { readonly held: number; fail(): void } {
    const ends: (() => void)[] = []
    this.#heldFolder = folder
    this.#hold = (path) =>
      new Promise((_resolve, reject) => {
        ends.push(() => reject(new DiskError('EIO', path, `${path}: the device does not work`)))
      })
    return {
      get held() {
        return ends.length
      },
      fail: () => {
        this.#heldFolder = null
        for (const end of ends) end()
      },
    }
  }

  #failure(paths: readonly string[]): DiskError | null {
    const path = paths.find((each) =>
      [...this.#broken].some((folder) => each === folder || each.startsWith(`${folder}/`)),
    )
    return path === undefined ? null : new DiskError(this.#code, path, `${path}: the device does not work`)
  }

  #onceFor(call: string): DiskError | null {
    const failure = this.#failures.get(call) ?? null
    this.#failures.delete(call)
    return failure
  }

  #wrap<T extends object>(target: T, pathsOf: (args: unknown[]) => string[]): T {
    return new Proxy(target, {
      get: (_target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        const call = value.bind(target) as Call
        if (ALWAYS.has(String(name))) return call
        return (...args: unknown[]): unknown => {
          const paths = pathsOf(args)
          if (name === 'sync' && this.#heldFolder !== null && paths[0]?.startsWith(`${this.#heldFolder}/`)) {
            return this.#hold(paths[0])
          }
          const failure = this.#failure(paths) ?? this.#onceFor(`${String(name)} ${paths[0]}`)
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
