/**
 * EndTxn, and every other way in which a transaction ends. The outcome is decided by one durable entry (Prepare*); then the
 * markers are written; when all are, the entry becomes Complete*. Nothing else touches the transactional id in between, so
 * a late commit or abort cannot reach a later transaction.
 *
 * Transaction version 2 (KIP-890) raises the epoch with every end. Its requests are judged by the epoch:
 *
 * | entry           | accepted epoch             | commit              | abort                              |
 * |-----------------|----------------------------|---------------------|------------------------------------|
 * | Empty           | current                    | INVALID_TXN_STATE   | ends an empty transaction          |
 * | Ongoing         | current                    | PrepareCommit       | PrepareAbort                       |
 * | Prepare*        | not looked at              | CONCURRENT_TRANSACTIONS                                  |
 * | CompleteCommit  | current - 1 (a retry)      | done, the new epoch | INVALID_TXN_STATE                  |
 * | CompleteAbort   | current - 1 (a retry)      | INVALID_TXN_STATE   | done, the new epoch                |
 * | Complete*       | current                    | INVALID_TXN_STATE   | ends an empty transaction          |
 *
 * Older requests carry the current epoch always: only the matching outcome of a complete transaction is a retry.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  answer,
  type Decision,
  type DecisionContext,
  EPOCH_MAX,
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

export interface EndTransactionInput extends ProducerIdAndEpoch {
  readonly committed: boolean
  /** 0, or 2 from request version 5 on. */
  readonly clientVersion: 0 | 2
}

export function endTransaction(
  transaction: Transaction | undefined,
  input: EndTransactionInput,
  context: DecisionContext,
): Decision<ProducerAnswer> {
  if (transaction === undefined) return failed(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  return input.clientVersion === 2 ? endNew(transaction, input, context) : endOld(transaction, input, context)
}

function endNew(
  transaction: Transaction,
  input: EndTransactionInput,
  context: DecisionContext,
): Decision<ProducerAnswer> {
  if (isEnding(transaction)) return failed(ErrorCode.CONCURRENT_TRANSACTIONS)
  const { producerId, producerEpoch, previousProducerId, status } = transaction
  const isOfBefore = input.producerId === previousProducerId && input.producerEpoch === EPOCH_MAX - 1
  const isRetryAcrossIds = isOfBefore && producerEpoch === 0
  if (input.producerId !== producerId && !isRetryAcrossIds) return failed(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  const isComplete = status === 'CompleteCommit' || status === 'CompleteAbort'
  const isRetry = isComplete && (isRetryAcrossIds || input.producerEpoch + 1 === producerEpoch)
  if (!isRetry && input.producerEpoch !== producerEpoch) return failed(ErrorCode.PRODUCER_FENCED)
  if (isRetry) {
    if (input.committed !== (status === 'CompleteCommit')) return failed(ErrorCode.INVALID_TXN_STATE)
    return answer({ errorCode: ErrorCode.NONE, producerId, producerEpoch })
  }
  if (status !== 'Ongoing' && input.committed) return failed(ErrorCode.INVALID_TXN_STATE)
  return prepared(transaction, input, context)
}

function endOld(
  transaction: Transaction,
  input: EndTransactionInput,
  context: DecisionContext,
): Decision<ProducerAnswer> {
  const { producerId, producerEpoch, status } = transaction
  if (input.producerId !== producerId) return failed(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (input.producerEpoch !== producerEpoch) return failed(ErrorCode.PRODUCER_FENCED)
  switch (status) {
    case 'Ongoing':
      return prepared(transaction, input, context)
    case 'PrepareCommit':
    case 'PrepareAbort':
      return failed(ErrorCode.CONCURRENT_TRANSACTIONS)
    case 'CompleteCommit':
    case 'CompleteAbort':
      if (input.committed !== (status === 'CompleteCommit')) return failed(ErrorCode.INVALID_TXN_STATE)
      return answer({ errorCode: ErrorCode.NONE, producerId, producerEpoch })
    case 'Empty':
      return failed(ErrorCode.INVALID_TXN_STATE)
  }
}

function prepared(
  transaction: Transaction,
  input: EndTransactionInput,
  context: DecisionContext,
): Decision<ProducerAnswer> {
  const next = prepareEnd(transaction, input, context)
  if (next === null) return NEEDS_PRODUCER_ID
  // What the client goes on with: a producer id that has used up its epochs is replaced when the transaction is complete.
  const isReplaced = next.nextProducerId !== NONE
  return write(next, {
    errorCode: ErrorCode.NONE,
    producerId: isReplaced ? next.nextProducerId : next.producerId,
    producerEpoch: isReplaced ? 0 : next.producerEpoch,
  })
}

/** The entry that decides the outcome; null: it takes a fresh producer id, and none was given. */
function prepareEnd(
  transaction: Transaction,
  { committed, clientVersion }: Pick<EndTransactionInput, 'committed' | 'clientVersion'>,
  { nowMs, freshProducerId }: DecisionContext,
): Transaction | null {
  const { producerId, producerEpoch, lastProducerEpoch, startMs, status } = transaction
  const bumps = clientVersion === 2
  const isExhausted = bumps && isEpochExhausted(producerEpoch)
  if (isExhausted && freshProducerId === null) return null
  return {
    ...transaction,
    previousProducerId: producerId,
    nextProducerId: isExhausted ? (freshProducerId ?? NONE) : NONE,
    producerEpoch: bumps ? Math.min(producerEpoch + 1, EPOCH_MAX) : producerEpoch,
    lastProducerEpoch: bumps ? producerEpoch : lastProducerEpoch,
    status: committed ? 'PrepareCommit' : 'PrepareAbort',
    lastUpdateMs: nowMs,
    startMs: status === 'Ongoing' ? startMs : nowMs,
    clientVersion,
  }
}

/**
 * Aborts on behalf of the coordinator, with an epoch that the producer does not have. Version 2 raises it anyway; before, it is
 * raised for this.
 */
export function prepareFence(transaction: Transaction, context: DecisionContext): Transaction | null {
  const next = prepareEnd(transaction, { committed: false, clientVersion: context.ownVersion }, context)
  if (next === null || context.ownVersion === 2) return next
  const producerEpoch = Math.min(transaction.producerEpoch + 1, EPOCH_MAX)
  return { ...next, producerEpoch, lastProducerEpoch: NONE }
}

/** All markers are written. The answer says whether it was this transaction that they belonged to. */
export function completeTransaction(
  transaction: Transaction | undefined,
  ended: Transaction,
  context: DecisionContext,
): Decision<boolean> {
  if (transaction !== ended) return answer(false)
  const { producerId, nextProducerId, status } = ended
  const isReplaced = nextProducerId !== NONE
  const next: Transaction = {
    ...ended,
    previousProducerId: producerId,
    producerId: isReplaced ? nextProducerId : producerId,
    nextProducerId: NONE,
    producerEpoch: isReplaced ? 0 : ended.producerEpoch,
    status: status === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort',
    partitions: NO_PARTITIONS,
    lastUpdateMs: context.nowMs,
  }
  return write(next, true)
}

/** Aborts what has been open for longer than its producer asked for, and fences that producer. */
export function abortTimedOut(transaction: Transaction | undefined, context: DecisionContext): Decision<boolean> {
  if (transaction === undefined || !isTimedOut(transaction, context.nowMs)) return answer(false)
  const next = prepareFence(transaction, context)
  return next === null ? NEEDS_PRODUCER_ID : write(next, true)
}

export function isTimedOut({ status, startMs, timeoutMs }: Transaction, nowMs: number): boolean {
  return status === 'Ongoing' && startMs + timeoutMs < nowMs
}

/** Forgets an id that has not been used for long. */
export function expireId(transaction: Transaction | undefined, context: DecisionContext): Decision<boolean> {
  if (transaction === undefined || !isExpired(transaction, context)) return answer(false)
  return write(null, true)
}

export function isExpired(
  { status, lastUpdateMs }: Transaction,
  { nowMs, config }: Pick<DecisionContext, 'nowMs' | 'config'>,
): boolean {
  const isIdle = status === 'Empty' || status === 'CompleteCommit' || status === 'CompleteAbort'
  return isIdle && lastUpdateMs + config.idExpirationMs <= nowMs
}

function failed(errorCode: ErrorCode): Decision<ProducerAnswer> {
  return answer(producerFailure(errorCode))
}
