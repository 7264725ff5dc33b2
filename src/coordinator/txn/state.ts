/**
 * What a shard of the transaction coordinator knows: one entry per transactional id, as its partition of
 * `__transaction_state` says. Entries are never changed, only replaced, by the replay of records; the decisions in the
 * neighbouring files are functions from an entry and a request to the next entry and an answer.
 *
 * Legal steps (tests: test/coordinator/txn):
 *
 * | from                           | to            | by                                                       |
 * |--------------------------------|---------------|----------------------------------------------------------|
 * | nothing, Empty, Complete*      | Empty         | InitProducerId                                           |
 * | Empty, Complete*, Ongoing      | Ongoing       | partitions added                                         |
 * | Ongoing                        | PrepareCommit | EndTxn                                                   |
 * | Ongoing                        | PrepareAbort  | EndTxn, InitProducerId of a newer producer, the time-out |
 * | Empty, Complete*               | PrepareAbort  | EndTxn of transaction version 2 without any partition    |
 * | PrepareCommit, PrepareAbort    | Complete*     | all markers are written                                  |
 * | Empty, Complete*               | nothing       | the id was not used for long                             |
 */
import type { ErrorCode } from '../../protocol/errors.ts'
import type { TransactionCoordinatorConfig } from './config.ts'

/** In the order of their numbers in the log. */
export const STATUS_NAMES = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
] as const

export type StatusName = (typeof STATUS_NAMES)[number]
/** What an entry can be. Kafka keeps two more in memory, for states that here are over within one operation. */
export type TransactionStatus = Exclude<StatusName, 'Dead' | 'PrepareEpochFence'>

/** By topic; indexes in ascending order, no empty lists. */
export type TransactionPartitions = ReadonlyMap<string, readonly number[]>

export interface Transaction {
  readonly transactionalId: string
  readonly producerId: number
  /** Producer id of the entry before this one; -1 at first. */
  readonly previousProducerId: number
  /** While an ending transaction has used up the epochs of its producer id: the id that comes next. Otherwise -1. */
  readonly nextProducerId: number
  /** -1 in an entry that was never written: no producer has it yet. */
  readonly producerEpoch: number
  /** The epoch before the last bump if its producer asked for it, else -1. Not in the log: after a load it is -1, as in Kafka. */
  readonly lastProducerEpoch: number
  readonly timeoutMs: number
  readonly status: TransactionStatus
  readonly partitions: TransactionPartitions
  readonly lastUpdateMs: number
  /** -1 when none was started. */
  readonly startMs: number
  /** The protocol of the client that began or ended it: 0, or 2 with an epoch for every transaction (KIP-890). */
  readonly clientVersion: number
}

export interface ProducerIdAndEpoch {
  readonly producerId: number
  readonly producerEpoch: number
}

export const NONE = -1
export const EPOCH_MAX = 32_767
export const NO_PARTITIONS: TransactionPartitions = new Map()

/** The last epoch is kept for fencing. */
export function isEpochExhausted(epoch: number): boolean {
  return epoch >= EPOCH_MAX - 1
}

/** Its outcome is decided, its markers are on their way. Until they are written nothing else may happen to it. */
export function isEnding(transaction: Transaction): boolean {
  return transaction.status === 'PrepareCommit' || transaction.status === 'PrepareAbort'
}

export interface DecisionContext {
  readonly nowMs: number
  readonly config: TransactionCoordinatorConfig
  /** The protocol by which the coordinator itself ends transactions: the level of the feature transaction.version. */
  readonly ownVersion: 0 | 2
  /** A producer id that nobody has; null until a decision says that it needs one. */
  readonly freshProducerId: number | null
}

/** Write the entry (null: forget the id) and answer when it is durable; or answer only; or ask again with a producer id. */
export type Decision<Answer> =
  | { readonly kind: 'write'; readonly next: Transaction | null; readonly answer: Answer }
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'needs-producer-id' }

export type Decide<Answer> = (transaction: Transaction | undefined, context: DecisionContext) => Decision<Answer>

export const NEEDS_PRODUCER_ID = { kind: 'needs-producer-id' } as const

export function answer<Answer>(value: Answer): Decision<Answer> {
  return { kind: 'answer', answer: value }
}

export function write<Answer>(next: Transaction | null, value: Answer): Decision<Answer> {
  return { kind: 'write', next, answer: value }
}

/** The result of a request that gives a producer its id and epoch; -1 and -1 with an error. */
export interface ProducerAnswer extends ProducerIdAndEpoch {
  readonly errorCode: ErrorCode
}

export function producerFailure(errorCode: ErrorCode): ProducerAnswer {
  return { errorCode, producerId: NONE, producerEpoch: NONE }
}
