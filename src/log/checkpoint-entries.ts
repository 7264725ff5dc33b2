// What the checkpoint files of a data folder say of the logs in it. Pure: the LogManager gives the logs and writes the files.

import type { OffsetEntry } from './checkpoints.ts'
import type { Log } from './log.ts'
import { CLEANED_OFFSETS_FILE, HIGH_WATERMARKS_FILE, LOG_STARTS_FILE, RECOVERY_POINTS_FILE } from './log-directory.ts'

/** Each file, and what is in it at the time of asking: what was asked for earlier may be older than what `deleteRecords` has written since. */
export const CHECKPOINT_FILES: readonly (readonly [
  file: string,
  entriesNow: (logs: readonly Log[]) => OffsetEntry[],
])[] = [
  [RECOVERY_POINTS_FILE, (logs) => entriesOf(logs, (log) => log.recoveryPointToSave())],
  [LOG_STARTS_FILE, logStartEntries],
  [HIGH_WATERMARKS_FILE, (logs) => entriesOf(logs, (log) => log.highWatermark)],
  [CLEANED_OFFSETS_FILE, (logs) => entriesOf(logs, (log) => log.cleanedUpTo).filter(({ offset }) => offset >= 0)],
]

/**
 * Only starts inside a segment are worth a line, the others are in the first segment's name; unless older segments could come
 * back: by a power loss, or because the disk refused to remove them.
 */
export function logStartEntries(logs: readonly Log[]): OffsetEntry[] {
  const entries: OffsetEntry[] = []
  for (const log of logs) {
    const { topic, partition, logStartOffset } = log
    const areGone = log.removals === log.syncedRemovals && !log.removalFailed
    if (logStartOffset <= log.segments.first.baseOffset && areGone) continue
    entries.push({ topic, partition, offset: logStartOffset })
  }
  return entries
}

function entriesOf(logs: readonly Log[], offsetOf: (log: Log) => number): OffsetEntry[] {
  return logs.map((log) => ({ topic: log.topic, partition: log.partition, offset: offsetOf(log) }))
}
