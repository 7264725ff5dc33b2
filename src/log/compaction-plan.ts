// What of a compacted log can be cleaned, whether that is worth while, and which segments become one. Decisions only, as Kafka takes
// them; compaction.ts asks them and compaction-run.ts carries them out.

import type { LogConfig } from './types.ts'

/** What the decisions need to know of a segment. */
export interface SegmentView {
  readonly baseOffset: number
  readonly sizeBytes: number
  /** Asked only if it matters: it may have to look at the file. */
  largestTimestamp(): number
  /** Largest timestamp of its first batch, -1 if it has none. */
  firstTimestamp(): number
}

export interface CompactionInput {
  /** Oldest first; the last one is written to. */
  readonly segments: readonly SegmentView[]
  readonly logStartOffset: number
  readonly logEndOffset: number
  /** Below it every transaction is decided, for good. */
  readonly stableOffset: number
  /** Where the last cleaning ended; -1 if there was none. */
  readonly cleanedUpTo: number
  readonly config: Pick<LogConfig, 'minCompactionLagMs' | 'maxCompactionLagMs' | 'minCleanableDirtyRatio'>
  readonly nowMs: number
}

export interface CompactionPlan {
  /** The keys of [firstDirtyOffset, firstUncleanableOffset) are still to be compared with what is below. */
  readonly firstDirtyOffset: number
  /** Always a segment's base. */
  readonly firstUncleanableOffset: number
  readonly cleanBytes: number
  readonly cleanableBytes: number
  /** Share of the cleanable bytes in all that a cleaning would read. */
  readonly dirtyRatio: number
  /** Something has been waiting for longer than `max.compaction.lag.ms`. */
  readonly overdue: boolean
  /** The last cleaning's end lies outside of the log, which was cut or deleted meanwhile: all of it counts as dirty. */
  readonly restarted: boolean
}

export function planCompaction(input: CompactionInput): CompactionPlan {
  const { segments, logStartOffset, logEndOffset, cleanedUpTo } = input
  const restarted = cleanedUpTo >= 0 && (cleanedUpTo < logStartOffset || cleanedUpTo > logEndOffset)
  const firstDirtyOffset = restarted || cleanedUpTo < 0 ? logStartOffset : cleanedUpTo
  const firstUncleanableOffset = segments[firstUncleanable(input, firstDirtyOffset)]?.baseOffset ?? firstDirtyOffset
  let cleanBytes = 0
  let cleanableBytes = 0
  const firstDirty = indexOfHolder(segments, firstDirtyOffset)
  for (const [index, segment] of segments.entries()) {
    if (segment.baseOffset < firstDirtyOffset) cleanBytes += segment.sizeBytes
    if (index >= firstDirty && segment.baseOffset < firstUncleanableOffset) cleanableBytes += segment.sizeBytes
  }
  return {
    firstDirtyOffset,
    firstUncleanableOffset,
    cleanBytes,
    cleanableBytes,
    dirtyRatio: cleanableBytes === 0 ? 0 : cleanableBytes / (cleanBytes + cleanableBytes),
    overdue: isOverdue(input, firstDirty),
    restarted,
  }
}

/** Whether the log should be cleaned now. */
export function isCompactionDue(plan: CompactionPlan, config: Pick<LogConfig, 'minCleanableDirtyRatio'>): boolean {
  if (plan.cleanableBytes === 0 || plan.firstUncleanableOffset <= plan.firstDirtyOffset) return false
  return plan.overdue || plan.dirtyRatio > config.minCleanableDirtyRatio
}

/**
 * Index of the first segment that must not be touched: the one that is written to, the one that holds the first offset that is not
 * stable, and those whose newest record is younger than `min.compaction.lag.ms`.
 */
function firstUncleanable(input: CompactionInput, firstDirtyOffset: number): number {
  const { segments, config, nowMs } = input
  const active = segments.length - 1
  let first = Math.min(active, indexOfHolder(segments, input.stableOffset))
  if (config.minCompactionLagMs <= 0) return first
  for (let index = indexOfHolder(segments, firstDirtyOffset); index < first; index++) {
    if (segments[index]!.largestTimestamp() > nowMs - config.minCompactionLagMs) first = index
  }
  return first
}

function isOverdue({ segments, config, nowMs }: CompactionInput, firstDirty: number): boolean {
  const { maxCompactionLagMs } = config
  if (maxCompactionLagMs >= Number.MAX_SAFE_INTEGER) return false
  for (let index = firstDirty; index < segments.length - 1; index++) {
    const timestamp = segments[index]!.firstTimestamp()
    if (timestamp > 0 && timestamp < nowMs - maxCompactionLagMs) return true
  }
  return false
}

/** Index of the last segment that begins at or below the offset; 0 if none does. */
function indexOfHolder(segments: readonly SegmentView[], offset: number): number {
  let index = segments.length - 1
  while (index > 0 && segments[index]!.baseOffset > offset) index--
  return index
}

/** What the grouping needs to know of a segment. */
export interface SegmentSizes {
  readonly baseOffset: number
  readonly sizeBytes: number
  readonly offsetIndexBytes: number
  readonly timeIndexBytes: number
}

/** Relative offsets in a segment's indexes have 31 bits. */
const WIDEST_SEGMENT = 2 ** 31 - 1

/**
 * Neighbours that become one segment: as many as fit into one by size, by size of their indexes and by their offsets, so that a log
 * that is cleaned again and again does not end as many small files.
 */
export function groupSegments<S extends SegmentSizes>(
  segments: readonly S[],
  endOffset: number,
  limits: Pick<LogConfig, 'segmentBytes' | 'segmentIndexBytes'>,
): S[][] {
  const groups: S[][] = []
  let group: S[] = []
  let total = { sizeBytes: 0, offsetIndexBytes: 0, timeIndexBytes: 0 }
  for (const [index, segment] of segments.entries()) {
    const next = {
      sizeBytes: total.sizeBytes + segment.sizeBytes,
      offsetIndexBytes: total.offsetIndexBytes + segment.offsetIndexBytes,
      timeIndexBytes: total.timeIndexBytes + segment.timeIndexBytes,
    }
    const lastOffset = (segments[index + 1]?.baseOffset ?? endOffset) - 1
    const fits =
      next.sizeBytes <= limits.segmentBytes &&
      next.offsetIndexBytes <= limits.segmentIndexBytes &&
      next.timeIndexBytes <= limits.segmentIndexBytes &&
      (segment.sizeBytes === 0 || lastOffset - (group[0]?.baseOffset ?? 0) <= WIDEST_SEGMENT)
    if (group.length > 0 && fits) {
      group.push(segment)
      total = next
    } else {
      group = [segment]
      groups.push(group)
      total = { ...segment }
    }
  }
  return groups
}
