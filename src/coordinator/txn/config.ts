/** The limits and times of the transaction coordinator, in one place. The names behind them are Kafka's. */

export interface TransactionCoordinatorConfig {
  /** transaction.max.timeout.ms */
  readonly timeoutMsMax: number
  /** transactional.id.expiration.ms */
  readonly idExpirationMs: number
  /** transaction.abort.timed.out.transaction.cleanup.interval.ms */
  readonly abortTimedOutIntervalMs: number
  /** transaction.remove.expired.transaction.cleanup.interval.ms */
  readonly removeExpiredIntervalMs: number
  /** add.partitions.to.txn.retry.backoff.max.ms: so long an addition waits for the transaction before it to be complete. */
  readonly addPartitionsWaitMsMax: number
  /** transaction.state.log.num.partitions: used until the topic exists */
  readonly topicPartitions: number
}

export const TRANSACTION_COORDINATOR_DEFAULTS: TransactionCoordinatorConfig = {
  timeoutMsMax: 900_000,
  idExpirationMs: 604_800_000,
  abortTimedOutIntervalMs: 10_000,
  removeExpiredIntervalMs: 3_600_000,
  addPartitionsWaitMsMax: 100,
  topicPartitions: 50,
}

export const TRANSACTION_TOPIC = '__transaction_state'

/** A partition that did not take its marker is asked again this much later. */
export const MARKER_RETRY_DELAY_MS = 100

/** Of the rounds that leave a marker unwritten, one in so many is logged: once a minute. */
export const MARKER_LOG_EVERY_ROUNDS = 600

/** What the key of an entry can hold. Text that is no UTF-8 grows when it is written again, beyond what a request can hold. */
export const TRANSACTIONAL_ID_BYTES_MAX = 32_767

/** Requests of one transactional id that wait for its last transaction to be complete; more are told to come back. */
export const WAITING_ADDITIONS_MAX = 1000
