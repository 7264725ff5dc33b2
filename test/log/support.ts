// What the log's tests share: a log manager on a memory disk or in a temporary folder, with a clock that stands still and a turn that
// ends when the test says so.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '../../src/log/log.ts'
import { LogManager } from '../../src/log/log-manager.ts'
import type { LogManagerOptions } from '../../src/log/log-manager-options.ts'
import {
  type AppendInfo,
  type AppendOptions,
  type CheckedBatch,
  DEFAULT_LOG_CONFIG,
  type LogConfig,
} from '../../src/log/types.ts'
import type { ErrorCode } from '../../src/protocol/errors.ts'
import { type BatchInput, buildBatch } from '../../src/records/batch.ts'
import { readBatchHeader } from '../../src/records/header.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import type { Disk } from '../../src/storage/disk.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { RealDisk } from '../../src/storage/disk-real.ts'
import type { LogFields, Logger } from '../../src/storage/logger.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { ManualTimers } from '../../src/storage/timers-manual.ts'

export const START_MS = 1_700_000_000_000

/** Keeps the lines, for tests that must see one. */
export class RecordingLogger implements Logger {
  readonly lines: { level: string; message: string; fields: LogFields | undefined }[] = []

  debug(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'debug', message, fields })
  }

  info(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'info', message, fields })
  }

  warn(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'warn', message, fields })
  }

  error(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'error', message, fields })
  }

  matching(pattern: RegExp): string[] {
    return this.lines
      .map((line) => `${line.level}: ${line.message} ${JSON.stringify(line.fields ?? {})}`)
      .filter((line) => pattern.test(line))
  }
}

export interface WorldOptions {
  readonly disk?: Disk
  readonly directory?: string
  readonly config?: Partial<LogConfig>
  readonly manager?: Partial<LogManagerOptions>
  readonly clock?: ManualClock
  readonly seed?: number
}

/** One broker's storage, as far as the log goes. */
export class World {
  readonly clock: ManualClock
  readonly timers: ManualTimers
  readonly logger = new RecordingLogger()
  readonly disk: Disk
  readonly directory: string
  config: LogConfig
  manager!: LogManager
  readonly #options: WorldOptions

  private constructor(options: WorldOptions) {
    this.#options = options
    this.clock = options.clock ?? new ManualClock(START_MS)
    this.timers = new ManualTimers(this.clock)
    this.disk = options.disk ?? new MemoryDisk({ now: () => this.clock.now(), trackDurable: true })
    this.directory = options.directory ?? '/data'
    this.config = { ...DEFAULT_LOG_CONFIG, ...options.config }
  }

  static async open(options: WorldOptions = {}): Promise<World> {
    const world = new World(options)
    world.manager = await LogManager.open({
      disk: world.disk,
      clock: world.clock,
      timers: world.timers,
      random: new SeededRandom(options.seed ?? 1),
      logger: world.logger,
      directories: [world.directory],
      durability: 'os',
      nodeId: 1,
      configFor: () => world.config,
      ...options.manager,
    })
    return world
  }

  /** The same folder and settings, in a new process. */
  reopen(changes: WorldOptions = {}): Promise<World> {
    return World.open({
      ...this.#options,
      disk: this.disk,
      directory: this.directory,
      clock: this.clock,
      config: this.config,
      ...changes,
    })
  }

  /** Kills the process (nothing is closed) and starts anew. */
  async kill(changes: WorldOptions = {}): Promise<World> {
    if (this.disk instanceof MemoryDisk) this.disk.killProcess()
    else this.disk.lock(`${this.directory}/.lock`)?.release()
    return this.reopen(changes)
  }

  async restart(changes: WorldOptions = {}): Promise<World> {
    await this.manager.close()
    return this.reopen(changes)
  }

  log(topic = 'events', partition = 0): Log {
    return this.manager.get(topic, partition) ?? this.manager.create({ topic, topicId: TOPIC_ID, partition })
  }

  path(name: string, folder = 'events-0'): string {
    return `${this.directory}/${folder}/${name}`
  }
}

export const TOPIC_ID = '4_6AKg3nTUq32P4R-HNrNA'

export interface TestBatch extends Partial<Omit<BatchInput, 'records'>> {
  readonly count?: number
  readonly valueBytes?: number
  readonly timestamp?: number
}

export function batchOf(options: TestBatch = {}): CheckedBatch {
  const { count = 1, valueBytes = 10, timestamp = START_MS, ...input } = options
  const records = Array.from({ length: count }, (_unused, index) => ({
    timestamp: timestamp + index,
    key: Buffer.from(`k${index}`),
    value: Buffer.alloc(valueBytes, 0x61 + (index % 26)),
  }))
  const bytes = buildBatch({ ...input, records })
  return { header: readBatchHeader(bytes, 0), chunks: [bytes] }
}

export interface Outcome {
  info: AppendInfo
  /** Null until `done` was called. */
  error: ErrorCode | null
}

export function append(log: Log, batch: CheckedBatch, options: Partial<AppendOptions> = {}): Outcome {
  const outcome: Outcome = { info: undefined as unknown as AppendInfo, error: null }
  outcome.info = log.append(batch, {
    leaderEpoch: 0,
    origin: 'client',
    nowMs: START_MS,
    done: (error) => {
      outcome.error = error
    },
    ...options,
  })
  return outcome
}

/** Appends and ends the turn. */
export function appendNow(
  world: World,
  log: Log,
  batch: TestBatch = {},
  options: Partial<AppendOptions> = {},
): Outcome {
  const outcome = append(log, batchOf(batch), { nowMs: world.clock.now(), ...options })
  world.timers.runTurn()
  return outcome
}

/** Base offsets and sizes of all batches the log returns from the offset on, read in pieces. */
export async function readAll(
  log: Log,
  from = log.logStartOffset,
  maxBytes = 1 << 20,
): Promise<{ offsets: number[]; bytes: Buffer }> {
  const offsets: number[] = []
  const parts: Buffer[] = []
  for (let next = from; next < log.highWatermark; ) {
    const result = await log.read(next, { maxBytes, upTo: log.highWatermark, atLeastOne: true })
    if (result.errorCode !== 0) throw new Error(`read of ${next} failed with ${result.errorCode}`)
    if (result.nextOffset <= next) throw new Error(`no progress at ${next}`)
    for (let at = 0; at < result.data.length; ) {
      const header = readBatchHeader(result.data, at)
      for (let index = 0; index <= header.lastOffsetDelta; index++) offsets.push(header.baseOffset + index)
      at += header.sizeBytes
    }
    parts.push(Buffer.from(result.data))
    next = result.nextOffset
    result.release()
  }
  return { offsets, bytes: Buffer.concat(parts) }
}

/** A temporary folder on the real disk. */
export function temporaryFolder(): { path: string; disk: RealDisk; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'samsa-log-'))
  return { path, disk: new RealDisk(), remove: () => rmSync(path, { recursive: true, force: true }) }
}

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_unused, index) => from + index)
}
