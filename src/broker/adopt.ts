/**
 * Takes over the data folder of a Kafka of one node: its records stay where they are, and what its metadata log says becomes
 * Samsa's metadata file.
 *
 * What must hold: without being asked to, nothing is written. The metadata file is made beside its place and renamed into it when it is
 * whole and on the device: whatever ends the process leaves a folder that is still only Kafka's, or one that is Samsa's.
 */
import { join } from 'node:path'
import { MetadataStoreError, type StorePut } from '../metadata/store.ts'
import { METADATA_FILE, SqliteMetadataStore } from '../metadata/store-sqlite.ts'
import type { Clock } from '../storage/clock.ts'
import type { Disk } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import {
  inspectKafkaFolder,
  type KafkaFolder,
  type KafkaFolderOptions,
  metadataLogOf,
  refuseIfLocked,
} from './kafka-folder.ts'
import { reportOf } from './kafka-folder-report.ts'
import { BrokerStartError } from './start-error.ts'

/** The metadata file while it is made. A plain file, which Kafka ignores. */
const UNFINISHED_SUFFIX = '.adopting'

/**
 * Before anything is locked or written: refuses a folder of Kafka's that is in use, that cannot be taken over, or that nobody
 * said may be. Other folders pass.
 */
export function refuseUnlessAdopted(options: KafkaFolderOptions, adopt: boolean): void {
  const metadataLog = metadataLogOf(options)
  if (metadataLog === null) return
  refuseIfLocked(options, metadataLog)
  const folder = inspectKafkaFolder(options, metadataLog)
  if (folder.refusals.length > 0) throw impossible(folder)
  if (adopt) return
  const message =
    `${options.directories.join(', ')} is the data folder of a Kafka broker, and nothing has been written to it; ` +
    '--adopt takes it over (copy it first if you may want to go back)'
  throw new BrokerStartError('KAFKA_FOLDER', message, { details: reportOf(folder) })
}

function impossible(folder: KafkaFolder): BrokerStartError {
  const message = `the Kafka data folder ${folder.directories.join(', ')} cannot be taken over: ${folder.refusals.join('; ')}`
  return new BrokerStartError('DATA_UNUSABLE', message, { details: reportOf(folder) })
}

export interface AdoptServices {
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
}

/** With the folders locked: makes the metadata file if they are Kafka's and not Samsa's yet. */
export async function adoptKafkaFolder(options: KafkaFolderOptions, services: AdoptServices): Promise<void> {
  const metadataLog = metadataLogOf(options)
  if (metadataLog === null) return
  const { disk, metadataDirectory } = options
  const { logger } = services
  // The data folders are ours by now; the metadata log may lie in another one, which may be ours as well.
  const extraLock = disk.lock(join(metadataLog, '.lock'))
  try {
    const folder = inspectKafkaFolder(options, metadataLog)
    if (folder.refusals.length > 0) throw impossible(folder)
    for (const line of reportOf(folder)) logger.info(line)
    await writeMetadataFile(metadataDirectory, folder.entries, disk, services)
    const { clusterId, nodeId, read } = folder
    logger.info("Kafka's data folder was taken over", { clusterId, nodeId, topics: read.metadata.topics.size })
  } finally {
    extraLock?.release()
  }
}

async function writeMetadataFile(
  directory: string,
  entries: readonly StorePut[],
  disk: Disk,
  services: AdoptServices,
): Promise<void> {
  const path = join(directory, METADATA_FILE)
  const unfinished = path + UNFINISHED_SUFFIX
  const leftovers = [unfinished, `${unfinished}-wal`, `${unfinished}-shm`]
  for (const leftover of leftovers) disk.remove(leftover)
  const store = new SqliteMetadataStore({ ...services, path: unfinished, exclusive: true })
  try {
    const { ok } = await store.transact({ puts: entries })
    if (!ok) throw new MetadataStoreError(`metadata file ${unfinished}: was written to by somebody else`)
  } finally {
    store.close()
  }
  // Closing brings everything into the file itself; a journal that stays behind would be lost by the renaming.
  if (disk.exists(`${unfinished}-wal`)) throw new MetadataStoreError(`metadata file ${unfinished} cannot be completed`)
  const file = disk.open(unfinished)
  try {
    file.syncNow()
  } finally {
    file.close()
  }
  disk.rename(unfinished, path)
  disk.syncDirectory(directory)
}
