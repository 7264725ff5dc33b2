// Tidies a partition's folder before it is loaded: what an interrupted deletion, compaction or small write has left.

import type { BufferPool } from '../storage/buffer-pool.ts'
import type { Disk } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import { BatchCursor } from './batch-cursor.ts'
import {
  CLEANED_SUFFIX,
  DELETED_SUFFIX,
  LOG_SUFFIX,
  offsetInName,
  SEGMENT_SUFFIXES,
  SWAP_SUFFIX,
} from './file-names.ts'
import { decide, FILE_TABLE, type FileSituation } from './recovery-decisions.ts'

const TEMPORARY_SUFFIX = '.tmp'
const HEADER_BYTES = 64

interface Services {
  readonly disk: Disk
  readonly logger: Logger
  readonly pool: BufferPool
}

/** The offset in a segment's or index's name, after `ending` was taken off; null for other names. */
function baseOffsetIn(name: string, ending = ''): number | null {
  if (!name.endsWith(ending)) return null
  const plain = ending === '' ? name : name.slice(0, -ending.length)
  for (const suffix of SEGMENT_SUFFIXES) {
    const offset = offsetInName(plain, suffix)
    if (offset !== null) return offset
  }
  return null
}

function kindOf(name: string): FileSituation['kind'] {
  if (name.endsWith(DELETED_SUFFIX)) return name.endsWith(`.checkpoint${DELETED_SUFFIX}`) ? 'other' : 'deleted'
  if (name.endsWith(CLEANED_SUFFIX)) return 'cleaned'
  if (baseOffsetIn(name, SWAP_SUFFIX) !== null) return 'swap'
  if (name.endsWith(TEMPORARY_SUFFIX)) return 'temporary'
  if (baseOffsetIn(name) === null) return 'other'
  return name.endsWith(LOG_SUFFIX) ? 'segment' : 'index'
}

/** Applies the table of left-over files to the folder and returns the names it holds afterwards. */
export function tidyFolder(directory: string, names: readonly string[], services: Services): string[] {
  const { disk } = services
  const present = new Set(names)
  const kinds = new Map(names.map((name) => [name, kindOf(name)]))
  let lowestCleaned = Number.POSITIVE_INFINITY
  for (const [name, kind] of kinds) {
    if (kind === 'cleaned') lowestCleaned = Math.min(lowestCleaned, baseOffsetIn(name, CLEANED_SUFFIX) ?? lowestCleaned)
  }
  const swaps: string[] = []
  for (const [name, kind] of kinds) {
    const base = kind === 'swap' ? baseOffsetIn(name, SWAP_SUFFIX) : baseOffsetIn(name)
    const digits = name.slice(0, 20)
    const logName = digits + LOG_SUFFIX + (kind === 'swap' ? SWAP_SUFFIX : '')
    const situation: FileSituation = {
      kind,
      log: present.has(logName) || (kind === 'index' && present.has(logName + SWAP_SUFFIX)) ? 'there' : 'missing',
      unfinishedRound: base !== null && base >= lowestCleaned,
    }
    const row = decide(FILE_TABLE, situation)
    if (row.action === 'keep') continue
    if (row.action === 'finish swap') {
      swaps.push(name)
      continue
    }
    services.logger.info('Removing a left-over file', { file: `${directory}/${name}`, reason: row.name })
    disk.remove(`${directory}/${name}`)
    present.delete(name)
  }
  if (swaps.length > 0) finishSwap(directory, swaps, present, services)
  return [...present]
}

/** Complete compaction output takes the place of every segment it was made of. */
function finishSwap(directory: string, swaps: readonly string[], present: Set<string>, services: Services): void {
  const { disk } = services
  let from = Number.POSITIVE_INFINITY
  let to = Number.NEGATIVE_INFINITY
  for (const name of swaps) {
    if (!name.endsWith(LOG_SUFFIX + SWAP_SUFFIX)) continue
    const base = baseOffsetIn(name, SWAP_SUFFIX) ?? 0
    from = Math.min(from, base)
    // Output without a batch replaces at least the segment whose name it takes.
    to = Math.max(to, base + 1, endOffsetOf(`${directory}/${name}`, base, services))
  }
  for (const name of present) {
    const base = baseOffsetIn(name)
    if (base === null || base < from || base >= to) continue
    services.logger.info('Removing a file that compaction has replaced', { file: `${directory}/${name}` })
    disk.remove(`${directory}/${name}`)
    present.delete(name)
  }
  for (const name of swaps) {
    const final = name.slice(0, -SWAP_SUFFIX.length)
    disk.rename(`${directory}/${name}`, `${directory}/${final}`)
    present.delete(name)
    present.add(final)
  }
  disk.syncDirectory(directory)
}

/** Offset after the last whole batch in the file; the base offset of an empty one. */
function endOffsetOf(path: string, baseOffset: number, services: Services): number {
  const file = services.disk.open(path)
  const header = Buffer.alloc(HEADER_BYTES)
  const cursor = new BatchCursor()
  let end = baseOffset
  try {
    for (let position = 0; position < file.sizeBytes; position += cursor.sizeBytes) {
      const count = file.readNow(header, 0, HEADER_BYTES, position)
      if (!cursor.load(header, 0, count) || cursor.problem(end, file.sizeBytes - position) !== null) break
      end = cursor.lastOffset + 1
    }
  } finally {
    file.close()
  }
  return end
}
