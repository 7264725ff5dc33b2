// What the LogManager of a broker is opened with.

import type { BufferPool } from '../storage/buffer-pool.ts'
import type { Clock } from '../storage/clock.ts'
import type { Disk } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import type { Timers } from '../storage/timers.ts'
import type { CleanerSettings } from './compaction.ts'
import type { LoadProgress } from './load-directories.ts'
import type { Durability, LogConfig } from './types.ts'
import type { WantedWriteMode } from './write-mode.ts'

export interface LogManagerOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly logger: Logger
  /** In this order; every one is a folder that is nobody else's. */
  readonly directories: readonly string[]
  /** The folder without which the broker cannot go on, if that is one of them: it holds the metadata. */
  readonly indispensable?: string
  readonly durability: Durability
  readonly nodeId: number
  /** Identity of the cluster for a fresh folder; a folder that has another one is refused. */
  readonly clusterId?: string
  readonly configFor: (topic: string) => LogConfig
  /** The topic's id; undefined if there is no such topic. */
  readonly topicIdOf?: (topic: string) => string | undefined
  /** Asked before a new log, or a moved one, goes to a folder: `cordoned.log.dirs`. */
  readonly isCordoned?: (directory: string) => boolean
  /** `replica.alter.log.dirs.io.max.bytes.per.second` */
  readonly moveBytesPerSecond?: () => number
  readonly onProgress?: (progress: LoadProgress) => void
  /** Called once the folders are locked and before anything in them is loaded; `configFor` is not asked earlier. */
  readonly foldersTaken?: () => Promise<void>
  /** `log.initial.task.delay.ms`: until the first retention. */
  readonly firstRetentionDelayMs?: number
  /** `producer.id.expiration.check.interval.ms` */
  readonly producerExpiryIntervalMs?: number
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
