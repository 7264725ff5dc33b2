// Rebuilding a log's producer state: the newest snapshot that can be read, then the batches after it.

import { iterateRecords, RecordError } from '../records/batch.ts'
import { type EndTransactionMarker, readEndTransactionMarker } from '../records/control.ts'
import { isControl, MAGIC_V2, NONE, readBatchHeader } from '../records/header.ts'
import type { BufferPool } from '../storage/buffer-pool.ts'
import type { Disk } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { BatchCursor } from './batch-cursor.ts'
import { offsetFileName, offsetInName, SNAPSHOT_SUFFIX } from './file-names.ts'
import { decodeSnapshot } from './producer-snapshot.ts'
import type { ProducerState } from './producer-state.ts'
import type { Segment } from './segment.ts'
import type { SegmentList } from './segment-list.ts'
import { walkSegment } from './segment-scan.ts'
import type { AbortedEntry } from './txn-index.ts'
import type { LogConfig } from './types.ts'

/** The part of a log that the replay works on; a log that is being loaded has no more than this. */
export interface ReplayTarget {
  readonly directory: string
  readonly segments: SegmentList
  readonly producers: ProducerState
  readonly logStartOffset: number
  readonly config: LogConfig
  snapshotOffset: number
}

/** Takes a batch that lies in the buffer into account. */
export function replayBatch(
  producers: ProducerState,
  cursor: BatchCursor,
  buffer: Buffer,
  at: number,
): AbortedEntry | null {
  if (cursor.producerId === NONE || cursor.magic < MAGIC_V2) return null
  const header = readBatchHeader(buffer, at)
  const marker = isControl(header) ? markerIn(buffer.subarray(at, at + cursor.sizeBytes)) : null
  return producers.apply(header, marker)
}

/** The end-of-transaction marker in a control batch; null for one of another kind, or one whose content is damaged. */
function markerIn(batch: Buffer): EndTransactionMarker | null {
  try {
    for (const record of iterateRecords(batch)) return readEndTransactionMarker(record)
  } catch (error) {
    // Below the recovery point nothing has been checked. Who reads the batch gets the error; the replay goes on without it.
    if (!(error instanceof RecordError)) throw error
  }
  return null
}

/**
 * Loads the newest snapshot in [log start, `atMost`] that can be read, removes those that cannot, or that lie outside, and returns the
 * offset to replay from: the snapshot's, or the log start.
 */
export function loadNewestSnapshot(
  target: ReplayTarget,
  atMost: number,
  nowMs: number,
  services: { readonly disk: Disk; readonly logger: Logger },
  names: Iterable<string> = services.disk.list(target.directory),
): number {
  const offsets: number[] = []
  for (const name of names) {
    const offset = offsetInName(name, SNAPSHOT_SUFFIX)
    if (offset !== null) offsets.push(offset)
  }
  offsets.sort((a, b) => b - a)
  target.producers.load([])
  target.snapshotOffset = -1
  for (const offset of offsets) {
    const path = `${target.directory}/${offsetFileName(offset, SNAPSHOT_SUFFIX)}`
    if (offset > atMost || offset < target.logStartOffset) {
      services.disk.remove(path)
      continue
    }
    if (target.snapshotOffset >= 0) continue
    const bytes = services.disk.readWhole(path)
    const decoded = bytes === null ? ({ ok: false, reason: 'the file is gone' } as const) : decodeSnapshot(bytes)
    if (decoded.ok) {
      target.producers.load(decoded.value)
      target.producers.expire(nowMs, target.config.producerIdExpirationMs)
      target.snapshotOffset = offset
    } else {
      services.logger.warn('Producer snapshot cannot be read, an older one or the log serves', {
        file: path,
        reason: decoded.reason,
      })
      services.disk.remove(path)
    }
  }
  return Math.max(target.snapshotOffset, target.logStartOffset)
}

export interface ReplayRange {
  readonly from: number
  /** Exclusive. */
  readonly to: number
  readonly pool: BufferPool
  readonly onAborted?: (segment: Segment, entry: AbortedEntry) => void
}

/** Replays the batches that touch [from, to) and begin below `to`. */
export function replayProducers(target: Pick<ReplayTarget, 'segments' | 'producers'>, range: ReplayRange): void {
  const { from, to, pool } = range
  if (from >= to) return
  let segment = target.segments.floor(from) ?? target.segments.first
  for (
    let next: Segment | null = segment;
    next !== null && next.baseOffset < to;
    next = target.segments.after(segment)
  ) {
    segment = next
    let position = 0
    if (segment.baseOffset < from) {
      segment.loadIndexes()
      position = segment.offsetIndex.positionFor(from)
    }
    const current = segment
    walkSegment(current, { pool, position, nextOffset: segment.baseOffset, verify: false }, (cursor, buffer, at) => {
      if (cursor.baseOffset >= to) return true
      // A batch around the log start counts: its transaction begins in what is left of it.
      if (cursor.lastOffset < from) return false
      const aborted = replayBatch(target.producers, cursor, buffer, at)
      if (aborted !== null) range.onAborted?.(current, aborted)
      return false
    })
  }
}
