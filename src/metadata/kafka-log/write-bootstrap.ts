/**
 * The way back: what the metadata store holds, as the records of a `bootstrap.checkpoint`, with which a Kafka that has no metadata log
 * begins one. Pure; the counterpart of store-entries.ts.
 *
 * What must hold: read by readMetadataFolder, it gives what the store holds. Partitions are written as led by this node: Kafka takes its first
 * registration for the one after a crash and gives partitions up, each with its last known leader, whom it then elects again. Without one,
 * nobody ever could be. So leader epochs go on two above those written here.
 */
import { encode } from '../../protocol/codec.ts'
import type { Input, MessageSchema } from '../../protocol/schema.ts'
import { Writer } from '../../protocol/writer.ts'
import { buildBatch } from '../../records/batch.ts'
import { ACLS_PREFIX, type AclValue } from '../acls.ts'
import { QUOTAS_PREFIX, type QuotaValue } from '../client-quotas.ts'
import { FEATURES, FEATURES_PREFIX, type FeatureValue } from '../features.ts'
import { SCRAM_PREFIX, type ScramValue } from '../scram-credentials.ts'
import type { StoreEntry } from '../store.ts'
import {
  BROKER_CONFIGS_PREFIX,
  CLIENT_METRICS_CONFIGS_PREFIX,
  type ConfigValue,
  decodeValue,
  GROUP_CONFIGS_PREFIX,
  PRODUCER_IDS_KEY,
  type ProducerIdsValue,
  TOPIC_CONFIGS_PREFIX,
  TOPICS_PREFIX,
  type TopicValue,
} from '../values.ts'
import { KafkaConfigType } from './kafka-metadata.ts'
import { METADATA_RECORDS } from './records.ts'

type Declarations = typeof METADATA_RECORDS

export interface BootstrapInput {
  readonly entries: readonly StoreEntry[]
  readonly nodeId: number
  /** Id of the data folder that holds the partition's log; null: nobody's yet. */
  readonly directoryOf: (topic: string, partition: number) => string | null
  readonly nowMs: number
}

const FRAME_VERSION = 1
const SLAB_BYTES = 64 * 1024
/** Kafka takes no batch above 8 MiB; so many records stay far below it. */
const RECORDS_PER_BATCH = 1000
const CONTROL_HEADER = 3
const CONTROL_FOOTER = 4
/** int16 version 0, int64 time, no tagged fields; and the same without a time. */
const HEADER_VALUE = Buffer.alloc(11)
const FOOTER_VALUE = Buffer.alloc(3)
/** Stands for a folder that is not chosen yet. */
const UNASSIGNED_DIRECTORY = 'AAAAAAAAAAAAAAAAAAAAAQ'
/** Versions of records by the level of metadata.version that brought them. */
const DIRECTORIES_SINCE_LEVEL = 17
const ELR_SINCE_LEVEL = 23

export function encodeRecord<T extends keyof Declarations>(
  type: T,
  version: number,
  fields: Input<Declarations[T]['schema'] & MessageSchema>,
): Buffer {
  const { number, schema } = METADATA_RECORDS[type]
  const writer = new Writer(SLAB_BYTES)
  writer.unsignedVarint(FRAME_VERSION)
  writer.unsignedVarint(number)
  writer.unsignedVarint(version)
  encode(schema as MessageSchema, writer, fields as never, version)
  return Buffer.concat(writer.finish())
}

/** The whole file. */
export function bootstrapFile(input: BootstrapInput): Buffer {
  const values = recordsOf(input)
  const batches = [controlBatch(0, CONTROL_HEADER, HEADER_VALUE, input.nowMs)]
  let offset = 1
  for (let from = 0; from < values.length; from += RECORDS_PER_BATCH) {
    const part = values.slice(from, from + RECORDS_PER_BATCH)
    const records = part.map((value) => ({ timestamp: input.nowMs, key: null, value }))
    batches.push(buildBatch({ baseOffset: offset, leaderEpoch: 0, records }))
    offset += part.length
  }
  batches.push(controlBatch(offset, CONTROL_FOOTER, FOOTER_VALUE, input.nowMs))
  return Buffer.concat(batches)
}

function controlBatch(baseOffset: number, type: number, value: Buffer, timestamp: number): Buffer {
  const key = Buffer.from([0, 0, 0, type])
  return buildBatch({ baseOffset, leaderEpoch: 0, isControl: true, records: [{ timestamp, key, value }] })
}

function recordsOf(input: BootstrapInput): Buffer[] {
  const { entries } = input
  const records: Buffer[] = []
  const under = <T>(prefix: string): [string, T][] =>
    entries
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ key, value }) => [key.slice(prefix.length), decodeValue<T>(key, value)])
  const levels = new Map(under<FeatureValue>(FEATURES_PREFIX).map(([name, { level }]) => [name, level]))
  for (const { name, initial, max } of FEATURES) {
    const level = levels.get(name) ?? Math.min(initial, max)
    // Its level is the quorum's business, and written by the quorum itself.
    if (level > 0 && name !== 'kraft.version')
      records.push(encodeRecord('FeatureLevel', 0, { name, featureLevel: level }))
  }
  const metadataVersion = levels.get('metadata.version') ?? Number.POSITIVE_INFINITY
  for (const [name, topic] of under<TopicValue>(TOPICS_PREFIX))
    records.push(...topicRecords(name, topic, input, metadataVersion))
  for (const [prefix, resourceType] of CONFIG_TYPES) {
    for (const [resourceName, configs] of under<ConfigValue>(prefix)) {
      for (const [name, value] of Object.entries(configs)) {
        records.push(encodeRecord('Config', 0, { resourceType, resourceName, name, value }))
      }
    }
  }
  for (const [, { entity, values }] of under<QuotaValue>(QUOTAS_PREFIX)) {
    const parts = entity.map(([entityType, entityName]) => ({ entityType, entityName }))
    for (const [key, value] of Object.entries(values)) {
      records.push(encodeRecord('ClientQuota', 0, { entity: parts, key, value, remove: false }))
    }
  }
  for (const [, { next }] of under<ProducerIdsValue>(PRODUCER_IDS_KEY)) {
    records.push(encodeRecord('ProducerIds', 0, { brokerId: input.nodeId, brokerEpoch: -1, nextProducerId: next }))
  }
  for (const [id, acl] of under<AclValue>(ACLS_PREFIX))
    records.push(encodeRecord('AccessControlEntry', 0, { id, ...acl }))
  for (const [name, { credentials }] of under<ScramValue>(SCRAM_PREFIX)) {
    for (const credential of credentials) records.push(encodeRecord('UserScramCredential', 0, { name, ...credential }))
  }
  return records
}

const CONFIG_TYPES: readonly (readonly [string, number])[] = [
  [TOPIC_CONFIGS_PREFIX, KafkaConfigType.TOPIC],
  [BROKER_CONFIGS_PREFIX, KafkaConfigType.BROKER],
  [CLIENT_METRICS_CONFIGS_PREFIX, KafkaConfigType.CLIENT_METRICS],
  [GROUP_CONFIGS_PREFIX, KafkaConfigType.GROUP],
]

function topicRecords(
  name: string,
  { topicId, partitions }: TopicValue,
  { nodeId, directoryOf }: BootstrapInput,
  metadataVersion: number,
): Buffer[] {
  const version = metadataVersion >= ELR_SINCE_LEVEL ? 2 : metadataVersion >= DIRECTORIES_SINCE_LEVEL ? 1 : 0
  const records = [encodeRecord('Topic', 0, { name, topicId })]
  for (const [partitionId, { leaderEpoch, partitionEpoch, replicas }] of partitions.entries()) {
    const directory = directoryOf(name, partitionId) ?? UNASSIGNED_DIRECTORY
    const fields = {
      partitionId,
      topicId,
      replicas,
      isr: [nodeId],
      removingReplicas: [],
      addingReplicas: [],
      leader: nodeId,
      leaderEpoch,
      partitionEpoch,
      ...(version >= 1 ? { directories: replicas.map(() => directory) } : {}),
    }
    records.push(encodeRecord('Partition', version, fields))
  }
  return records
}
