// Loads every log of the data folders at a start, and decides where a stop in the middle of a move has left two folders of one partition.
// A log that cannot be read costs its partition only.

import { type Clock, elapsedMs } from '../storage/clock.ts'
import { type Disk, DiskError } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import { MOVED_FILE } from './file-names.ts'
import { LogDirectoryError } from './log-directory.ts'
import { chooseOfTwo } from './log-move.ts'
import type { PlacedLog, PlacedLogs } from './placed-logs.ts'
import type { ServedDirectory } from './served-directory.ts'

/** During a long recovery the event loop gets a turn after so many bytes. */
const SCAN_BYTES_PER_TURN = 64 * 1024 * 1024
/** KRaft's own log in a folder that Kafka used: not a topic of ours. */
const KRAFT_LOG = '__cluster_metadata'

export interface LoadProgress {
  readonly logsDone: number
  readonly logsTotal: number
  readonly bytesScanned: number
}

export interface LoadHost {
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
  readonly onProgress?: (progress: LoadProgress) => void
  readonly logs: PlacedLogs
  removeLater(path: string): void
  /** The log's folder gets a name that is never served; returns its path. */
  setFolderAside(placed: PlacedLog, state: 'delete' | 'stray'): string
  /** The topic's id; undefined if there is no such topic. */
  readonly topicIdOf?: (topic: string) => string | undefined
}

export interface PartitionFolderIn {
  readonly directory: ServedDirectory
  readonly name: string
  readonly topic: string
  readonly partition: number
}

/** Puts every log into `host.logs`. Returns the folders of moves that have not ended. Rejects with a LogDirectoryError. */
export async function loadDirectories(
  directories: readonly ServedDirectory[],
  host: LoadHost,
): Promise<readonly PartitionFolderIn[]> {
  const { logger, timers, clock, onProgress } = host
  const { live, future } = findFolders(directories, host)
  const beganMs = clock.monotonic()
  let bytesScanned = 0
  let scannedAtLastTurn = 0
  for (const [index, folder] of live.entries()) {
    bytesScanned += loadOne(folder, host)
    if (bytesScanned - scannedAtLastTurn < SCAN_BYTES_PER_TURN) continue
    scannedAtLastTurn = bytesScanned
    onProgress?.({ logsDone: index + 1, logsTotal: live.length, bytesScanned })
    await new Promise<void>((resolve) => timers.endOfTurn(resolve))
  }
  onProgress?.({ logsDone: live.length, logsTotal: live.length, bytesScanned })
  const isClean = directories.every(({ folder }) => folder.cleanStop)
  if (!isClean && live.length > 0) {
    const elapsed = elapsedMs(beganMs, clock.monotonic())
    logger.info('Recovered after a stop that was not clean', { logs: live.length, bytesScanned, ms: elapsed })
  }
  return future
}

function findFolders(directories: readonly ServedDirectory[], { logger, removeLater }: LoadHost) {
  const live: PartitionFolderIn[] = []
  const future: PartitionFolderIn[] = []
  for (const directory of directories) {
    for (const { name, folder } of directory.folder.partitionFolders(logger)) {
      const { topic, partition, state } = folder
      if (topic === KRAFT_LOG) continue
      if (state === 'live') live.push({ directory, name, topic, partition })
      else if (state === 'future') future.push({ directory, name, topic, partition })
      else if (state === 'delete') removeLater(`${directory.path}/${name}`)
    }
  }
  return { live, future }
}

/** Returns the bytes that were checked. */
function loadOne({ directory, name, topic, partition }: PartitionFolderIn, host: LoadHost): number {
  const { logs, logger } = host
  const other = logs.get(topic, partition)
  const hasFailed = logs.failureOf(topic, partition) !== null
  try {
    const { log, bytesScanned } = directory.load(name, topic, partition)
    // Without being served it still belongs to its folder, whose checkpoint files go on speaking of it.
    if (hasFailed) return bytesScanned
    if (other === undefined) logs.put(log, directory)
    else keepOneOfTwo(other, { log, directory }, host)
    return bytesScanned
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    const fields = { log: name, file: error.path, reason: error.message }
    logger.error('A log cannot be loaded; its partition is not served', fields)
    // If there is another one, before or after this one, nobody can say any more which is the log.
    if (other !== undefined) logs.remove(other.log)
    logs.noteFailure(topic, partition, error.message)
    directory.suspect(error)
    return 0
  }
}

function cameFromElsewhere({ log }: PlacedLog, disk: Disk): boolean {
  return disk.exists(`${log.directory}/${MOVED_FILE}`)
}

/** A stop came in the middle of a move: one of the two folders is the log, the other one goes. */
function keepOneOfTwo(first: PlacedLog, second: PlacedLog, host: LoadHost): void {
  const { disk, logger } = host
  const ids = [first.log.topicId, second.log.topicId]
  if (ids[0] !== ids[1] && !ids.includes('')) {
    keepTheTopics(first, second, host)
    return
  }
  const side = (placed: PlacedLog) => ({
    endOffset: placed.log.logEndOffset,
    hasMoved: cameFromElsewhere(placed, disk),
  })
  const chosen = chooseOfTwo(side(first), side(second))
  if (chosen === null) {
    const { log, directory } = second
    throw new LogDirectoryError(directory.path, `holds ${log.name}, which is in another data folder, too`)
  }
  const [kept, gone] = chosen === 'first' ? [first, second] : [second, first]
  logger.warn('A log was being moved when the broker ended; the complete folder is kept', {
    log: kept.log.name,
    kept: kept.log.directory,
    removed: gone.log.directory,
  })
  keep(kept, gone, host)
  host.removeLater(host.setFolderAside(gone, 'delete'))
}

/** The topic was deleted and made again while the folder with its old log was not there. What is not the topic's is nobody's, but stays. */
function keepTheTopics(first: PlacedLog, second: PlacedLog, host: LoadHost): void {
  const isSecond = second.log.topicId === host.topicIdOf?.(second.log.topic)
  const [kept, gone] = isSecond ? [second, first] : [first, second]
  host.logger.warn(
    'A partition is in two data folders with different topic ids; the one that is not the topic is set aside',
    {
      log: kept.log.name,
      kept: kept.log.directory,
      setAside: gone.log.directory,
    },
  )
  keep(kept, gone, host)
  host.setFolderAside(gone, 'stray')
}

function keep(kept: PlacedLog, gone: PlacedLog, { logs }: LoadHost): void {
  logs.put(kept.log, kept.directory)
  gone.directory.leave(gone.log)
  gone.log.close()
}
