/**
 * What Kafka's metadata becomes in the metadata store: the whole of it, as the puts of one transaction. Pure.
 *
 * What must hold: a topic keeps its id, a partition its place in time (its next leader epoch is above every one that Kafka or the log
 * knows), and a producer id that Kafka has handed out is never handed out again.
 */
import { ACLS_PREFIX, type AclValue } from '../acls.ts'
import { ENTITY_TYPES, type QuotaEntity, type QuotaValue, quotaKey } from '../client-quotas.ts'
import { FEATURES, FEATURES_PREFIX } from '../features.ts'
import { type ScramValue, scramKey } from '../scram-credentials.ts'
import type { StorePut } from '../store.ts'
import {
  brokerConfigKey,
  clientMetricsConfigKey,
  collisionKey,
  encodeValue,
  groupConfigKey,
  type PartitionValue,
  PRODUCER_IDS_KEY,
  topicConfigKey,
  topicKey,
} from '../values.ts'
import { KafkaConfigType, type KafkaMetadata, type KafkaQuota, type KafkaTopic } from './kafka-metadata.ts'

export interface StoreEntriesInput {
  readonly metadata: KafkaMetadata
  readonly kraftVersion: number
  readonly nodeId: number
  /** The newest epoch that the partition's own log knows; -1: none. */
  readonly lastEpochOf: (topic: KafkaTopic, partition: number) => number
}

const CONFIG_KEYS: ReadonlyMap<number, (name: string) => string> = new Map([
  [KafkaConfigType.TOPIC, topicConfigKey],
  [KafkaConfigType.BROKER, brokerConfigKey],
  [KafkaConfigType.CLIENT_METRICS, clientMetricsConfigKey],
  [KafkaConfigType.GROUP, groupConfigKey],
])

export function storeEntries(input: StoreEntriesInput): StorePut[] {
  const { metadata, kraftVersion } = input
  const values = new Map<string, unknown>()
  for (const topic of metadata.topics.values()) {
    const collision = collisionKey(topic.name)
    if (collision !== null) values.set(collision, topic.name)
    values.set(topicKey(topic.name), { topicId: topic.topicId, partitions: partitionsOf(topic, input) })
  }
  for (const [type, byName] of metadata.configs) {
    const keyOf = CONFIG_KEYS.get(type)
    if (keyOf === undefined) continue
    for (const [name, configs] of byName) values.set(keyOf(name), Object.fromEntries(configs))
  }
  for (const { name } of FEATURES) {
    const level = name === 'kraft.version' ? kraftVersion : (metadata.features.get(name) ?? 0)
    values.set(FEATURES_PREFIX + name, { level })
  }
  for (const quota of metadata.quotas.values()) {
    const entity = entityOf(quota)
    const value: QuotaValue = { entity: [...entity], values: Object.fromEntries(quota.values) }
    values.set(quotaKey(entity), value)
  }
  for (const [user, mechanisms] of metadata.scram) {
    const credentials = [...mechanisms.values()]
      .map(({ mechanism, iterations, salt, storedKey, serverKey }) => ({
        mechanism,
        iterations,
        salt: Uint8Array.from(salt),
        storedKey: Uint8Array.from(storedKey),
        serverKey: Uint8Array.from(serverKey),
      }))
      .sort((a, b) => a.mechanism - b.mechanism)
    const value: ScramValue = { credentials }
    values.set(scramKey(user), value)
  }
  for (const { id, ...entry } of metadata.acls.values()) {
    const value: AclValue = entry
    values.set(ACLS_PREFIX + id, value)
  }
  values.set(PRODUCER_IDS_KEY, { next: metadata.nextProducerId })
  return [...values].map(([key, value]) => ({ key, value: encodeValue(value) }))
}

/** This broker leads from the next epoch on, as Kafka itself would after its start. */
function partitionsOf(topic: KafkaTopic, { nodeId, lastEpochOf }: StoreEntriesInput): PartitionValue[] {
  const indexes = [...topic.partitions.keys()].sort((a, b) => a - b)
  return indexes.map((index) => {
    const partition = topic.partitions.get(index)!
    return {
      leader: nodeId,
      leaderEpoch: Math.max(partition.leaderEpoch, lastEpochOf(topic, index)) + 1,
      partitionEpoch: partition.partitionEpoch + 1,
      replicas: partition.replicas,
      isr: [nodeId],
    }
  })
}

function entityOf({ entity }: KafkaQuota): QuotaEntity {
  const names = new Map(entity.map(({ entityType, entityName }) => [entityType, entityName]))
  return new Map(ENTITY_TYPES.flatMap((type) => (names.has(type) ? [[type, names.get(type) ?? null] as const] : [])))
}
