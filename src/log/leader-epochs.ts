// Which leader epoch began at which offset. Both columns ascend. A value: the log persists it whenever `assign` or a cut changed it.

import type { EpochEntry } from './checkpoints.ts'
import type { EpochEnd } from './types.ts'

export const NO_EPOCH = -1
export const NO_OFFSET = -1

export class LeaderEpochs {
  #entries: EpochEntry[]

  constructor(entries: readonly EpochEntry[] = []) {
    this.#entries = [...entries]
  }

  get entries(): readonly EpochEntry[] {
    return this.#entries
  }

  get latest(): number {
    return this.#entries.at(-1)?.epoch ?? NO_EPOCH
  }

  get earliest(): EpochEntry | null {
    return this.#entries[0] ?? null
  }

  /** The epoch begins at the offset. Returns whether anything changed. */
  assign(epoch: number, startOffset: number): boolean {
    const last = this.#entries.at(-1)
    if (last !== undefined && last.epoch === epoch && startOffset >= last.startOffset) return false
    const kept = this.#entries.filter((entry) => entry.epoch < epoch && entry.startOffset < startOffset)
    kept.push({ epoch, startOffset })
    this.#entries = kept
    return true
  }

  /** The log now ends at the offset. */
  truncateEnd(endOffset: number): boolean {
    const kept = this.#entries.filter((entry) => entry.startOffset < endOffset)
    const changed = kept.length !== this.#entries.length
    this.#entries = kept
    return changed
  }

  /** The log now starts at the offset: the epoch that holds it begins there. */
  truncateStart(startOffset: number): boolean {
    const before = this.#entries.filter((entry) => entry.startOffset <= startOffset)
    const holding = before.at(-1)
    if (holding === undefined || (before.length === 1 && holding.startOffset === startOffset)) return false
    this.#entries = [{ epoch: holding.epoch, startOffset }, ...this.#entries.slice(before.length)]
    return true
  }

  /** OffsetForLeaderEpoch: where the given epoch ended, or the nearest one below it. */
  endOffsetFor(epoch: number, logEndOffset: number): EpochEnd {
    const latest = this.latest
    if (epoch === NO_EPOCH || epoch > latest || latest === NO_EPOCH)
      return { leaderEpoch: NO_EPOCH, endOffset: NO_OFFSET }
    if (epoch === latest) return { leaderEpoch: epoch, endOffset: logEndOffset }
    let known = NO_EPOCH
    for (const entry of this.#entries) {
      if (entry.epoch <= epoch) known = entry.epoch
      else return { leaderEpoch: known === NO_EPOCH ? epoch : known, endOffset: entry.startOffset }
    }
    return { leaderEpoch: NO_EPOCH, endOffset: NO_OFFSET }
  }

  /** The epoch in which the offset was written, or -1. */
  epochAt(offset: number): number {
    let epoch = NO_EPOCH
    for (const entry of this.#entries) {
      if (entry.startOffset > offset) break
      epoch = entry.epoch
    }
    return epoch
  }
}
