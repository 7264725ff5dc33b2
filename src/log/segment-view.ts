// A segment as somebody outside of the log may have it: whole batches from its beginning up to a bound, with a fingerprint of these bytes.
//
// What must hold: nothing at or above the high watermark is in a view; bytes below it never change while the segment lives (a log is cut
// only above it), so a view stays true until the segment itself is replaced or removed.

import { BATCH_HEADER_BYTES } from '../records/header.ts'
import { BatchCursor } from './batch-cursor.ts'
import type { Log } from './log.ts'
import { LogDamage, type ReadSteps, runSteps } from './log-read.ts'
import type { Segment } from './segment.ts'

export interface SegmentView {
  readonly segment: Segment
  /** Length of the batches in view; they begin at position 0. */
  readonly sizeBytes: number
  /** Offset after the last of them. */
  readonly nextOffset: number
  /** Header of the last of them as it lies in the file; empty if there is none. */
  readonly lastHeader: Buffer
}

/** Read at a time while walking from batch to batch. */
const WALK_BYTES = 16 * 1024

/** Offset that a segment's readable batches end below. */
export function readableEnd(log: Log, segment: Segment): number {
  return Math.min(log.segments.upperBound(segment), log.highWatermark)
}

/**
 * The segment's batches below the high watermark, of these as many as fit into `mostBytes`. Rejects with LogDamage or DiskError; what
 * it says may be about a segment that was removed meanwhile (`isCurrent`).
 */
export async function viewSegment(
  log: Log,
  segment: Segment,
  mostBytes = Number.MAX_SAFE_INTEGER,
): Promise<SegmentView> {
  return runSteps(viewSteps(segment, readableEnd(log, segment), mostBytes))
}

/** Where in the segment the first batch begins that ends at or after the offset; its size if there is none. */
export async function positionOf(segment: Segment, offset: number): Promise<number> {
  const { sizeBytes } = await runSteps(viewSteps(segment, offset, Number.MAX_SAFE_INTEGER))
  return sizeBytes
}

/** Whether the segment is still the log's: one that was compacted or deleted has the same name as what took its place. */
export function isCurrent(log: Log, segment: Segment): boolean {
  return !log.closed && log.segments.floor(segment.baseOffset) === segment
}

/** Walks the last few batches below the bound, from where the offset index knows one to begin. */
function* viewSteps(segment: Segment, endOffset: number, mostBytes: number): ReadSteps<SegmentView> {
  const sizeBytes = segment.sizeBytes
  const limit = Math.min(sizeBytes, mostBytes)
  segment.loadIndexes()
  let position = Math.min(
    segment.offsetIndex.positionFor(endOffset - 1),
    segment.offsetIndex.lastPositionUpTo(Math.max(0, limit - 1)),
  )
  let nextOffset = segment.baseOffset
  let lastHeader = Buffer.alloc(0)
  const cursor = new BatchCursor()
  const buffer = Buffer.allocUnsafe(WALK_BYTES)
  while (position < limit) {
    const count = yield { segment, buffer, length: Math.min(WALK_BYTES, sizeBytes - position), position }
    let at = 0
    let isBeyond = false
    while (at < count && cursor.load(buffer, at, count)) {
      const problem = cursor.problem(nextOffset, sizeBytes - position - at)
      if (problem !== null) throw new LogDamage(segment.path, position + at, problem)
      if (cursor.lastOffset >= endOffset || position + at + cursor.sizeBytes > limit) {
        if (lastHeader.length > 0 || position === 0)
          return { segment, sizeBytes: position + at, nextOffset, lastHeader }
        // The bound lies inside the batch that the index led to: the last whole one is before it.
        isBeyond = true
        break
      }
      nextOffset = cursor.lastOffset + 1
      lastHeader = Buffer.from(buffer.subarray(at, Math.min(count, at + BATCH_HEADER_BYTES)))
      at += cursor.sizeBytes
    }
    if (isBeyond) {
      position = segment.offsetIndex.lastPositionUpTo(position - 1)
      continue
    }
    if (at === 0) throw new LogDamage(segment.path, position, 'incomplete batch')
    position += at
  }
  return { segment, sizeBytes: position, nextOffset, lastHeader }
}
