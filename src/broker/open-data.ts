/**
 * Opens what a broker stands on: clock, timers, disk, the data folder with its logs, and the metadata in it. Called once per
 * start by the server, which closes it all in the opposite order.
 *
 * What must hold: the folder is locked before anything in it is opened or changed, and stays so until everything is closed; every
 * way in which a folder can be unusable becomes a BrokerStartError that names it.
 */
import { join, resolve } from 'node:path'
import { parsePartitionFolder } from '../log/file-names.ts'
import { LogDirectoryError } from '../log/log-directory.ts'
import { LogManager } from '../log/log-manager.ts'
import type { Durability } from '../log/types.ts'
import type { WantedWriteMode } from '../log/write-mode.ts'
import type { BrokerConfig } from '../metadata/broker-config.ts'
import { isCordoned } from '../metadata/cordoned-directories.ts'
import { type Metadata, openMetadata } from '../metadata/metadata.ts'
import { type MetadataStore, MetadataStoreError } from '../metadata/store.ts'
import { MemoryMetadataStore } from '../metadata/store-memory.ts'
import { METADATA_FILE, SqliteMetadataStore } from '../metadata/store-sqlite.ts'
import type { Clock } from '../storage/clock.ts'
import { realClock } from '../storage/clock-real.ts'
import type { Disk } from '../storage/disk.ts'
import { MemoryDisk } from '../storage/disk-memory.ts'
import { RealDisk } from '../storage/disk-real.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import { realRandom } from '../storage/random-real.ts'
import type { Timers } from '../storage/timers.ts'
import { RealTimers } from '../storage/timers-real.ts'
import { adoptKafkaFolder, refuseUnlessAdopted } from './adopt.ts'
import { cleanerSettings, isCleanerSetting } from './cleaner-settings.ts'
import type { KafkaFolderOptions } from './kafka-folder.ts'
import { BrokerStartError } from './start-error.ts'

export interface Environment {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly disk: Disk
}

export interface DataOptions {
  /** Ignored with memory storage. */
  readonly dataDirectory: string
  /** More data folders: partitions are spread over all of them. */
  readonly furtherDataDirectories?: readonly string[]
  readonly storage: 'disk' | 'memory'
  readonly durability: Durability
  readonly nodeId: number
  readonly logger: Logger
  /** Take over a folder that a Kafka broker has left; without it such a folder is refused. */
  readonly adopt?: boolean
  /** For tests; the real ones unless given. */
  readonly environment?: Partial<Environment>
  /** For tests: in place of the store in the data folder. */
  readonly openMetadataStore?: () => MetadataStore
  /** For tests: smaller appends than otherwise go past the page cache. */
  readonly directWriteBytesMin?: number
}

interface OpenedMetadata extends Metadata {
  readonly store: MetadataStore
  closeAll(): void
}

export interface Data {
  readonly logs: LogManager
  readonly metadata: OpenedMetadata
}

/** What is opened one after the other, and closed in the opposite order, also when a later step fails. */
export type Closer = () => Promise<void> | void

const MEMORY_DIRECTORY = '/samsa-memory'
const CHECKPOINT_INTERVALS = [
  'log.flush.offset.checkpoint.interval.ms',
  'log.flush.start.offset.checkpoint.interval.ms',
  'replica.high.watermark.checkpoint.interval.ms',
]
const CHECKPOINT_INTERVAL_MS_MIN = 100
const CHECKPOINT_INTERVAL_MS_MAX = 5_000
const MOVE_RATE = 'replica.alter.log.dirs.io.max.bytes.per.second'

export function chooseEnvironment({ environment = {}, storage }: DataOptions, closers: Closer[]): Environment {
  const clock = environment.clock ?? realClock
  return {
    clock,
    timers: environment.timers ?? ownTimers(clock, closers),
    random: environment.random ?? realRandom,
    disk: environment.disk ?? (storage === 'memory' ? new MemoryDisk({ now: () => clock.now() }) : new RealDisk()),
  }
}

/** Timers that were forgotten somewhere must not keep the process alive. */
function ownTimers(clock: Clock, closers: Closer[]): Timers {
  const timers = new RealTimers(clock)
  closers.push(() => timers.cancelAll())
  return timers
}

export async function openData(
  options: DataOptions,
  config: BrokerConfig,
  environment: Environment,
  closers: Closer[],
): Promise<Data> {
  const directories = dataDirectories(options)
  const metadataDirectory = metadataDirectoryOf(directories, config, environment.disk)
  const opened: { metadata: OpenedMetadata | null } = { metadata: null }
  const metadata = (): OpenedMetadata => {
    if (opened.metadata === null) throw new Error('the log manager asked for a topic before its folders were taken')
    return opened.metadata
  }
  const kafka = kafkaFolderIn(directories, metadataDirectory, options, environment)
  try {
    if (kafka !== null) refuseUnlessAdopted(kafka, options.adopt === true)
    const logs = await LogManager.open({
      ...environment,
      logger: options.logger,
      directories,
      ...(options.storage === 'disk' ? { indispensable: metadataDirectory } : {}),
      durability: options.durability,
      nodeId: options.nodeId,
      configFor: (topic) => metadata().configs.logConfig(topic),
      topicIdOf: (topic) => metadata().image.topic(topic)?.topicId,
      retentionCheckIntervalMs: config.number('log.retention.check.interval.ms'),
      firstRetentionDelayMs: config.number('log.initial.task.delay.ms'),
      producerExpiryIntervalMs: config.number('producer.id.expiration.check.interval.ms'),
      syncIntervalMs: checkpointIntervalMs(config),
      cleanerSettings: () => cleanerSettings(config),
      isCordoned: (directory) => isCordoned(config, directory),
      moveBytesPerSecond: () => config.numberOrNull(MOVE_RATE) ?? Number.MAX_VALUE,
      writeMode: config.string('samsa.write.mode') as WantedWriteMode,
      ...(options.directWriteBytesMin === undefined ? {} : { directWriteBytesMin: options.directWriteBytesMin }),
      foldersTaken: async () => {
        if (kafka !== null) await adoptKafkaFolder(kafka, { ...environment, logger: options.logger })
        opened.metadata = await openMetadataIn(metadataDirectory, options, config, environment)
      },
    })
    closers.push(
      () => logs.close(),
      () => metadata().closeAll(),
    )
    config.onChange((names) => {
      if ([...names].some(isCleanerSetting)) logs.cleaner.settingsChanged()
    })
    return { logs, metadata: metadata() }
  } catch (error) {
    opened.metadata?.closeAll()
    throw startError(error)
  }
}

/** Where a Kafka broker's data could lie that is to be taken over; null: metadata that is not kept in a file here is none of its. */
function kafkaFolderIn(
  directories: readonly string[],
  metadataDirectory: string,
  { storage, nodeId, openMetadataStore }: DataOptions,
  { disk }: Environment,
): KafkaFolderOptions | null {
  if (storage === 'memory' || openMetadataStore !== undefined) return null
  return { directories, metadataDirectory, nodeId, disk }
}

/** In the order in which they were given, each once. */
export function dataDirectories({ storage, dataDirectory, furtherDataDirectories = [] }: DataOptions): string[] {
  if (storage === 'memory') return [MEMORY_DIRECTORY]
  return [...new Set([dataDirectory, ...furtherDataDirectories].map((directory) => resolve(directory)))]
}

/** Where the metadata file is: in `metadata.log.dir` or, where that is not set or the file is there already, in the first data folder. */
function metadataDirectoryOf(directories: readonly string[], config: BrokerConfig, disk: Disk): string {
  const first = directories[0] ?? MEMORY_DIRECTORY
  const configured = config.stringOrNull('metadata.log.dir')
  if (configured === null || configured === '' || first === MEMORY_DIRECTORY) return first
  const directory = resolve(configured)
  const isInFirst = !disk.exists(join(directory, METADATA_FILE)) && disk.exists(join(first, METADATA_FILE))
  return isInFirst ? first : directory
}

/** All checkpoint files are written together, after a sync, so the shortest interval counts; five seconds serve whoever can wait longer. */
function checkpointIntervalMs(config: BrokerConfig): number {
  const intervals = CHECKPOINT_INTERVALS.map((name) => config.number(name))
  return Math.max(CHECKPOINT_INTERVAL_MS_MIN, Math.min(CHECKPOINT_INTERVAL_MS_MAX, ...intervals))
}

async function openMetadataIn(
  metadataDirectory: string,
  options: DataOptions,
  config: BrokerConfig,
  environment: Environment,
): Promise<OpenedMetadata> {
  const { nodeId, logger } = options
  const store = options.openMetadataStore?.() ?? openStore(metadataDirectory, options, environment)
  try {
    const metadata = await openMetadata({ store, config, nodeId, random: environment.random, logger })
    const closeAll = (): void => {
      metadata.close()
      store.close()
    }
    return { ...metadata, store, closeAll }
  } catch (error) {
    store.close()
    throw error
  }
}

function openStore(
  metadataDirectory: string,
  options: DataOptions,
  { clock, timers, disk }: Environment,
): MetadataStore {
  const { storage, logger } = options
  if (storage === 'memory') return new MemoryMetadataStore({ clock })
  const path = join(metadataDirectory, METADATA_FILE)
  if (!disk.exists(path)) {
    for (const directory of dataDirectories(options)) {
      refuseOtherPlace(directory, path, disk)
      refuseOrphans(directory, disk)
    }
  }
  try {
    disk.makeDirectory(metadataDirectory)
    return new SqliteMetadataStore({ path, clock, timers, logger, exclusive: true })
  } catch (error) {
    if (error instanceof MetadataStoreError) throw startError(error)
    const code = isRefusedWrite(error) ? 'DATA_NOT_WRITABLE' : 'DATA_UNUSABLE'
    throw new BrokerStartError(code, `metadata file ${path}: ${reasonOf(error)}`, { cause: error })
  }
}

/** The folders were given in another order, or `metadata.log.dir` is missing: an empty metadata file beside the real one would take its place. */
function refuseOtherPlace(dataDirectory: string, path: string, disk: Disk): void {
  const found = join(dataDirectory, METADATA_FILE)
  if (!disk.exists(found)) return
  const message = `${path} is not there, but ${found} is: name that folder first, or with --set metadata.log.dir=DIR`
  throw new BrokerStartError('DATA_UNUSABLE', message)
}

/** Without the metadata all partitions would be strays: whoever lost the file should know before anything is renamed. */
function refuseOrphans(dataDirectory: string, disk: Disk): void {
  if (!disk.exists(dataDirectory)) return
  const partitions = disk.list(dataDirectory).filter((name) => parsePartitionFolder(name)?.state === 'live')
  if (partitions.length === 0) return
  const which = `${partitions.slice(0, 3).join(', ')}${partitions.length > 3 ? ', ...' : ''}`
  const message =
    `data folder ${dataDirectory}: holds ${partitions.length} partitions (${which}) but not ${METADATA_FILE}, which says what ` +
    'topics they belong to; bring the file back, or move the partition folders away. If they are those of a Kafka broker with a ' +
    'metadata.log.dir of its own, --set metadata.log.dir=DIR names it'
  throw new BrokerStartError('DATA_UNUSABLE', message)
}

/** What is no fault of the folder or of the file in it is left as it is. */
export function startError(error: unknown): unknown {
  if (!(error instanceof LogDirectoryError || error instanceof MetadataStoreError)) return error
  if (error instanceof LogDirectoryError && error.isLocked)
    return new BrokerStartError('DATA_LOCKED', error.message, { cause: error })
  const code = isRefusedWrite(error.cause) ? 'DATA_NOT_WRITABLE' : 'DATA_UNUSABLE'
  return new BrokerStartError(code, error.message, { cause: error })
}

/** The errors of a disk that reads but does not take writes. */
const REFUSED_WRITE_CODES: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOSPC',
  'EDQUOT',
  'ENOTDIR',
  'SQLITE_CANTOPEN',
  'SQLITE_READONLY',
  'SQLITE_FULL',
])

function isRefusedWrite(error: unknown): boolean {
  return error instanceof Error && 'code' in error && REFUSED_WRITE_CODES.has(String(error.code))
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
