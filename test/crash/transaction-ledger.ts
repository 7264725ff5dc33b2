/**
 * What transactional clients were promised, and whether what can be read at the end keeps it: no aborted record, no lost or torn
 * transaction, no record twice, nobody else's records in between.
 */
import type { ReadRecord } from './transaction-session.ts'

/** `unknown`: the answer to the commit was lost; all of it or nothing. */
export type Outcome = 'open' | 'committed' | 'aborted' | 'unknown'

/** What becomes known of a transaction: records that are about to be sent, or what became of all of it. */
export interface LedgerNews {
  readonly id: string
  readonly wrote?: { readonly partition: string; readonly values: readonly string[] }
  readonly outcome?: Outcome
}

export class LedgerTransaction {
  readonly id: string
  #outcome: Outcome = 'open'
  readonly #tell: (news: LedgerNews) => void
  /** By partition name, in order of writing; also what was sent without an acknowledgement. */
  readonly values = new Map<string, string[]>()
  #count = 0

  constructor(id: string, tell: (news: LedgerNews) => void) {
    this.id = id
    this.#tell = tell
  }

  get outcome(): Outcome {
    return this.#outcome
  }

  set outcome(outcome: Outcome) {
    this.#outcome = outcome
    this.#tell({ id: this.id, outcome })
  }

  /** Values that nobody else writes. To be called before they are sent. */
  next(partition: string, count: number): string[] {
    const values = Array.from({ length: count }, () => `${this.id}:${this.#count++}`)
    this.wrote(partition, values)
    return values
  }

  wrote(partition: string, values: readonly string[]): void {
    this.values.set(partition, [...(this.values.get(partition) ?? []), ...values])
    this.#tell({ id: this.id, wrote: { partition, values } })
  }
}

export class TransactionLedger {
  readonly #byId = new Map<string, LedgerTransaction>()
  readonly #tell: (news: LedgerNews) => void

  /** `tell` hears of everything at once, before what was noted is done. */
  constructor(tell: (news: LedgerNews) => void = () => {}) {
    this.#tell = tell
  }

  get transactions(): LedgerTransaction[] {
    return [...this.#byId.values()]
  }

  begin(id: string): LedgerTransaction {
    if (this.#byId.has(id)) throw new Error(`there is a transaction ${id} already`)
    const transaction = new LedgerTransaction(id, this.#tell)
    this.#byId.set(id, transaction)
    return transaction
  }

  /** News from a ledger in another process. */
  hear({ id, wrote, outcome }: LedgerNews): void {
    const transaction = this.#byId.get(id) ?? this.begin(id)
    if (wrote !== undefined) transaction.wrote(wrote.partition, wrote.values)
    if (outcome !== undefined) transaction.outcome = outcome
  }

  count(outcome: Outcome): number {
    return this.transactions.filter((transaction) => transaction.outcome === outcome).length
  }

  /** Problems, as sentences. `visible`: what a reader at read_committed sees of every partition, in order. */
  check(visible: ReadonlyMap<string, readonly ReadRecord[]>): string[] {
    const problems: string[] = []
    const places = new Map<string, Map<string, number[]>>()
    for (const [partition, records] of visible) {
      const inPartition = new Map<string, number[]>()
      for (const [index, { value }] of records.entries())
        inPartition.set(value, [...(inPartition.get(value) ?? []), index])
      places.set(partition, inPartition)
      for (const [value, indexes] of inPartition) {
        if (indexes.length > 1) problems.push(`${partition}: ${value} is there ${indexes.length} times`)
      }
    }
    for (const transaction of this.transactions) problems.push(...checkTransaction(transaction, places))
    const known = new Set(this.transactions.flatMap(({ values }) => [...values.values()].flat()))
    for (const [partition, values] of places) {
      for (const value of values.keys()) if (!known.has(value)) problems.push(`${partition}: nobody wrote ${value}`)
    }
    return problems
  }
}

function checkTransaction(
  { id, outcome, values }: LedgerTransaction,
  places: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>,
): string[] {
  const problems: string[] = []
  let [seen, missing] = [0, 0]
  for (const [partition, written] of values) {
    let last = -1
    for (const value of written) {
      const index = places.get(partition)?.get(value)?.[0]
      if (index === undefined) {
        missing++
        continue
      }
      seen++
      if (index < last) problems.push(`${partition}: ${value} is out of order`)
      last = index
    }
  }
  if (outcome === 'committed' && missing > 0)
    problems.push(`${id} was committed, ${missing} of its records are missing`)
  if ((outcome === 'aborted' || outcome === 'open') && seen > 0) {
    problems.push(`${id} was ${outcome === 'open' ? 'never ended' : 'aborted'}, ${seen} of its records can be read`)
  }
  if (outcome === 'unknown' && seen > 0 && missing > 0)
    problems.push(`${id} is torn: ${seen} records of ${seen + missing}`)
  return problems
}
