// Puts a segment that compaction has made in the place of those it was made of, so that a crash between any two steps leaves either the old
// ones or the new one (what a start does with what it finds is the table of left-over files in recovery-decisions.ts):
//
//   1. the new files are written and synced as `.cleaned`: a start removes them;
//   2. they are renamed to `.swap`, the .log first, and the folder is synced: while one is still `.cleaned` a start removes all of them,
//      afterwards it finishes the exchange;
//   3. the old files are renamed to `.deleted`, the new ones to their names, and the folder is synced.
//
// Step 3 and its part in the log's memory happen in one turn. Between 2 and 3 the log may be cut or closed; then the exchange is taken
// back, beginning with the one rename that makes it invalid.

import type { Disk } from '../storage/disk.ts'
import { DiskError } from '../storage/disk.ts'
import { CLEANED_SUFFIX, DELETED_SUFFIX, offsetFileName, SEGMENT_SUFFIXES, SWAP_SUFFIX } from './file-names.ts'
import type { Log } from './log.ts'
import type { Segment } from './segment.ts'
import type { LogServices } from './services.ts'

export class SegmentSwap {
  readonly #log: Log
  readonly #cleaned: Segment
  readonly #old: readonly Segment[]
  readonly #services: LogServices
  #stage: 'cleaned' | 'swap' | 'over' = 'cleaned'

  /** The cleaned segment's files have the suffix `.cleaned`. */
  constructor(log: Log, cleaned: Segment, old: readonly Segment[], services: LogServices) {
    this.#log = log
    this.#cleaned = cleaned
    this.#old = old
    this.#services = services
  }

  /** Step 2: the files are complete and on the device. */
  async publish(): Promise<void> {
    const { disk } = this.#services
    this.#cleaned.close()
    // From the first rename on there may be files of both names; `discard` looks for both.
    this.#stage = 'swap'
    for (const name of this.#names()) {
      const from = name + CLEANED_SUFFIX
      if (disk.exists(from)) disk.rename(from, name + SWAP_SUFFIX)
    }
    await this.#syncFolder()
  }

  /** Step 3, up to the sync. */
  exchange(): void {
    const { disk, removeLater, clock } = this.#services
    const renames: Rename[] = []
    const deleted: string[] = []
    for (const segment of this.#old) {
      for (const suffix of SEGMENT_SUFFIXES) {
        const path = segment.filePath(suffix)
        if (!disk.exists(path)) continue
        renames.push([path, path + DELETED_SUFFIX])
        deleted.push(path + DELETED_SUFFIX)
      }
    }
    for (const name of this.#names()) {
      if (disk.exists(name + SWAP_SUFFIX)) renames.push([name + SWAP_SUFFIX, name])
    }
    renameAll(disk, renames)
    this.#stage = 'over'
    this.#log.replaceSegments(this.#old, this.#replacement(clock.now()))
    for (const path of deleted) removeLater(path, this.#log.config.fileDeleteDelayMs)
  }

  /** Step 3, the rest: now the old ones cannot come back. */
  syncExchange(): Promise<void> {
    return this.#syncFolder()
  }

  /** Takes everything back; for any time before the exchange. */
  discard(): void {
    if (this.#stage === 'over') return
    const { disk, logger } = this.#services
    const names = this.#names()
    const logName = names[0]!
    try {
      this.#cleaned.close()
      if (this.#stage === 'swap' && disk.exists(logName + SWAP_SUFFIX)) {
        disk.rename(logName + SWAP_SUFFIX, logName + CLEANED_SUFFIX)
      }
      for (const name of names) disk.remove(name + SWAP_SUFFIX)
      for (const name of names.toReversed()) disk.remove(name + CLEANED_SUFFIX)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      const fields = { file: error.path, reason: error.message }
      logger.warn('Cannot remove unfinished output of compaction; the next start tries again', fields)
    }
    this.#stage = 'over'
  }

  /** Paths of the segment's files as they will be in the end, the .log first. */
  #names(): string[] {
    const { directory } = this.#log
    return SEGMENT_SUFFIXES.map((suffix) => `${directory}/${offsetFileName(this.#cleaned.baseOffset, suffix)}`)
  }

  #replacement(nowMs: number): Segment {
    const cleaned = this.#cleaned
    const segment = this.#log.newSegment(cleaned.baseOffset, nowMs)
    segment.sealed = true
    segment.sizeBytes = cleaned.sizeBytes
    segment.syncedBytes = cleaned.sizeBytes
    segment.endOffset = this.#log.segments.upperBound(this.#old.at(-1)!)
    segment.maxTimestamp = cleaned.maxTimestamp
    segment.offsetOfMaxTimestamp = cleaned.offsetOfMaxTimestamp
    segment.firstTimestamp = cleaned.firstTimestamp
    segment.offsetIndexBytes = cleaned.offsetIndex.file.length
    segment.timeIndexBytes = cleaned.timeIndex.file.length
    return segment
  }

  async #syncFolder(): Promise<void> {
    const { disk, durability } = this.#services
    if (durability !== 'memory') await disk.syncDirectoryLater(this.#log.directory)
  }
}

type Rename = readonly [from: string, to: string]

/** All of them or, if the disk refuses one, none. */
function renameAll(disk: Disk, renames: readonly Rename[]): void {
  let done = 0
  try {
    for (const [from, to] of renames) {
      disk.rename(from, to)
      done++
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    for (const [from, to] of renames.slice(0, done).toReversed()) disk.rename(to, from)
    throw error
  }
}
