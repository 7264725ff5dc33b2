// A log's segments in order of base offset. Never empty once the log is open; the last one is the one written to.

import type { Segment } from './segment.ts'

export class SegmentList {
  #segments: Segment[] = []

  get all(): readonly Segment[] {
    return this.#segments
  }

  get count(): number {
    return this.#segments.length
  }

  get first(): Segment {
    return this.#segments[0]!
  }

  get active(): Segment {
    return this.#segments[this.#segments.length - 1]!
  }

  get sizeBytes(): number {
    let total = 0
    for (const segment of this.#segments) total += segment.sizeBytes
    return total
  }

  /** Adds one above all others. */
  push(segment: Segment): void {
    if (this.#segments.length > 0 && segment.baseOffset <= this.active.baseOffset) {
      throw new Error(`segment ${segment.baseOffset} is not above ${this.active.baseOffset} in ${segment.directory}`)
    }
    this.#segments.push(segment)
  }

  replaceAll(segments: Segment[]): void {
    this.#segments = segments
  }

  /** Takes the given ones out. */
  remove(gone: ReadonlySet<Segment>): void {
    this.#segments = this.#segments.filter((segment) => !gone.has(segment))
  }

  /** One takes the place of neighbours, the first of which has the same base. */
  replace(old: ReadonlySet<Segment>, replacement: Segment): void {
    this.#segments = this.#segments.flatMap((segment) => {
      if (!old.has(segment)) return segment
      return segment.baseOffset === replacement.baseOffset ? replacement : []
    })
  }

  /** The segment that holds the offset if any does: the last one that begins at or below it. */
  floor(offset: number): Segment | null {
    const segments = this.#segments
    if (segments.length > 0 && this.active.baseOffset <= offset) return this.active
    let low = 0
    let high = segments.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (segments[middle]!.baseOffset <= offset) low = middle + 1
      else high = middle - 1
    }
    return segments[high] ?? null
  }

  after(segment: Segment): Segment | null {
    const index = this.#segments.indexOf(segment)
    return index < 0 ? null : (this.#segments[index + 1] ?? null)
  }

  /** Offset after the segment's last possible one. */
  upperBound(segment: Segment): number {
    return this.after(segment)?.baseOffset ?? segment.endOffset
  }
}
