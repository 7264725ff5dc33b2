// All logs of this broker: opens the data folders, hands out logs, says which folder a log lies in, and does by timers what no request asks
// for: syncing, checkpoints, retention, forgetting producers. Owned by the broker; nobody else creates or closes a log. What concerns one
// folder alone is served-directory.ts; moving a log from one to another is replica-moves.ts.
//
// The turn: an append only queues. Whoever queues first in a turn of the event loop has the end of the turn scheduled; there every log that
// queued something is written with one call, and only then are the waiting answers released.

import { ErrorCode } from '../protocol/errors.ts'
import { BufferPool } from '../storage/buffer-pool.ts'
import { DiskError } from '../storage/disk.ts'
import { Cleaner, DEFAULT_CLEANER_SETTINGS } from './compaction.ts'
import { hasFutureFolderName, partitionFolderName, retiredFolderName, uuidHex } from './file-names.ts'
import { loadDirectories, type PartitionFolderIn } from './load-directories.ts'
import type { Log } from './log.ts'
import { LogDirectoryError } from './log-directory.ts'
import type { LogManagerOptions } from './log-manager-options.ts'
import type { LogMove } from './log-move.ts'
import { OpenFiles } from './open-files.ts'
import { type PlacedLog, PlacedLogs } from './placed-logs.ts'
import { Removals } from './removals.ts'
import { ReplicaMoves } from './replica-moves.ts'
import { type NewLog, ServedDirectory, type SharedServices } from './served-directory.ts'
import type { LogServices } from './services.ts'
import { Syncer } from './syncer.ts'
import { introduceFolders, type OfflineDirectory, type TakenDirectories, takeDirectories } from './take-directories.ts'
import { DIRECT_WRITE_BYTES_MIN } from './write-mode.ts'

const MOST_ACTIVE_FILES = 4096
const MOST_SEALED_FILES = 512
/** Of the files that the process may open; the rest is for connections and for what is open for a moment. */
const ACTIVE_FILES_SHARE = 0.4
const SEALED_FILES_SHARE = 0.1
/** Memory for the indexes of sealed segments. */
const MOST_SEALED_INDEX_BYTES = 128 * 1024 * 1024
const SYNC_INTERVAL_MS = 5000
const SYNC_AFTER_BYTES = 128 * 1024 * 1024
/** Syncing many logs takes a while; what is done is written down meanwhile. */
const CHECKPOINT_EVERY_LOGS = 32
const FIRST_RETENTION_DELAY_MS = 30_000
const RETENTION_INTERVAL_MS = 5 * 60 * 1000
const PRODUCER_EXPIRY_INTERVAL_MS = 10 * 60 * 1000
/** Wishes for partitions that never come must not pile up. */
const MOST_WISHES = 10_000
const REPEATING_TIMERS = ['log/retention', 'log/producers', 'log/sync', 'log/checkpoint'] as const

export interface LogTotals {
  readonly logs: number
  readonly segments: number
  readonly bytes: number
}

/** A folder's device has failed while it was served. */
export interface FolderFailure {
  readonly path: string
  /** That were in it. */
  readonly logs: readonly Log[]
  /** There is nothing left that the broker could go on with. */
  readonly isLast: boolean
}

export interface DirectoryView {
  readonly path: string
  readonly directoryId: string | null
  readonly isOnline: boolean
  readonly isCordoned: boolean
}

/** A replica in a folder; `lag` offsets behind the log if it is on its way there. */
export interface ReplicaView {
  readonly topic: string
  readonly partition: number
  readonly sizeBytes: number
  readonly offsetLag: number
  readonly isFuture: boolean
}

export class LogManager {
  readonly pool: BufferPool
  readonly #options: LogManagerOptions
  readonly #directories: ServedDirectory[] = []
  /** Folders that could not be taken, and those that have failed since. */
  readonly #offline: OfflineDirectory[] = []
  readonly #logs = new PlacedLogs()
  /** Where partitions are to go that do not exist yet. */
  readonly #wishes = new Map<string, string>()
  readonly #syncer: Syncer
  readonly #activeFiles: OpenFiles
  readonly #sealedFiles: OpenFiles
  readonly #flushTurn = (): void => this.flushTurn()
  readonly #removals: Removals
  readonly #cleaner: Cleaner
  readonly #moves: ReplicaMoves
  readonly #folderListeners: ((failure: FolderFailure) => void)[] = []
  #meta!: TakenDirectories['meta']
  #dirty: Log[] = []
  #flushScheduled = false
  #checkpointing: Promise<void> | null = null
  /** Written since the last time syncing began. */
  #bytesSinceSync = 0
  #closed = false
  #closing: Promise<void> | null = null

  /** Takes the data folders and loads every log in them. Throws a LogDirectoryError if a folder cannot be used. */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    const manager = new LogManager(options)
    const taken = takeDirectories(options)
    try {
      await options.foldersTaken?.()
      manager.#beginServing(taken)
      await manager.#loadAll()
      await manager.#syncRecovered()
    } catch (error) {
      for (const directory of manager.#directories) directory.closeNow()
      for (const folder of taken.folders) folder.release()
      throw error
    }
    manager.#scheduleAll()
    manager.#cleaner.start()
    return manager
  }

  private constructor(options: LogManagerOptions) {
    this.#options = options
    this.pool = options.pool ?? new BufferPool()
    this.#syncer = new Syncer(options.disk)
    const { mostOpenFiles } = options.disk
    this.#activeFiles = new OpenFiles(Math.min(MOST_ACTIVE_FILES, Math.floor(mostOpenFiles * ACTIVE_FILES_SHARE)))
    const mostSealed = Math.min(MOST_SEALED_FILES, Math.floor(mostOpenFiles * SEALED_FILES_SHARE))
    this.#sealedFiles = new OpenFiles(mostSealed, MOST_SEALED_INDEX_BYTES)
    this.#removals = new Removals(options)
    this.#cleaner = this.#makeCleaner()
    const { disk, clock, timers, logger, moveBytesPerSecond } = options
    this.#moves = new ReplicaMoves({
      disk,
      clock,
      timers,
      logger,
      bytesPerSecond: moveBytesPerSecond ?? (() => Number.MAX_VALUE),
      relocated: (move, oldFolder) => this.#relocated(move, oldFolder),
      removeLater: (path, delayMs) => this.#removals.schedule(path, delayMs),
    })
  }

  #makeCleaner(): Cleaner {
    const { clock, timers, logger, cleanerSettings } = this.#options
    return new Cleaner({
      clock,
      timers,
      logger,
      settings: cleanerSettings ?? (() => DEFAULT_CLEANER_SETTINGS),
      logs: () => this.#cleanable(),
      saveCleanedOffsets: async () => this.#saveCheckpoints(),
    })
  }

  *#cleanable(): IterableIterator<{ log: Log; services: LogServices }> {
    for (const { log, directory } of this.#logs.all()) yield { log, services: directory.services }
  }

  // ---- opening ------------------------------------------------------------------------------------------------

  /** Nobody refuses the folders any more. */
  #beginServing(taken: TakenDirectories): void {
    const { configFor, writeMode = 'auto' } = this.#options
    this.#meta = taken.meta
    this.#offline.push(...taken.offline)
    const shared = this.#sharedServices()
    usable(taken.folders[0]?.path ?? '', () => introduceFolders(taken.folders, this.#options.logger))
    for (const folder of taken.folders) {
      const onFailed = (directory: ServedDirectory, reason: string): void => this.#folderFailed(directory, reason)
      usable(folder.path, () => {
        this.#directories.push(new ServedDirectory({ folder, shared, wantedWriteMode: writeMode, configFor, onFailed }))
      })
    }
  }

  #sharedServices(): SharedServices {
    const { disk, clock, random, logger, durability, timers, directWriteBytesMin } = this.#options
    return {
      disk,
      clock,
      random,
      logger,
      durability,
      pool: this.pool,
      activeFiles: this.#activeFiles,
      sealedFiles: this.#sealedFiles,
      directWriteBytesMin: directWriteBytesMin ?? DIRECT_WRITE_BYTES_MIN,
      endOfTurn: (log) => this.#endOfTurn(log),
      wrote: (bytes) => this.#wrote(bytes),
      syncNow: (log) => this.#syncer.now(log),
      syncSoon: (log) => {
        if (durability !== 'memory') void this.#syncer.soon(log)
      },
      spaceRanOut: () => this.#releaseReservedSpace(),
      checkpointSoon: () => this.#scheduleCheckpoint(clock.now()),
      syncWithin: (log, delayMs) => {
        if (durability === 'memory' || this.#closed) return
        timers.schedule(`log/sync/${log.name}`, clock.now() + delayMs, () => {
          if (!log.closed && !this.#closed) void this.#syncer.soon(log)
        })
      },
      removeLater: (path, delayMs) => this.#removals.schedule(path, delayMs),
    }
  }

  async #loadAll(): Promise<void> {
    const unfinished = await loadDirectories(this.#directories, {
      ...this.#options,
      logs: this.#logs,
      removeLater: (path) => this.#removals.schedule(path, 0),
      setFolderAside: (placed, state) => this.#setFolderAside(placed, state),
    })
    for (const future of unfinished) this.#resumeMove(future)
  }

  /**
   * What a killed process had written without a sync can be read from now on, and coordinators decide by it: where acknowledging needs the
   * device, no power loss may take it back. A log that cannot be synced is not served until a start that can.
   */
  async #syncRecovered(): Promise<void> {
    const unsynced = [...this.all()].filter((log) => log.acknowledgesSynced && log.recoveryPoint < log.writtenOffset)
    await Promise.all(unsynced.map((log) => this.#syncer.soon(log)))
    for (const log of unsynced) {
      if (!log.syncBroken) continue
      this.#options.logger.error('What was found after a stop cannot be synced; the partition is not served', {
        log: log.name,
      })
      // It stays with its folder, whose checkpoint files go on speaking of it.
      this.#logs.remove(log)
      this.#logs.noteFailure(log.topic, log.partition, 'a sync has failed')
    }
  }

  /** What is in the folder of a move that did not end is not trusted: it begins anew. */
  #resumeMove({ directory, name, topic, partition }: PartitionFolderIn): void {
    const held = this.#logs.get(topic, partition)
    // The log is in a folder that is not there at present.
    if (held === undefined && this.#offline.length > 0) return
    this.#removals.schedule(`${directory.path}/${name}`, 0)
    if (held === undefined || held.directory === directory) return
    try {
      this.#moves.begin(held.log, held.directory, directory)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      const fields = { log: held.log.name, to: directory.path, reason: error.message }
      this.#options.logger.error('A move that had begun before cannot go on; the log stays where it is', fields)
    }
  }

  // ---- the logs -----------------------------------------------------------------------------------------------

  /** Identity of the (first) data folder. */
  get meta(): { readonly clusterId: string; readonly nodeId: number; readonly directoryId: string } {
    return this.#meta
  }

  /** Every folder was stopped cleanly before. */
  get cleanStart(): boolean {
    return this.#directories.every(({ folder }) => folder.cleanStop)
  }

  /** The data folders as they were configured, those that are offline as well. */
  get directories(): readonly DirectoryView[] {
    return this.#options.directories.map((path) => {
      const directory = this.#online(path)
      return {
        path,
        directoryId: directory?.folder.meta.directoryId ?? null,
        isOnline: directory !== undefined,
        isCordoned: this.#options.isCordoned?.(path) === true,
      }
    })
  }

  /** The replicas in a data folder, those on their way there as well. */
  replicasIn(path: string): ReplicaView[] {
    const directory = this.#online(path)
    if (directory === undefined) return []
    const view = ({ topic, partition }: Log, sizeBytes: number) => ({ topic, partition, sizeBytes })
    return [
      ...[...directory.logs].map((log) => ({ ...view(log, log.sizeBytes), offsetLag: 0, isFuture: false })),
      ...this.#moves.all
        .filter(({ target }) => target === directory)
        .map(({ log, sizeBytes, offsetLag }) => ({ ...view(log, sizeBytes), offsetLag, isFuture: true })),
    ]
  }

  #online(path: string): ServedDirectory | undefined {
    return this.#directories.find((directory) => directory.path === path && !directory.isOffline)
  }

  get(topic: string, partition: number): Log | undefined {
    return this.#logs.get(topic, partition)?.log
  }

  *all(): IterableIterator<Log> {
    for (const { log } of this.#logs.all()) yield log
  }

  /** Why the partition's log could not be loaded, or null. */
  failureOf(topic: string, partition: number): string | null {
    return this.#logs.failureOf(topic, partition)
  }

  /**
   * The partition's log, created if there is none. A folder of that name that belongs to another topic id is set aside, never served.
   * Throws a DiskError if the disk refuses, a LogDirectoryError if the log is there and cannot be used, or may be in a folder that is
   * offline (`isNew`: it cannot, the partition was made just now).
   */
  create(options: NewLog & { readonly isNew?: boolean }): Log {
    const { topic, topicId, partition } = options
    const held = this.#logs.get(topic, partition)
    if (held !== undefined) {
      if (held.log.topicId === '') held.directory.adopt(held.log, topicId)
      if (held.log.topicId === topicId) return held.log
      this.setAside(topic, partition)
    }
    const name = partitionFolderName(topic, partition)
    const [absent] = this.#offline
    const directory = this.#directoryFor(name)
    const failure = this.#logs.failureOf(topic, partition)
    if (failure !== null) throw new LogDirectoryError(directory.path, `${name} could not be loaded: ${failure}`)
    if (absent !== undefined && options.isNew !== true && held === undefined) {
      const reason = `${name} is in none of the other data folders, so it may be in this one, which is offline: ${absent.reason}`
      this.#logs.noteFailure(topic, partition, reason)
      throw new LogDirectoryError(absent.path, reason)
    }
    try {
      const log = directory.create({ topic, topicId, partition })
      this.#logs.put(log, directory)
      this.#wishes.delete(name)
      return log
    } catch (error) {
      if (error instanceof DiskError) directory.suspect(error)
      throw error
    }
  }

  /** Where it was wished to be, else where there are the fewest. */
  #directoryFor(name: string): ServedDirectory {
    const wish = this.#wishes.get(name)
    return (wish === undefined ? undefined : this.#online(wish)) ?? this.#emptiestDirectory()
  }

  /** Where all are cordoned, they are all the same. */
  #emptiestDirectory(): ServedDirectory {
    const online = this.#directories.filter(({ isOffline }) => !isOffline)
    const open = online.filter(({ path }) => this.#options.isCordoned?.(path) !== true)
    const [first, ...others] = open.length > 0 ? open : online
    if (first === undefined) throw new LogDirectoryError('(all)', 'every data folder is offline')
    return others.reduce((best, each) => (each.logs.size < best.logs.size ? each : best), first)
  }

  /** Takes the partition out of service now; its files are removed after file.delete.delay.ms. */
  delete(topic: string, partition: number): void {
    if (this.#logs.failureOf(topic, partition) !== null) {
      for (const directory of this.#directories) directory.retireUnserved(topic, partition)
    }
    this.#logs.forgetFailure(topic, partition)
    const folder = this.#retire(topic, partition, 'delete')
    if (folder === null) return
    this.#removals.schedule(folder.path, folder.delayMs)
  }

  /** Takes the partition out of service and keeps its files under a name that is never served: a `-stray` folder. */
  setAside(topic: string, partition: number): void {
    const folder = this.#retire(topic, partition, 'stray')
    if (folder === null) return
    const fields = { log: partitionFolderName(topic, partition), folder: folder.path }
    this.#options.logger.warn('A log does not belong to any topic of that name; setting it aside', fields)
  }

  #retire(topic: string, partition: number, state: 'delete' | 'stray'): { path: string; delayMs: number } | null {
    const held = this.#logs.get(topic, partition)
    if (held === undefined) return null
    const { log, directory } = held
    this.#moves.cancel(log)
    this.#logs.remove(log)
    directory.leave(log)
    log.close()
    this.#scheduleCheckpoint(this.#options.clock.now())
    try {
      return { path: this.#setFolderAside(held, state), delayMs: log.config.fileDeleteDelayMs }
    } catch (error) {
      // The partition is out of service all the same; at the next start its folder is one that belongs to no topic.
      if (!(error instanceof DiskError)) throw error
      this.#options.logger.warn('Cannot set a folder aside', { folder: log.directory, reason: error.message })
      directory.suspect(error)
      return null
    }
  }

  /** The log's folder gets a name that is never served; returns it. */
  #setFolderAside({ log, directory }: PlacedLog, state: 'delete' | 'stray'): string {
    const { disk, random } = this.#options
    const path = `${directory.path}/${retiredFolderName(log.topic, log.partition, state, uuidHex(random.uuid()))}`
    disk.rename(log.directory, path)
    log.directory = path
    return path
  }

  /** The topic's settings changed: its logs take them from `configFor`. */
  updateConfig(topic: string): void {
    const config = this.#options.configFor(topic)
    for (const held of this.#logs.ofTopic(topic)) held?.log.updateConfig(config)
  }

  // ---- moving between folders ---------------------------------------------------------------------------------

  /**
   * AlterReplicaLogDirs of one partition. What moves goes on in the background; the folder where the log is ends a move. For a partition
   * that does not exist the folder is remembered.
   */
  moveTo(path: string, topic: string, partition: number): ErrorCode {
    if (!hasFutureFolderName(topic, partition)) return ErrorCode.INVALID_TOPIC_EXCEPTION
    if (!this.#options.directories.includes(path)) return ErrorCode.LOG_DIR_NOT_FOUND
    const target = this.#online(path)
    if (target === undefined) return ErrorCode.KAFKA_STORAGE_ERROR
    if (this.#options.isCordoned?.(path) === true) return ErrorCode.INVALID_REPLICA_ASSIGNMENT
    const name = partitionFolderName(topic, partition)
    if (this.#logs.failureOf(topic, partition) !== null) return ErrorCode.KAFKA_STORAGE_ERROR
    const held = this.#logs.get(topic, partition)
    if (held !== undefined && held.directory === target) {
      this.#moves.cancel(held.log)
      return ErrorCode.NONE
    }
    if (held === undefined) {
      this.#remember(name, path)
      return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    }
    try {
      this.#moves.begin(held.log, held.directory, target)
      return ErrorCode.NONE
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#options.logger.error('A log cannot be moved', { log: name, to: path, reason: error.message })
      return ErrorCode.KAFKA_STORAGE_ERROR
    }
  }

  #remember(name: string, path: string): void {
    this.#wishes.delete(name)
    this.#wishes.set(name, path)
    if (this.#wishes.size <= MOST_WISHES) return
    const [oldest] = this.#wishes.keys()
    if (oldest !== undefined) this.#wishes.delete(oldest)
  }

  /** Resolves when no log is being moved. */
  movesDone(): Promise<void> {
    return this.#moves.idle()
  }

  #relocated({ log, source, target }: LogMove, oldFolder: string): string | null {
    source.leave(log)
    target.logs.add(log)
    this.#logs.put(log, target)
    this.#scheduleCheckpoint(this.#options.clock.now())
    const { disk, random, logger } = this.#options
    const name = retiredFolderName(log.topic, log.partition, 'delete', uuidHex(random.uuid()))
    try {
      disk.rename(oldFolder, `${source.path}/${name}`)
      this.#removals.schedule(`${source.path}/${name}`, log.config.fileDeleteDelayMs)
      return name
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      const fields = { folder: oldFolder, reason: error.message }
      logger.warn('Cannot set aside the folder that a log was moved from; the next start removes it', fields)
      source.suspect(error)
      return null
    }
  }

  // ---- folders that fail --------------------------------------------------------------------------------------

  #folderFailed(directory: ServedDirectory, reason: string): void {
    const { logger, indispensable } = this.#options
    const { path } = directory
    const logs = [...directory.logs]
    const fields = { folder: path, partitions: logs.length, reason }
    logger.error(
      'A data folder has failed and is offline until the next start; its partitions answer KAFKA_STORAGE_ERROR',
      fields,
    )
    this.#offline.push({ path, reason })
    this.#moves.folderFailed(directory)
    for (const log of logs) {
      this.#logs.noteFailure(log.topic, log.partition, `the data folder ${path} is offline: ${reason}`)
      this.#logs.remove(log)
    }
    const isLast = path === indispensable || this.#directories.every(({ isOffline }) => isOffline)
    for (const listener of this.#folderListeners) listener({ path, logs, isLast })
  }

  /** The listener is called in the turn in which a folder fails. */
  onFolderFailed(listener: (failure: FolderFailure) => void): void {
    this.#folderListeners.push(listener)
  }

  get cleaner(): Cleaner {
    return this.#cleaner
  }

  totals(): LogTotals {
    let [logs, segments, bytes] = [0, 0, 0]
    for (const log of this.all()) {
      logs++
      segments += log.segments.count
      bytes += log.sizeBytes
    }
    return { logs, segments, bytes }
  }

  /** Null while writes work; otherwise why they do not. */
  get writeFailure(): string | null {
    for (const { folder, isOffline } of this.#directories) {
      if (!isOffline && folder.gate.failure !== null) return folder.gate.failure.message
    }
    return null
  }

  // ---- the turn -----------------------------------------------------------------------------------------------

  #endOfTurn(log: Log): void {
    this.#dirty.push(log)
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    this.#options.timers.endOfTurn(this.#flushTurn)
  }

  /** Writes everything queued and releases the answers, now instead of at the end of the turn. */
  flushTurn(): void {
    this.#flushScheduled = false
    const dirty = this.#dirty
    if (dirty.length === 0) return
    this.#dirty = []
    for (const log of dirty) if (!log.closed) log.startWriting()
    for (const log of dirty) if (!log.closed) log.complete()
  }

  /** What is not synced has to be read again after a kill: the more there is, the longer that start takes. */
  #wrote(bytes: number): void {
    this.#bytesSinceSync += bytes
    const { syncAfterBytes = SYNC_AFTER_BYTES } = this.#options
    if (this.#bytesSinceSync < syncAfterBytes || this.#checkpointing !== null) return
    if (this.#options.durability !== 'memory') void this.checkpoint()
  }

  #releaseReservedSpace(): void {
    for (const log of this.all()) {
      try {
        log.releaseReservedSpace()
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        this.#options.logger.warn('Cannot give back reserved space', { file: error.path, reason: error.message })
      }
    }
  }

  // ---- what timers do -----------------------------------------------------------------------------------------

  #scheduleAll(): void {
    const { clock, retentionCheckIntervalMs, syncIntervalMs = SYNC_INTERVAL_MS, durability } = this.#options
    const { firstRetentionDelayMs = FIRST_RETENTION_DELAY_MS } = this.#options
    const { producerExpiryIntervalMs = PRODUCER_EXPIRY_INTERVAL_MS } = this.#options
    const now = clock.now()
    const retentionMs = retentionCheckIntervalMs ?? RETENTION_INTERVAL_MS
    this.#repeat('log/retention', now + Math.min(firstRetentionDelayMs, retentionMs), retentionMs, (nowMs) =>
      this.runRetention(nowMs),
    )
    this.#repeat('log/producers', now + producerExpiryIntervalMs, producerExpiryIntervalMs, (nowMs) => {
      for (const log of this.all()) log.expireProducers(nowMs)
    })
    if (durability === 'memory') return
    this.#repeat('log/sync', now + syncIntervalMs, syncIntervalMs, () => void this.checkpoint())
  }

  #repeat(name: string, firstMs: number, intervalMs: number, run: (nowMs: number) => void): void {
    const { timers, clock } = this.#options
    const fire = () => {
      if (this.#closed) return
      timers.schedule(name, clock.now() + intervalMs, fire)
      run(clock.now())
    }
    timers.schedule(name, firstMs, fire)
  }

  #scheduleCheckpoint(nowMs: number): void {
    if (this.#closed) return
    this.#options.timers.schedule('log/checkpoint', nowMs, () => {
      if (!this.#closed) void this.#saveCheckpoints()
    })
  }

  /** Syncs what is not yet durable and writes the checkpoint files. Calls while one is under way share it. */
  checkpoint(): Promise<void> {
    this.#checkpointing ??= this.#syncAndSave().finally(() => {
      this.#checkpointing = null
    })
    return this.#checkpointing
  }

  async #syncAndSave(): Promise<void> {
    this.#bytesSinceSync = 0
    let syncs: Promise<void>[] = []
    for (const log of [...this.all()]) {
      if (this.#closed) return
      if (log.closed || !log.needsSync || log.syncBroken) continue
      syncs.push(this.#syncer.soon(log))
      if (syncs.length < CHECKPOINT_EVERY_LOGS) continue
      await Promise.all(syncs)
      syncs = []
      if (!this.#closed) await this.#saveCheckpoints()
    }
    await Promise.all(syncs)
    if (!this.#closed) await this.#saveCheckpoints()
  }

  async #saveCheckpoints(): Promise<void> {
    for (const directory of this.#directories) await directory.saveCheckpoints()
  }

  runRetention(nowMs: number): void {
    for (const { log, directory } of this.#logs.all()) {
      try {
        log.runRetention(nowMs)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        const fields = { log: log.name, file: error.path, reason: error.message }
        this.#options.logger.warn('Retention could not do its work', fields)
        directory.suspect(error)
      }
    }
  }

  // ---- end ----------------------------------------------------------------------------------------------------

  /** Clean stop: everything written, synced and vouched for. If the disk refuses, the next start recovers instead. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { timers } = this.#options
    await this.#cleaner.stop()
    await this.#moves.stop()
    this.flushTurn()
    this.#closed = true
    for (const name of REPEATING_TIMERS) timers.cancel(name)
    this.#removals.cancelAll()
    for (const log of this.all()) timers.cancel(`log/sync/${log.name}`)
    await this.#syncer.stop()
    for (const directory of this.#directories) await directory.close()
  }
}

/** What the disk refuses at the start makes the whole folder unusable. */
function usable(path: string, take: () => void): void {
  try {
    take()
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new LogDirectoryError(path, error.message, { cause: error })
  }
}
