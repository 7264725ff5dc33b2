/**
 * Which records of what was read a member gets. In order: what is free among the records in flight, and then what nobody has seen, up to the
 * number that the member wants. Whole batches of the log are handed out if they can be, so that nobody has to be asked for half of one;
 * in strict mode the number is never exceeded.
 *
 * Records that were delivered often come in small portions: from half of the allowed deliveries on ever fewer of a batch at a time, and the
 * last delivery alone. A record that kills its consumer then takes few others with it.
 */
import { InFlightBatch } from './in-flight-batch.ts'
import { acquired, clipped, freshRun, isFree, type Lock, type Run } from './record-states.ts'

/** A batch of the log. */
export interface LogBatch {
  readonly baseOffset: number
  readonly lastOffset: number
}

export interface AcquireInput extends Lock {
  /** Where was read from. */
  readonly fetchOffset: number
  /** What was read, in order; not empty. */
  readonly data: readonly LogBatch[]
  /** Of `data`, what transactions took back: nobody gets it. */
  readonly aborted: readonly LogBatch[]
  readonly recordsMax: number
  /** Where new records are cut into batches, at the next border of a batch of the log. */
  readonly batchSize: number
  /** The number is never exceeded. */
  readonly isStrict: boolean
  readonly deliveryLimit: number
  readonly inFlightMax: number
}

export interface AcquiredRange {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly deliveryCount: number
}

/** With fewer allowed deliveries nothing is held back. */
const THROTTLED_LIMIT_MIN = 2

export class Acquisition {
  readonly #batches: InFlightBatch[]
  readonly #input: AcquireInput
  readonly #startOffset: number
  #endOffset: number
  readonly #ranges: AcquiredRange[] = []
  #count = 0
  #max: number
  #lastOffset: number
  readonly #throttledFrom: number

  constructor(
    batches: InFlightBatch[],
    input: AcquireInput,
    { startOffset, endOffset }: { readonly startOffset: number; readonly endOffset: number },
  ) {
    this.#batches = batches
    this.#input = input
    this.#startOffset = startOffset
    this.#endOffset = endOffset
    this.#throttledFrom = Math.max(THROTTLED_LIMIT_MIN, Math.ceil(input.deliveryLimit / 2))
    this.#lastOffset = input.data.at(-1)!.lastOffset
    this.#max = Math.min(input.recordsMax, input.inFlightMax - (endOffset - startOffset))
    if (this.#max <= 0 && input.fetchOffset < endOffset) {
      // No room for more, but what is in flight may be handed out again.
      this.#max = Math.min(input.recordsMax, endOffset - input.fetchOffset)
      this.#lastOffset = Math.min(this.#lastOffset, endOffset - 1)
    }
  }

  run(): { readonly ranges: AcquiredRange[]; readonly endOffset: number } {
    if (this.#max > 0) this.#acquireAll()
    this.#archiveAborted()
    return { ranges: this.#withoutAborted(), endOffset: this.#endOffset }
  }

  get #isFull(): boolean {
    return this.#count >= this.#max
  }

  #acquireAll(): void {
    const firstOffset = Math.max(this.#input.data[0]!.baseOffset, this.#startOffset)
    let offset = firstOffset
    // Copied: what is new goes in between.
    const known = this.#batches.filter(
      (batch) => batch.lastOffset >= firstOffset && batch.firstOffset <= this.#lastOffset,
    )
    for (const batch of known) {
      if (this.#isFull) return
      if (batch.firstOffset > offset) {
        this.#acquireNew(offset, batch.firstOffset - 1, batch.firstOffset - 1)
        if (this.#isFull) return
      }
      if (!this.#acquireKnown(batch, firstOffset)) return
      offset = Math.max(offset, batch.lastOffset + 1)
    }
    if (!this.#isFull && offset <= this.#lastOffset)
      this.#acquireNew(offset, this.#lastOffset, Number.POSITIVE_INFINITY)
  }

  /** False: nothing more is to be handed out. */
  #acquireKnown(batch: InFlightBatch, firstOffset: number): boolean {
    const isThrottled = batch.mostDeliveries(firstOffset, this.#lastOffset) >= this.#throttledFrom
    if (isThrottled && this.#count > 0) return false
    const isWhole = batch.firstOffset >= firstOffset && batch.lastOffset <= this.#lastOffset
    const isTooLarge = this.#input.isStrict && batch.size > this.#max - this.#count
    if (isWhole && !batch.isSplit && !isTooLarge && !isThrottled) {
      const [run] = batch.runs
      if (run !== undefined && isFree(run)) this.#take([this.#lock(batch, run)])
      return true
    }
    if (!batch.isSplit && !isFree(batch.runs[0]!)) return true
    batch.isSplit = true
    const taken = this.#acquirePart(batch, firstOffset)
    this.#take(taken)
    return !(isThrottled && taken.length > 0)
  }

  /** Record by record, with the portions that many deliveries ask for. */
  #acquirePart(batch: InFlightBatch, firstOffset: number): Run[] {
    const { deliveryLimit, isStrict } = this.#input
    const watchesLast = deliveryLimit > THROTTLED_LIMIT_MIN
    let portion = isStrict ? this.#max - this.#count : Number.POSITIVE_INFINITY
    let isThrottled = false
    let count = 0
    const taken: Run[] = []
    for (const run of [...batch.runs]) {
      const free = isFree(run) ? clipped(run, firstOffset, this.#lastOffset) : null
      if (free === null) continue
      const { deliveryCount } = free
      if (watchesLast && deliveryCount === deliveryLimit - 1 && count > 0) break
      if (deliveryCount >= this.#throttledFrom && !isThrottled) {
        isThrottled = true
        portion = Math.min(portion, Math.max(1, batch.size >> (deliveryCount - this.#throttledFrom + 1)))
      }
      const isLast = watchesLast && deliveryCount + 1 === deliveryLimit
      const size = Math.min(free.lastOffset - free.firstOffset + 1, isLast ? 1 : portion - count)
      if (size <= 0) break
      taken.push(this.#lock(batch, { ...free, lastOffset: free.firstOffset + size - 1 }))
      count += size
      if (isLast || count >= portion) break
    }
    return taken
  }

  #lock(batch: InFlightBatch, free: Run): Run {
    const run = acquired(free, this.#input)
    batch.replace(run.firstOffset, run.lastOffset, () => run)
    return run
  }

  /** Neighbours with as many deliveries are told as one. */
  #take(runs: readonly Run[]): void {
    const first = this.#ranges.length
    for (const { firstOffset, lastOffset, deliveryCount } of runs) {
      this.#count += lastOffset - firstOffset + 1
      const last = this.#ranges.length > first ? this.#ranges.at(-1) : undefined
      if (last !== undefined && last.lastOffset + 1 === firstOffset && last.deliveryCount === deliveryCount) {
        this.#ranges[this.#ranges.length - 1] = { ...last, lastOffset }
      } else this.#ranges.push({ firstOffset, lastOffset, deliveryCount })
    }
  }

  /** `within`: what is known begins behind it, and must not be touched. */
  #acquireNew(firstOffset: number, lastOffset: number, within: number): void {
    const left = this.#max - this.#count
    let last = lastOffset
    if (left < lastOffset - firstOffset + 1) {
      last = Math.min(within, this.#endOfLogBatch(firstOffset + left - 1))
    }
    if (this.#input.isStrict && last - firstOffset + 1 > left) {
      const taken = acquired(freshRun(firstOffset, firstOffset + left - 1, 'available', 0), this.#input)
      this.#insert(new InFlightBatch([taken, freshRun(taken.lastOffset + 1, last, 'available', 0)], true))
      this.#take([taken])
      return
    }
    for (const [first, end] of this.#cuts(firstOffset, last)) {
      const run = acquired(freshRun(first, end, 'available', 0), this.#input)
      this.#insert(new InFlightBatch([run]))
      this.#take([run])
    }
  }

  #endOfLogBatch(offset: number): number {
    const containing = this.#input.data.find((batch) => batch.baseOffset <= offset && offset <= batch.lastOffset)
    return containing?.lastOffset ?? offset
  }

  #cuts(firstOffset: number, lastOffset: number): [number, number][] {
    const { batchSize, data, isStrict } = this.#input
    const cuts: [number, number][] = []
    let first = firstOffset
    if (!isStrict && lastOffset - firstOffset + 1 > batchSize) {
      for (const { baseOffset } of data) {
        if (baseOffset > lastOffset) break
        if (baseOffset - first < batchSize || baseOffset <= first) continue
        cuts.push([first, baseOffset - 1])
        first = baseOffset
      }
    }
    cuts.push([first, lastOffset])
    return cuts
  }

  #insert(batch: InFlightBatch): void {
    let index = this.#batches.length
    while (index > 0 && this.#batches[index - 1]!.firstOffset > batch.firstOffset) index--
    this.#batches.splice(index, 0, batch)
    this.#endOffset = Math.max(this.#endOffset, batch.lastOffset + 1)
  }

  // What transactions took back

  #archiveAborted(): void {
    const { aborted, memberId } = this.#input
    for (const { baseOffset, lastOffset } of aborted) {
      for (const batch of this.#batches) {
        if (batch.lastOffset < baseOffset || batch.firstOffset > lastOffset) continue
        const isWhole = batch.firstOffset >= baseOffset && batch.lastOffset <= lastOffset
        if (!isWhole) batch.isSplit = true
        batch.replace(baseOffset, lastOffset, (run) => {
          const isMine = run.state === 'acquired' && run.memberId === memberId && run.change === 0
          return isMine || isFree(run) ? { ...run, state: 'archived', memberId: null, lockedUntilMs: 0 } : run
        })
      }
    }
  }

  #withoutAborted(): AcquiredRange[] {
    let ranges = this.#ranges
    for (const { baseOffset, lastOffset } of this.#input.aborted) {
      ranges = ranges.flatMap((range) => {
        if (range.lastOffset < baseOffset || range.firstOffset > lastOffset) return [range]
        const parts: AcquiredRange[] = []
        if (range.firstOffset < baseOffset) parts.push({ ...range, lastOffset: baseOffset - 1 })
        if (range.lastOffset > lastOffset) parts.push({ ...range, firstOffset: lastOffset + 1 })
        return parts
      })
    }
    return ranges
  }
}
