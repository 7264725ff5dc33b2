/**
 * Records of a share partition that were handed out together. As long as all of them fare alike the batch is one run; once somebody
 * treats some of them apart it is split for good, and its records are looked at one by one.
 */
import { clipped, isFree, type Run, sameFate } from './record-states.ts'

export class InFlightBatch {
  #firstOffset: number
  readonly lastOffset: number
  /** Records that were handed out together; those that are done with count. */
  readonly size: number
  isSplit: boolean
  /** In order, without gaps, from the first offset to the last. */
  #runs: Run[]

  constructor(runs: readonly Run[], isSplit = runs.length > 1) {
    this.#runs = [...runs]
    this.#firstOffset = runs[0]!.firstOffset
    this.lastOffset = runs.at(-1)!.lastOffset
    this.size = this.lastOffset - this.#firstOffset + 1
    this.isSplit = isSplit
  }

  get firstOffset(): number {
    return this.#firstOffset
  }

  get runs(): readonly Run[] {
    return this.#runs
  }

  /** Everything below the offset is forgotten; something must remain. */
  trim(firstOffset: number): void {
    if (firstOffset <= this.#firstOffset) return
    this.#runs = this.#runs.flatMap((run) => clipped(run, firstOffset, this.lastOffset) ?? [])
    this.#firstOffset = firstOffset
  }

  /** Replaces the runs within the bounds by what `change` makes of them; it gets parts that lie within them wholly. */
  replace(firstOffset: number, lastOffset: number, change: (run: Run) => Run): void {
    const next: Run[] = []
    for (const run of this.#runs) {
      const inside = clipped(run, firstOffset, lastOffset)
      if (inside === null) {
        append(next, run)
        continue
      }
      if (run.firstOffset < inside.firstOffset) append(next, { ...run, lastOffset: inside.firstOffset - 1 })
      append(next, change(inside))
      if (run.lastOffset > inside.lastOffset) append(next, { ...run, firstOffset: inside.lastOffset + 1 })
    }
    this.#runs = next
    if (next.length > 1) this.isSplit = true
  }

  /** The first record that may be acquired; -1: none. */
  firstFree(): number {
    for (const run of this.#runs) if (isFree(run)) return run.firstOffset
    return -1
  }

  /** The most deliveries of a record within the bounds that may be acquired; -1: there is none. */
  mostDeliveries(firstOffset: number, lastOffset: number): number {
    let most = -1
    for (const run of this.#runs) {
      if (isFree(run) && run.firstOffset <= lastOffset && run.lastOffset >= firstOffset) {
        most = Math.max(most, run.deliveryCount)
      }
    }
    return most
  }
}

function append(runs: Run[], run: Run): void {
  const last = runs.at(-1)
  if (last !== undefined && sameFate(last, run)) runs[runs.length - 1] = { ...last, lastOffset: run.lastOffset }
  else runs.push(run)
}
