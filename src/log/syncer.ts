// Makes logs durable on the thread pool. At most two syncs are under way, because more would keep the pool from reading; of one log at most
// one. Logs that somebody waits for go first, the others one at a time. What is written while a log's sync is under way belongs to its next
// one, so that under load many appends share a sync.

import { type Disk, DiskError } from '../storage/disk.ts'
import type { Log } from './log.ts'

const MOST_IN_FLIGHT = 2

export class Syncer {
  readonly #disk: Disk
  /** In order of asking; true: somebody waits. */
  readonly #wanted = new Map<Log, boolean>()
  readonly #inFlight = new Set<Log>()
  /** Told when the log's next sync has ended, well or not. */
  readonly #waiting = new Map<Log, (() => void)[]>()
  #backgroundInFlight = 0
  #idleWaiters: (() => void)[] = []
  #isStopped = false

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Somebody waits for what the log has written so far. */
  now(log: Log): void {
    if (this.#isStopped) return
    this.#wanted.set(log, true)
    this.#start()
  }

  /** Resolves when a sync of the log that began after this call has ended, well or not. */
  soon(log: Log): Promise<void> {
    if (this.#isStopped) return Promise.resolve()
    if (!this.#wanted.has(log)) this.#wanted.set(log, false)
    const ended = new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(log)
      if (waiting === undefined) this.#waiting.set(log, [resolve])
      else waiting.push(resolve)
    })
    this.#start()
    return ended
  }

  /** For the end: what has not begun is dropped and nothing more begins, whoever closes the logs syncs them. Resolves when what is under way has ended. */
  stop(): Promise<void> {
    this.#isStopped = true
    for (const log of this.#wanted.keys()) {
      const waiting = this.#waiting.get(log) ?? []
      this.#waiting.delete(log)
      for (const resolve of waiting) resolve()
    }
    this.#wanted.clear()
    return this.idle()
  }

  /** Resolves when nothing is wanted or under way. */
  idle(): Promise<void> {
    if (this.#wanted.size === 0 && this.#inFlight.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  #start(): void {
    for (const urgentRound of [true, false]) {
      for (const [log, urgent] of this.#wanted) {
        if (this.#inFlight.size >= MOST_IN_FLIGHT) return
        if (urgent !== urgentRound || this.#inFlight.has(log)) continue
        // One place is kept for those whom nobody waits for: a steady stream of urgent ones must not starve them.
        if (urgent && this.#inFlight.size === MOST_IN_FLIGHT - 1 && this.#backgroundWaits()) break
        if (!urgent && this.#backgroundInFlight > 0) return
        this.#wanted.delete(log)
        void this.#run(log, urgent)
      }
    }
  }

  #backgroundWaits(): boolean {
    if (this.#backgroundInFlight > 0) return false
    for (const [log, urgent] of this.#wanted) if (!urgent && !this.#inFlight.has(log)) return true
    return false
  }

  async #run(log: Log, urgent: boolean): Promise<void> {
    this.#inFlight.add(log)
    if (!urgent) this.#backgroundInFlight++
    const waiting = this.#waiting.get(log) ?? []
    this.#waiting.delete(log)
    if (!log.closed) await this.#syncOnce(log, urgent)
    this.#inFlight.delete(log)
    if (!urgent) this.#backgroundInFlight--
    for (const resolve of waiting) resolve()
    this.#start()
    if (this.#wanted.size === 0 && this.#inFlight.size === 0) {
      const waiters = this.#idleWaiters
      this.#idleWaiters = []
      for (const resolve of waiters) resolve()
    }
  }

  async #syncOnce(log: Log, urgent: boolean): Promise<void> {
    const { cuts, directory, folderFailed } = log
    if (!urgent) log.prepareSync()
    const upTo = log.writtenOffset
    const stable = log.lastStableOffset
    let failure: unknown = null
    try {
      await syncLog(log, this.#disk)
    } catch (error) {
      failure = error
    }
    if (log.closed) return
    const isCut = cuts !== log.cuts
    if (failure instanceof DiskError && log.directory !== directory && !isOf(log, failure.path)) {
      // The log has moved meanwhile, with everything synced where it is now: this is about the folder that it has left.
      if (!isGone(failure)) folderFailed(failure)
    } else if (failure !== null && !(isCut && isGone(failure))) {
      log.syncFailed(failure)
      return
    }
    if (!isCut) {
      log.synced(upTo, stable)
      return
    }
    // The log was cut meanwhile: what was synced need not be what is there now.
    if (urgent) this.#wanted.set(log, true)
    else if (log.needsSync && !this.#wanted.has(log)) this.#wanted.set(log, false)
  }
}

/** Whether the path is one of those that are synced for the log where it is now. */
function isOf({ directory }: Log, path: string): boolean {
  return path === directory || path.startsWith(`${directory}/`) || path === parentOf(directory)
}

/** The file was closed or removed. Any other failure concerns what is left as well: the next sync would not tell of it again. */
function isGone(failure: unknown): boolean {
  return failure instanceof DiskError && (failure.code === 'EBADF' || failure.code === 'ENOENT')
}

/**
 * Brings everything that the log has in files at the time of the call to the device. The active segment's indexes only at a clean stop
 * (`closing`): while they are in use a recovery does not rely on them.
 */
export async function syncLog(log: Log, disk: Disk, options: { closing: boolean } = { closing: false }): Promise<void> {
  for (const segment of log.segments.all) {
    if (segment.syncedBytes < segment.sizeBytes) {
      const { sizeBytes } = segment
      await segment.file().sync()
      segment.syncedBytes = Math.min(segment.sizeBytes, Math.max(segment.syncedBytes, sizeBytes))
    }
    if (segment.indexesUnsynced && (segment.sealed || options.closing)) {
      segment.indexesUnsynced = false
      try {
        await syncFile(disk, segment.offsetIndex.file.path)
        await syncFile(disk, segment.timeIndex.file.path)
        if (segment.txnIndex.count > 0) await syncFile(disk, segment.txnIndex.file.path)
      } catch (error) {
        segment.indexesUnsynced = true
        throw error
      }
    }
  }
  if (!log.folderUnsynced) return
  log.folderUnsynced = false
  try {
    for (const name of log.unsyncedFiles) {
      log.unsyncedFiles.delete(name)
      try {
        await syncFile(disk, `${log.directory}/${name}`)
      } catch (error) {
        log.unsyncedFiles.add(name)
        throw error
      }
    }
    const { removals } = log
    await disk.syncDirectoryLater(log.directory)
    log.syncedRemovals = removals
    if (log.parentUnsynced) {
      await disk.syncDirectoryLater(parentOf(log.directory))
      log.parentUnsynced = false
    }
  } catch (error) {
    log.folderUnsynced = true
    throw error
  }
}

export async function syncFile(disk: Disk, path: string): Promise<void> {
  let file: ReturnType<Disk['open']>
  try {
    file = disk.open(path)
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return // replaced or removed meanwhile
    throw error
  }
  try {
    await file.sync()
  } finally {
    file.close()
  }
}

function parentOf(directory: string): string {
  return directory.slice(0, directory.lastIndexOf('/')) || '/'
}
