/**
 * Appending to a log and reading from it, through the interface that the broker uses: on the disk in memory, which shows the log's own cost,
 * and on this machine's, which adds the system calls. An append is measured until it is done: written, with the high watermark moved.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bench, group } from 'mitata'
import type { Log } from '../../src/log/log.ts'
import { LogManager } from '../../src/log/log-manager.ts'
import { type CheckedBatch, DEFAULT_LOG_CONFIG } from '../../src/log/types.ts'
import type { WriteMode } from '../../src/log/write-mode.ts'
import { buildBatch, readBatchHeader } from '../../src/records/batch.ts'
import { realClock } from '../../src/storage/clock-real.ts'
import { type Disk, DiskError } from '../../src/storage/disk.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { RealDisk } from '../../src/storage/disk-real.ts'
import { silentLogger } from '../../src/storage/logger.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { RealTimers } from '../../src/storage/timers-real.ts'

const KIB = 1024
const MIB = KIB * KIB
/** Old segments go while the benchmark runs: neither memory nor the disk fills. */
const KEPT_BYTES = 128 * MIB
const RETENTION_EVERY_BYTES = 64 * MIB
/** A batch of 1 MiB, headers included. */
const LARGEST_VALUE_BYTES = MIB - 100
const READABLE_BYTES = 64 * MIB
const TOPIC_ID = 'AAECAwQFBgcICQoLDA0ODw'

interface World {
  readonly manager: LogManager
  readonly timers: RealTimers
  log(topic: string): Log
}

async function open(disk: Disk, directory: string, writeMode: WriteMode): Promise<World> {
  const timers = new RealTimers(realClock)
  const manager = await LogManager.open({
    disk,
    clock: realClock,
    timers,
    random: new SeededRandom(1),
    logger: silentLogger,
    directories: [directory],
    durability: 'os',
    nodeId: 1,
    writeMode,
    configFor: () => ({
      ...DEFAULT_LOG_CONFIG,
      segmentBytes: READABLE_BYTES,
      retentionBytes: KEPT_BYTES,
      fileDeleteDelayMs: 0,
    }),
  })
  return { manager, timers, log: (topic) => manager.create({ topic, topicId: TOPIC_ID, partition: 0 }) }
}

function batchOf(valueBytes: number): CheckedBatch {
  const bytes = buildBatch({ records: [{ timestamp: Date.now(), key: null, value: Buffer.alloc(valueBytes, 'v') }] })
  return { header: readBatchHeader(bytes, 0), chunks: [bytes] }
}

/** One turn's appends of that many batches, until all are done. */
function appender(log: Log, valueBytes: number, perTurn: number): () => Promise<void> {
  // The log writes offsets into the batches, so each append of a turn needs its own.
  const batches = Array.from({ length: perTurn }, () => batchOf(valueBytes))
  let sinceRetention = 0
  return () =>
    new Promise((resolve, reject) => {
      let left = perTurn
      const done = (error: number): void => {
        if (error !== 0) reject(new Error(`append failed with ${error}`))
        if (--left === 0) resolve()
      }
      const nowMs = Date.now()
      for (const batch of batches) {
        const info = log.append(batch, { leaderEpoch: 0, origin: 'client', nowMs, done })
        if (info.errorCode !== 0) reject(new Error(`append refused with ${info.errorCode}`))
      }
      sinceRetention += perTurn * valueBytes
      if (sinceRetention < RETENTION_EVERY_BYTES) return
      sinceRetention = 0
      log.runRetention(nowMs)
    })
}

function label(bytes: number): string {
  if (bytes === LARGEST_VALUE_BYTES) return '1 MiB'
  return bytes < KIB ? `${bytes} B` : `${bytes / KIB} KiB`
}

/** Bytes of a batch's value, and how many come in a turn. */
type AppendCase = readonly [number, number]

const SMALL_APPENDS: readonly AppendCase[] = [
  [100, 1],
  [100, 32],
  [16 * KIB, 1],
  [16 * KIB, 32],
]
const LARGE_APPENDS: readonly AppendCase[] = [
  [128 * KIB, 8],
  [LARGEST_VALUE_BYTES, 2],
]

function appendBenches(where: string, world: World, cases: readonly AppendCase[]): void {
  for (const [bytes, perTurn] of cases) {
    const append = appender(world.log(`append-${bytes}-${perTurn}`), bytes, perTurn)
    bench(`append, ${where}: ${perTurn} x ${label(bytes)} in a turn`, append)
  }
}

async function filled(world: World, topic: string, valueBytes: number): Promise<Log> {
  const log = world.log(topic)
  const append = appender(log, valueBytes, 32)
  while (log.sizeBytes < READABLE_BYTES - 64 * valueBytes) await append()
  return log
}

function fetchBench(name: string, log: Log, options: { maxBytes: number; step: number; asFile: boolean }): void {
  const { maxBytes, step, asFile } = options
  let offset = 0
  bench(name, async () => {
    const upTo = log.highWatermark
    offset = (offset + step) % upTo
    const read = log.read(offset, { maxBytes, upTo, atLeastOne: true, asFile })
    const result = read instanceof Promise ? await read : read
    if (result.errorCode !== 0 || result.sizeBytes === 0) throw new Error(`nothing read at ${offset}`)
    result.release()
  })
}

/** Null where the file system takes no direct writes. */
async function openDirect(directory: string): Promise<World | null> {
  try {
    return await open(new RealDisk(), directory, 'direct')
  } catch (error) {
    if (error instanceof DiskError) return null
    throw error
  }
}

/** Resolves to what closes and removes it all. */
export async function register(): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-micro-'))
  const memory = await open(new MemoryDisk({ now: () => Date.now() }), '/data', 'buffered')
  const buffered = await open(new RealDisk(), join(folder, 'buffered'), 'buffered')
  const direct = await openDirect(join(folder, 'direct'))
  group('append', () => {
    appendBenches('memory', memory, [...SMALL_APPENDS, ...LARGE_APPENDS])
    appendBenches('disk', buffered, [...SMALL_APPENDS, ...LARGE_APPENDS])
    if (direct !== null) appendBenches('disk, direct', direct, LARGE_APPENDS)
  })
  const small = await filled(buffered, 'read-1k', KIB)
  const large = await filled(buffered, 'read-16k', 16 * KIB)
  group('fetch from memory pages', () => {
    fetchBench('fetch, next 64 KiB of 1 KiB batches', small, { maxBytes: 64 * KIB, step: 60, asFile: false })
    fetchBench('fetch, 64 KiB anywhere in 1 KiB batches', small, { maxBytes: 64 * KIB, step: 7919, asFile: false })
    fetchBench('fetch, 1 MiB anywhere in 16 KiB batches', large, { maxBytes: MIB, step: 997, asFile: false })
    fetchBench('fetch, the same as a range of the file', large, { maxBytes: MIB, step: 997, asFile: true })
  })
  return async () => {
    for (const world of [memory, buffered, direct]) {
      await world?.manager.close()
      world?.timers.cancelAll()
    }
    rmSync(folder, { recursive: true, force: true })
  }
}
