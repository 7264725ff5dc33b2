// What a cleaning knows of transactions while it walks over a log in order of offset: which batches belong to aborted ones, and which
// markers have lost all the data they speak of. Below the last stable offset every transaction is decided, so the index of aborted ones,
// given in full at the start, says it all.

import type { EndTransactionMarker } from '../records/control.ts'
import { type BatchHeader, isTransactional } from '../records/header.ts'
import type { AbortedEntry } from './txn-index.ts'

interface OngoingAborted {
  readonly entry: AbortedEntry
  /** A batch of it was met, so that its marker still says something. */
  hasData: boolean
}

export class CleanedTransactions {
  /** In order of first offset. */
  readonly #aborted: readonly AbortedEntry[]
  #next = 0
  readonly #ongoing = new Map<number, OngoingAborted>()
  /** Producers of which committed data was met since their last marker. */
  readonly #committed = new Set<number>()

  constructor(aborted: readonly AbortedEntry[]) {
    this.#aborted = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  }

  /** A data batch comes by. True if its transaction was aborted: none of its records counts. */
  onData(header: BatchHeader): boolean {
    this.#beginUpTo(header.baseOffset + header.lastOffsetDelta)
    if (!isTransactional(header)) return false
    const aborted = this.#ongoing.get(header.producerId)
    if (aborted === undefined) {
      this.#committed.add(header.producerId)
      return false
    }
    aborted.hasData = true
    return true
  }

  /**
   * A control batch comes by; `marker` is null if it is empty or of another kind. Says whether nothing is left that it speaks of, and
   * the entry that the index of aborted transactions needs as long as there is.
   */
  onControl(
    header: BatchHeader,
    marker: EndTransactionMarker | null,
  ): { readonly isObsolete: boolean; readonly entry: AbortedEntry | null } {
    this.#beginUpTo(header.baseOffset + header.lastOffsetDelta)
    if (marker === null) return { isObsolete: header.recordCount === 0, entry: null }
    if (marker.type === 'commit') return { isObsolete: !this.#committed.delete(header.producerId), entry: null }
    const aborted = this.#ongoing.get(header.producerId)
    this.#ongoing.delete(header.producerId)
    if (aborted?.hasData === true) return { isObsolete: false, entry: aborted.entry }
    return { isObsolete: true, entry: null }
  }

  #beginUpTo(offset: number): void {
    for (let entry = this.#aborted[this.#next]; entry !== undefined; entry = this.#aborted[++this.#next]) {
      if (entry.firstOffset > offset) return
      if (!this.#ongoing.has(entry.producerId)) this.#ongoing.set(entry.producerId, { entry, hasData: false })
    }
  }
}
