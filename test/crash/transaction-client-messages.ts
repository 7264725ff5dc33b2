/** What a client in a process of its own is told at its start, and what it tells, line by line as JSON. */
import type { LedgerNews } from './transaction-ledger.ts'

export interface ClientOrder {
  readonly kind: 'producer' | 'copier'
  readonly name: string
  readonly label: string
  readonly isNew: boolean
  readonly seed: number
  readonly topic: string
  readonly partitions: number
  /** Of a copier. */
  readonly partition: number
  readonly target: string
  /** Highest position that its predecessors heard to be committed. */
  readonly committed: number
}

/** On its standard input. */
export interface AddressNews {
  readonly port: number
  readonly ended: boolean
}

/** On its standard output: said before the request leaves, or when its answer is there. */
export type ClientNews = LedgerNews | { readonly committed: number }
