/**
 * Sets up the transaction coordinator for this broker: its settings, its log, the markers it writes, and its shards, which come and go
 * with the partitions of `__transaction_state` that this broker leads. Built by the server, after the groups.
 */
import type { GroupCoordinator } from '../coordinator/runtime.ts'
import { TRANSACTION_TOPIC, type TransactionCoordinatorConfig } from '../coordinator/txn/config.ts'
import { TransactionCoordinator } from '../coordinator/txn/coordinator.ts'
import type { BrokerConfig } from '../metadata/broker-config.ts'
import type { Features } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { ProducerIds } from '../metadata/producer-ids.ts'
import type { Clock } from '../storage/clock.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import { CoordinatorTopicLog } from './coordinator-topic-log.ts'
import { LedPartitions } from './led-partitions.ts'
import { FINISH_TRANSACTIONS_MS } from './limits.ts'
import { PartitionMarkerWriter } from './marker-writer.ts'
import type { Partitions } from './partitions.ts'
import { TransactionVerifier } from './transaction-verifier.ts'

export interface TransactionServiceOptions {
  readonly nodeId: number
  readonly config: BrokerConfig
  readonly image: MetadataImage
  /** Follows the image already: its listeners run before the ones of here. */
  readonly partitions: Partitions
  readonly groups: GroupCoordinator
  readonly producerIds: ProducerIds
  readonly features: Features
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
}

export class TransactionService {
  readonly coordinator: TransactionCoordinator
  readonly markers: PartitionMarkerWriter
  readonly verifier: TransactionVerifier
  readonly #ledPartitions: LedPartitions
  readonly #timers: Timers
  readonly #clock: Clock
  readonly #logger: Logger

  constructor(options: TransactionServiceOptions) {
    const { nodeId, config, image, partitions, groups, producerIds, features, clock, timers, logger } = options
    this.#timers = timers
    this.#clock = clock
    this.#logger = logger
    this.markers = new PartitionMarkerWriter({ partitions, groups, clock, timers })
    this.coordinator = new TransactionCoordinator({
      config: coordinatorConfig(config),
      log: new CoordinatorTopicLog(partitions, TRANSACTION_TOPIC),
      markers: this.markers,
      transactionVersion: () => features.level('transaction.version'),
      nextProducerId: () => producerIds.next(),
      partitionCount: (topic) => image.topic(topic)?.partitions.length,
      clock,
      timers,
      logger,
    })
    this.verifier = new TransactionVerifier({
      coordinator: this.coordinator,
      isEnabled: () => config.boolean('transaction.partition.verification.enable'),
      clock,
    })
    this.#ledPartitions = new LedPartitions({ nodeId, image, topic: TRANSACTION_TOPIC, coordinator: this.coordinator })
  }

  /**
   * Before anybody is served: transactions that had ended when the broker did get their markers. What a broken disk holds up does not
   * hold up the start.
   */
  async finishEnded(): Promise<void> {
    const { promise: tooLate, resolve } = Promise.withResolvers<'too late'>()
    const timer = 'transactions/finish-ended'
    this.#timers.schedule(timer, this.#clock.now() + FINISH_TRANSACTIONS_MS, () => resolve('too late'))
    const outcome = await Promise.race([this.coordinator.settled(), tooLate])
    this.#timers.cancel(timer)
    if (outcome === 'too late') this.#logger.warn('ended transactions still wait for their markers')
  }

  close(): void {
    this.#ledPartitions.close()
    this.coordinator.close()
  }
}

function coordinatorConfig(config: BrokerConfig): TransactionCoordinatorConfig {
  return {
    timeoutMsMax: config.number('transaction.max.timeout.ms'),
    idExpirationMs: config.number('transactional.id.expiration.ms'),
    abortTimedOutIntervalMs: config.number('transaction.abort.timed.out.transaction.cleanup.interval.ms'),
    removeExpiredIntervalMs: config.number('transaction.remove.expired.transaction.cleanup.interval.ms'),
    addPartitionsWaitMsMax: config.number('add.partitions.to.txn.retry.backoff.max.ms'),
    topicPartitions: config.number('transaction.state.log.num.partitions'),
  }
}
