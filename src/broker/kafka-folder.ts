/**
 * A data folder that a Kafka of one node has left behind: recognised, looked into, and judged. Nothing is written here; taking it over
 * is adopt.ts.
 *
 * What must hold: what the report says is what would be taken over, and everything that stands against it is found before the first
 * byte is written.
 */
import { join } from 'node:path'
import { parseEpochCheckpoint, parseMetaProperties, parsePartitionMetadata } from '../log/checkpoints.ts'
import {
  LEADER_EPOCHS_FILE,
  LOG_SUFFIX,
  PARTITION_METADATA_FILE,
  parsePartitionFolder,
  partitionFolderName,
} from '../log/file-names.ts'
import { judgeMetadata } from '../metadata/kafka-log/judgement.ts'
import { KafkaMetadataError, type KafkaTopic } from '../metadata/kafka-log/kafka-metadata.ts'
import {
  BOOTSTRAP_FILE,
  METADATA_LOG_FOLDER,
  type ReadMetadata,
  readMetadataFolder,
} from '../metadata/kafka-log/metadata-folder.ts'
import { storeEntries } from '../metadata/kafka-log/store-entries.ts'
import type { StorePut } from '../metadata/store.ts'
import { METADATA_FILE } from '../metadata/store-sqlite.ts'
import { type Disk, DiskError } from '../storage/disk.ts'
import { BrokerStartError } from './start-error.ts'

const META_FILE = 'meta.properties'
const LOCK_FILE = '.lock'
const CLEAN_STOP_FILE = '.kafka_cleanshutdown'
/** Directory ids that stand for none: not known, not assigned. */
const NO_DIRECTORY: ReadonlySet<string> = new Set(['AAAAAAAAAAAAAAAAAAAAAA', 'AAAAAAAAAAAAAAAAAAAAAQ'])
/** So many folders or partitions are named; the rest is counted. */
const MOST_NAMED = 3

export interface KafkaFolderOptions {
  /** `log.dirs` */
  readonly directories: readonly string[]
  /** `metadata.log.dir`, where Samsa's metadata will be; without it the first of the directories. */
  readonly metadataDirectory: string
  readonly nodeId: number
  readonly disk: Disk
}

export interface PartitionPlace {
  readonly directory: string
  readonly name: string
  readonly topic: string
  readonly partition: number
  /** Null: the folder does not say. */
  readonly topicId: string | null
  /** Of its segments; what is set aside for indexes does not count. */
  readonly bytes: number
}

export interface KafkaFolder {
  readonly directories: readonly string[]
  /** Where `__cluster_metadata-0` is. */
  readonly metadataLog: string
  readonly clusterId: string
  readonly nodeId: number
  readonly isCleanlyStopped: boolean
  readonly read: ReadMetadata
  readonly places: readonly PartitionPlace[]
  /** Why it cannot be taken over. */
  readonly refusals: readonly string[]
  /** What its owner should know. */
  readonly notes: readonly string[]
  /** What the metadata store will hold. */
  readonly entries: readonly StorePut[]
}

/**
 * Where Kafka's metadata log is, if the folders are Kafka's and not Samsa's yet; null: they are not. Throws a BrokerStartError if they are
 * Kafka's but the log is in none of them: what it says of their partitions must not be made up.
 */
export function metadataLogOf({ directories, metadataDirectory, disk }: KafkaFolderOptions): string | null {
  const candidates = [...new Set([metadataDirectory, ...directories])]
  const holding = (name: string): string | undefined => candidates.find((each) => disk.exists(join(each, name)))
  if (holding(METADATA_FILE) !== undefined) return null
  const withLog = holding(METADATA_LOG_FOLDER)
  if (withLog !== undefined) return withLog
  // Every folder that was formatted has one, also where the log is elsewhere.
  const formatted = holding(BOOTSTRAP_FILE)
  if (formatted === undefined) return null
  const partitions = directories.filter((each) => disk.exists(each)).flatMap((each) => partitionFoldersIn(each, disk))
  if (partitions.length === 0) return formatted
  const message =
    `data folder ${formatted}: a Kafka broker's, with partitions (${few(partitions)}), but ${METADATA_LOG_FOLDER} is not there; ` +
    '--set metadata.log.dir=DIR names the folder that has it'
  throw new BrokerStartError('DATA_UNUSABLE', message)
}

function partitionFoldersIn(directory: string, disk: Disk): string[] {
  return disk.list(directory).filter((name) => {
    const isPartition = parsePartitionFolder(name)?.state === 'live' && name !== METADATA_LOG_FOLDER
    return isPartition && disk.stat(join(directory, name))?.isDirectory === true
  })
}

/** Throws a BrokerStartError if the folder is in use or cannot be read. */
export function inspectKafkaFolder(options: KafkaFolderOptions, metadataLog: string): KafkaFolder {
  const { disk, nodeId } = options
  // A folder that is new has nothing to say.
  const directories = options.directories.filter(
    (directory) => disk.exists(directory) && disk.list(directory).length > 0,
  )
  const identities = [...new Set([metadataLog, ...directories])].map((directory) => identityOf(directory, disk))
  const { clusterId, nodeId: folderNodeId } = identities[0]!
  const read = readMetadata(disk, metadataLog)
  const places = directories.flatMap((directory) => placesIn(directory, disk))
  const judged = judgeMetadata(read, folderNodeId)
  const refusals = [...judged.refusals]
  if (identities.some((each) => each.clusterId !== clusterId || each.nodeId !== folderNodeId)) {
    refusals.push('the data folders do not belong to the same node of the same cluster')
  }
  if (folderNodeId !== nodeId)
    refusals.push(`it belongs to node ${folderNodeId}, but this is node ${nodeId} (--node-id)`)
  const directoryIds = new Set(identities.flatMap(({ directoryId }) => (directoryId === null ? [] : [directoryId])))
  const found = matchPlaces(read, places, directoryIds)
  const epochs = new Map(found.held.map((place) => [keyOf(place.topic, place.partition), lastEpochIn(place, disk)]))
  const lastEpochOf = (topic: KafkaTopic, partition: number): number => epochs.get(keyOf(topic.name, partition)) ?? -1
  return {
    directories,
    metadataLog,
    clusterId,
    nodeId: folderNodeId,
    isCleanlyStopped: directories.every((directory) => disk.exists(join(directory, CLEAN_STOP_FILE))),
    read,
    places,
    refusals: [...refusals, ...found.refusals],
    notes: [...judged.notes, ...found.notes],
    entries: storeEntries({ ...read, nodeId: folderNodeId, lastEpochOf }),
  }
}

interface Identity {
  readonly clusterId: string
  readonly nodeId: number
  readonly directoryId: string | null
}

/** Refuses a folder whose broker runs: what it says is about to change. */
export function refuseIfLocked({ directories, disk }: KafkaFolderOptions, metadataLog: string): void {
  for (const directory of [metadataLog, ...directories]) {
    if (!disk.isLocked(join(directory, LOCK_FILE))) continue
    const reason = 'in use by another broker (it holds the lock on .lock); stop it first'
    throw new BrokerStartError('DATA_LOCKED', `data folder ${directory}: ${reason}`)
  }
}

function identityOf(directory: string, disk: Disk): Identity {
  const unusable = (reason: string): BrokerStartError =>
    new BrokerStartError('DATA_UNUSABLE', `data folder ${directory}: ${META_FILE} ${reason}`)
  const text = disk.readWhole(join(directory, META_FILE))?.toString()
  if (text === undefined) throw unusable('is missing, so nobody knows which cluster it belongs to')
  const parsed = parseMetaProperties(text)
  if (!parsed.ok) throw unusable(`cannot be understood: ${parsed.reason}`)
  return parsed.value
}

function readMetadata(disk: Disk, metadataLog: string): ReadMetadata {
  try {
    return readMetadataFolder(disk, metadataLog)
  } catch (error) {
    if (!(error instanceof KafkaMetadataError || error instanceof DiskError)) throw error
    const message = `the metadata of Kafka's data folder ${metadataLog} cannot be read: ${error.message}`
    throw new BrokerStartError('DATA_UNUSABLE', message, { cause: error })
  }
}

function placesIn(directory: string, disk: Disk): PartitionPlace[] {
  const places: PartitionPlace[] = []
  for (const name of partitionFoldersIn(directory, disk)) {
    const folder = parsePartitionFolder(name)!
    const path = join(directory, name)
    const text = disk.readWhole(join(path, PARTITION_METADATA_FILE))?.toString()
    const parsed = text === undefined ? null : parsePartitionMetadata(text)
    const topicId = parsed?.ok === true ? parsed.value : null
    const segments = disk.list(path).filter((file) => file.endsWith(LOG_SUFFIX))
    const bytes = segments.reduce((sum, file) => sum + (disk.stat(join(path, file))?.sizeBytes ?? 0), 0)
    places.push({ directory, name, topic: folder.topic, partition: folder.partition, topicId, bytes })
  }
  return places
}

function lastEpochIn({ directory, name }: PartitionPlace, disk: Disk): number {
  const text = disk.readWhole(join(directory, name, LEADER_EPOCHS_FILE))?.toString()
  const parsed = text === undefined ? null : parseEpochCheckpoint(text)
  return parsed?.ok === true ? (parsed.value.at(-1)?.epoch ?? -1) : -1
}

interface Matched {
  /** Folders of partitions that the metadata knows. */
  readonly held: readonly PartitionPlace[]
  readonly refusals: readonly string[]
  readonly notes: readonly string[]
}

/** Which folder belongs to which partition: by topic id, as a name may have been used twice. */
function matchPlaces({ metadata }: ReadMetadata, places: readonly PartitionPlace[], ids: ReadonlySet<string>): Matched {
  const byKey = new Map<string, PartitionPlace>()
  const strays: string[] = []
  const twice: string[] = []
  const known = new Map([...metadata.topics.values()].map((topic) => [topic.name, topic]))
  for (const place of places) {
    const topic = known.get(place.topic)
    if (topic === undefined || place.topicId !== topic.topicId || !topic.partitions.has(place.partition)) {
      strays.push(place.name)
      continue
    }
    const key = keyOf(place.topic, place.partition)
    if (byKey.has(key)) twice.push(place.name)
    byKey.set(key, place)
  }
  const elsewhere: string[] = []
  let missing = 0
  for (const topic of metadata.topics.values()) {
    for (const [index, { directories }] of topic.partitions) {
      if (byKey.has(keyOf(topic.name, index))) continue
      const directory = directories[0]
      if (directory === undefined || NO_DIRECTORY.has(directory) || ids.has(directory)) missing++
      else elsewhere.push(partitionFolderName(topic.name, index))
    }
  }
  const refusals: string[] = []
  if (twice.length > 0) refusals.push(`in more than one data folder: ${few(twice)}`)
  if (elsewhere.length > 0) {
    refusals.push(`not in the given data folders, but in another one of that Kafka (log.dirs): ${few(elsewhere)}`)
  }
  const notes: string[] = []
  if (strays.length > 0) notes.push(`folders of topics that the metadata does not know are set aside: ${few(strays)}`)
  if (missing > 0) notes.push(`partitions without a folder, which begin empty: ${missing}`)
  return { held: [...byKey.values()], refusals, notes }
}

function keyOf(topic: string, partition: number): string {
  return partitionFolderName(topic, partition)
}

function few(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMED).join(', ')
  return names.length > MOST_NAMED ? `${shown}, ... (${names.length})` : shown
}
