/**
 * What transactional clients were promised, and whether what can be read at the end keeps it: no aborted record, no lost or torn
 * transaction, no record twice, nobody else's records in between.
 */
import type { ReadRecord } from './transaction-session.ts'

/** `unknown`: the answer to the commit was lost; all of it or nothing. */
export type Outcome = 'open' | 'committed' | 'aborted' | 'unknown'

export class LedgerTransaction {
  readonly id: string
  outcome: Outcome = 'open'
  /** By partition name, in order of writing; also what was sent without an acknowledgement. */
  readonly values = new Map<string, string[]>()
  #count = 0

  constructor(id: string) {
    this.id = id
  }

  /** Values that nobody else writes. To be called before they are sent. */
  next(partition: string, count: number): string[] {
    const values = Array.from({ length: count }, () => `${this.id}:${this.#count++}`)
    this.wrote(partition, values)
    return values
  }

  wrote(partition: string, values: readonly string[]): void {
    this.values.set(partition, [...(this.values.get(partition) ?? []), ...values])
  }
}

export class TransactionLedger {
  readonly transactions: LedgerTransaction[] = []

  begin(id: string): LedgerTransaction {
    const transaction = new LedgerTransaction(id)
    this.transactions.push(transaction)
    return transaction
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
