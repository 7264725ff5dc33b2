// One data folder that is being served: the logs in it, what they need from outside, its checkpoint files, its clean stop, and whether its
// device still works. Owned by the LogManager, which knows what is in which folder and does what concerns all of them.
//
// A folder whose device fails goes offline: its logs are closed and answer KAFKA_STORAGE_ERROR until a restart, the other folders go on. One
// failed call is no proof (a single file may be damaged), so it only makes the folder suspect: a small file is written and synced in it, and
// if that fails as well, the folder is offline. Want of space is no failure: see write-gate.ts.

import type { Clock } from '../storage/clock.ts'
import { type Disk, DiskError } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import { CHECKPOINT_FILES, logStartEntries } from './checkpoint-entries.ts'
import { formatPartitionMetadata, type OffsetEntry, type SegmentFactsEntry } from './checkpoints.ts'
import { PARTITION_METADATA_FILE, partitionFolderName, retiredFolderName, uuidHex } from './file-names.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { Log } from './log.ts'
import { LOG_STARTS_FILE, type LogDirectory } from './log-directory.ts'
import { loadLog } from './log-loader.ts'
import { ProducerState } from './producer-state.ts'
import { Segment } from './segment.ts'
import { SegmentList } from './segment-list.ts'
import type { LogServices } from './services.ts'
import { syncLog } from './syncer.ts'
import type { LogConfig } from './types.ts'
import { chooseWriteMode, type WantedWriteMode } from './write-mode.ts'

const CLOSING_SYNCS = 4
/** At a clean stop with more to sync than this, the whole file system is synced: one by one, ten thousand logs take longer than a stop may. */
const SYNC_TOGETHER_FROM_LOGS = 256
/** Written and removed to find out whether the folder's device still works. */
const PROBE_FILE = 'samsa-probe'
/** One failure may be a whim of the device; one that fails every time does not work. */
const PROBE_TRIES = 3
/** Errors that say nothing about the device: no space, or the process has too much open. */
const NOT_THE_DEVICE: ReadonlySet<string> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EAGAIN',
  'EINTR',
])

/** What a log needs that is the same in every folder. */
export type SharedServices = Omit<LogServices, 'gate' | 'writeMode' | 'saveLogStarts' | 'failed'>

export interface ServedDirectoryOptions {
  readonly folder: LogDirectory
  readonly shared: SharedServices
  readonly wantedWriteMode: WantedWriteMode
  readonly configFor: (topic: string) => LogConfig
  /** The device does not work any more. Called once. */
  readonly onFailed: (directory: ServedDirectory, reason: string) => void
}

export interface NewLog {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
}

export class ServedDirectory {
  readonly path: string
  readonly folder: LogDirectory
  readonly services: LogServices
  readonly logs = new Set<Log>()
  /** About to be moved here: the checkpoint files speak of them before their folders have their final names. */
  readonly arriving = new Set<Log>()
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: ServedDirectoryOptions
  /** A log could not be loaded: the next start has to look again. */
  #hasFailedLoads = false
  /** Where the logs begin that could not be loaded: what was deleted of them stays so. By folder name. */
  readonly #unservedStarts = new Map<string, OffsetEntry>()
  /**
   * Folder names that the checkpoint files may speak of without meaning a log that is here now: of deleted partitions, and of those that have
   * moved away. A partition of that name that is made anew would begin there after a crash: its first records would count as deleted, or as
   * durable. With the number of its entry.
   */
  readonly #formerNames = new Map<string, number>()
  #formerCount = 0
  #isProbing = false
  #isOffline = false

  /** Nobody refuses the folder any more: from here on a crash is an unclean stop. Throws a DiskError. */
  constructor(options: ServedDirectoryOptions) {
    const { folder, shared, wantedWriteMode } = options
    this.#options = options
    this.#disk = shared.disk
    this.#clock = shared.clock
    this.#logger = shared.logger
    this.folder = folder
    this.path = folder.path
    folder.forgetCleanStop()
    const { recoveryPoints, logStarts, highWatermarks, cleanedOffsets } = folder
    for (const offsets of [recoveryPoints, logStarts, highWatermarks, cleanedOffsets]) {
      for (const name of offsets?.keys() ?? []) this.#formerNames.set(name, this.#formerCount++)
    }
    this.services = {
      ...shared,
      gate: folder.gate,
      writeMode: chooseWriteMode(shared.disk, folder.path, wantedWriteMode, shared.logger),
      saveLogStarts: () => folder.saveOffsetsNow(LOG_STARTS_FILE, this.#entriesFor(LOG_STARTS_FILE, logStartEntries)),
      failed: (error) => this.suspect(error),
    }
  }

  // ---- logs ---------------------------------------------------------------------------------------------------

  /** Loads the log in the folder of that name. Throws a DiskError if the disk cannot read it, which costs that partition only. */
  load(name: string, topic: string, partition: number): { readonly log: Log; readonly bytesScanned: number } {
    const { folder } = this
    const input = {
      topic,
      partition,
      directory: `${this.path}/${name}`,
      config: this.#options.configFor(topic),
      nowMs: this.#clock.now(),
      cleanStop: folder.cleanStop,
      recoveryPoint: folder.recoveryPoints?.get(name) ?? null,
      recoveryPointsReadable: folder.recoveryPoints !== null,
      checkpointedLogStart: folder.logStarts.get(name) ?? 0,
      checkpointedHighWatermark: folder.highWatermarks.get(name) ?? 0,
      facts: folder.factsOf(name),
    }
    try {
      const loaded = loadLog(input, this.services)
      const { log } = loaded
      if (log.config.cleanupPolicy.compact) log.cleanedUpTo = folder.cleanedOffsets.get(name) ?? -1
      this.logs.add(log)
      return loaded
    } catch (error) {
      this.#hasFailedLoads = true
      const offset = folder.logStarts.get(name)
      if (offset !== undefined) this.#unservedStarts.set(name, { topic, partition, offset })
      throw error
    }
  }

  /** The log is deleted, or lies in another data folder from now on. */
  leave(log: Log): void {
    this.logs.delete(log)
    this.#formerNames.set(log.name, this.#formerCount++)
  }

  /** The partition is gone, and with it a folder of it that is not served: whoever makes it anew must not find that in its place. */
  retireUnserved(topic: string, partition: number): void {
    const name = partitionFolderName(topic, partition)
    if (this.#isOffline) return
    this.#unservedStarts.delete(name)
    for (const log of this.logs) {
      if (log.name !== name) continue
      this.leave(log)
      log.close()
    }
    const { random, removeLater } = this.services
    const retired = `${this.path}/${retiredFolderName(topic, partition, 'delete', uuidHex(random.uuid()))}`
    try {
      if (!this.#disk.exists(`${this.path}/${name}`)) return
      this.#disk.rename(`${this.path}/${name}`, retired)
      removeLater(retired, 0)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#logger.warn('Cannot set aside the folder of a deleted partition', {
        file: error.path,
        reason: error.message,
      })
      this.suspect(error)
    }
  }

  /** Throws a DiskError if the disk refuses; then nothing of it is left. */
  create({ topic, topicId, partition }: NewLog): Log {
    const directory = `${this.path}/${partitionFolderName(topic, partition)}`
    const config = this.#options.configFor(topic)
    // Segments of another log would become this one's at the next start.
    if (this.#disk.exists(directory)) throw new DiskError('EEXIST', directory, `${directory} is in the way`)
    this.#refuseIfGone()
    this.#forgetFormer(partitionFolderName(topic, partition))
    try {
      this.#disk.makeDirectory(directory)
      this.#disk.writeNew(`${directory}/${PARTITION_METADATA_FILE}`, formatPartitionMetadata(topicId))
      const log = this.#emptyLog({ topic, topicId, partition, directory, config })
      const { services } = this
      const openedMs = this.#clock.now()
      const first = new Segment({ services, directory, baseOffset: 0, openedMs, config: () => log.config })
      first.create()
      log.segments.push(first)
      log.unsyncedFiles.add(PARTITION_METADATA_FILE)
      log.parentUnsynced = true
      this.logs.add(log)
      return log
    } catch (error) {
      this.#disk.remove(directory, { recursive: true })
      throw error
    }
  }

  /** Takes out of the checkpoint files what they say of another log of that name. Throws a DiskError. */
  #forgetFormer(name: string): void {
    if (!this.#formerNames.has(name)) return
    for (const [file, entriesNow] of CHECKPOINT_FILES) {
      this.folder.saveOffsetsNow(file, this.#entriesFor(file, entriesNow))
    }
    this.#formerNames.clear()
  }

  #emptyLog(state: NewLog & { readonly directory: string; readonly config: LogConfig }): Log {
    return new Log(
      {
        ...state,
        segments: new SegmentList(),
        producers: new ProducerState(),
        epochs: new LeaderEpochs(),
        logStartOffset: 0,
        logEndOffset: 0,
        recoveryPoint: 0,
        checkpointedHighWatermark: 0,
        snapshotOffset: -1,
        folderUnsynced: true,
      },
      this.services,
    )
  }

  /** A log found without a readable topic id gets the one its topic has. On a disk that takes no writes the file waits for the next start. */
  adopt(log: Log, topicId: string): void {
    log.topicId = topicId
    try {
      this.#disk.writeWhole(`${log.directory}/${PARTITION_METADATA_FILE}`, formatPartitionMetadata(topicId))
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#logger.warn('Cannot write the topic id of a partition folder', { file: error.path, reason: error.message })
      return
    }
    log.unsyncedFiles.add(PARTITION_METADATA_FILE)
    log.folderUnsynced = true
  }

  // ---- checkpoint files ---------------------------------------------------------------------------------------

  /** Brings the checkpoint files up to date; what the disk refuses is said and tried again the next time. */
  async saveCheckpoints(): Promise<void> {
    try {
      await this.#saveOffsets()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#logger.warn('Cannot write a checkpoint file', { file: error.path, reason: error.message })
      this.suspect(error)
    }
  }

  async #saveOffsets(): Promise<void> {
    if (!this.#isOffline) this.#refuseIfGone()
    const former = [...this.#formerNames]
    for (const [file, entriesNow] of CHECKPOINT_FILES) {
      if (this.#isOffline) return
      await this.folder.saveOffsets(file, this.#entriesFor(file, entriesNow))
    }
    for (const [name, entry] of former) if (this.#formerNames.get(name) === entry) this.#formerNames.delete(name)
  }

  #entriesFor(file: string, entriesNow: (logs: readonly Log[]) => OffsetEntry[]): OffsetEntry[] {
    const entries = entriesNow([...this.logs, ...this.arriving])
    return file === LOG_STARTS_FILE ? [...entries, ...this.#unservedStarts.values()] : entries
  }

  /** The same for whoever goes on only if they are on the device. Rejects with a DiskError. */
  saveCheckpointsNow(): Promise<void> {
    return this.#saveOffsets()
  }

  // ---- failing ------------------------------------------------------------------------------------------------

  get isOffline(): boolean {
    return this.#isOffline
  }

  /** The disk has refused something: is it the device? */
  suspect(error: DiskError): void {
    if (this.#isOffline || this.#isProbing || NOT_THE_DEVICE.has(error.code)) return
    this.#isProbing = true
    void this.#probe()
  }

  /** Throws a DiskError. Nothing may make a folder anew that was removed: what is written there would lack all that was before. */
  #refuseIfGone(): void {
    if (!this.folder.isGone) return
    const error = this.#removed()
    this.suspect(error)
    throw error
  }

  #removed(): DiskError {
    return new DiskError('ENOENT', this.path, `${this.path} was removed while it was served`)
  }

  async #probe(): Promise<void> {
    let failure: DiskError | null = null
    for (let tries = 0; tries < PROBE_TRIES; tries++) {
      failure = await this.#tryWriting()
      if (failure === null || NOT_THE_DEVICE.has(failure.code)) break
    }
    this.#isProbing = false
    if (failure !== null && !NOT_THE_DEVICE.has(failure.code)) this.#fail(failure.message)
  }

  async #tryWriting(): Promise<DiskError | null> {
    const path = `${this.path}/${PROBE_FILE}`
    try {
      if (this.folder.isGone) return this.#removed()
      await this.#disk.replaceWholeLater(path, Buffer.from(`${this.#clock.now()}\n`))
      this.#disk.remove(path)
      return null
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      return error
    }
  }

  #fail(reason: string): void {
    if (this.#isOffline) return
    this.#isOffline = true
    this.#options.onFailed(this, reason)
    for (const log of this.logs) {
      log.close()
    }
    this.logs.clear()
    this.#release()
  }

  // ---- end ----------------------------------------------------------------------------------------------------

  /** Clean stop: everything synced and vouched for. If the disk refuses, the next start recovers instead. */
  async close(): Promise<void> {
    if (this.#isOffline) return
    try {
      await this.#closeCleanly()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#logger.error('No clean stop; the next start will recover', { file: error.path, reason: error.message })
    }
    this.closeNow()
  }

  /** Lets go of everything, as a start that fails does. */
  closeNow(): void {
    for (const log of this.logs) log.close()
    this.#release()
  }

  #release(): void {
    try {
      this.folder.release()
    } catch (error) {
      // The lock is gone with the process at the latest.
      if (!(error instanceof Error && 'code' in error)) throw error
    }
  }

  async #closeCleanly(): Promise<void> {
    const logs = [...this.logs]
    await Promise.all(logs.map((log) => log.writesLanded()))
    for (const log of logs) log.prepareStop()
    if (this.services.durability !== 'memory') await this.#syncAll(logs)
    await this.#saveOffsets()
    const broken = logs.some((log) => log.syncBroken) || (this.#hasFailedLoads && !this.folder.cleanStop)
    if (broken) {
      this.#logger.warn('Not everything is known to be on the device; the next start will recover', {
        folder: this.path,
      })
      return
    }
    const facts: SegmentFactsEntry[] = []
    for (const log of logs) {
      for (const segment of log.segmentFacts()) facts.push({ topic: log.topic, partition: log.partition, ...segment })
    }
    this.folder.saveCleanStop(facts)
  }

  async #syncAll(logs: readonly Log[]): Promise<void> {
    const waiting = logs.filter(
      (log) => (log.needsSync || log.segments.all.some((segment) => segment.indexesUnsynced)) && !log.syncBroken,
    )
    if (waiting.length >= SYNC_TOGETHER_FROM_LOGS && this.#disk.syncFileSystem(this.path)) {
      for (const log of waiting) log.syncedWhole()
      return
    }
    const worker = async () => {
      for (let log = waiting.pop(); log !== undefined; log = waiting.pop()) {
        const upTo = log.writtenOffset
        await syncLog(log, this.#disk, { closing: true })
        log.synced(upTo)
      }
    }
    await Promise.all(Array.from({ length: CLOSING_SYNCS }, worker))
  }
}
