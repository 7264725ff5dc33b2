// All logs of this broker: opens the data folders, hands out logs, and does by timers what no request asks for: syncing, checkpoints,
// retention, forgetting producers. Owned by the broker; nobody else creates or closes a log.
//
// The turn: an append only queues. Whoever queues first in a turn of the event loop has the end of the turn scheduled; there every log that
// queued something is written with one call, and only then are the waiting answers released.

import { BufferPool } from '../storage/buffer-pool.ts'
import { type Clock, elapsedMs } from '../storage/clock.ts'
import { type Disk, DiskError } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import type { Timers } from '../storage/timers.ts'
import { CHECKPOINT_FILES, logStartEntries } from './checkpoint-entries.ts'
import { formatPartitionMetadata, type SegmentFactsEntry } from './checkpoints.ts'
import { Cleaner, type CleanerSettings, DEFAULT_CLEANER_SETTINGS } from './compaction.ts'
import { PARTITION_METADATA_FILE, partitionFolderName, retiredFolderName, uuidHex } from './file-names.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { Log } from './log.ts'
import { LOG_STARTS_FILE, LogDirectory, LogDirectoryError } from './log-directory.ts'
import { loadLog } from './log-loader.ts'
import { OpenFiles } from './open-files.ts'
import { ProducerState } from './producer-state.ts'
import { Removals } from './removals.ts'
import { Segment } from './segment.ts'
import { SegmentList } from './segment-list.ts'
import type { LogServices } from './services.ts'
import { Syncer, syncLog } from './syncer.ts'
import type { Durability, LogConfig } from './types.ts'
import { chooseWriteMode, DIRECT_WRITE_BYTES_MIN, type WantedWriteMode } from './write-mode.ts'

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
/** During a long recovery the event loop gets a turn after so many bytes. */
const SCAN_BYTES_PER_TURN = 64 * 1024 * 1024
const CLOSING_SYNCS = 4
/** At a clean stop with more to sync than this, the whole file system is synced: one by one, ten thousand logs take longer than a stop may. */
const SYNC_TOGETHER_FROM_LOGS = 256
const REPEATING_TIMERS = ['log/retention', 'log/producers', 'log/sync', 'log/checkpoint'] as const
/** KRaft's own log in a folder that Kafka used: not a topic of ours. */
const KRAFT_LOG = '__cluster_metadata'

export interface LoadProgress {
  readonly logsDone: number
  readonly logsTotal: number
  readonly bytesScanned: number
}

export interface LogManagerOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly logger: Logger
  readonly directories: readonly string[]
  readonly durability: Durability
  readonly nodeId: number
  /** Identity of the cluster for a fresh folder; a folder that has another one is refused. */
  readonly clusterId?: string
  readonly configFor: (topic: string) => LogConfig
  readonly onProgress?: (progress: LoadProgress) => void
  /** Called once the folders are locked and before anything in them is loaded; `configFor` is not asked earlier. */
  readonly foldersTaken?: () => Promise<void>
  /** `log.retention.check.interval.ms` */
  readonly retentionCheckIntervalMs?: number
  /** `log.cleaner.*`, read at every use. */
  readonly cleanerSettings?: () => CleanerSettings
  /** How often what nobody waits for is synced and the checkpoint files are written. */
  readonly syncIntervalMs?: number
  readonly pool?: BufferPool
  /** `samsa.write.mode` */
  readonly writeMode?: WantedWriteMode
  readonly directWriteBytesMin?: number
  /** So much may be written before the next sync is due earlier than by the interval. */
  readonly syncAfterBytes?: number
}

export interface LogTotals {
  readonly logs: number
  readonly segments: number
  readonly bytes: number
}

interface HeldLog {
  readonly log: Log
  readonly directory: LogDirectory
}

export class LogManager {
  readonly pool: BufferPool
  readonly #options: LogManagerOptions
  readonly #directories: LogDirectory[] = []
  readonly #logs = new Map<string, (HeldLog | undefined)[]>()
  readonly #failed = new Map<string, string>()
  readonly #services = new Map<LogDirectory, LogServices>()
  readonly #syncer: Syncer
  readonly #activeFiles: OpenFiles
  readonly #sealedFiles: OpenFiles
  readonly #flushTurn = (): void => this.flushTurn()
  readonly #removals: Removals
  readonly #cleaner: Cleaner
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
    try {
      manager.#takeDirectories()
      await options.foldersTaken?.()
      manager.#beginServing()
      await manager.#loadAll()
    } catch (error) {
      for (const log of manager.all()) log.close()
      for (const directory of manager.#directories) directory.release()
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
    for (const { log, directory } of this.#held()) yield { log, services: this.#servicesOf(directory) }
  }

  // ---- opening ------------------------------------------------------------------------------------------------

  #takeDirectories(): void {
    const { directories, nodeId, clusterId, random, disk, logger } = this.#options
    if (directories.length === 0) throw new LogDirectoryError('(none)', 'no data folder is configured')
    for (const path of directories) {
      const expected = clusterId ?? this.#directories[0]?.meta.clusterId ?? null
      const identity = { nodeId, clusterId: expected, random }
      this.#directories.push(usable(path, () => new LogDirectory(path, identity, { disk, logger })))
    }
  }

  /** Nobody refuses the folders any more. */
  #beginServing(): void {
    for (const directory of this.#directories) {
      usable(directory.path, () => {
        directory.forgetCleanStop()
        this.#services.set(directory, this.#servicesFor(directory))
      })
    }
  }

  #servicesFor(directory: LogDirectory): LogServices {
    const { disk, clock, random, logger, durability, timers, writeMode, directWriteBytesMin } = this.#options
    return {
      disk,
      clock,
      random,
      logger,
      durability,
      pool: this.pool,
      activeFiles: this.#activeFiles,
      sealedFiles: this.#sealedFiles,
      gate: directory.gate,
      directWriteBytesMin: directWriteBytesMin ?? DIRECT_WRITE_BYTES_MIN,
      writeMode: chooseWriteMode(disk, directory.path, writeMode ?? 'auto', logger),
      endOfTurn: (log) => this.#endOfTurn(log),
      wrote: (bytes) => this.#wrote(bytes),
      syncNow: (log) => this.#syncer.now(log),
      syncSoon: (log) => {
        if (durability !== 'memory') void this.#syncer.soon(log)
      },
      spaceRanOut: () => this.#releaseReservedSpace(),
      saveLogStarts: () => directory.saveOffsetsNow(LOG_STARTS_FILE, logStartEntries(this.#logsIn(directory))),
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
    const { logger, timers, clock, onProgress } = this.#options
    const work: { directory: LogDirectory; name: string; topic: string; partition: number }[] = []
    for (const directory of this.#directories) {
      for (const { name, folder } of directory.partitionFolders(logger)) {
        if (folder.topic === KRAFT_LOG) continue
        if (folder.state === 'live') work.push({ directory, name, topic: folder.topic, partition: folder.partition })
        else if (folder.state === 'delete') this.#removals.schedule(`${directory.path}/${name}`, 0)
      }
    }
    const beganMs = clock.now()
    let bytesScanned = 0
    let scannedAtLastTurn = 0
    for (const [index, { directory, name, topic, partition }] of work.entries()) {
      if (this.get(topic, partition) !== undefined) {
        throw new LogDirectoryError(directory.path, `holds ${name}, which is in another data folder, too`)
      }
      bytesScanned += this.#loadOne(directory, name, topic, partition)
      if (bytesScanned - scannedAtLastTurn < SCAN_BYTES_PER_TURN) continue
      scannedAtLastTurn = bytesScanned
      onProgress?.({ logsDone: index + 1, logsTotal: work.length, bytesScanned })
      await new Promise<void>((resolve) => timers.endOfTurn(resolve))
    }
    onProgress?.({ logsDone: work.length, logsTotal: work.length, bytesScanned })
    if (this.cleanStart || work.length === 0) return
    const elapsed = elapsedMs(beganMs, clock.now())
    logger.info('Recovered after a stop that was not clean', { logs: work.length, bytesScanned, ms: elapsed })
  }

  /** Loads one log; a disk that cannot read it costs that partition only. Returns the bytes that were checked. */
  #loadOne(directory: LogDirectory, name: string, topic: string, partition: number): number {
    const { clock, configFor, logger } = this.#options
    const input = {
      topic,
      partition,
      directory: `${directory.path}/${name}`,
      config: configFor(topic),
      nowMs: clock.now(),
      cleanStop: directory.cleanStop,
      recoveryPoint: directory.recoveryPoints?.get(name) ?? null,
      recoveryPointsReadable: directory.recoveryPoints !== null,
      checkpointedLogStart: directory.logStarts.get(name) ?? 0,
      checkpointedHighWatermark: directory.highWatermarks.get(name) ?? 0,
      facts: directory.factsOf(name),
    }
    try {
      const { log, bytesScanned } = loadLog(input, this.#servicesOf(directory))
      if (log.config.cleanupPolicy.compact) log.cleanedUpTo = directory.cleanedOffsets.get(name) ?? -1
      this.#put(log, directory)
      return bytesScanned
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      logger.error('A log cannot be loaded; its partition is not served', {
        log: name,
        file: error.path,
        reason: error.message,
      })
      this.#failed.set(name, error.message)
      return 0
    }
  }

  #servicesOf(directory: LogDirectory): LogServices {
    const services = this.#services.get(directory)
    if (services === undefined) throw new Error(`${directory.path} is not one of this manager's folders`)
    return services
  }

  // ---- the logs -----------------------------------------------------------------------------------------------

  /** Identity of the (first) data folder. */
  get meta(): { readonly clusterId: string; readonly nodeId: number; readonly directoryId: string } {
    return this.#directories[0]!.meta
  }

  /** Every folder was stopped cleanly before. */
  get cleanStart(): boolean {
    return this.#directories.every((directory) => directory.cleanStop)
  }

  /** The data folders, for DescribeLogDirs. */
  get directories(): readonly { readonly path: string; readonly directoryId: string }[] {
    return this.#directories.map((directory) => ({ path: directory.path, directoryId: directory.meta.directoryId }))
  }

  get(topic: string, partition: number): Log | undefined {
    return this.#logs.get(topic)?.[partition]?.log
  }

  *all(): IterableIterator<Log> {
    for (const held of this.#held()) yield held.log
  }

  *#held(): IterableIterator<HeldLog> {
    for (const logs of this.#logs.values()) {
      for (const held of logs) if (held !== undefined) yield held
    }
  }

  /** Why the partition's log could not be loaded, or null. */
  failureOf(topic: string, partition: number): string | null {
    return this.#failed.get(partitionFolderName(topic, partition)) ?? null
  }

  /**
   * The partition's log, created if there is none. A folder of that name that belongs to another topic id is set aside, never served.
   * Throws a DiskError if the disk refuses, a LogDirectoryError if the folder is there and could not be loaded.
   */
  create(options: { topic: string; topicId: string; partition: number }): Log {
    const { topic, topicId, partition } = options
    const existing = this.get(topic, partition)
    if (existing !== undefined) {
      if (existing.topicId === topicId) return existing
      if (existing.topicId === '') return this.#adopt(existing, topicId)
      this.setAside(topic, partition)
    }
    const name = partitionFolderName(topic, partition)
    const directory = this.#emptiestDirectory()
    const failure = this.#failed.get(name)
    if (failure !== undefined) throw new LogDirectoryError(directory.path, `${name} could not be loaded: ${failure}`)
    const log = this.#createIn(directory, name, options)
    this.#put(log, directory)
    return log
  }

  #createIn(
    directory: LogDirectory,
    name: string,
    options: { topic: string; topicId: string; partition: number },
  ): Log {
    const { disk, clock, configFor } = this.#options
    const { topic, topicId, partition } = options
    const services = this.#servicesOf(directory)
    const path = `${directory.path}/${name}`
    const config = configFor(topic)
    try {
      disk.makeDirectory(path)
      disk.writeNew(`${path}/${PARTITION_METADATA_FILE}`, formatPartitionMetadata(topicId))
      const segments = new SegmentList()
      const log: Log = new Log(
        {
          topic,
          partition,
          topicId,
          directory: path,
          config,
          segments,
          producers: new ProducerState(),
          epochs: new LeaderEpochs(),
          logStartOffset: 0,
          logEndOffset: 0,
          recoveryPoint: 0,
          checkpointedHighWatermark: 0,
          snapshotOffset: -1,
          folderUnsynced: true,
        },
        services,
      )
      const first = new Segment({
        services,
        directory: path,
        baseOffset: 0,
        openedMs: clock.now(),
        config: () => log.config,
      })
      first.create()
      segments.push(first)
      log.unsyncedFiles.add(PARTITION_METADATA_FILE)
      log.parentUnsynced = true
      return log
    } catch (error) {
      disk.remove(path, { recursive: true })
      throw error
    }
  }

  /** A log found without a readable topic id gets the one its topic has. */
  #adopt(log: Log, topicId: string): Log {
    this.#options.disk.writeWhole(`${log.directory}/${PARTITION_METADATA_FILE}`, formatPartitionMetadata(topicId))
    log.topicId = topicId
    log.unsyncedFiles.add(PARTITION_METADATA_FILE)
    log.folderUnsynced = true
    return log
  }

  #emptiestDirectory(): LogDirectory {
    if (this.#directories.length === 1) return this.#directories[0]!
    const counts = new Map(this.#directories.map((directory) => [directory, 0]))
    for (const held of this.#held()) counts.set(held.directory, (counts.get(held.directory) ?? 0) + 1)
    let best = this.#directories[0]!
    for (const [directory, count] of counts) if (count < (counts.get(best) ?? 0)) best = directory
    return best
  }

  #put(log: Log, directory: LogDirectory): void {
    const logs = this.#logs.get(log.topic) ?? []
    logs[log.partition] = { log, directory }
    this.#logs.set(log.topic, logs)
  }

  /** Takes the partition out of service now; its files are removed after file.delete.delay.ms. */
  delete(topic: string, partition: number): void {
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
    const held = this.#logs.get(topic)?.[partition]
    if (held === undefined) return null
    const { log, directory } = held
    const logs = this.#logs.get(topic) ?? []
    delete logs[partition]
    if (logs.every((other) => other === undefined)) this.#logs.delete(topic)
    log.close()
    const name = retiredFolderName(topic, partition, state, uuidHex(this.#options.random.uuid()))
    const path = `${directory.path}/${name}`
    this.#options.disk.rename(log.directory, path)
    log.directory = path
    this.#scheduleCheckpoint(this.#options.clock.now())
    return { path, delayMs: log.config.fileDeleteDelayMs }
  }

  /** The topic's settings changed: its logs take them from `configFor`. */
  updateConfig(topic: string): void {
    const config = this.#options.configFor(topic)
    for (const held of this.#logs.get(topic) ?? []) held?.log.updateConfig(config)
  }

  get cleaner(): Cleaner {
    return this.#cleaner
  }

  totals(): LogTotals {
    let logs = 0
    let segments = 0
    let bytes = 0
    for (const log of this.all()) {
      logs++
      segments += log.segments.count
      bytes += log.sizeBytes
    }
    return { logs, segments, bytes }
  }

  /** Null while writes work; otherwise why they do not. */
  get writeFailure(): string | null {
    for (const directory of this.#directories)
      if (directory.gate.failure !== null) return directory.gate.failure.message
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
    const now = clock.now()
    const retentionMs = retentionCheckIntervalMs ?? RETENTION_INTERVAL_MS
    this.#repeat('log/retention', now + Math.min(FIRST_RETENTION_DELAY_MS, retentionMs), retentionMs, (nowMs) =>
      this.runRetention(nowMs),
    )
    this.#repeat('log/producers', now + PRODUCER_EXPIRY_INTERVAL_MS, PRODUCER_EXPIRY_INTERVAL_MS, (nowMs) => {
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
    try {
      for (const directory of this.#directories) await this.#saveOffsets(directory)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#options.logger.warn('Cannot write a checkpoint file', { file: error.path, reason: error.message })
    }
  }

  async #saveOffsets(directory: LogDirectory): Promise<void> {
    for (const [file, entriesNow] of CHECKPOINT_FILES) {
      await directory.saveOffsets(file, entriesNow(this.#logsIn(directory)))
    }
  }

  #logsIn(directory: LogDirectory): Log[] {
    return [...this.#held()].filter((held) => held.directory === directory).map((held) => held.log)
  }

  runRetention(nowMs: number): void {
    for (const log of this.all()) {
      try {
        log.runRetention(nowMs)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        this.#options.logger.warn('Retention could not do its work', {
          log: log.name,
          file: error.path,
          reason: error.message,
        })
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
    const { timers, logger } = this.#options
    await this.#cleaner.stop()
    this.flushTurn()
    this.#closed = true
    for (const name of REPEATING_TIMERS) timers.cancel(name)
    this.#removals.cancelAll()
    for (const log of this.all()) timers.cancel(`log/sync/${log.name}`)
    await this.#syncer.stop()
    for (const directory of this.#directories) {
      try {
        await this.#closeDirectory(directory)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        logger.error('No clean stop; the next start will recover', { file: error.path, reason: error.message })
      }
      for (const held of this.#held()) if (held.directory === directory) held.log.close()
      directory.release()
    }
  }

  async #closeDirectory(directory: LogDirectory): Promise<void> {
    const logs = this.#logsIn(directory)
    await Promise.all(logs.map((log) => log.writesLanded()))
    for (const log of logs) log.prepareStop()
    if (this.#options.durability !== 'memory') await this.#syncAll(directory, logs)
    await this.#saveOffsets(directory)
    const broken = logs.some((log) => log.syncBroken) || (this.#failed.size > 0 && !directory.cleanStop)
    if (broken) {
      this.#options.logger.warn('Not everything is known to be on the device; the next start will recover', {
        folder: directory.path,
      })
      return
    }
    const facts: SegmentFactsEntry[] = []
    for (const log of logs) {
      for (const segment of log.segmentFacts()) facts.push({ topic: log.topic, partition: log.partition, ...segment })
    }
    directory.saveCleanStop(facts)
  }

  async #syncAll(directory: LogDirectory, logs: readonly Log[]): Promise<void> {
    const { disk } = this.#options
    const waiting = logs.filter(
      (log) => (log.needsSync || log.segments.all.some((segment) => segment.indexesUnsynced)) && !log.syncBroken,
    )
    if (waiting.length >= SYNC_TOGETHER_FROM_LOGS && disk.syncFileSystem(directory.path)) {
      for (const log of waiting) log.syncedWhole()
      return
    }
    const worker = async () => {
      for (let log = waiting.pop(); log !== undefined; log = waiting.pop()) {
        const upTo = log.writtenOffset
        await syncLog(log, disk, { closing: true })
        log.synced(upTo)
      }
    }
    await Promise.all(Array.from({ length: CLOSING_SYNCS }, worker))
  }
}

/** What the disk refuses makes the whole folder unusable. */
function usable<T>(path: string, take: () => T): T {
  try {
    return take()
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new LogDirectoryError(path, error.message, { cause: error })
  }
}
