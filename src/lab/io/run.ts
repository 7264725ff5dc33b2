/**
 * Runs the lab: tries every cell once with a little data (which finds what is refused, and warms up), then measures in rounds.
 * What must hold: files exist only in the workspace and are gone when this returns or throws; between cells the event
 * loop turns, so a signal is heard; nothing is dirty in the page cache when a cell begins.
 */
import { close, closeSync, constants, fdatasync, openSync, readSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { realClock } from '../../storage/clock-real.ts'
import { libc } from '../../storage/libc.ts'
import { Rounds, type Row } from './figures.ts'
import { loadKernel } from './kernel.ts'
import { type CacheState, type Method, Refused, refusalOf, type Tools, type Work } from './method.ts'
import { expectBytes } from './methods/buffers.ts'
import { fillWithNoise, mark, READ_MARK_BYTES } from './pattern.ts'
import { type Cell, cellName, extentBytes, neededBytes, orderOfRound, planCells } from './plan.ts'
import { SinkProcess } from './sink.ts'
import { realCpuMs, type Timed } from './timing.ts'
import { Workspace } from './workspace.ts'

export interface LabOptions {
  /** Starts the process that bytes are sent to: `samsa lab io-sink`. */
  readonly sinkCommand: readonly string[]
  readonly path: string
  /** Length of the files that are written and read; at least the largest block. */
  readonly sizeBytes: number
  readonly blocks: readonly number[]
  readonly methods: readonly Method[]
  readonly rounds: number
  /** A run of one method ends after this, with what it has done until then. */
  readonly secondsPerRun: number
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number, what: string) => void
}

/** Somebody wants it to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

const READ_FILE = 'read'
const WRITE_FILE = 'write'
/** Enough to warm up, little enough not to be noticed. */
const TRIAL_BYTES = 1024 * 1024
const TRIAL_BLOCKS = 4
const TRIAL_MS = 100
/** More than this share left in memory after it was told to let go: the file system lives there. */
const STAYS_CACHED_SHARE = 0.5
/** More than this share is worth a note. */
const PARTLY_CACHED_SHARE = 0.05

const syncLater = promisify(fdatasync)
const closeLater = promisify(close)

export async function runLab(options: LabOptions): Promise<Row[]> {
  const workspace = Workspace.create(options.path, neededBytes(options.methods, options.sizeBytes))
  const lab = new Lab(workspace, options)
  try {
    return await lab.run()
  } finally {
    await lab.close()
    workspace.remove()
  }
}

interface Entry {
  readonly cell: Cell
  readonly rounds: Rounds
  refused: string | null
  note: string | null
}

class Lab {
  readonly #workspace: Workspace
  readonly #options: LabOptions
  readonly #tools: Tools
  #sink: SinkProcess | null = null

  constructor(workspace: Workspace, options: LabOptions) {
    this.#workspace = workspace
    this.#options = options
    this.#tools = {
      meters: { clock: realClock, cpuMs: realCpuMs },
      libc: libc(),
      kernel: loadKernel(),
      sink: async () => {
        this.#sink ??= new SinkProcess(options.sinkCommand)
        return this.#sink
      },
    }
  }

  async close(): Promise<void> {
    await this.#sink?.close()
  }

  async run(): Promise<Row[]> {
    const { methods, blocks, rounds, sizeBytes } = this.#options
    const groups = planCells(methods, blocks)
    const cells = groups.flat()
    const entries = new Map<Cell, Entry>(
      cells.map((cell) => [cell, { cell, rounds: new Rounds(), refused: null, note: null }]),
    )
    if (methods.some(({ direction }) => direction === 'read')) await this.#writeReadFile(sizeBytes)
    let done = 0
    const total = cells.length * (rounds + 1)
    for (const [index, order] of [cells, ...planned(groups, rounds)].entries()) {
      const isTrial = index === 0
      for (const cell of order) {
        await this.#breathe()
        this.#options.onProgress?.(
          done++,
          total,
          isTrial ? `trying ${cellName(cell)}` : `round ${index}: ${cellName(cell)}`,
        )
        const entry = entries.get(cell)!
        if (entry.refused === null) await this.#measure(entry, isTrial)
      }
    }
    return cells.map((cell) => rowOf(entries.get(cell)!))
  }

  /** Lets signals in. */
  async #breathe(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#options.signal?.aborted === true) throw new Interrupted('interrupted')
  }

  async #measure(entry: Entry, isTrial: boolean): Promise<void> {
    try {
      const { method, blockBytes } = entry.cell
      const refused = method.refusal?.(this.#tools, blockBytes ?? 0) ?? null
      if (refused !== null) throw new Refused(refused)
      if (method.direction === 'read') await this.#measureRead(entry, isTrial)
      else await this.#measureWrite(entry, isTrial)
    } catch (error) {
      const reason = refusalOf(error)
      if (reason === null) throw described(error, entry.cell)
      entry.refused = reason
    }
  }

  async #measureWrite({ cell, rounds }: Entry, isTrial: boolean): Promise<void> {
    try {
      const timed = await cell.method.run(this.#work(cell, isTrial, this.#workspace.file(WRITE_FILE)))
      const syncMs = await this.#syncWritten()
      if (!isTrial) rounds.add(timed, cell.method.direction === 'write' ? syncMs : null)
    } finally {
      this.#workspace.removeFile(WRITE_FILE)
    }
  }

  async #syncWritten(): Promise<number> {
    const { clock } = this.#tools.meters
    const descriptor = openSync(this.#workspace.file(WRITE_FILE), 'r+')
    try {
      const beganMs = clock.monotonic()
      await syncLater(descriptor)
      return clock.monotonic() - beganMs
    } finally {
      await closeLater(descriptor)
    }
  }

  async #measureRead(entry: Entry, isTrial: boolean): Promise<void> {
    const { cell, rounds } = entry
    if (isTrial && cell.cache === 'uncached' && this.#tools.kernel.dropCached === null) {
      throw new Refused('needs a C library to call (posix_fadvise)')
    }
    if (!isTrial) entry.note = (await this.#prepareCache(cell.cache)) ?? entry.note
    const timed: Timed = await cell.method.run(this.#work(cell, isTrial, this.#workspace.file(READ_FILE)))
    if (!isTrial) rounds.add(timed, null)
  }

  #work(cell: Cell, isTrial: boolean, path: string): Work {
    const whole = extentBytes(cell, this.#options.sizeBytes)
    const blockBytes = cell.blockBytes ?? whole
    const trial = Math.max(blockBytes, Math.floor(TRIAL_BYTES / blockBytes) * blockBytes)
    const most = Math.max(trial, TRIAL_BLOCKS * blockBytes)
    return {
      tools: this.#tools,
      extent: {
        bytes: isTrial ? Math.min(whole, most) : whole,
        blockBytes,
        mostMs: isTrial ? TRIAL_MS : this.#options.secondsPerRun * 1000,
      },
      path,
      inspect: null,
    }
  }

  /** Brings the file that is read into the page cache, or out of it. What to note about that, if anything. */
  async #prepareCache(cache: CacheState | null): Promise<string | null> {
    const { sizeBytes } = this.#options
    const { dropCached, cachedBytes } = this.#tools.kernel
    const descriptor = openSync(this.#workspace.file(READ_FILE), 'r')
    try {
      if (cache === 'cached') {
        if (cachedBytes?.(descriptor, sizeBytes) !== sizeBytes) await this.#readThrough(descriptor, sizeBytes)
        return null
      }
      dropCached?.(descriptor)
      const left = (cachedBytes?.(descriptor, sizeBytes) ?? 0) / sizeBytes
      if (cache === 'uncached' && left > STAYS_CACHED_SHARE) {
        throw new Refused('this file system keeps its files in memory: nothing leaves it')
      }
      return left > PARTLY_CACHED_SHARE ? `${(left * 100).toFixed(0)} % of the file stayed in memory` : null
    } finally {
      closeSync(descriptor)
    }
  }

  /** Its content is `expectedContent(..., READ_MARK_BYTES)`. */
  async #writeReadFile(sizeBytes: number): Promise<void> {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY
    const descriptor = openSync(this.#workspace.file(READ_FILE), flags)
    try {
      const block = Buffer.allocUnsafe(READ_MARK_BYTES)
      fillWithNoise(block)
      for (let at = 0; at < sizeBytes; at += block.length) {
        mark(block, at)
        const bytes = Math.min(block.length, sizeBytes - at)
        expectBytes(writeSync(descriptor, block, 0, bytes, at), bytes, 'written')
        await this.#breathe()
      }
      await syncLater(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }

  async #readThrough(descriptor: number, bytes: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(READ_MARK_BYTES)
    for (let at = 0; at < bytes; at += buffer.length) {
      readSync(descriptor, buffer, 0, buffer.length, at)
      await this.#breathe()
    }
  }
}

function planned(groups: readonly (readonly Cell[])[], rounds: number): Cell[][] {
  return Array.from({ length: rounds }, (_, round) => orderOfRound(groups, round, rounds))
}

function rowOf({ cell, rounds, refused, note }: Entry): Row {
  const { method, blockBytes, cache } = cell
  const figures = refused === null ? rounds.figures() : null
  return { direction: method.direction, method: method.name, blockBytes, cache, refused, note, figures }
}

/** Which cell an unexpected error came from; its code stays, so that it reads as one line. */
function described(error: unknown, cell: Cell): Error {
  const reason = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error ? { code: error.code } : {}
  return Object.assign(new Error(`${cellName(cell)}: ${reason}`, { cause: error }), code)
}
