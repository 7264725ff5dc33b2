// Synchronous walks over a segment's batches with large reads: recovery, rebuilding of indexes, finding the place to cut.
// For starts and rare repairs; what serves consumers is log-read.ts, which never waits for the device on the event loop.

import { ATTRIBUTES_OFFSET, CONTROL_BIT, CRC_OFFSET, CRC_START, MAGIC_V2 } from '../records/header.ts'
import type { BufferPool } from '../storage/buffer-pool.ts'
import { crc32cOf } from '../storage/crc32c.ts'
import type { DiskFile } from '../storage/disk.ts'
import { BatchCursor, isIntact } from './batch-cursor.ts'
import type { Segment } from './segment.ts'

const SCAN_BYTES = 1024 * 1024
/** Larger batches are checked piece by piece. A damaged length field can claim whatever is left of the file. */
const LARGEST_BUFFER_BYTES = 16 * 1024 * 1024
/** At least one header of any format. */
const HEADER_BYTES = 64

export interface WalkOptions {
  readonly pool: BufferPool
  /** Position of the batch to begin with, and the lowest offset it may have. */
  readonly position: number
  readonly nextOffset: number
  /** Where the segment's bytes end; by default its size. */
  readonly endPosition?: number
  /** Check every checksum. Otherwise only headers (and control batches) are read. */
  readonly verify: boolean
}

export interface WalkEnd {
  /** Where the walk stopped: the end of the last batch that was fine, or the batch the visitor stopped at. */
  readonly position: number
  readonly nextOffset: number
  /** What is wrong with the bytes at that position, or null. */
  readonly problem: string | null
}

/** Sees every batch in order; `at` is its place in the buffer, `position` in the file. True stops the walk before this batch. */
export type BatchVisitor = (cursor: BatchCursor, buffer: Buffer, at: number, position: number) => boolean

export function walkSegment(segment: Segment, options: WalkOptions, visit: BatchVisitor): WalkEnd {
  const { pool, verify } = options
  const endPosition = options.endPosition ?? segment.sizeBytes
  // Where the last segment ends is what a scan is to find out; but no segment holds more than its indexes can express.
  const endOffset = Math.min(
    segment.sealed ? segment.endOffset : Number.POSITIVE_INFINITY,
    segment.baseOffset + 2 ** 31,
  )
  const file = segment.file()
  const cursor = new BatchCursor()
  let position = options.position
  let nextOffset = options.nextOffset
  let buffer = pool.take(Math.min(SCAN_BYTES, Math.max(endPosition - position, HEADER_BYTES)))
  try {
    while (position < endPosition) {
      const count = file.readNow(buffer, 0, Math.min(buffer.length, endPosition - position), position)
      let at = 0
      while (cursor.load(buffer, at, count)) {
        const problem = cursor.problem(nextOffset, endPosition - position - at, endOffset)
        if (problem !== null) return end(position + at, problem)
        if (verify || isControlBatch(buffer, at, cursor.magic)) {
          const fits = at + cursor.sizeBytes <= count
          if (!fits && (at > 0 || cursor.sizeBytes <= LARGEST_BUFFER_BYTES)) break
          const intact = fits
            ? isIntact(buffer, at, cursor.sizeBytes, cursor.magic)
            : isIntactInFile(file, position, cursor.sizeBytes, cursor.magic)
          if (verify && !intact) return end(position + at, 'checksum mismatch')
        }
        if (visit(cursor, buffer, at, position + at)) return end(position + at, null)
        nextOffset = cursor.lastOffset + 1
        at += cursor.sizeBytes
      }
      if (at === 0) {
        // Nothing was taken: the batch is larger than the buffer, or there is less in the file than it was said to hold.
        if (count < HEADER_BYTES || count < buffer.length) return end(position, 'incomplete batch')
        const size = cursor.sizeBytes
        pool.give(buffer)
        buffer = pool.take(size)
      }
      position += at
    }
    return end(position, null)
  } finally {
    pool.give(buffer)
  }

  function end(stoppedAt: number, problem: string | null): WalkEnd {
    return { position: stoppedAt, nextOffset, problem }
  }
}

/** The checksum of a batch that is too large to be held in memory for it. */
function isIntactInFile(file: DiskFile, position: number, sizeBytes: number, magic: number): boolean {
  if (magic < MAGIC_V2) return false // single messages of that size do not exist
  const piece = Buffer.allocUnsafeSlow(SCAN_BYTES)
  let stored = 0
  let crc = 0
  for (let done = 0; done < sizeBytes; ) {
    const count = file.readNow(piece, 0, Math.min(piece.length, sizeBytes - done), position + done)
    if (count === 0) return false
    if (done === 0) stored = piece.readUInt32BE(CRC_OFFSET)
    crc = crc32cOf(piece, done === 0 ? CRC_START : 0, count, crc)
    done += count
  }
  return stored === crc
}

function isControlBatch(buffer: Buffer, at: number, magic: number): boolean {
  return magic === MAGIC_V2 && (buffer.readInt16BE(at + ATTRIBUTES_OFFSET) & CONTROL_BIT) !== 0
}

/** Position and base offset of the first batch that ends at or after the offset; the segment's end if there is none. */
export function locateNow(
  segment: Segment,
  offset: number,
  pool: BufferPool,
): { position: number; baseOffset: number } {
  segment.loadIndexes()
  const position = segment.offsetIndex.positionFor(offset)
  let baseOffset = segment.endOffset
  const found = walkSegment(segment, { pool, position, nextOffset: segment.baseOffset, verify: false }, (cursor) => {
    if (cursor.lastOffset < offset) return false
    baseOffset = cursor.baseOffset
    return true
  })
  return { position: found.position, baseOffset }
}

/** Makes the offset and time index anew from the segment's batches, exactly as appending them one by one would have. */
export function rebuildIndexes(segment: Segment, services: { readonly pool: BufferPool }): WalkEnd {
  segment.resetIndexes()
  const options = { pool: services.pool, position: 0, nextOffset: segment.baseOffset, verify: false }
  const end = walkSegment(segment, options, (cursor, _buffer, _at, position) => {
    segment.indexBatch(cursor.lastOffset, position, cursor.sizeBytes, cursor.maxTimestamp)
    return false
  })
  segment.closeTimeIndex()
  return end
}
