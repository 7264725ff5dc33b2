/**
 * InitProducerId with a transactional id: gives the id's producer its producer id and a new epoch, and with that fences every
 * earlier one. KIP-360: a producer that wants to go on after an error names the id and epoch that it has.
 *
 * | entry            | expected              | result                                                                |
 * |------------------|-----------------------|-----------------------------------------------------------------------|
 * | none             | any                   | fresh producer id, epoch 0                                            |
 * | Prepare*         | any                   | CONCURRENT_TRANSACTIONS                                               |
 * | any other        | another producer id   | PRODUCER_FENCED, unless it is the previous one at its last epoch      |
 * | Empty, Complete* | none, or the current  | epoch + 1; with the last epoch in use a fresh producer id, epoch 0    |
 * | Empty, Complete* | epoch before the bump | the current one again: the answer to the bump was lost                |
 * | Empty, Complete* | any other epoch       | PRODUCER_FENCED                                                       |
 * | Ongoing          | fits the producer id  | aborted with epoch + 1, CONCURRENT_TRANSACTIONS: the retry goes on    |
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { prepareFence } from './end-transaction.ts'
import {
  answer,
  type Decision,
  type DecisionContext,
  isEnding,
  isEpochExhausted,
  NEEDS_PRODUCER_ID,
  NO_PARTITIONS,
  NONE,
  type ProducerAnswer,
  type ProducerIdAndEpoch,
  producerFailure,
  type Transaction,
  write,
} from './state.ts'

export interface InitProducerIdInput {
  readonly transactionalId: string
  readonly timeoutMs: number
  /** Null: a producer that starts anew. */
  readonly expected: ProducerIdAndEpoch | null
}

export function initProducerId(
  transaction: Transaction | undefined,
  input: InitProducerIdInput,
  context: DecisionContext,
): Decision<ProducerAnswer> {
  if (transaction === undefined) return create(input, context)
  if (isEnding(transaction)) return answer(producerFailure(ErrorCode.CONCURRENT_TRANSACTIONS))
  if (input.expected !== null && !isOfThisProducer(transaction, input.expected)) {
    return answer(producerFailure(ErrorCode.PRODUCER_FENCED))
  }
  if (transaction.status !== 'Ongoing') return giveEpoch(transaction, input, context)
  const aborting = prepareFence(transaction, context)
  return aborting === null ? NEEDS_PRODUCER_ID : write(aborting, producerFailure(ErrorCode.CONCURRENT_TRANSACTIONS))
}

function create(input: InitProducerIdInput, context: DecisionContext): Decision<ProducerAnswer> {
  const { freshProducerId, nowMs } = context
  if (freshProducerId === null) return NEEDS_PRODUCER_ID
  return granted({
    transactionalId: input.transactionalId,
    producerId: freshProducerId,
    // Kafka's coordinator makes an entry with the id first and gives it its first epoch as it gives any other.
    previousProducerId: freshProducerId,
    nextProducerId: NONE,
    producerEpoch: 0,
    lastProducerEpoch: NONE,
    timeoutMs: input.timeoutMs,
    status: 'Empty',
    partitions: NO_PARTITIONS,
    lastUpdateMs: nowMs,
    startMs: NONE,
    clientVersion: 0,
  })
}

function isOfThisProducer(transaction: Transaction, expected: ProducerIdAndEpoch): boolean {
  if (expected.producerId === transaction.producerId) return true
  return expected.producerId === transaction.previousProducerId && isEpochExhausted(expected.producerEpoch)
}

function giveEpoch(
  transaction: Transaction,
  { timeoutMs, expected }: InitProducerIdInput,
  { nowMs, freshProducerId }: DecisionContext,
): Decision<ProducerAnswer> {
  const { producerId, producerEpoch, lastProducerEpoch } = transaction
  const next: Transaction = {
    ...transaction,
    previousProducerId: producerId,
    nextProducerId: NONE,
    timeoutMs,
    status: 'Empty',
    partitions: NO_PARTITIONS,
    lastUpdateMs: nowMs,
    startMs: NONE,
  }
  const isCurrent = expected === null || expected.producerEpoch === producerEpoch
  const kept = expected === null ? NONE : producerEpoch
  if (isCurrent && isEpochExhausted(producerEpoch)) {
    if (freshProducerId === null) return NEEDS_PRODUCER_ID
    return granted({ ...next, producerId: freshProducerId, producerEpoch: 0, lastProducerEpoch: kept })
  }
  if (isCurrent) return granted({ ...next, producerEpoch: producerEpoch + 1, lastProducerEpoch: kept })
  if (expected.producerEpoch === lastProducerEpoch) {
    // Whoever asks without an expectation sets the last epoch to -1, so this is nobody but the producer that was bumped.
    return granted({ ...next, previousProducerId: transaction.previousProducerId })
  }
  return answer(producerFailure(ErrorCode.PRODUCER_FENCED))
}

function granted(next: Transaction): Decision<ProducerAnswer> {
  const { producerId, producerEpoch } = next
  return write(next, { errorCode: ErrorCode.NONE, producerId, producerEpoch })
}
