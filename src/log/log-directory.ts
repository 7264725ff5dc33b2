// One data folder: its lock, its identity, the checkpoint files in it. Owned by the LogManager. What is in the files is read once at the
// start; afterwards they are only written.

import { type Disk, DiskError, type Lock } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import {
  formatCleanShutdown,
  formatFolders,
  formatMetaProperties,
  formatOffsetCheckpoint,
  formatSegmentFacts,
  type KnownFolder,
  type MetaProperties,
  type OffsetEntry,
  type Parsed,
  parseFolders,
  parseMetaProperties,
  parseOffsetCheckpoint,
  parseSegmentFacts,
  type SegmentFacts,
  type SegmentFactsEntry,
} from './checkpoints.ts'
import { parsePartitionFolder, partitionFolderName } from './file-names.ts'
import { WriteGate } from './write-gate.ts'

const META_FILE = 'meta.properties'
const LOCK_FILE = '.lock'
const CLEAN_STOP_FILE = '.kafka_cleanshutdown'
/** Plain files of Samsa's own; Kafka ignores them. */
const SEGMENT_FACTS_FILE = 'samsa-clean-stop'
const FOLDERS_FILE = 'samsa-folders'

export const RECOVERY_POINTS_FILE = 'recovery-point-offset-checkpoint'
export const LOG_STARTS_FILE = 'log-start-offset-checkpoint'
export const HIGH_WATERMARKS_FILE = 'replication-offset-checkpoint'
export const CLEANED_OFFSETS_FILE = 'cleaner-offset-checkpoint'

/** Why a data folder cannot be used. The message is for the operator and names the folder. */
export class LogDirectoryError extends Error {
  readonly directory: string
  /** Another broker has the folder. */
  readonly isLocked: boolean

  constructor(directory: string, reason: string, options?: { cause?: unknown; isLocked?: boolean }) {
    super(`data folder ${directory}: ${reason}`, options)
    this.name = 'LogDirectoryError'
    this.directory = directory
    this.isLocked = options?.isLocked ?? false
  }
}

/** The cluster that a folder says it belongs to; null if it says nothing, or nothing that can be read. */
export function clusterIdIn(disk: Disk, path: string): string | null {
  try {
    const parsed = parseMetaProperties(disk.readWhole(`${path}/${META_FILE}`)?.toString() ?? '')
    return parsed.ok ? parsed.value.clusterId : null
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    return null
  }
}

export interface Identity {
  readonly nodeId: number
  /** Given: the folder must have this one. Not given: whatever it has. */
  readonly clusterId: string | null
  readonly random: Random
}

export class LogDirectory {
  readonly path: string
  readonly meta: Required<MetaProperties> & { readonly directoryId: string }
  readonly gate: WriteGate
  /** The last process stopped cleanly. */
  readonly cleanStop: boolean
  /** Offsets by folder name; null where the file was missing or could not be read. */
  readonly recoveryPoints: ReadonlyMap<string, number> | null
  readonly logStarts: ReadonlyMap<string, number>
  readonly highWatermarks: ReadonlyMap<string, number>
  readonly cleanedOffsets: ReadonlyMap<string, number>
  readonly #facts: ReadonlyMap<string, ReadonlyMap<number, SegmentFacts>>
  readonly #disk: Disk
  readonly #lock: Lock
  /** Files being written, with what is to be written after that. */
  readonly #writing = new Map<string, { next: Buffer | null; finished: Promise<void> }>()
  readonly #lastWritten = new Map<string, Buffer>()

  /** Takes the folder: creates it if need be, locks it, reads what it says about itself. */
  constructor(path: string, identity: Identity, services: { readonly disk: Disk; readonly logger: Logger }) {
    const { disk, logger } = services
    this.path = path
    this.#disk = disk
    this.gate = new WriteGate(logger)
    disk.makeDirectory(path)
    const lock = disk.lock(`${path}/${LOCK_FILE}`)
    if (lock === null) {
      throw new LogDirectoryError(path, 'in use by another broker (it holds the lock on .lock)', { isLocked: true })
    }
    this.#lock = lock
    try {
      this.meta = this.#identify(identity, logger)
      this.cleanStop = disk.exists(`${path}/${CLEAN_STOP_FILE}`)
      this.#facts = this.cleanStop ? this.#readFacts(logger) : new Map()
      this.recoveryPoints = this.#readOffsets(RECOVERY_POINTS_FILE, logger)
      this.logStarts = this.#readOffsets(LOG_STARTS_FILE, logger) ?? new Map()
      this.highWatermarks = this.#readOffsets(HIGH_WATERMARKS_FILE, logger) ?? new Map()
      this.cleanedOffsets = this.#readOffsets(CLEANED_OFFSETS_FILE, logger) ?? new Map()
    } catch (error) {
      lock.release()
      throw error
    }
  }

  /** Somebody removed the folder. One that is made anew in its place is not ours: nothing of what it had is in it, not even the lock. Throws a DiskError. */
  get isGone(): boolean {
    return [META_FILE, LOCK_FILE].every((name) => this.#disk.stat(`${this.path}/${name}`) === null)
  }

  // ---- identity -----------------------------------------------------------------------------------------------

  #identify(identity: Identity, logger: Logger): MetaProperties & { readonly directoryId: string } {
    const file = `${this.path}/${META_FILE}`
    const text = this.#disk.readWhole(file)
    if (text === null) {
      const { nodeId, random } = identity
      const meta = { clusterId: identity.clusterId ?? random.uuid(), nodeId, directoryId: random.uuid() }
      if (this.#disk.list(this.path).some((name) => parsePartitionFolder(name) !== null)) {
        const { clusterId } = meta
        logger.warn(`The data folder has lost its ${META_FILE}; it gets a new one`, { folder: this.path, clusterId })
      }
      this.#disk.replaceWhole(file, formatMetaProperties(meta))
      return meta
    }
    const parsed = parseMetaProperties(text.toString())
    if (!parsed.ok) throw new LogDirectoryError(this.path, `${META_FILE} cannot be understood: ${parsed.reason}`)
    const { clusterId, nodeId, directoryId } = parsed.value
    if (nodeId !== identity.nodeId) {
      throw new LogDirectoryError(
        this.path,
        `belongs to node ${nodeId}, but this is node ${identity.nodeId} (node.id in ${META_FILE})`,
      )
    }
    if (identity.clusterId !== null && clusterId !== identity.clusterId) {
      throw new LogDirectoryError(
        this.path,
        `belongs to cluster ${clusterId}, but ${identity.clusterId} was asked for (cluster.id in ${META_FILE})`,
      )
    }
    if (directoryId !== null) return { clusterId, nodeId, directoryId }
    const meta = { clusterId, nodeId, directoryId: identity.random.uuid() }
    this.#disk.replaceWhole(file, formatMetaProperties(meta))
    return meta
  }

  // ---- reading ------------------------------------------------------------------------------------------------

  #readOffsets(name: string, logger: Logger): Map<string, number> | null {
    const text = this.#disk.readWhole(`${this.path}/${name}`)
    if (text === null) return null
    const parsed = parseOffsetCheckpoint(text.toString())
    if (!parsed.ok) {
      this.#warnUnreadable(logger, name, parsed)
      return null
    }
    return new Map(parsed.value.map((entry) => [partitionFolderName(entry.topic, entry.partition), entry.offset]))
  }

  #readFacts(logger: Logger): Map<string, Map<number, SegmentFacts>> {
    const byLog = new Map<string, Map<number, SegmentFacts>>()
    const text = this.#disk.readWhole(`${this.path}/${SEGMENT_FACTS_FILE}`)
    if (text === null) return byLog
    const parsed = parseSegmentFacts(text.toString())
    if (!parsed.ok) {
      this.#warnUnreadable(logger, SEGMENT_FACTS_FILE, parsed)
      return byLog
    }
    for (const entry of parsed.value) {
      const name = partitionFolderName(entry.topic, entry.partition)
      const facts = byLog.get(name) ?? new Map<number, SegmentFacts>()
      facts.set(entry.baseOffset, entry)
      byLog.set(name, facts)
    }
    return byLog
  }

  #warnUnreadable(logger: Logger, name: string, parsed: Extract<Parsed<unknown>, { ok: false }>): void {
    const fields = { file: `${this.path}/${name}`, reason: parsed.reason }
    logger.warn('Checkpoint file cannot be understood; what it said is found out from the logs', fields)
  }

  /** The data folders of this broker as this one has heard of them; none where it has always been alone. */
  knownFolders(logger: Logger): readonly KnownFolder[] {
    const text = this.#disk.readWhole(`${this.path}/${FOLDERS_FILE}`)
    if (text === null) return []
    const parsed = parseFolders(text.toString())
    if (parsed.ok) return parsed.value
    this.#warnUnreadable(logger, FOLDERS_FILE, parsed)
    return []
  }

  saveFolders(folders: readonly KnownFolder[]): void {
    const bytes = formatFolders(folders)
    const path = `${this.path}/${FOLDERS_FILE}`
    if (this.#disk.readWhole(path)?.equals(bytes) !== true) this.#disk.replaceWhole(path, bytes)
  }

  factsOf(folder: string): ReadonlyMap<number, SegmentFacts> | null {
    return this.#facts.get(folder) ?? null
  }

  /**
   * The folder is going to be served: from here on a crash is an unclean stop. The marker must be gone from the device before anything is
   * written. A folder that is refused keeps it.
   */
  forgetCleanStop(): void {
    if (!this.cleanStop) return
    this.#disk.remove(`${this.path}/${SEGMENT_FACTS_FILE}`)
    this.#disk.remove(`${this.path}/${CLEAN_STOP_FILE}`)
    this.#disk.syncDirectory(this.path)
  }

  /** Folders in here, by what their names say; others are named in the log and left alone. */
  partitionFolders(
    logger: Logger,
  ): { readonly name: string; readonly folder: NonNullable<ReturnType<typeof parsePartitionFolder>> }[] {
    const found: { name: string; folder: NonNullable<ReturnType<typeof parsePartitionFolder>> }[] = []
    for (const name of this.#disk.list(this.path)) {
      const folder = parsePartitionFolder(name)
      const isDirectory = this.#disk.stat(`${this.path}/${name}`)?.isDirectory === true
      if (!isDirectory) continue
      if (folder === null) logger.info('Ignoring a folder that is no partition', { folder: `${this.path}/${name}` })
      else found.push({ name, folder })
    }
    return found
  }

  // ---- writing ------------------------------------------------------------------------------------------------

  saveOffsetsNow(name: string, entries: readonly OffsetEntry[]): void {
    const bytes = formatOffsetCheckpoint(entries)
    const writing = this.#writing.get(name)
    this.#disk.replaceWhole(`${this.path}/${name}`, bytes)
    this.#lastWritten.set(name, bytes)
    // An older version waiting for its turn must not land on top of this one. (One on its way finds its temporary file gone.)
    if (writing !== undefined) writing.next = null
  }

  /** Writes the file unless that is what it holds. The newest version wins; writes of one file never overlap. */
  saveOffsets(name: string, entries: readonly OffsetEntry[]): Promise<void> {
    const bytes = formatOffsetCheckpoint(entries)
    const writing = this.#writing.get(name)
    if (writing !== undefined) {
      writing.next = bytes
      return writing.finished
    }
    if (this.#lastWritten.get(name)?.equals(bytes) === true) return Promise.resolve()
    const state = { next: bytes as Buffer | null, finished: Promise.resolve() }
    this.#writing.set(name, state)
    state.finished = this.#writeAll(name, state)
    return state.finished
  }

  async #writeAll(name: string, state: { next: Buffer | null }): Promise<void> {
    try {
      while (state.next !== null) {
        const bytes = state.next
        state.next = null
        this.#lastWritten.set(name, bytes)
        await this.#disk.replaceWholeLater(`${this.path}/${name}`, bytes)
      }
    } catch (error) {
      this.#lastWritten.delete(name)
      throw error
    } finally {
      this.#writing.delete(name)
    }
  }

  /** The very last of a clean stop: everything it vouches for has been synced. */
  saveCleanStop(facts: readonly SegmentFactsEntry[]): void {
    this.#disk.writeWhole(`${this.path}/${SEGMENT_FACTS_FILE}`, formatSegmentFacts(facts))
    this.#disk.replaceWhole(`${this.path}/${CLEAN_STOP_FILE}`, formatCleanShutdown(-1))
  }

  release(): void {
    this.#lock.release()
  }
}
