/**
 * Whether what Kafka's metadata says can be taken over: reasons against it (`refusals`), and what its owner should know (`notes`).
 * Pure; one line each.
 */
import {
  CLIENT_METRICS_DEFINITIONS,
  type DefinitionMap,
  GROUP_DEFINITIONS,
  TOPIC_DEFINITIONS,
} from '../config-definitions/index.ts'
import { groupConfigWithoutEffect, refusedValue, topicConfigWithoutEffect } from '../config-effects.ts'
import { parseConfigValue } from '../config-values.ts'
import { FEATURES } from '../features.ts'
import { KafkaConfigType, type KafkaMetadata, type KafkaTopic } from './kafka-metadata.ts'
import type { ReadMetadata } from './metadata-folder.ts'
import { metadataVersionName } from './metadata-version.ts'

export interface Judgement {
  readonly refusals: readonly string[]
  readonly notes: readonly string[]
}

/** So many examples are named; the rest is counted. */
const MOST_NAMED = 5
/** ZkMigrationState: the metadata is still ZooKeeper's. */
const ZK_PRE_MIGRATION = 1
const ZK_MIGRATION = 2
const TIERED_KEY = 'remote.storage.enable'

export function judgeMetadata(read: ReadMetadata, nodeId: number): Judgement {
  const { metadata, voters } = read
  const refusals = [...refusedFeatures(metadata), ...refusedConfigs(metadata), ...refusedTopics(metadata, nodeId)]
  if (voters !== null && voters.length > 1) {
    refusals.push(
      `the metadata has ${voters.length} voters (${voters.join(', ')}); what of it was agreed on cannot be told from one folder`,
    )
  }
  if (metadata.zkMigrationState === ZK_PRE_MIGRATION || metadata.zkMigrationState === ZK_MIGRATION) {
    refusals.push('the move from ZooKeeper to KRaft was never finished; finish it with Kafka first')
  }
  return { refusals, notes: [...read.passedOver, ...notesOf(metadata, nodeId)] }
}

function refusedFeatures(metadata: KafkaMetadata): string[] {
  const refusals: string[] = []
  const level = metadata.features.get('metadata.version')
  if (level === undefined) return ['the metadata has no metadata.version: it is older than Kafka 3.3']
  for (const [name, wanted] of metadata.features) {
    const feature = FEATURES.find((each) => each.name === name)
    if (feature === undefined) {
      if (wanted > 0) refusals.push(`feature ${name} is at level ${wanted}, which this release does not know`)
    } else if (name === 'metadata.version' && (wanted < feature.min || wanted > feature.max)) {
      const known = `${metadataVersionName(feature.min)} to ${metadataVersionName(feature.max)}`
      const shown = metadataVersionName(wanted) ?? `level ${wanted}`
      refusals.push(`metadata.version is ${shown}; ${known} can be taken over`)
    } else if (feature.max > 0 && wanted > feature.max) {
      refusals.push(`feature ${name} is at level ${wanted}, this release serves up to ${feature.max}`)
    }
  }
  return refusals
}

function refusedTopics(metadata: KafkaMetadata, nodeId: number): string[] {
  const elsewhere: string[] = []
  const gaps: string[] = []
  for (const topic of metadata.topics.values()) {
    for (const [index, { replicas }] of topic.partitions) {
      if (replicas.length !== 1 || replicas[0] !== nodeId) {
        elsewhere.push(`${topic.name}-${index} on ${replicas.join(', ') || 'none'}`)
      }
    }
    if (!isGapless(topic)) gaps.push(topic.name)
  }
  const refusals: string[] = []
  if (elsewhere.length > 0) {
    const reason = `have replicas on other nodes than this one (${nodeId}): ${named(elsewhere)}`
    refusals.push(`${counted(elsewhere, 'partition')} ${reason}; only a cluster of one node can be taken over`)
  }
  if (gaps.length > 0) refusals.push(`topics without some of their partitions: ${named(gaps)}`)
  return refusals
}

function isGapless({ partitions }: KafkaTopic): boolean {
  return [...partitions.keys()].every((index) => index < partitions.size)
}

/** Broker configs are not judged: Kafka keeps what it does not know, and so does Samsa. */
function refusedConfigs(metadata: KafkaMetadata): string[] {
  const refusals: string[] = []
  const tables: readonly (readonly [number, string, DefinitionMap])[] = [
    [KafkaConfigType.TOPIC, 'topic', TOPIC_DEFINITIONS],
    [KafkaConfigType.GROUP, 'group', GROUP_DEFINITIONS],
    [KafkaConfigType.CLIENT_METRICS, 'client metrics', CLIENT_METRICS_DEFINITIONS],
  ]
  for (const [type, what, definitions] of tables) {
    for (const [name, values] of metadata.configs.get(type) ?? []) {
      for (const [key, value] of values) {
        const reason = refuseConfig(definitions, key, value)
        if (reason !== null) refusals.push(`${what} ${name}: ${reason}`)
      }
    }
  }
  for (const type of metadata.configs.keys()) {
    if (!Object.values<number>(KafkaConfigType).includes(type)) {
      refusals.push(`configs of the resource type ${type}, which this release does not know`)
    }
  }
  return refusals
}

function refuseConfig(definitions: DefinitionMap, key: string, value: string): string | null {
  if (key === TIERED_KEY && value.trim().toLowerCase() === 'true') {
    return `${TIERED_KEY} is on; records that only the remote storage has cannot be taken over`
  }
  const definition = definitions.get(key)
  if (definition === undefined) return null
  const parsed = parseConfigValue(definition, value)
  return parsed.ok ? null : parsed.reason
}

function notesOf(metadata: KafkaMetadata, nodeId: number): string[] {
  const notes: string[] = []
  if (metadata.acls.size > 0) {
    notes.push(
      `${metadata.acls.size} ACLs are kept but not enforced: nobody is authenticated, everybody may do everything`,
    )
  }
  if (metadata.scram.size > 0) {
    notes.push(`SCRAM credentials of ${counted([...metadata.scram], 'user')} are kept; no listener asks for them`)
  }
  if (metadata.tokenIds.size > 0) {
    notes.push(`${counted([...metadata.tokenIds], 'delegation token')} not taken over: tokens are not served`)
  }
  for (const [name, level] of metadata.features) {
    if (level > 0 && FEATURES.find((each) => each.name === name)?.max === 0) {
      notes.push(`feature ${name} is on, but is not served by this release`)
    }
  }
  const others = [...metadata.brokers].filter((id) => id !== nodeId)
  if (others.length > 0) notes.push(`other brokers were registered (${others.join(', ')}); they are forgotten`)
  const idle = configsWithoutEffect(metadata)
  if (idle.length > 0) notes.push(`configs that are kept but have no effect: ${named(idle)}`)
  return [...notes, ...impossibleValues(metadata)]
}

/** Values that could not be set here. */
function impossibleValues(metadata: KafkaMetadata): string[] {
  const scopes = [
    [KafkaConfigType.TOPIC, 'topic'],
    [KafkaConfigType.BROKER, 'broker'],
    [KafkaConfigType.GROUP, 'group'],
  ] as const
  return scopes.flatMap(([type, scope]) =>
    [...(metadata.configs.get(type) ?? [])].flatMap(([name, values]) =>
      [...values].flatMap(([key, value]) => {
        const reason = refusedValue(scope, key, value)
        return reason === null ? [] : [`${scope} ${name || '(all)'}: kept, but ${reason}`]
      }),
    ),
  )
}

function configsWithoutEffect(metadata: KafkaMetadata): string[] {
  const found: string[] = []
  for (const [type, withoutEffect, definitions] of [
    [KafkaConfigType.TOPIC, topicConfigWithoutEffect, TOPIC_DEFINITIONS],
    [KafkaConfigType.GROUP, groupConfigWithoutEffect, GROUP_DEFINITIONS],
  ] as const) {
    for (const [name, values] of metadata.configs.get(type) ?? []) {
      for (const key of values.keys()) {
        if (!definitions.has(key) || withoutEffect(key) !== null) found.push(`${key} of ${name}`)
      }
    }
  }
  return found
}

function named(items: readonly string[]): string {
  const shown = items.slice(0, MOST_NAMED).join('; ')
  return items.length > MOST_NAMED ? `${shown}; and ${items.length - MOST_NAMED} more` : shown
}

function counted(items: readonly unknown[], what: string): string {
  return `${items.length} ${what}${items.length === 1 ? '' : 's'}`
}
