/**
 * Hands the data folders of a stopped broker over to Kafka: the records lie there as Kafka's anyway; what is in Samsa's metadata file is
 * written as the `bootstrap.checkpoint` from which a Kafka without a metadata log begins one.
 *
 * What must hold: nothing is deleted. The metadata file gets its other name last, so that until then the folder is still Samsa's, and a
 * run that was cut short can be repeated.
 */
import { join } from 'node:path'
import { parseMetaProperties } from '../log/checkpoints.ts'
import { parsePartitionFolder, partitionFolderName, retiredFolderName, uuidHex } from '../log/file-names.ts'
import { BOOTSTRAP_FILE, METADATA_LOG_FOLDER } from '../metadata/kafka-log/metadata-folder.ts'
import { bootstrapFile } from '../metadata/kafka-log/write-bootstrap.ts'
import type { StoreEntry } from '../metadata/store.ts'
import { METADATA_FILE, SqliteMetadataStore } from '../metadata/store-sqlite.ts'
import { TOPICS_PREFIX } from '../metadata/values.ts'
import type { Clock } from '../storage/clock.ts'
import type { Disk, Lock } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import type { Timers } from '../storage/timers.ts'
import { BrokerStartError } from './start-error.ts'

export interface HandBackOptions {
  readonly directories: readonly string[]
  /** `metadata.log.dir`, or the first of the directories. */
  readonly metadataDirectory: string
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly logger: Logger
}

export interface HandedBack {
  readonly topics: number
  readonly clusterId: string
  readonly nodeId: number
  /** What Samsa's metadata file is called now. */
  readonly keptAs: string
}

const HANDED_BACK_SUFFIX = '.handed-back'
const CLUSTER_METADATA = '__cluster_metadata'

/** Throws a BrokerStartError that says what stands against it. */
export async function handBack(options: HandBackOptions): Promise<HandedBack> {
  const { directories, metadataDirectory, disk } = options
  const metadataFile = join(metadataDirectory, METADATA_FILE)
  if (!disk.exists(metadataFile)) {
    const why = disk.exists(metadataFile + HANDED_BACK_SUFFIX)
      ? `it has been handed back; rename ${METADATA_FILE}${HANDED_BACK_SUFFIX} to undo that before Kafka starts on it`
      : "it is not Samsa's folder"
    throw new BrokerStartError('DATA_UNUSABLE', `${metadataDirectory} holds no ${METADATA_FILE}: ${why}`)
  }
  const locks = lockAll([...new Set([metadataDirectory, ...directories])], disk)
  try {
    const identities = directories.map((directory) => ({ directory, ...identityOf(directory, disk) }))
    const { clusterId, nodeId } = identities[0]!
    const directoryIds = directoryIdsOf(identities, disk)
    const entries = await entriesOf(metadataFile, options)
    const file = bootstrapFile({
      entries,
      nodeId,
      directoryOf: (topic, partition) => directoryIds.get(partitionFolderName(topic, partition)) ?? null,
      nowMs: options.clock.now(),
    })
    setMetadataLogAside(options)
    disk.replaceWhole(join(metadataDirectory, BOOTSTRAP_FILE), file)
    const keptAs = metadataFile + HANDED_BACK_SUFFIX
    disk.rename(metadataFile, keptAs)
    disk.syncDirectory(metadataDirectory)
    const topics = entries.filter(({ key }) => key.startsWith(TOPICS_PREFIX)).length
    return { topics, clusterId, nodeId, keptAs }
  } finally {
    for (const lock of locks) lock.release()
  }
}

function lockAll(directories: readonly string[], disk: Disk): Lock[] {
  const locks: Lock[] = []
  for (const directory of directories) {
    const lock = disk.lock(join(directory, '.lock'))
    if (lock !== null) {
      locks.push(lock)
      continue
    }
    for (const held of locks) held.release()
    throw new BrokerStartError('DATA_LOCKED', `data folder ${directory}: in use by another broker; stop it first`)
  }
  return locks
}

function identityOf(directory: string, disk: Disk) {
  const text = disk.readWhole(join(directory, 'meta.properties'))?.toString()
  const parsed = text === undefined ? null : parseMetaProperties(text)
  if (parsed?.ok === true) return parsed.value
  throw new BrokerStartError(
    'DATA_UNUSABLE',
    `data folder ${directory}: meta.properties is missing or cannot be understood`,
  )
}

/**
 * Partition's folder -> id of the data folder that it is in. A broker that was killed while it moved a log leaves the partition in two: its own
 * next start says which one is the log, and Kafka would not start at all.
 */
function directoryIdsOf(
  identities: readonly { readonly directory: string; readonly directoryId: string | null }[],
  disk: Disk,
): Map<string, string> {
  const found = new Map<string, string>()
  const places = new Map<string, string>()
  for (const { directory, directoryId } of identities) {
    for (const name of disk.list(directory)) {
      if (parsePartitionFolder(name)?.state !== 'live') continue
      const other = places.get(name)
      if (other !== undefined) throw inTwoFolders(name, other, directory)
      places.set(name, directory)
      if (directoryId !== null) found.set(name, directoryId)
    }
  }
  return found
}

function inTwoFolders(name: string, first: string, second: string): BrokerStartError {
  return new BrokerStartError(
    'DATA_UNUSABLE',
    `${name} lies in ${first} and in ${second}: the broker ended while it moved it. Start the broker once more and stop it: it keeps the complete one`,
  )
}

async function entriesOf(path: string, services: HandBackOptions): Promise<readonly StoreEntry[]> {
  const { clock, timers, logger } = services
  const store = new SqliteMetadataStore({ path, clock, timers, logger, exclusive: true })
  try {
    return (await store.list('')).entries
  } finally {
    store.close()
  }
}

/** What Kafka knew when its folder was taken over is out of date, and would count before the bootstrap file. */
function setMetadataLogAside({ metadataDirectory, directories, disk, random }: HandBackOptions): void {
  for (const directory of new Set([metadataDirectory, ...directories])) {
    const path = join(directory, METADATA_LOG_FOLDER)
    if (!disk.exists(path)) continue
    disk.rename(path, join(directory, retiredFolderName(CLUSTER_METADATA, 0, 'stray', uuidHex(random.uuid()))))
    disk.syncDirectory(directory)
  }
}
