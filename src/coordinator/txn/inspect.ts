/** DescribeTransactions and ListTransactions: what is shown of transactional ids. Reading only. */
import { STATUS_NAMES, type StatusName, type Transaction } from './state.ts'

export interface TransactionFilters {
  /** Empty: any. */
  readonly states: ReadonlySet<string>
  readonly producerIds: ReadonlySet<number>
  /** Only those that began longer ago than this; negative: any. */
  readonly durationMs: number
  /** Whether the whole id matches. */
  readonly matchesId: (transactionalId: string) => boolean
}

export function knownStateNames(names: readonly string[]): { known: Set<string>; unknown: string[] } {
  const known = new Set<string>()
  const unknown: string[] = []
  for (const name of names) {
    if (STATUS_NAMES.includes(name as StatusName)) known.add(name)
    else unknown.push(name)
  }
  return { known, unknown }
}

export function isListed(transaction: Transaction, filters: TransactionFilters, nowMs: number): boolean {
  const { states, producerIds, durationMs, matchesId } = filters
  if (states.size > 0 && !states.has(transaction.status)) return false
  if (producerIds.size > 0 && !producerIds.has(transaction.producerId)) return false
  if (durationMs >= 0 && nowMs - transaction.startMs <= durationMs) return false
  return matchesId(transaction.transactionalId)
}
