/**
 * Before the first batch of a transaction goes into a partition, the coordinator must know that the partition belongs to it: otherwise
 * the batch would never get its marker (KIP-890). Clients of transaction version 2 leave the adding to the broker; for older ones it
 * is only asked. Produce and TxnOffsetCommit come here.
 *
 * What must hold: batches of one producer for one partition go on in the order in which they came; the answer goes with a guard, so
 * that it is worth nothing once a marker came in between.
 */
import type { TransactionCoordinator } from '../coordinator/txn/coordinator.ts'
import type { ProducerIdAndEpoch } from '../coordinator/txn/state.ts'
import type { TransactionGuard } from '../log/types.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import type { Clock } from '../storage/clock.ts'
import type { Partition } from './partition.ts'

export interface TransactionalWrite extends ProducerIdAndEpoch {
  readonly transactionalId: string
  /** -1 for what has no sequences. */
  readonly baseSequence: number
  /** Add the partition rather than only ask about it. */
  readonly adds: boolean
}

/** `guard` is for the log; left out when the check is switched off. */
export type Verified = (errorCode: ErrorCode, guard?: TransactionGuard | null) => void

export interface TransactionVerifierDependencies {
  readonly coordinator: TransactionCoordinator
  /** transaction.partition.verification.enable */
  readonly isEnabled: () => boolean
  readonly clock: Clock
}

interface Question {
  readonly guard: TransactionGuard
  readonly asking: Verified[]
}

export class TransactionVerifier {
  readonly #dependencies: TransactionVerifierDependencies
  /** Questions under way, by partition, producer and epoch. */
  readonly #questions = new Map<string, Question>()

  constructor(dependencies: TransactionVerifierDependencies) {
    this.#dependencies = dependencies
  }

  /** Calls `verified` exactly once: from within if nobody has to be asked. The partition's log must be there. */
  verify(partition: Partition, write: TransactionalWrite, verified: Verified): void {
    const { producerId, producerEpoch, baseSequence, adds } = write
    const { producers } = partition.log!
    const name = `${partition.topic}-${partition.index}/${producerId}/${producerEpoch}/${write.transactionalId}`
    const underWay = this.#questions.get(name)
    if (underWay === undefined) {
      if (producers.hasOpenTransaction(producerId, producerEpoch)) {
        verified(ErrorCode.NONE, null)
        return
      }
      if (!adds && !this.#dependencies.isEnabled()) {
        verified(ErrorCode.NONE)
        return
      }
    }
    const startedMs = this.#dependencies.clock.now()
    const wanted = { producerId, producerEpoch, startsAtZero: adds, lowestSequence: baseSequence, startedMs }
    const guard = producers.guard(wanted)
    if (underWay !== undefined && underWay.guard === guard) {
      underWay.asking.push(verified)
      return
    }
    const question: Question = { guard, asking: [verified] }
    this.#questions.set(name, question)
    this.#ask(partition, write, (errorCode) => {
      if (this.#questions.get(name) === question) this.#questions.delete(name)
      if (errorCode !== ErrorCode.NONE) producers.dropGuard(guard)
      for (const tell of question.asking) tell(errorCode, guard)
    })
  }

  #ask(partition: Partition, write: TransactionalWrite, reply: (errorCode: ErrorCode) => void): void {
    const { coordinator } = this.#dependencies
    const { transactionalId, producerId, producerEpoch } = write
    const partitions = new Map([[partition.topic, [partition.index]]])
    if (write.adds) {
      coordinator.addPartitions(transactionalId, { producerId, producerEpoch, partitions, clientVersion: 2 }, reply)
      return
    }
    coordinator.verifyPartitions(transactionalId, { producerId, producerEpoch, partitions }, (result) =>
      reply(typeof result === 'number' ? result : (result[0] ?? ErrorCode.UNKNOWN_SERVER_ERROR)),
    )
  }
}

/** What a write is refused with whose transaction could not be verified. */
export interface VerificationFailure {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

export interface VerificationTerms {
  readonly adds: boolean
  /** The client knows TRANSACTION_ABORTABLE. */
  readonly knowsAbortable: boolean
}

/** The coordinator's answer as a client of that version understands it; null: the write may go on. */
export function verificationFailure(errorCode: ErrorCode, terms: VerificationTerms): VerificationFailure | null {
  switch (errorCode) {
    case ErrorCode.NONE:
      return null
    case ErrorCode.PRODUCER_FENCED:
      return { errorCode: ErrorCode.INVALID_PRODUCER_EPOCH, errorMessage: null }
    case ErrorCode.TRANSACTION_ABORTABLE:
      if (terms.knowsAbortable) return { errorCode, errorMessage: null }
      return { errorCode: ErrorCode.INVALID_TXN_STATE, errorMessage: 'Partition was not added to the transaction' }
    case ErrorCode.CONCURRENT_TRANSACTIONS:
      return terms.adds ? { errorCode, errorMessage: null } : comeBack(errorCode)
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
    case ErrorCode.NOT_COORDINATOR:
      return comeBack(errorCode)
    default:
      return { errorCode, errorMessage: null }
  }
}

/** Older clients retry this one without asking for metadata first. */
function comeBack(errorCode: ErrorCode): VerificationFailure {
  return {
    errorCode: ErrorCode.NOT_ENOUGH_REPLICAS,
    errorMessage: `Unable to verify the partition has been added to the transaction. Underlying error: ${errorName(errorCode)}`,
  }
}
