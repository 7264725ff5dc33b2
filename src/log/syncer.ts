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
  #backgroundInFlight = 0
  #idleWaiters: (() => void)[] = []

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Somebody waits for what the log has written so far. */
  now(log: Log): void {
    this.#wanted.set(log, true)
    this.#start()
  }

  soon(log: Log): void {
    if (!this.#wanted.has(log)) this.#wanted.set(log, false)
    this.#start()
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
        if (!urgent && this.#backgroundInFlight > 0) return
        this.#wanted.delete(log)
        void this.#run(log, urgent)
      }
    }
  }

  async #run(log: Log, urgent: boolean): Promise<void> {
    this.#inFlight.add(log)
    if (!urgent) this.#backgroundInFlight++
    const { cuts } = log
    let failure: unknown = null
    let upTo = log.writtenOffset
    try {
      if (!urgent) log.prepareSync()
      upTo = log.writtenOffset
      await syncLog(log, this.#disk)
    } catch (error) {
      failure = error
    }
    this.#inFlight.delete(log)
    if (!urgent) this.#backgroundInFlight--
    if (!log.closed) {
      if (failure === null && cuts === log.cuts) log.synced(upTo)
      else if (failure !== null && cuts === log.cuts) log.syncFailed(failure)
      // The log was cut meanwhile: what was synced need not be what is there now.
      else if (urgent) this.#wanted.set(log, true)
      else if (log.needsSync) this.#wanted.set(log, this.#wanted.get(log) ?? false)
    }
    this.#start()
    if (this.#wanted.size === 0 && this.#inFlight.size === 0) {
      const waiters = this.#idleWaiters
      this.#idleWaiters = []
      for (const resolve of waiters) resolve()
    }
  }
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
      await syncFile(disk, segment.offsetIndex.file.path)
      await syncFile(disk, segment.timeIndex.file.path)
      if (segment.txnIndex.count > 0) await syncFile(disk, segment.txnIndex.file.path)
    }
  }
  if (!log.folderUnsynced) return
  log.folderUnsynced = false
  try {
    for (const name of log.unsyncedFiles) {
      log.unsyncedFiles.delete(name)
      await syncFile(disk, `${log.directory}/${name}`)
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

async function syncFile(disk: Disk, path: string): Promise<void> {
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
