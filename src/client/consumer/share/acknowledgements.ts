/** What became of records of a share group, gathered until a request takes it along. Pure. */

export type Acknowledgement = 'accept' | 'release' | 'reject' | 'renew'

/** On the wire; 0 says that there is no such record (a control record, a gap of a compacted log). */
export const GAP = 0
const TYPES: Readonly<Record<Acknowledgement, number>> = { accept: 1, release: 2, reject: 3, renew: 4 }

export interface AcknowledgementBatch {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly acknowledgeTypes: number[]
}

export class Acknowledgements {
  private readonly types = new Map<number, number>()

  get size(): number {
    return this.types.size
  }

  /** The last word on an offset counts. */
  set(offset: number, acknowledgement: Acknowledgement): void {
    this.types.set(offset, TYPES[acknowledgement])
  }

  setGap(offset: number): void {
    this.types.set(offset, GAP)
  }

  /** Everything gathered, in runs of one type; gathering begins anew. `renewals`: only those, or all but those. */
  take(renewals: boolean): AcknowledgementBatch[] {
    const taken = [...this.types].filter(([, type]) => (type === TYPES.renew) === renewals)
    for (const [offset] of taken) this.types.delete(offset)
    const batches: { firstOffset: number; lastOffset: number; acknowledgeTypes: number[] }[] = []
    for (const [offset, type] of taken.sort(([one], [other]) => one - other)) {
      const last = batches.at(-1)
      if (last !== undefined && last.lastOffset === offset - 1 && last.acknowledgeTypes[0] === type)
        last.lastOffset = offset
      else batches.push({ firstOffset: offset, lastOffset: offset, acknowledgeTypes: [type] })
    }
    return batches
  }

  has(renewals: boolean): boolean {
    for (const type of this.types.values()) if ((type === TYPES.renew) === renewals) return true
    return false
  }
}
