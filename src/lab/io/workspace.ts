// The folder that all files of a run live in: a fresh one inside of the folder that is measured, removed however the run ends.

import { mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { formatBytes } from '../report/report.ts'

/** Room that is left alone: a full file system would disturb more than this measurement. */
const SPARE_BYTES = 64 * 1024 * 1024

/** The lab cannot work there. */
export class Unusable extends Error {
  override readonly name = 'Unusable'
}

export class Workspace {
  readonly folder: string
  readonly #onExit = (): void => this.remove()

  private constructor(folder: string) {
    this.folder = folder
    process.on('exit', this.#onExit)
  }

  /** Throws `Unusable` if the folder is none, cannot be written to, or has no room for `neededBytes`. */
  static create(path: string, neededBytes: number): Workspace {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new Unusable(`'${path}' is not a folder`)
    }
    const { bavail, bsize } = statfsSync(path)
    const freeBytes = bavail * bsize
    if (freeBytes < neededBytes + SPARE_BYTES) {
      throw new Unusable(
        `not enough room in '${path}': ${formatBytes(neededBytes + SPARE_BYTES)} are needed, ${formatBytes(freeBytes)} are free; give a smaller --size`,
      )
    }
    try {
      return new Workspace(mkdtempSync(join(path, 'samsa-lab-io-')))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Unusable(`no folder can be made in '${path}': ${reason}`)
    }
  }

  file(name: string): string {
    return join(this.folder, name)
  }

  removeFile(name: string): void {
    rmSync(this.file(name), { force: true })
  }

  remove(): void {
    process.off('exit', this.#onExit)
    rmSync(this.folder, { recursive: true, force: true })
  }
}
