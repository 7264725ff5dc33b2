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
  return { folders, offline: [...offline, ...missedFolders(folders, failures, logger)], meta: folders[0]!.meta }
}

/** Folders that were this broker's and are not configured any more: what is in them must not be taken for lost, or for new. */
function missedFolders(
  folders: readonly LogDirectory[],
  failures: readonly { readonly path: string }[],
  logger: Logger,
): OfflineDirectory[] {
  const missed = new Map<string, string>()
  for (const folder of folders) {
    for (const { directoryId, path } of folder.knownFolders(logger)) missed.set(directoryId, path)
  }
  for (const { meta } of folders) missed.delete(meta.directoryId)
  for (const { path: failed } of failures) for (const [id, path] of missed) if (path === failed) missed.delete(id)
  const reason =
    'it was one of the data folders, and is not configured any more; without samsa-folders in the others it is forgotten'
  for (const path of missed.values()) {
    logger.error('A data folder is missing; its partitions answer KAFKA_STORAGE_ERROR', { folder: path, reason })
  }
  return [...missed.values()].map((path) => ({ path, reason }))
}

/** Every folder hears of the others, and forgets none that it has heard of. A folder that has always been alone says nothing. */
export function introduceFolders(folders: readonly LogDirectory[], logger: Logger): void {
  const known = new Map<string, string>()
  for (const folder of folders) {
    for (const { directoryId, path } of folder.knownFolders(logger)) known.set(directoryId, path)
  }
  for (const { meta, path } of folders) known.set(meta.directoryId, path)
  if (known.size <= 1) return
  const list = [...known].map(([directoryId, path]) => ({ directoryId, path }))
  list.sort((a, b) => (a.path < b.path ? -1 : 1))
  for (const folder of folders) folder.saveFolders(list)
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
