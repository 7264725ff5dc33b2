/**
 * Puts the metadata together: the image over a store, and everything that works on it. The server calls it once per start.
 */
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import type { BrokerConfig } from './broker-config.ts'
import { ClientQuotas } from './client-quotas.ts'
import { Configs } from './configs.ts'
import { Features } from './features.ts'
import { MetadataImage } from './image.ts'
import { LeveledLogger } from './log-level.ts'
import { ProducerIds } from './producer-ids.ts'
import { ScramCredentials } from './scram-credentials.ts'
import type { MetadataStore } from './store.ts'
import { Topics } from './topics.ts'
import { brokerConfigKey, type ConfigValue, encodeValue } from './values.ts'

export interface MetadataOptions {
  readonly store: MetadataStore
  readonly config: BrokerConfig
  readonly nodeId: number
  readonly random: Random
  /** If it is a LeveledLogger, its level can be changed as a broker-logger config. */
  readonly logger: Logger
}

export interface Metadata {
  readonly image: MetadataImage
  readonly configs: Configs
  readonly topics: Topics
  readonly producerIds: ProducerIds
  readonly features: Features
  readonly clientQuotas: ClientQuotas
  readonly scram: ScramCredentials
  /** Stops following the store; the store itself belongs to the caller. */
  close(): void
}

export async function openMetadata(options: MetadataOptions): Promise<Metadata> {
  const { store, config, nodeId, random, logger } = options
  const loggerLevel = logger instanceof LeveledLogger ? { loggerLevel: logger } : {}
  await initialise(store, config)
  const image = await MetadataImage.load(store)
  config.follow(image, nodeId)
  const features = await Features.load(store, nodeId)
  const elrEnabled = (): boolean => features.level('eligible.leader.replicas.version') > 0
  const configs = new Configs({ store, image, broker: config, nodeId, elrEnabled, ...loggerLevel })
  const topics = new Topics({ store, image, configs, config, random, logger })
  const clientQuotas = await ClientQuotas.load(store)
  const scram = await ScramCredentials.load(store)
  const close = (): void => {
    features.close()
    clientQuotas.close()
    scram.close()
    image.close()
  }
  return { image, configs, topics, producerIds: new ProducerIds(store), features, clientQuotas, scram, close }
}

/**
 * A fresh cluster of Kafka 4.3 has one dynamic config, min.insync.replicas for all brokers, and its tools show it. Whoever of several
 * processes starts first writes it.
 */
async function initialise(store: MetadataStore, config: BrokerConfig): Promise<void> {
  const { revision } = await store.list('')
  if (revision > 0) return
  const value: ConfigValue = { 'min.insync.replicas': config.text('min.insync.replicas') ?? '1' }
  const key = brokerConfigKey('')
  await store.transact({ checks: [{ key, revision: null }], puts: [{ key, value: encodeValue(value) }] })
}
