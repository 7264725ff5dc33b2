// Looking things up in a log other than by offset: by time, aborted transactions, and the replay of its producers.

import { firstRecordAtOrAfter, RecordError } from '../records/batch.ts'
import { maxDecompressedBytesFor } from '../records/limits.ts'
import { DiskError } from '../storage/disk.ts'
import { BatchCursor } from './batch-cursor.ts'
import type { Log } from './log.ts'
import { LogDamage, type LogReader, type ReadSteps, runSteps } from './log-read.ts'
import { loadNewestSnapshot, replayProducers } from './producer-replay.ts'
import type { Segment } from './segment.ts'
import type { LogServices } from './services.ts'
import type { AbortedEntry, TxnIndex } from './txn-index.ts'
import type { AbortedTransaction, OffsetAndTimestamp } from './types.ts'

const LOCATE_BYTES = 16 * 1024

export class LogSearch {
  readonly #log: Log
  readonly #reader: LogReader
  #services: LogServices

  constructor(log: Log, reader: LogReader, services: LogServices) {
    this.#log = log
    this.#reader = reader
    this.#services = services
  }

  /** The log lies in another folder from now on. */
  useServices(services: LogServices): void {
    this.#services = services
  }

  offsetForTimestamp(timestamp: number, upTo: number): Promise<OffsetAndTimestamp | null> {
    return this.#undisturbed(() => this.#searchTimestamp(timestamp, upTo))
  }

  async #searchTimestamp(timestamp: number, upTo: number): Promise<OffsetAndTimestamp | null> {
    const log = this.#log
    for (let segment = log.segments.all[0] ?? null; segment !== null; segment = log.segments.after(segment)) {
      if (segment.sizeBytes === 0 || segment.largestTimestamp() < timestamp) continue
      const found = await runSteps(this.#firstAtOrAfter(segment, timestamp, log.logStartOffset))
      // A segment that has it only below the log start says nothing about the later ones.
      if (found !== null) return found.offset < upTo ? found : null
    }
    return null
  }

  maxTimestamp(): Promise<OffsetAndTimestamp | null> {
    return this.#undisturbed(() => this.#searchMaxTimestamp())
  }

  async #searchMaxTimestamp(): Promise<OffsetAndTimestamp | null> {
    const log = this.#log
    let best: Segment | null = null
    for (const segment of log.segments.all) {
      if (segment.sizeBytes > 0 && segment.maxTimestamp > (best?.maxTimestamp ?? -1)) best = segment
    }
    if (best === null) return null
    return runSteps(this.#firstAtOrAfter(best, best.maxTimestamp, log.logStartOffset))
  }

  /** Searches again if segments went or were replaced meanwhile: what was found, or found missing, says nothing. */
  async #undisturbed<T>(search: () => Promise<T>): Promise<T> {
    for (;;) {
      const { cuts } = this.#log
      try {
        const found = await search()
        if (cuts === this.#log.cuts || this.#log.closed) return found
      } catch (error) {
        if (cuts === this.#log.cuts || this.#log.closed) throw error
      }
    }
  }

  /** First record of the segment with at least this timestamp and this offset. */
  *#firstAtOrAfter(segment: Segment, timestamp: number, startOffset: number): ReadSteps<OffsetAndTimestamp | null> {
    const { pool } = this.#services
    segment.loadIndexes()
    // Up to the entry at or below the timestamp nothing is above it, except in the entry's own batch.
    const from = Math.max(segment.timeIndex.offsetFor(timestamp), Math.min(startOffset, segment.endOffset - 1))
    let position = yield* this.#reader.locate(segment, from)
    const cursor = new BatchCursor()
    const buffer = pool.take(LOCATE_BYTES)
    try {
      while (position < segment.sizeBytes) {
        const count = yield { segment, buffer, length: Math.min(buffer.length, segment.sizeBytes - position), position }
        let at = 0
        while (cursor.load(buffer, at, count)) {
          const problem = cursor.problem(segment.baseOffset, segment.sizeBytes - position - at, segment.endOffset)
          if (problem !== null) throw new LogDamage(segment.path, position + at, problem)
          if (cursor.maxTimestamp >= timestamp && cursor.lastOffset >= startOffset) {
            const { leaderEpoch, sizeBytes } = cursor
            const found = yield* this.#searchBatch(segment, position + at, sizeBytes, timestamp, startOffset)
            if (found !== null) return { ...found, leaderEpoch }
          }
          at += cursor.sizeBytes
        }
        if (at === 0) throw new LogDamage(segment.path, position, 'incomplete batch')
        position += at
      }
      return null
    } finally {
      pool.give(buffer)
    }
  }

  *#searchBatch(
    segment: Segment,
    position: number,
    sizeBytes: number,
    timestamp: number,
    startOffset: number,
  ): ReadSteps<{ offset: number; timestamp: number } | null> {
    const { pool } = this.#services
    const buffer = pool.take(sizeBytes)
    try {
      const count = yield { segment, buffer, length: sizeBytes, position }
      if (count < sizeBytes) throw new LogDamage(segment.path, position, 'incomplete batch')
      // What was allowed in when the batch was produced; the topic's setting may have been lowered since.
      const maxDecompressedBytes = maxDecompressedBytesFor(Math.max(this.#log.config.maxMessageBytes, sizeBytes))
      return firstRecordAtOrAfter(buffer.subarray(0, sizeBytes), timestamp, startOffset, { maxDecompressedBytes })
    } catch (error) {
      if (error instanceof RecordError) throw new LogDamage(segment.path, position, error.message)
      throw error
    } finally {
      pool.give(buffer)
    }
  }

  abortedTransactions(fetchOffset: number, nextOffset: number): AbortedTransaction[] {
    const found: AbortedEntry[] = []
    for (const index of this.#txnIndexesFrom(fetchOffset)) if (index.collect(fetchOffset, nextOffset, found)) break
    return found.map((entry) => ({ producerId: entry.producerId, firstOffset: entry.firstOffset }))
  }

  /** Whether any aborted transaction ends at or after the segment that holds the offset. */
  hasAborted(fetchOffset: number): boolean {
    try {
      for (const index of this.#txnIndexesFrom(fetchOffset)) if (index.count > 0) return true
      return false
    } catch (error) {
      // Whoever needs to know them gets the error.
      if (error instanceof DiskError) return true
      throw error
    }
  }

  *#txnIndexesFrom(offset: number): Generator<TxnIndex> {
    const { segments } = this.#log
    const first = segments.floor(offset)
    const all = segments.all
    for (let index = first === null ? 0 : all.indexOf(first); index < all.length; index++) {
      const segment = all[index]!
      segment.loadTxnIndex()
      yield segment.txnIndex
    }
  }

  /** After a cut: the producers' state as of the log's new end. */
  rebuildProducers(nowMs: number): void {
    const log = this.#log
    const from = loadNewestSnapshot(log, log.logEndOffset, nowMs, this.#services)
    replayProducers(log, { from, to: log.logEndOffset, pool: this.#services.pool })
  }
}
