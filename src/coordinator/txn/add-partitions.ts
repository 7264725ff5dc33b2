/**
 * Partitions become part of a transaction, before anything of it is written to them: AddPartitionsToTxn and AddOffsetsToTxn of
 * older clients, and the broker itself for those of transaction version 2. Verifying asks without adding (KIP-890).
 *
 * Either way only the current producer passes, and nothing passes while the last transaction is ending: what was added now
 * would get the marker of that one.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  answer,
  type Decision,
  type DecisionContext,
  isEnding,
  NO_PARTITIONS,
  NONE,
  type ProducerIdAndEpoch,
  type Transaction,
  type TransactionPartitions,
  write,
} from './state.ts'

export interface PartitionsInput extends ProducerIdAndEpoch {
  readonly partitions: TransactionPartitions
}

export interface AddPartitionsInput extends PartitionsInput {
  readonly clientVersion: 0 | 2
}

export function addPartitions(
  transaction: Transaction | undefined,
  input: AddPartitionsInput,
  context: DecisionContext,
): Decision<ErrorCode> {
  if (transaction === undefined) return answer(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  // First, because the producer may use the id already that replaces this one as soon as the end is complete.
  if (isEnding(transaction)) return answer(ErrorCode.CONCURRENT_TRANSACTIONS)
  if (transaction.producerId !== input.producerId) return answer(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (transaction.producerEpoch !== input.producerEpoch) return answer(ErrorCode.PRODUCER_FENCED)
  const isOngoing = transaction.status === 'Ongoing'
  const partitions = union(isOngoing ? transaction.partitions : NO_PARTITIONS, input.partitions)
  if (isOngoing && partitions === transaction.partitions) return answer(ErrorCode.NONE)
  const next: Transaction = {
    ...transaction,
    previousProducerId: transaction.producerId,
    nextProducerId: NONE,
    status: 'Ongoing',
    partitions,
    lastUpdateMs: context.nowMs,
    startMs: isOngoing ? transaction.startMs : context.nowMs,
    clientVersion: input.clientVersion,
  }
  return write(next, ErrorCode.NONE)
}

/** A code for each partition asked about, in the order of the topics and indexes of the input. */
export function verifyPartitions(transaction: Transaction | undefined, input: PartitionsInput): Decision<ErrorCode[]> {
  const count = [...input.partitions.values()].reduce((sum, indexes) => sum + indexes.length, 0)
  const all = (errorCode: ErrorCode) => answer(new Array<ErrorCode>(count).fill(errorCode))
  if (transaction === undefined) return all(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (transaction.producerId !== input.producerId) return all(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (transaction.producerEpoch !== input.producerEpoch) return all(ErrorCode.PRODUCER_FENCED)
  if (isEnding(transaction)) return all(ErrorCode.CONCURRENT_TRANSACTIONS)
  const errorCodes: ErrorCode[] = []
  for (const [topic, indexes] of input.partitions) {
    const added = transaction.partitions.get(topic)
    for (const index of indexes) {
      errorCodes.push(added?.includes(index) === true ? ErrorCode.NONE : ErrorCode.TRANSACTION_ABORTABLE)
    }
  }
  return answer(errorCodes)
}

/** `known` itself if it holds all of `more`. */
export function union(known: TransactionPartitions, more: TransactionPartitions): TransactionPartitions {
  let merged: Map<string, readonly number[]> | null = null
  for (const [topic, indexes] of more) {
    const present = (merged ?? known).get(topic) ?? []
    const added = indexes.filter((index) => !present.includes(index))
    if (added.length === 0) continue
    merged ??= new Map(known)
    merged.set(
      topic,
      [...new Set([...present, ...added])].sort((a, b) => a - b),
    )
  }
  return merged ?? known
}
