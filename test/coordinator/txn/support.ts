// Entries of transactional ids and what decides about them, with defaults.
import { TRANSACTION_COORDINATOR_DEFAULTS } from '../../../src/coordinator/txn/config.ts'
import type { Decision, DecisionContext, Transaction, TransactionStatus } from '../../../src/coordinator/txn/state.ts'

export const NOW = 1_000_000
export const FRESH_ID = 900
export const PARTITIONS = new Map([['topic', [0, 1]]])

export const STATUSES: readonly TransactionStatus[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
]

export function context(more: Partial<DecisionContext> = {}): DecisionContext {
  return { nowMs: NOW, config: TRANSACTION_COORDINATOR_DEFAULTS, ownVersion: 2, freshProducerId: null, ...more }
}

export function entry(status: TransactionStatus, more: Partial<Transaction> = {}): Transaction {
  const isOpen = status === 'Ongoing' || status.startsWith('Prepare')
  return {
    transactionalId: 'id',
    producerId: 7,
    previousProducerId: 7,
    nextProducerId: -1,
    producerEpoch: 5,
    lastProducerEpoch: -1,
    timeoutMs: 60_000,
    status,
    partitions: isOpen ? PARTITIONS : new Map(),
    lastUpdateMs: NOW - 1000,
    startMs: isOpen ? NOW - 1000 : -1,
    clientVersion: 2,
    ...more,
  }
}

/** A decision in a few words: what is written, and what is answered. */
export function told<Answer>(decision: Decision<Answer>): string {
  if (decision.kind === 'needs-producer-id') return 'needs a producer id'
  const answer =
    typeof decision.answer === 'object' ? Object.values(decision.answer as object).join('/') : decision.answer
  if (decision.kind === 'answer') return `answers ${answer}`
  const { next } = decision
  if (next === null) return `forgets, answers ${answer}`
  const id = next.nextProducerId === -1 ? next.producerId : `${next.producerId} then ${next.nextProducerId}`
  return `${next.status} ${id}/${next.producerEpoch}, answers ${answer}`
}

export function written<Answer>(decision: Decision<Answer>): Transaction {
  if (decision.kind !== 'write' || decision.next === null) throw new Error(`nothing written: ${told(decision)}`)
  return decision.next
}
