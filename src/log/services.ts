// What a log needs from outside: handed to every log by the LogManager.

import type { BufferPool } from '../storage/buffer-pool.ts'
import type { Clock } from '../storage/clock.ts'
import type { Disk, DiskError } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import type { Log } from './log.ts'
import type { OpenFiles } from './open-files.ts'
import type { Durability } from './types.ts'
import type { WriteGate } from './write-gate.ts'
import type { WriteMode } from './write-mode.ts'

export interface LogServices {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly pool: BufferPool
  readonly durability: Durability
  /** Segments that are written to. */
  readonly activeFiles: OpenFiles
  /** Segments that are only read. */
  readonly sealedFiles: OpenFiles
  /** How much at once goes to the directory's files: through the page cache or past it. */
  readonly writeMode: WriteMode
  /** From so many waiting bytes on they are written past the page cache, where that is the way. */
  readonly directWriteBytesMin: number
  /** Whether the directory takes writes: shared by its logs. */
  readonly gate: WriteGate
  /** The log has queued or finished something: call its `startWriting` and `complete` at the end of this turn. */
  endOfTurn(log: Log): void
  /** So many bytes went to a log's file. */
  wrote(bytes: number): void
  /** Somebody waits for the log to be durable. */
  syncNow(log: Log): void
  /** The log has bytes that should become durable without anybody waiting. */
  syncSoon(log: Log): void
  /** The same in so many milliseconds at the latest: `flush.ms`. */
  syncWithin(log: Log, delayMs: number): void
  /** Something in the folder could not be read or written, for another reason than want of space. */
  failed(error: DiskError): void
  /** A write found no space: gives back what was only reserved. */
  spaceRanOut(): void
  /** Writes the log-start checkpoint, durably, before returning. */
  saveLogStarts(): void
  /** Something in the checkpoint files changed and should be written at the next opportunity. */
  checkpointSoon(): void
  /** Removes a file later. */
  removeLater(path: string, delayMs: number): void
}
