// Which of a log's oldest segments have served their time. A decision only: the log does the deleting.

import type { LogConfig } from './types.ts'

/** What the decision needs to know of a segment. */
export interface SegmentAge {
  readonly sizeBytes: number
  /** Offset after the last one it can hold. */
  readonly upperBound: number
  readonly isActive: boolean
  /** Asked only if it matters: it may have to look at the file. */
  largestTimestamp(): number
}

export interface RetentionInput {
  /** Oldest first. */
  readonly segments: readonly SegmentAge[]
  readonly logStartOffset: number
  readonly highWatermark: number
  readonly config: Pick<LogConfig, 'cleanupPolicy' | 'retentionBytes' | 'retentionMs'>
  readonly nowMs: number
}

export interface RetentionDecision {
  /** So many of the oldest segments go. */
  readonly count: number
  readonly reason: 'log start offset' | 'retention.bytes' | 'retention.ms' | null
}

/**
 * The three rules one after the other, each on what the one before has left. A segment goes only if it is the oldest remaining and the
 * high watermark has reached its end; the first one that stays ends the walk.
 */
export function segmentsToDelete(input: RetentionInput): RetentionDecision[] {
  const decisions: RetentionDecision[] = []
  let gone = 0
  const apply = (reason: RetentionDecision['reason'], expired: (segment: SegmentAge) => boolean) => {
    let count = 0
    for (const segment of input.segments.slice(gone)) {
      if (input.highWatermark < segment.upperBound || !expired(segment)) break
      count++
    }
    if (count > 0) decisions.push({ count, reason })
    gone += count
  }
  apply('log start offset', (segment) => !segment.isActive && segment.upperBound <= input.logStartOffset)
  if (!input.config.cleanupPolicy.delete) return decisions
  const { retentionBytes, retentionMs } = input.config
  if (retentionBytes >= 0) {
    let excess = -retentionBytes
    for (const segment of input.segments.slice(gone)) excess += segment.sizeBytes
    apply('retention.bytes', (segment) => {
      if (segment.sizeBytes === 0 && segment.isActive) return false
      if (excess < segment.sizeBytes) return false
      excess -= segment.sizeBytes
      return true
    })
  }
  if (retentionMs >= 0) {
    apply('retention.ms', (segment) => {
      if (segment.sizeBytes === 0 && segment.isActive) return false
      return input.nowMs - segment.largestTimestamp() > retentionMs
    })
  }
  return decisions
}
