/**
 * What Kafka's metadata log says, record by record: topics, partitions, configs, features, quotas, credentials, ACLs. Pure; the only
 * way to change it is `replay`, in the order of the log.
 *
 * What must hold: it ends up as Kafka's own image of the same records. Records that only the quorum or the controller itself needs
 * (registrations of controllers, fencing, eligible leaders) leave nothing behind.
 */
import type { FieldsOf, MetadataRecord } from './records.ts'

/** The log contradicts itself. The message names the record. */
export class KafkaMetadataError extends Error {
  override readonly name = 'KafkaMetadataError'
}

export interface KafkaPartition {
  readonly replicas: readonly number[]
  readonly removingReplicas: readonly number[]
  readonly addingReplicas: readonly number[]
  readonly leader: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  /** One for each replica; empty in clusters that do not know which folder a replica is in. */
  readonly directories: readonly string[]
}

export interface KafkaTopic {
  readonly name: string
  readonly topicId: string
  /** By index. */
  readonly partitions: Map<number, KafkaPartition>
}

export type ScramRecord = FieldsOf<'UserScramCredential'>
export type AclRecord = FieldsOf<'AccessControlEntry'>
export type QuotaParts = FieldsOf<'ClientQuota'>['entity']

export interface KafkaQuota {
  readonly entity: QuotaParts
  readonly values: Map<string, number>
}

/** `resourceType` of config records. */
export const KafkaConfigType = { TOPIC: 2, BROKER: 4, CLIENT_METRICS: 16, GROUP: 32 } as const

const NO_CHANGE = -2
const NOTHING: ReadonlyMap<string, string> = new Map()

export class KafkaMetadata {
  readonly features = new Map<string, number>()
  /** By id. */
  readonly topics = new Map<string, KafkaTopic>()
  /** Type -> name -> key -> value. */
  readonly configs = new Map<number, Map<string, Map<string, string>>>()
  readonly quotas = new Map<string, KafkaQuota>()
  /** By user, then by mechanism. */
  readonly scram = new Map<string, Map<number, ScramRecord>>()
  /** By id. */
  readonly acls = new Map<string, AclRecord>()
  readonly tokenIds = new Set<string>()
  /** Ids of the brokers that are registered. */
  readonly brokers = new Set<number>()
  nextProducerId = 0
  /** Of a cluster that came from ZooKeeper. */
  zkMigrationState = 0
  readonly #idsByName = new Map<string, string>()

  configsOf(type: number, name: string): ReadonlyMap<string, string> {
    return this.configs.get(type)?.get(name) ?? NOTHING
  }

  replay(record: MetadataRecord): void {
    switch (record.type) {
      case 'RegisterBroker':
        this.brokers.add(record.fields.brokerId)
        break
      case 'UnregisterBroker':
        this.brokers.delete(record.fields.brokerId)
        break
      case 'Topic':
        this.#addTopic(record.fields)
        break
      case 'RemoveTopic':
        this.#removeTopic(record.fields.topicId)
        break
      case 'Partition':
        this.#putPartition(record.fields)
        break
      case 'PartitionChange':
        this.#changePartition(record.fields)
        break
      case 'Config':
        this.#setConfig(record.fields)
        break
      case 'FeatureLevel':
        this.features.set(record.fields.name, record.fields.featureLevel)
        break
      case 'ClientQuota':
        this.#setQuota(record.fields)
        break
      case 'ProducerIds':
        this.nextProducerId = record.fields.nextProducerId
        break
      case 'ZkMigrationState':
        this.zkMigrationState = record.fields.zkMigrationState
        break
      default:
        this.#replaySecurity(record)
    }
  }

  #replaySecurity(record: MetadataRecord): void {
    switch (record.type) {
      case 'UserScramCredential': {
        const { name, mechanism } = record.fields
        const mechanisms = this.scram.get(name) ?? new Map<number, ScramRecord>()
        this.scram.set(name, mechanisms.set(mechanism, record.fields))
        break
      }
      case 'RemoveUserScramCredential': {
        const mechanisms = this.scram.get(record.fields.name)
        mechanisms?.delete(record.fields.mechanism)
        if (mechanisms?.size === 0) this.scram.delete(record.fields.name)
        break
      }
      case 'AccessControlEntry':
        this.acls.set(record.fields.id, record.fields)
        break
      case 'RemoveAccessControlEntry':
        this.acls.delete(record.fields.id)
        break
      case 'DelegationToken':
        this.tokenIds.add(record.fields.tokenId)
        break
      case 'RemoveDelegationToken':
        this.tokenIds.delete(record.fields.tokenId)
        break
    }
  }

  #addTopic({ name, topicId }: FieldsOf<'Topic'>): void {
    if (this.#idsByName.has(name)) throw new KafkaMetadataError(`topic ${name} is created while it exists`)
    this.#idsByName.set(name, topicId)
    this.topics.set(topicId, { name, topicId, partitions: new Map() })
  }

  /** The topic's configs go with it. */
  #removeTopic(topicId: string): void {
    const { name } = this.#topic(topicId, 'removed')
    this.topics.delete(topicId)
    this.#idsByName.delete(name)
    this.configs.get(KafkaConfigType.TOPIC)?.delete(name)
  }

  #topic(topicId: string, what: string): KafkaTopic {
    const topic = this.topics.get(topicId)
    if (topic === undefined) throw new KafkaMetadataError(`topic id ${topicId} is ${what}, but there is no such topic`)
    return topic
  }

  #putPartition(fields: FieldsOf<'Partition'>): void {
    const topic = this.#topic(fields.topicId, 'given a partition')
    topic.partitions.set(fields.partitionId, {
      replicas: fields.replicas,
      removingReplicas: fields.removingReplicas,
      addingReplicas: fields.addingReplicas,
      leader: fields.leader,
      leaderEpoch: fields.leaderEpoch,
      partitionEpoch: fields.partitionEpoch,
      directories: fields.directories,
    })
  }

  /** What is not given stays. A leader that is given starts an epoch, also where it is nobody. */
  #changePartition(fields: FieldsOf<'PartitionChange'>): void {
    const topic = this.#topic(fields.topicId, 'changed')
    const before = topic.partitions.get(fields.partitionId)
    if (before === undefined) {
      throw new KafkaMetadataError(`partition ${topic.name}-${fields.partitionId} is changed, but there is no such one`)
    }
    const hasLeader = fields.leader !== NO_CHANGE
    topic.partitions.set(fields.partitionId, {
      replicas: fields.replicas ?? before.replicas,
      removingReplicas: fields.removingReplicas ?? before.removingReplicas,
      addingReplicas: fields.addingReplicas ?? before.addingReplicas,
      leader: hasLeader ? fields.leader : before.leader,
      leaderEpoch: before.leaderEpoch + (hasLeader ? 1 : 0),
      partitionEpoch: before.partitionEpoch + 1,
      directories: fields.directories ?? before.directories,
    })
  }

  #setConfig({ resourceType, resourceName, name, value }: FieldsOf<'Config'>): void {
    const byName = this.configs.get(resourceType) ?? new Map<string, Map<string, string>>()
    this.configs.set(resourceType, byName)
    const values = byName.get(resourceName) ?? new Map<string, string>()
    if (value === null) values.delete(name)
    else values.set(name, value)
    if (values.size === 0) byName.delete(resourceName)
    else byName.set(resourceName, values)
  }

  #setQuota({ entity, key, value, remove }: FieldsOf<'ClientQuota'>): void {
    const parts = [...entity].sort((a, b) => (a.entityType < b.entityType ? -1 : 1))
    const name = JSON.stringify(parts.map(({ entityType, entityName }) => [entityType, entityName]))
    const quota = this.quotas.get(name) ?? { entity: parts, values: new Map<string, number>() }
    if (remove) quota.values.delete(key)
    else quota.values.set(key, value)
    if (quota.values.size === 0) this.quotas.delete(name)
    else this.quotas.set(name, quota)
  }
}
