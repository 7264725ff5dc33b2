// What the compaction tests share: writing records by key, running the cleaner to its end, reading back what is left.

import type { Log } from '../../src/log/log.ts'
import type { CheckedBatch, LogConfig } from '../../src/log/types.ts'
import { type BatchInput, buildBatch, isControl, isTransactional, iterateRecords } from '../../src/records/batch.ts'
import { buildEndTransactionBatch, readEndTransactionMarker } from '../../src/records/control.ts'
import { type BatchHeader, readBatchHeader } from '../../src/records/header.ts'
import { append, type Outcome, START_MS, type World } from './support.ts'

export const COMPACTED: Partial<LogConfig> = {
  cleanupPolicy: { compact: true, delete: false },
  segmentBytes: 1000,
  indexIntervalBytes: 200,
  minCleanableDirtyRatio: 0.01,
  fileDeleteDelayMs: 1000,
}

export type KeyedRecord = readonly [key: string, value: string | null]

export function keyed(
  records: readonly KeyedRecord[],
  options: Partial<BatchInput> & { at?: number } = {},
): CheckedBatch {
  const { at = START_MS, ...input } = options
  const bytes = buildBatch({
    ...input,
    records: records.map(([key, value], index) => ({
      timestamp: at + index,
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    })),
  })
  return { header: readBatchHeader(bytes, 0), chunks: [bytes] }
}

export function put(
  world: World,
  records: readonly KeyedRecord[],
  options: Partial<BatchInput> & { at?: number } = {},
): Outcome {
  const log = world.log()
  const outcome = append(log, keyed(records, { at: world.clock.now(), ...options }), {
    nowMs: world.clock.now(),
    leaderEpoch: Math.max(0, log.latestEpoch),
  })
  world.timers.runTurn()
  return outcome
}

export function marker(world: World, producerId: number, type: 'commit' | 'abort', producerEpoch = 0): Outcome {
  const timestamp = world.clock.now()
  const bytes = buildEndTransactionBatch({ type, coordinatorEpoch: 0, producerId, producerEpoch, timestamp })
  const batch = { header: readBatchHeader(bytes, 0), chunks: [bytes] }
  const outcome = append(world.log(), batch, {
    origin: 'coordinator',
    nowMs: timestamp,
    leaderEpoch: Math.max(0, world.log().latestEpoch),
  })
  world.timers.runTurn()
  return outcome
}

/** Begins a new segment, so that everything before it can be cleaned. */
export function roll(world: World): void {
  world.log().rollSegment(world.clock.now())
}

/** Waits for a promise that needs turns of the event loop to end. */
export async function driven<T>(world: World, promise: Promise<T>): Promise<T> {
  let over = false
  const watched = promise.finally(() => {
    over = true
  })
  watched.catch(() => {})
  for (let round = 0; !over; round++) {
    // A real disk takes the time it takes.
    if (world.disk.kind === 'memory' && round > 100_000) throw new Error('never ends')
    world.timers.runTurn()
    await (world.disk.kind === 'real' ? new Promise<void>((resolve) => setImmediate(resolve)) : undefined)
  }
  return watched
}

/** Makes everything durable and cleans as long as there is something to clean. */
export async function compact(world: World): Promise<void> {
  await driven(world, world.manager.checkpoint())
  await driven(world, world.manager.cleaner.run())
}

export interface Surviving {
  readonly offset: number
  readonly key: string
  readonly value: string | null
}

/** Every batch from the offset on. */
export async function batchesOf(
  log: Log,
  from = log.logStartOffset,
): Promise<{ header: BatchHeader; bytes: Buffer }[]> {
  const batches: { header: BatchHeader; bytes: Buffer }[] = []
  for (let next = from; next < log.highWatermark; ) {
    const result = await log.read(next, { maxBytes: 1 << 20, upTo: log.highWatermark, atLeastOne: true })
    if (result.errorCode !== 0) throw new Error(`read of ${next} failed with ${result.errorCode}`)
    if (result.nextOffset <= next) break
    for (let at = 0; at < result.data.length; ) {
      const header = readBatchHeader(result.data, at)
      batches.push({ header, bytes: Buffer.from(result.data.subarray(at, at + header.sizeBytes)) })
      at += header.sizeBytes
    }
    next = result.nextOffset
    result.release()
  }
  return batches
}

/** The data records that are left, in order of offset. */
export async function survivors(log: Log): Promise<Surviving[]> {
  const found: Surviving[] = []
  for (const { header, bytes } of await batchesOf(log)) {
    if (isControl(header)) continue
    for (const { offset, key, value } of iterateRecords(bytes)) {
      if (offset >= log.logStartOffset) found.push({ offset, key: String(key), value: value && String(value) })
    }
  }
  return found
}

/** What a consumer at read_committed is given, filtered as the clients do it: by the list of aborted transactions and the markers. */
export async function committedView(log: Log): Promise<Surviving[]> {
  const found: Surviving[] = []
  const aborted = log
    .abortedTransactions(log.logStartOffset, log.lastStableOffset)
    .toSorted((a, b) => a.firstOffset - b.firstOffset)
  const ongoing = new Set<number>()
  for (const { header, bytes } of await batchesOf(log)) {
    const lastOffset = header.baseOffset + header.lastOffsetDelta
    if (lastOffset >= log.lastStableOffset) break
    while (aborted[0] !== undefined && aborted[0].firstOffset <= lastOffset) ongoing.add(aborted.shift()!.producerId)
    const records = [...iterateRecords(bytes)]
    if (isControl(header)) {
      const end = records[0] === undefined ? null : readEndTransactionMarker(records[0])
      if (end?.type === 'abort') ongoing.delete(header.producerId)
      continue
    }
    if (isTransactional(header) && ongoing.has(header.producerId)) continue
    for (const { offset, key, value } of records) {
      if (offset >= log.logStartOffset) found.push({ offset, key: String(key), value: value && String(value) })
    }
  }
  return found
}
