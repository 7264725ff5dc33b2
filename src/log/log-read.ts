// The reading half of a log: finds batches by offset and reads them as they are.
//
// A read is a sequence of steps, each asking for some bytes of a file. As long as they are in memory the steps run at once; from the
// first one that would wait for the device on, they run on the thread pool and the caller gets a promise. The steps themselves do
// not know the difference; they are a generator. Between two steps the log may have been cut or segments may have gone: the log's
// `cuts` counter tells, and the read begins again.

import { ErrorCode } from '../protocol/errors.ts'
import type { BufferPool } from '../storage/buffer-pool.ts'
import { DiskError, type DiskFile } from '../storage/disk.ts'
import { BatchCursor } from './batch-cursor.ts'
import { FileRange } from './file-range.ts'
import type { Log } from './log.ts'
import type { Segment } from './segment.ts'
import type { LogServices } from './services.ts'
import type { ReadOptions, ReadResult } from './types.ts'

/** Read at a time while looking for a batch from an index position on. */
const LOCATE_BYTES = 16 * 1024
/** At least one batch header. */
const HEADER_BYTES = 64
/** Most bytes one read returns, unless a single batch is larger. */
const LARGEST_READ_BYTES = 16 * 1024 * 1024
const REMEMBERED_PLACES = 8
/** From here on a reader may get a range of the file: below, reading and copying costs less than the extra system calls. */
const FILE_RANGE_BYTES_MIN = 64 * 1024

const NO_BYTES = Buffer.alloc(0)

/** Corrupt or unreadable data. Carries where, for the log line; the reader gets KAFKA_STORAGE_ERROR. */
export class LogDamage extends Error {
  readonly errorCode = ErrorCode.KAFKA_STORAGE_ERROR
  readonly file: string
  readonly position: number

  constructor(file: string, position: number, reason: string) {
    super(`${file} at position ${position}: ${reason}`)
    this.name = 'LogDamage'
    this.file = file
    this.position = position
  }
}

/** A step's request: so many bytes at the position into the start of the buffer. The answer is how many there were. */
export interface ReadStep {
  readonly segment: Segment
  readonly buffer: Buffer
  readonly length: number
  readonly position: number
}

export type ReadSteps<T> = Generator<ReadStep, T, number>

/** Runs the steps: at once while the bytes are in memory, otherwise as a promise. */
export function runSteps<T>(steps: ReadSteps<T>): T | Promise<T> {
  let next = steps.next()
  while (next.done !== true) {
    const step = next.value
    let file: DiskFile
    let count: number
    try {
      file = step.segment.file()
      count = file.readHot(step.buffer, 0, step.length, step.position)
    } catch (error) {
      next = steps.throw(error)
      continue
    }
    const have = Math.max(count, 0)
    if (count < step.length && step.position + have < file.sizeBytes) return finishLater(steps, file, step, have)
    next = steps.next(have)
  }
  return next.value
}

async function finishLater<T>(steps: ReadSteps<T>, file: DiskFile, step: ReadStep, have: number): Promise<T> {
  let next = await readStep(steps, file, step, have)
  while (next.done !== true) next = await readStep(steps, null, next.value, 0)
  return next.value
}

async function readStep<T>(
  steps: ReadSteps<T>,
  file: DiskFile | null,
  step: ReadStep,
  have: number,
): Promise<IteratorResult<ReadStep, T>> {
  let count: number
  try {
    const from = file ?? step.segment.file()
    count = have + (await from.read(step.buffer, have, step.length - have, step.position + have))
  } catch (error) {
    return steps.throw(error)
  }
  return steps.next(count)
}

class Batches implements ReadResult {
  readonly file = null
  readonly errorCode: ErrorCode
  readonly data: Buffer
  readonly startOffset: number
  readonly nextOffset: number
  readonly #pool: BufferPool | null
  #buffer: Buffer | null

  constructor(
    errorCode: ErrorCode,
    startOffset: number,
    nextOffset: number,
    data: Buffer,
    buffer: Buffer | null,
    pool: BufferPool | null,
  ) {
    this.errorCode = errorCode
    this.startOffset = startOffset
    this.nextOffset = nextOffset
    this.data = data
    this.#buffer = buffer
    this.#pool = pool
  }

  get sizeBytes(): number {
    return this.data.length
  }

  release(): void {
    const buffer = this.#buffer
    if (buffer === null) return
    this.#buffer = null
    this.#pool?.give(buffer)
  }
}

class BatchesInFile implements ReadResult {
  readonly errorCode = ErrorCode.NONE
  readonly data = NO_BYTES
  readonly startOffset: number
  readonly nextOffset: number
  #file: FileRange | null

  constructor(startOffset: number, nextOffset: number, file: FileRange) {
    this.startOffset = startOffset
    this.nextOffset = nextOffset
    this.#file = file
  }

  get file(): FileRange | null {
    return this.#file
  }

  get sizeBytes(): number {
    return this.#file?.storedBytes ?? 0
  }

  release(): void {
    this.#file?.release()
    this.#file = null
  }
}

function nothing(errorCode: ErrorCode, offset: number): ReadResult {
  return new Batches(errorCode, offset, offset, NO_BYTES, null, null)
}

interface Place {
  readonly offset: number
  readonly segment: Segment
  readonly position: number
}

export class LogReader {
  readonly #log: Log
  #services: LogServices
  /** Where recent reads ended: a consumer that reads on is found without the index. */
  readonly #places: Place[] = []
  #oldestPlace = 0

  constructor(log: Log, services: LogServices) {
    this.#log = log
    this.#services = services
  }

  read(fetchOffset: number, options: ReadOptions): ReadResult | Promise<ReadResult> {
    const log = this.#log
    if (fetchOffset < log.logStartOffset || fetchOffset > log.logEndOffset)
      return nothing(ErrorCode.OFFSET_OUT_OF_RANGE, fetchOffset)
    const bound = Math.min(options.upTo, log.writtenOffset)
    if (fetchOffset >= bound) return nothing(ErrorCode.NONE, fetchOffset)
    try {
      const result = runSteps(this.#readSteps(fetchOffset, bound, options))
      return result instanceof Promise ? result.catch((error) => this.#failed(error, fetchOffset)) : result
    } catch (error) {
      return this.#failed(error, fetchOffset)
    }
  }

  #failed(error: unknown, fetchOffset: number): ReadResult {
    if (!(error instanceof LogDamage) && !(error instanceof DiskError)) throw error
    this.#log.reportDamage(error)
    return nothing(ErrorCode.KAFKA_STORAGE_ERROR, fetchOffset)
  }

  /** The log lies in another folder from now on. */
  useServices(services: LogServices): void {
    this.#services = services
  }

  /** The log was cut or segments went: remembered places may be wrong. */
  forgetPlaces(): void {
    this.#places.length = 0
    this.#oldestPlace = 0
  }

  *#readSteps(fetchOffset: number, bound: number, options: ReadOptions): ReadSteps<ReadResult> {
    for (;;) {
      const { cuts } = this.#log
      try {
        const result = yield* this.#readOnce(fetchOffset, bound, options)
        if (cuts === this.#log.cuts) return result
        result.release()
      } catch (error) {
        if (cuts === this.#log.cuts) throw error
      }
      // The log was cut meanwhile: what was read, or found missing, says nothing.
      const log = this.#log
      if (fetchOffset < log.logStartOffset || fetchOffset > log.logEndOffset)
        return nothing(ErrorCode.OFFSET_OUT_OF_RANGE, fetchOffset)
      if (log.closed || fetchOffset >= log.writtenOffset) return nothing(ErrorCode.NONE, fetchOffset)
    }
  }

  *#readOnce(fetchOffset: number, bound: number, options: ReadOptions): ReadSteps<ReadResult> {
    const { segments, cuts } = this.#log
    let segment = segments.floor(fetchOffset)
    let position = this.#recall(fetchOffset, segment)
    while (segment !== null) {
      if (position < 0) position = yield* this.locate(segment, fetchOffset)
      if (cuts !== this.#log.cuts) return nothing(ErrorCode.NONE, fetchOffset)
      if (position < segment.sizeBytes) {
        const range = options.asFile === true ? yield* this.#rangeAt(segment, position, bound, options) : null
        return range ?? (yield* this.#readAt(segment, position, fetchOffset, bound, options))
      }
      // Nothing at or after the offset here: compaction has left a gap at the segment's end.
      segment = segments.after(segment)
      position = 0
    }
    return nothing(ErrorCode.NONE, fetchOffset)
  }

  /** Position of the first batch that ends at or after the offset; the segment's size if there is none. */
  *locate(segment: Segment, offset: number): ReadSteps<number> {
    const { pool } = this.#services
    segment.loadIndexes()
    let position = segment.offsetIndex.positionFor(offset)
    let expected = segment.baseOffset
    const cursor = new BatchCursor()
    const buffer = pool.take(LOCATE_BYTES)
    try {
      while (position < segment.sizeBytes) {
        const count = yield { segment, buffer, length: Math.min(buffer.length, segment.sizeBytes - position), position }
        let at = 0
        while (cursor.load(buffer, at, count)) {
          const problem = cursor.problem(expected, segment.sizeBytes - position - at, segment.endOffset)
          if (problem !== null) throw new LogDamage(segment.path, position + at, problem)
          if (cursor.lastOffset >= offset) return position + at
          expected = cursor.lastOffset + 1
          at += cursor.sizeBytes
        }
        if (at === 0) throw new LogDamage(segment.path, position, 'incomplete batch')
        position += at
      }
      return segment.sizeBytes
    } finally {
      pool.give(buffer)
    }
  }

  /**
   * The same bytes that `#readAt` would read, to be sent from the file. Batches are not looked at except for the first; the offset index
   * knows where others begin. Null where that does not work: little data, a bound inside the segment, a sparse index.
   */
  *#rangeAt(segment: Segment, position: number, bound: number, options: ReadOptions): ReadSteps<ReadResult | null> {
    const { pool } = this.#services
    const { segments, cuts } = this.#log
    const available = segment.sizeBytes - position
    const wanted = Math.min(options.maxBytes, available)
    const endOffset = segments.upperBound(segment)
    if (wanted < FILE_RANGE_BYTES_MIN || endOffset > bound) return null
    const header = pool.take(HEADER_BYTES)
    const cursor = new BatchCursor()
    try {
      const count = yield { segment, buffer: header, length: Math.min(HEADER_BYTES, available), position }
      // What is wrong with the batch is found out, and said, where it is read.
      if (!cursor.load(header, 0, count) || cursor.problem(segment.baseOffset, available, segment.endOffset) !== null)
        return null
    } finally {
      pool.give(header)
    }
    if (cuts !== this.#log.cuts || cursor.sizeBytes > wanted) return null
    segment.loadIndexes()
    const limit = position + wanted
    const isToTheEnd = wanted === available
    const end = isToTheEnd ? limit : segment.offsetIndex.lastPositionUpTo(limit)
    if (end - position < Math.max(FILE_RANGE_BYTES_MIN, wanted / 2)) return null
    const nextOffset = isToTheEnd ? endOffset : cursor.lastOffset + 1
    return new BatchesInFile(cursor.baseOffset, nextOffset, new FileRange(segment.file(), position, end - position))
  }

  *#readAt(
    segment: Segment,
    position: number,
    fetchOffset: number,
    bound: number,
    options: ReadOptions,
  ): ReadSteps<ReadResult> {
    const { pool } = this.#services
    const available = segment.sizeBytes - position
    let length = Math.min(Math.max(options.maxBytes, HEADER_BYTES), LARGEST_READ_BYTES, available)
    let buffer = pool.take(length)
    try {
      const cursor = new BatchCursor()
      let count = yield { segment, buffer, length, position }
      if (!cursor.load(buffer, 0, count)) throw new LogDamage(segment.path, position, 'incomplete batch')
      const problem = cursor.problem(segment.baseOffset, available, segment.endOffset)
      if (problem !== null) throw new LogDamage(segment.path, position, problem)
      if (cursor.lastOffset < fetchOffset) {
        throw new LogDamage(segment.path, position, `offset ${cursor.lastOffset} where ${fetchOffset} should be`)
      }
      if (cursor.sizeBytes > options.maxBytes && !options.atLeastOne) return this.#nothingIn(buffer, fetchOffset)
      if (cursor.sizeBytes > length) {
        length = cursor.sizeBytes
        const larger = pool.take(length)
        pool.give(buffer)
        buffer = larger
        count = yield { segment, buffer, length, position }
        if (count < length)
          throw new LogDamage(segment.path, position, `only ${count} bytes of a batch of ${length} are there`)
      }
      return this.#result(segment, position, buffer, count, fetchOffset, bound, cursor)
    } catch (error) {
      pool.give(buffer)
      throw error
    }
  }

  #nothingIn(buffer: Buffer, fetchOffset: number): ReadResult {
    this.#services.pool.give(buffer)
    return nothing(ErrorCode.NONE, fetchOffset)
  }

  /** The whole batches in the buffer that lie below the bound. */
  #result(
    segment: Segment,
    position: number,
    buffer: Buffer,
    count: number,
    fetchOffset: number,
    bound: number,
    cursor: BatchCursor,
  ): ReadResult {
    let end = 0
    let nextOffset = segment.baseOffset
    let startOffset = fetchOffset
    while (cursor.load(buffer, end, count)) {
      const problem = cursor.problem(nextOffset, segment.sizeBytes - position - end, segment.endOffset)
      if (problem !== null) {
        // What came before is good; the next read, which begins here, gets the error.
        if (end > 0) break
        throw new LogDamage(segment.path, position + end, problem)
      }
      if (end + cursor.sizeBytes > count || cursor.lastOffset >= bound) break
      if (end === 0) startOffset = cursor.baseOffset
      end += cursor.sizeBytes
      nextOffset = cursor.lastOffset + 1
    }
    if (end === 0) return this.#nothingIn(buffer, fetchOffset)
    this.#remember(nextOffset, segment, position + end)
    return new Batches(ErrorCode.NONE, startOffset, nextOffset, buffer.subarray(0, end), buffer, this.#services.pool)
  }

  #recall(offset: number, segment: Segment | null): number {
    for (const place of this.#places) {
      if (place.offset === offset && place.segment === segment) return place.position
    }
    return segment !== null && segment.baseOffset === offset ? 0 : -1
  }

  #remember(offset: number, segment: Segment, position: number): void {
    for (const place of this.#places) if (place.offset === offset && place.segment === segment) return
    const place = { offset, segment, position }
    if (this.#places.length < REMEMBERED_PLACES) {
      this.#places.push(place)
      return
    }
    this.#places[this.#oldestPlace] = place
    this.#oldestPlace = (this.#oldestPlace + 1) % REMEMBERED_PLACES
  }
}
