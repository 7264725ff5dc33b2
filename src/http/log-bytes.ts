/**
 * Bytes of log files on their way out: one segment, or a partition from segment to segment. Read on the thread pool a piece at a time,
 * never on the event loop, whether they are in memory or not.
 *
 * What must hold: never a byte that was not promised. The file of a segment is held from its first byte to its last, so that one that is
 * deleted meanwhile still ends as it began; a segment that went before its turn came ends the body short, which closes the connection.
 */
import type { Log } from '../log/log.ts'
import type { Segment } from '../log/segment.ts'
import { isCurrent } from '../log/segment-view.ts'
import type { DiskFile } from '../storage/disk.ts'
import type { ByteSource } from './reply.ts'

/** Part of a segment's file; `end` is exclusive. */
export interface SegmentPart {
  readonly segment: Segment
  readonly start: number
  readonly end: number
}

/** The promised bytes are not there any more. */
export class BytesGone extends Error {
  override readonly name = 'BytesGone'
}

export class LogBytes implements ByteSource {
  readonly sizeBytes: number
  readonly #log: Log
  readonly #parts: readonly SegmentPart[]
  #index = 0
  #position: number
  #file: DiskFile | null = null

  /** The first part's file is held at once: the segment is known to be there now. */
  constructor(log: Log, parts: readonly SegmentPart[]) {
    this.#log = log
    this.#parts = parts.filter(({ start, end }) => start < end)
    this.sizeBytes = this.#parts.reduce((sum, { start, end }) => sum + end - start, 0)
    const first = this.#parts[0]
    this.#position = first?.start ?? 0
    if (first !== undefined) this.#file = this.#hold(first.segment)
  }

  async next(mostBytes: number): Promise<Buffer> {
    const part = this.#parts[this.#index]
    if (part === undefined) throw new Error('everything was read already')
    this.#file ??= this.#hold(part.segment)
    const file = this.#file
    const length = Math.min(mostBytes, part.end - this.#position)
    // A fresh buffer: the socket may keep what it did not take at once.
    const buffer = Buffer.allocUnsafeSlow(length)
    const count = await file.read(buffer, 0, length, this.#position)
    if (count < length) throw new BytesGone(`${file.path} ends at position ${this.#position + count}`)
    this.#position += length
    if (this.#position === part.end) this.#toNextPart()
    return buffer
  }

  release(): void {
    this.#file?.letGo()
    this.#file = null
    this.#index = this.#parts.length
  }

  #hold(segment: Segment): DiskFile {
    if (!isCurrent(this.#log, segment)) throw new BytesGone(`${segment.path} was deleted or replaced`)
    const file = segment.file()
    file.hold()
    return file
  }

  #toNextPart(): void {
    this.#file?.letGo()
    this.#file = null
    this.#index++
    this.#position = this.#parts[this.#index]?.start ?? 0
  }
}
