/**
 * Keys and values of the metadata store. Values are msgpack behind one version byte, so that a later release can change
 * a shape and still read what an earlier one wrote.
 *
 * Key space:
 *   topics/NAME              the topic: id and partitions
 *   topic-collisions/NAME_   guards names that differ only in `.` and `_`
 *   configs/topics/NAME, configs/brokers/ID, configs/brokers/ (cluster default), configs/groups/NAME,
 *     configs/client-metrics/NAME
 *   brokers/ID               registration of a live broker (bound to its lease)
 *   producer-ids             the next block
 *   features/NAME            a feature level that was changed
 *   quotas/ENTITY            client quotas
 *   scram/USER               what proves the user's password
 *   acls/ID                  an ACL
 */
// Without the package's native part, which takes longer to load than it saves here.
import { Packr } from 'msgpackr/pack'

const VALUE_VERSION = 1

const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true })

export class MetadataValueError extends Error {
  override readonly name = 'MetadataValueError'
}

export function encodeValue(value: unknown): Uint8Array {
  const packed = packr.pack(value)
  const bytes = new Uint8Array(1 + packed.length)
  bytes[0] = VALUE_VERSION
  bytes.set(packed, 1)
  return bytes
}

/** The shape is ours: only `encodeValue` writes the store. A version that is newer than this release is refused. */
export function decodeValue<T>(key: string, bytes: Uint8Array): T {
  if (bytes[0] !== VALUE_VERSION) {
    throw new MetadataValueError(
      `metadata value of '${key}' has version ${bytes[0] ?? 'none'}, this release reads version ${VALUE_VERSION}`,
    )
  }
  return packr.unpack(bytes.subarray(1)) as T
}

export const TOPICS_PREFIX = 'topics/'
export const TOPIC_CONFIGS_PREFIX = 'configs/topics/'
export const BROKER_CONFIGS_PREFIX = 'configs/brokers/'
export const GROUP_CONFIGS_PREFIX = 'configs/groups/'
export const CLIENT_METRICS_CONFIGS_PREFIX = 'configs/client-metrics/'
export const BROKERS_PREFIX = 'brokers/'
export const PRODUCER_IDS_KEY = 'producer-ids'

export function topicKey(name: string): string {
  return TOPICS_PREFIX + name
}

export function topicConfigKey(name: string): string {
  return TOPIC_CONFIGS_PREFIX + name
}

/** The empty name is the cluster-wide default. */
export function brokerConfigKey(name: string): string {
  return BROKER_CONFIGS_PREFIX + name
}

export function groupConfigKey(group: string): string {
  return GROUP_CONFIGS_PREFIX + group
}

export function clientMetricsConfigKey(name: string): string {
  return CLIENT_METRICS_CONFIGS_PREFIX + name
}

export function brokerKey(id: number): string {
  return BROKERS_PREFIX + id
}

/** Names with `.` or `_` are ambiguous in metric names: both spellings share this key, so only one can exist. */
export function collisionKey(name: string): string | null {
  return /[._]/.test(name) ? `topic-collisions/${name.replaceAll('.', '_')}` : null
}

export interface PartitionValue {
  readonly leader: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export interface TopicValue {
  readonly topicId: string
  /** By partition index. */
  readonly partitions: readonly PartitionValue[]
}

export type ConfigValue = Readonly<Record<string, string>>

export interface BrokerValue {
  readonly host: string
  readonly port: number
  readonly rack: string | null
  /** Differs for every start of the process: tells a restart from a second process with the same id. */
  readonly incarnation: string
}

export interface ProducerIdsValue {
  readonly next: number
}
