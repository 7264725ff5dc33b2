// The moves of logs between the data folders of this broker: which are wanted, one of them at work (there is one event loop, and one rate for
// all of them), and what becomes of those that end early. Owned by the LogManager.

import type { Clock } from '../storage/clock.ts'
import { type Disk, DiskError } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import { Pace } from './compaction-pace.ts'
import { MOVED_FILE } from './file-names.ts'
import type { Log } from './log.ts'
import { LogMove, MoveEnded } from './log-move.ts'
import { LogDamage } from './log-read.ts'
import type { ServedDirectory } from './served-directory.ts'

export interface ReplicaMovesHost {
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
  /** `replica.alter.log.dirs.io.max.bytes.per.second`, asked at every use. */
  bytesPerSecond(): number
  /** The log lies in the move's target from this turn on. The old folder, if it could be set aside, is at the path returned. */
  relocated(move: LogMove, oldFolder: string): string | null
  removeLater(path: string, delayMs: number): void
}

const RETRY_TIMER = 'log/move/retry'

export class ReplicaMoves {
  readonly #host: ReplicaMovesHost
  readonly #pace: Pace
  /** In order of asking; the first one is at work. */
  readonly #moves = new Map<Log, LogMove>()
  #work: Promise<void> | null = null
  #wake: (() => void) | null = null
  #isStopped = false

  constructor(host: ReplicaMovesHost) {
    this.#host = host
    const { clock, timers } = host
    this.#pace = new Pace({ clock, timers, timer: 'log/move/rest', bytesPerSecond: () => host.bytesPerSecond() })
  }

  /** The move of the log that is wanted or at work. */
  of(log: Log): LogMove | undefined {
    return this.#moves.get(log)
  }

  get all(): readonly LogMove[] {
    return [...this.#moves.values()]
  }

  /** Resolves when nothing is to be moved any more. */
  async idle(): Promise<void> {
    while (this.#work !== null) await this.#work
  }

  /** Begins a move; one of the same log to elsewhere ends. Throws a DiskError if a disk refuses; its folder is suspect then. */
  begin(log: Log, source: ServedDirectory, target: ServedDirectory): void {
    const before = this.#moves.get(log)
    if (before?.target === target) return
    this.cancel(log)
    this.#moves.set(log, this.#newMove(log, source, target))
    this.#host.logger.info('Moving a log to another data folder', { log: log.name, from: source.path, to: target.path })
    this.#start()
  }

  #newMove(log: Log, source: ServedDirectory, target: ServedDirectory): LogMove {
    try {
      return new LogMove({
        log,
        source,
        target,
        pace: this.#pace,
        sleep: (ms) => this.#sleep(ms),
        onRelocated: (done, oldFolder) => this.#relocated(done, oldFolder),
      })
    } catch (error) {
      if (error instanceof DiskError) refusing(error, source, target).suspect(error)
      throw error
    }
  }

  #start(): void {
    this.#work ??= this.#runAll().finally(() => {
      this.#work = null
      // Asked for after the last look and before this.
      if (this.#moves.size > 0 && !this.#isStopped) this.#start()
    })
  }

  /** The log stays where it is. */
  cancel(log: Log): void {
    const move = this.#moves.get(log)
    if (move === undefined) return
    this.#moves.delete(log)
    move.abort()
    this.#host.removeLater(move.folder, 0)
  }

  /** A folder is gone: nothing moves from or to it. What is in it stays for the next start. */
  folderFailed(directory: ServedDirectory): void {
    for (const [log, move] of this.#moves) {
      if (move.source !== directory && move.target !== directory) continue
      this.#moves.delete(log)
      move.abort()
    }
  }

  /** The broker stops. The future folders stay: they say at the next start what is to be moved. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const move of this.#moves.values()) move.abort()
    this.#host.timers.cancel(RETRY_TIMER)
    this.#wake?.()
    await this.idle()
  }

  async #runAll(): Promise<void> {
    for (;;) {
      const [next] = this.#moves
      if (next === undefined || this.#isStopped) return
      const [, move] = next
      try {
        await move.run()
      } catch (error) {
        this.#ended(move, error)
      }
    }
  }

  #relocated(move: LogMove, oldFolder: string): void {
    const { logger } = this.#host
    const { log, source, target } = move
    this.#moves.delete(log)
    logger.info('Moved a log to another data folder', {
      log: log.name,
      from: source.path,
      to: target.path,
      bytes: log.sizeBytes,
    })
    const setAside = this.#host.relocated(move, oldFolder)
    if (setAside === null) return
    void this.#forgetOrigin(log, source)
  }

  /** Once the old folder cannot come back. Until then the mark says which of the two is the log. */
  async #forgetOrigin(log: Log, source: ServedDirectory): Promise<void> {
    const { disk } = this.#host
    try {
      await disk.syncDirectoryLater(source.path)
      disk.remove(`${log.directory}/${MOVED_FILE}`)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      source.suspect(error)
    }
  }

  /** The move has ended before its time. If it is still wanted, it was the log that changed: then it begins anew. */
  #ended(move: LogMove, error: unknown): void {
    const { log, source, target } = move
    if (this.#isStopped || this.#moves.get(log) !== move) return
    this.#moves.delete(log)
    if (!target.isOffline) this.#host.removeLater(move.folder, 0)
    if (error instanceof MoveEnded) {
      if (!log.closed && !target.isOffline) this.#tryAgain(log, source, target)
      return
    }
    if (!(error instanceof DiskError) && !(error instanceof LogDamage)) throw error
    const fields = { log: log.name, from: source.path, to: target.path, reason: error.message }
    this.#host.logger.error('A log cannot be moved; it stays where it is', fields)
    if (error instanceof DiskError) refusing(error, source, target).suspect(error)
  }

  #tryAgain(log: Log, source: ServedDirectory, target: ServedDirectory): void {
    try {
      this.begin(log, source, target)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#host.logger.error('A log cannot be moved; it stays where it is', { log: log.name, reason: error.message })
    }
  }

  #sleep(ms: number): Promise<void> {
    const { timers, clock } = this.#host
    return new Promise((resolve) => {
      this.#wake = resolve
      timers.schedule(RETRY_TIMER, clock.now() + ms, resolve)
    })
  }
}

/** The folder whose device it was. */
function refusing({ path }: DiskError, source: ServedDirectory, target: ServedDirectory): ServedDirectory {
  return path === target.path || path.startsWith(`${target.path}/`) ? target : source
}
