// All logs of this broker.

import type { Clock } from '../storage/clock.ts'
import type { Disk } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import type { Timers } from '../storage/timers.ts'
import type { Log } from './log.ts'
import type { Durability, LogConfig } from './types.ts'

export interface LoadProgress {
  readonly logsDone: number
  readonly logsTotal: number
  readonly bytesScanned: number
}

export interface LogManagerOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly logger: Logger
  readonly directories: readonly string[]
  readonly durability: Durability
  readonly nodeId: number
  /** Identity of the cluster for a fresh folder; a folder that has another one is refused. */
  readonly clusterId?: string
  readonly configFor: (topic: string) => LogConfig
  readonly onProgress?: (progress: LoadProgress) => void
}

export interface LogTotals {
  readonly logs: number
  readonly segments: number
  readonly bytes: number
}

export declare class LogManager {
  static open(options: LogManagerOptions): Promise<LogManager>
  readonly meta: { readonly clusterId: string; readonly nodeId: number; readonly directoryId: string }
  /** The folder was stopped cleanly before: nothing had to be recovered. */
  readonly cleanStart: boolean
  get(topic: string, partition: number): Log | undefined
  all(): Iterable<Log>
  create(options: { topic: string; topicId: string; partition: number }): Log
  delete(topic: string, partition: number): void
  /** The topic's settings changed: its logs take them from `configFor`. */
  updateConfig(topic: string): void
  /** Syncs what is not yet durable and writes the checkpoint files. */
  checkpoint(): Promise<void>
  runRetention(nowMs: number): void
  /** Writes everything queued now instead of at the end of the turn. */
  flushTurn(): void
  totals(): LogTotals
  /** Clean stop. */
  close(): Promise<void>
}
