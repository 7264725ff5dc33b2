/** kafkajs' entry: one object knows how to reach the cluster and makes producers, consumers and admins, each with connections of its own. */
import { createAdmin } from './admin.ts'
import { KafkaConsumer } from './consumer.ts'
import { adminEvents, consumerEvents, Events, producerEvents } from './events.ts'
import { ClusterLink, type ResolvedConfig, resolveConfig } from './link.ts'
import { createLogger, type Logger } from './logger.ts'
import { KafkaProducer } from './producer.ts'
import { CommittedOffsets } from './resolved-offsets.ts'
import { type RetryOptions, resolveRetry } from './retry.ts'
import type { Admin, AdminConfig, Consumer, ConsumerConfig, KafkaConfig, Producer, ProducerConfig } from './types.ts'

const DEFAULT_METADATA_MAX_AGE_MS = 300_000

export class Kafka {
  private readonly config: ResolvedConfig
  private readonly retry: RetryOptions | undefined
  private readonly rootLogger: Logger
  private readonly committed = new CommittedOffsets()

  constructor(config: KafkaConfig) {
    this.config = resolveConfig(config)
    this.retry = config.retry
    this.rootLogger = createLogger({ level: config.logLevel, logCreator: config.logCreator })
  }

  producer(config: ProducerConfig = {}): Producer {
    const log = this.rootLogger.namespace('Producer')
    const listeners = new Events('producer', producerEvents, log)
    const link = new ClusterLink(this.config, listeners, {
      retry: resolveRetry(this.retry, config.retry),
      metadataMaxAgeMs: config.metadataMaxAge ?? DEFAULT_METADATA_MAX_AGE_MS,
    })
    return new KafkaProducer(link, config, listeners, log, (groupId, topic, partition, offset) => {
      this.committed.of(groupId).set(topic, partition, Number(offset))
    })
  }

  consumer(config: ConsumerConfig): Consumer {
    const log = this.rootLogger.namespace('Consumer')
    const listeners = new Events('consumer', consumerEvents, log)
    const given = config ?? { groupId: '' }
    return new KafkaConsumer(
      (observer) =>
        new ClusterLink(this.config, listeners, {
          retry: resolveRetry(this.retry, given.retry),
          metadataMaxAgeMs: given.metadataMaxAge ?? DEFAULT_METADATA_MAX_AGE_MS,
          observer,
        }),
      given,
      listeners,
      log,
      this.committed.of(given.groupId),
    )
  }

  admin(config: AdminConfig = {}): Admin {
    const log = this.rootLogger.namespace('Admin')
    const listeners = new Events('admin', adminEvents, log)
    return createAdmin(
      new ClusterLink(this.config, listeners, { retry: resolveRetry(this.retry, config.retry) }),
      listeners,
      log,
    )
  }

  logger(): Logger {
    return this.rootLogger
  }
}
