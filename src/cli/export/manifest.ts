/**
 * What an export knows of the files in one partition's folder: which bytes of the broker each of them holds or is about to hold. Written
 * before the first byte of a file, so that whatever a cut leaves behind can be told apart from bytes of another segment of that name.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const FILE = '.samsa-export.json'

export interface ManifestEntry {
  /** The broker's, for the first `bytes` bytes of the segment. */
  readonly entityTag: string
  readonly bytes: number
}

export class Manifest {
  readonly #path: string
  readonly #entries: Map<string, ManifestEntry>

  constructor(folder: string) {
    this.#path = join(folder, FILE)
    this.#entries = readEntries(this.#path)
  }

  get(file: string): ManifestEntry | null {
    return this.#entries.get(file) ?? null
  }

  set(file: string, entry: ManifestEntry): void {
    this.#entries.set(file, entry)
    writeFileSync(`${this.#path}.tmp`, JSON.stringify(Object.fromEntries(this.#entries), null, 1))
    renameSync(`${this.#path}.tmp`, this.#path)
  }
}

/** One that is missing or torn knows nothing: everything is fetched again. */
function readEntries(path: string): Map<string, ManifestEntry> {
  const entries = new Map<string, ManifestEntry>()
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
    for (const [file, entry] of Object.entries(parsed ?? {})) {
      if (typeof entry?.entityTag === 'string' && Number.isSafeInteger(entry.bytes)) entries.set(file, entry)
    }
  } catch (error) {
    if (!(error instanceof SyntaxError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return entries
}
