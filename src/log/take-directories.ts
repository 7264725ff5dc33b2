// The start of a broker with its data folders: takes each of them, all for one node of one cluster. A folder that its disk refuses is offline
// and the others are served; one that belongs to somebody else (another broker, node or cluster) ends the start.

import { type Disk, DiskError } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import { clusterIdIn, LogDirectory, LogDirectoryError } from './log-directory.ts'

export interface OfflineDirectory {
  readonly path: string
  readonly reason: string
}

export interface TakenDirectories {
  readonly folders: readonly LogDirectory[]
  readonly offline: readonly OfflineDirectory[]
  /** Of the first folder that could be taken. */
  readonly meta: LogDirectory['meta']
}

export interface TakeOptions {
  readonly directories: readonly string[]
  readonly indispensable?: string
  readonly nodeId: number
  readonly clusterId?: string
  readonly disk: Disk
  readonly random: Random
  readonly logger: Logger
}

/** Throws a LogDirectoryError if a folder is somebody else's, or if there is nothing to go on with. */
export function takeDirectories(options: TakeOptions): TakenDirectories {
  const { directories, nodeId, disk, random, logger } = options
  if (directories.length === 0) throw new LogDirectoryError('(none)', 'no data folder is configured')
  const folders: LogDirectory[] = []
  const failures: { path: string; error: DiskError }[] = []
  try {
    let clusterId = options.clusterId ?? knownClusterId(options)
    for (const path of directories) {
      try {
        const folder = new LogDirectory(path, { nodeId, clusterId, random }, { disk, logger })
        folders.push(folder)
        clusterId ??= folder.meta.clusterId
        refuseTwin(folder, folders)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        failures.push({ path, error })
      }
    }
    const worst =
      failures.find(({ path }) => path === options.indispensable) ?? (folders.length === 0 ? failures[0] : undefined)
    if (worst !== undefined) throw new LogDirectoryError(worst.path, worst.error.message, { cause: worst.error })
  } catch (error) {
    for (const folder of folders) folder.release()
    throw error
  }
  for (const { path, error } of failures) {
    logger.error('A data folder cannot be used and is offline; its partitions answer KAFKA_STORAGE_ERROR', {
      folder: path,
      reason: error.message,
    })
  }
  const offline = failures.map(({ path, error }) => ({ path, reason: error.message }))
  return { folders, offline, meta: folders[0]!.meta }
}

/** A new folder beside older ones belongs to their cluster, wherever it stands in the list. */
function knownClusterId({ directories, disk }: TakeOptions): string | null {
  for (const path of directories) {
    const clusterId = clusterIdIn(disk, path)
    if (clusterId !== null) return clusterId
  }
  return null
}

/** A copy of a folder beside the folder: nobody could say which of the two has what. */
function refuseTwin({ path, meta }: LogDirectory, folders: readonly LogDirectory[]): void {
  const twin = folders.find((other) => other.path !== path && other.meta.directoryId === meta.directoryId)
  if (twin === undefined) return
  throw new LogDirectoryError(path, `has the same directory.id as ${twin.path}: one of them is a copy`)
}
