/** The markers that end a transaction in its partitions, as the coordinator sees them. The broker writes them. */
import type { ErrorCode } from '../../protocol/errors.ts'
import type { ProducerIdAndEpoch } from './state.ts'

export interface TransactionMarker extends ProducerIdAndEpoch {
  readonly committed: boolean
  /** Leader epoch of the transaction's partition of `__transaction_state`. */
  readonly coordinatorEpoch: number
  /** Under 2 the marker carries an epoch that nothing was written with yet. */
  readonly transactionVersion: number
}

export interface MarkerWriter {
  /**
   * Writes the marker into one partition and calls `done` exactly once, never from within: 0 when it is durable there and in
   * effect, UNKNOWN_TOPIC_OR_PARTITION when there is no such partition any more, anything else if it did not work.
   */
  write(marker: TransactionMarker, topic: string, partition: number, done: (errorCode: ErrorCode) => void): void
}
