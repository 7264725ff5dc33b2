// The cleaner: compacts logs with `cleanup.policy=compact` in the background, the dirtiest first, one at a time. Owned by the LogManager.
// Between two rounds it rests for `log.cleaner.backoff.ms`; a round goes on as long as there is a log to clean, and deletes what retention
// lets go of the compacted logs, which the regular retention would have to wait for.
//
// A log whose cleaning fails for anything but want of space is not tried again before a restart: it can still be read and written.

import type { Clock } from '../storage/clock.ts'
import { elapsedMs } from '../storage/clock.ts'
import { DiskError } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import { Pace } from './compaction-pace.ts'
import { type CompactionPlan, isCompactionDue, planCompaction, type SegmentView } from './compaction-plan.ts'
import { Cleaning, CleaningAborted, type CleaningResult } from './compaction-run.ts'
import type { Log } from './log.ts'
import type { LogServices } from './services.ts'

/** The broker's settings for compaction, by their names without `log.cleaner.`; read at every use. */
export interface CleanerSettings {
  readonly enable: boolean
  /** 0 turns the cleaner off; any other number means one log at a time, because there is one event loop. */
  readonly threads: number
  readonly backoffMs: number
  readonly dedupeBufferBytes: number
  readonly loadFactor: number
  readonly ioBufferBytes: number
  readonly ioMaxBytesPerSecond: number
}

export const DEFAULT_CLEANER_SETTINGS: CleanerSettings = {
  enable: true,
  threads: 1,
  backoffMs: 15_000,
  dedupeBufferBytes: 128 * 1024 * 1024,
  loadFactor: 0.9,
  ioBufferBytes: 512 * 1024,
  ioMaxBytesPerSecond: Number.MAX_VALUE,
}

export interface CleanerHost {
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
  settings(): CleanerSettings
  logs(): Iterable<{ readonly log: Log; readonly services: LogServices }>
  /** Writes the ends of the last cleanings in the log's folder to the checkpoint file. */
  saveCleanedOffsets(log: Log): Promise<void>
}

const TIMER = 'log/cleaner'
/** One piece of input is at least and at most so large, whatever `log.cleaner.io.buffer.size` says. */
const SMALLEST_PIECE_BYTES = 16 * 1024
const LARGEST_PIECE_BYTES = 8 * 1024 * 1024
/** Looking through all logs costs time, also when there is nothing to do. */
const SHORTEST_BACKOFF_MS = 10
const NO_SPACE_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

interface Candidate {
  readonly log: Log
  readonly services: LogServices
  readonly plan: CompactionPlan
}

export class Cleaner {
  readonly #host: CleanerHost
  readonly #pace: Pace
  readonly #uncleanable = new WeakSet<Log>()
  #current: Cleaning | null = null
  #round: Promise<void> | null = null
  #stopped = false

  constructor(host: CleanerHost) {
    this.#host = host
    const { clock, timers } = host
    this.#pace = new Pace({
      clock,
      timers,
      timer: 'log/cleaner/rest',
      bytesPerSecond: () => host.settings().ioMaxBytesPerSecond,
    })
  }

  start(): void {
    this.#schedule()
  }

  /** A setting was changed: the time to the next round begins anew. */
  settingsChanged(): void {
    if (this.#round === null && !this.#stopped) this.#schedule()
  }

  /** Ends what is under way, leaving its log as it was. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#host.timers.cancel(TIMER)
    this.#current?.abort()
    await this.#round
  }

  /** Whether the log's last cleaning failed, so that it is left alone. */
  isUncleanable(log: Log): boolean {
    return this.#uncleanable.has(log)
  }

  /** Cleans as long as there is something to clean. Calls while that is under way share it. */
  run(): Promise<void> {
    this.#round ??= this.#runRound().finally(() => {
      this.#round = null
      if (!this.#stopped) this.#schedule()
    })
    return this.#round
  }

  #schedule(): void {
    const { timers, clock, settings } = this.#host
    const backoffMs = Math.max(settings().backoffMs, SHORTEST_BACKOFF_MS)
    timers.schedule(TIMER, clock.now() + backoffMs, () => void this.run())
  }

  async #runRound(): Promise<void> {
    const { enable, threads } = this.#host.settings()
    if (!enable || threads <= 0) return
    this.#runRetention()
    while (!this.#stopped) {
      const candidate = this.#choose()
      if (candidate === null) return
      const goesOn = await this.#clean(candidate)
      if (!this.#stopped) this.#runRetention()
      if (!goesOn) return
    }
  }

  /** The log with the largest share of what is still to be compared. */
  #choose(): Candidate | null {
    let best: Candidate | null = null
    for (const { log, services } of this.#host.logs()) {
      if (log.closed || !log.config.cleanupPolicy.compact || this.#uncleanable.has(log)) continue
      // What is being copied to another folder stays as it is.
      if (log.moving !== null) continue
      try {
        const plan = planFor(log, services)
        if (plan.restarted) this.#restart(log, plan)
        if (!isCompactionDue(plan, log.config)) continue
        if (best === null || plan.dirtyRatio > best.plan.dirtyRatio) best = { log, services, plan }
      } catch (error) {
        this.#failed(log, error)
      }
    }
    return best
  }

  #restart(log: Log, plan: CompactionPlan): void {
    const { cleanedUpTo, config } = log
    log.cleanedUpTo = plan.firstDirtyOffset
    // Where old records are deleted as well, that is how it goes.
    if (config.cleanupPolicy.delete) return
    const { firstDirtyOffset } = plan
    this.#host.logger.warn('The log is not what was compacted last; compaction begins anew at its start', {
      log: log.name,
      cleanedUpTo,
      firstDirtyOffset,
    })
  }

  /** False if there is no point in going on in this round. */
  async #clean({ log, services, plan }: Candidate): Promise<boolean> {
    const { clock } = this.#host
    const { dedupeBufferBytes, loadFactor, ioBufferBytes } = this.#host.settings()
    const beganMs = clock.monotonic()
    const cleaning = new Cleaning({
      log,
      plan,
      services,
      pace: this.#pace,
      dedupeBufferBytes,
      loadFactor,
      ioBufferBytes: Math.min(Math.max(ioBufferBytes, SMALLEST_PIECE_BYTES), LARGEST_PIECE_BYTES),
    })
    this.#current = cleaning
    try {
      const result = await cleaning.run()
      // A cut may have come since: never more than is there.
      log.cleanedUpTo = result.endOffset
      this.#report(log, plan, result, elapsedMs(beganMs, clock.monotonic()))
      await this.#host.saveCleanedOffsets(log)
      return true
    } catch (error) {
      return this.#failed(log, error)
    } finally {
      this.#current = null
    }
  }

  #report(log: Log, plan: CompactionPlan, result: CleaningResult, ms: number): void {
    const { endOffset, ...figures } = result
    const offsets = { from: plan.firstDirtyOffset, to: endOffset }
    this.#host.logger.info('Compacted a log', { log: log.name, ...offsets, ...figures, ms: Math.round(ms) })
  }

  #failed(log: Log, error: unknown): boolean {
    if (error instanceof CleaningAborted) return !this.#stopped
    if (log.closed) return true
    const { logger } = this.#host
    const reason = error instanceof Error ? error.message : String(error)
    if (error instanceof DiskError && NO_SPACE_CODES.has(error.code)) {
      logger.warn('No room to compact a log; it is tried again later', { log: log.name, reason })
      return false
    }
    this.#uncleanable.add(log)
    const fields = { log: log.name, reason, ...(error instanceof DiskError ? { file: error.path } : {}) }
    logger.error('A log cannot be compacted; it is left as it is until the next start', fields)
    return true
  }

  #runRetention(): void {
    const nowMs = this.#host.clock.now()
    for (const { log } of this.#host.logs()) {
      if (!log.config.cleanupPolicy.compact) continue
      try {
        log.runRetention(nowMs)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        const fields = { log: log.name, file: error.path, reason: error.message }
        this.#host.logger.warn('Retention could not do its work', fields)
      }
    }
  }
}

/** What supersedes a record, or decides its transaction, must not be lost to a power failure once the record is gone. */
function stableOffsetOf(log: Log, services: LogServices): number {
  if (services.durability === 'memory' || log.recoveryPoint >= log.writtenOffset) return log.lastStableOffset
  return Math.min(log.lastStableOffset, log.durableStableOffset, log.recoveryPoint)
}

function planFor(log: Log, services: LogServices): CompactionPlan {
  const views = log.segments.all.map(
    (segment): SegmentView => ({
      baseOffset: segment.baseOffset,
      sizeBytes: segment.sizeBytes,
      largestTimestamp: () => segment.largestTimestamp(),
      firstTimestamp: () => (segment.sizeBytes === 0 ? -1 : log.firstTimestampOf(segment)),
    }),
  )
  return planCompaction({
    segments: views,
    logStartOffset: log.logStartOffset,
    logEndOffset: log.logEndOffset,
    stableOffset: stableOffsetOf(log, services),
    cleanedUpTo: log.cleanedUpTo,
    config: log.config,
    nowMs: services.clock.now(),
  })
}
