/** All configuration tables as maps by name, in the order of their names. */
import { brokerClusterConfigs } from './broker-cluster.ts'
import { brokerDynamicConfigs } from './broker-dynamic.ts'
import { brokerGroupsConfigs } from './broker-groups.ts'
import { brokerInternalConfigs } from './broker-internal.ts'
import { brokerLogConfigs } from './broker-log.ts'
import { brokerNetworkConfigs } from './broker-network.ts'
import { brokerOtherConfigs } from './broker-other.ts'
import { brokerReplicationConfigs } from './broker-replication.ts'
import { brokerSamsaConfigs } from './broker-samsa.ts'
import { brokerSecurityConfigs } from './broker-security.ts'
import { brokerShareConfigs } from './broker-share.ts'
import { brokerTieredConfigs } from './broker-tiered.ts'
import { brokerTransactionsConfigs } from './broker-transactions.ts'
import { clientMetricsConfigs } from './client-metrics.ts'
import { type ConfigDefinition, definitionsOf } from './definition.ts'
import { groupConfigs } from './group.ts'
import { TOPIC_SYNONYMS, topicConfigs, topicInternalConfigs } from './topic.ts'

export type DefinitionMap = ReadonlyMap<string, ConfigDefinition>

function byName(definitions: readonly ConfigDefinition[]): DefinitionMap {
  const sorted = [...definitions].sort((a, b) => (a.name < b.name ? -1 : 1))
  return new Map(sorted.map((definition) => [definition.name, definition]))
}

export const TOPIC_DEFINITIONS: DefinitionMap = byName([
  ...definitionsOf(topicConfigs, { mode: 'cluster-wide' }),
  ...definitionsOf(topicInternalConfigs, { mode: 'cluster-wide', internal: true }),
])

export const GROUP_DEFINITIONS: DefinitionMap = byName(definitionsOf(groupConfigs, { mode: 'cluster-wide' }))

export const CLIENT_METRICS_DEFINITIONS: DefinitionMap = byName(
  definitionsOf(clientMetricsConfigs, { mode: 'cluster-wide' }),
)

/** What topic and group properties say of themselves, by the broker property that gives them their default. */
const documentationOfDefaults: ReadonlyMap<string, string | null> = new Map([
  ...Object.entries(TOPIC_SYNONYMS).map(
    ([name, [first]]) => [first?.name ?? name, TOPIC_DEFINITIONS.get(name)?.documentation ?? null] as const,
  ),
  ...[...GROUP_DEFINITIONS.values()].map(({ name, documentation }) => [`group.${name}`, documentation] as const),
])

function withDefaultsDocumentation(definition: ConfigDefinition): ConfigDefinition {
  const documentation = definition.documentation ?? documentationOfDefaults.get(definition.name) ?? null
  return { ...definition, documentation }
}

/** Every broker property that a properties file may set, the internal ones included. */
export const BROKER_DEFINITIONS: DefinitionMap = byName(
  [
    ...definitionsOf(brokerClusterConfigs),
    ...definitionsOf(brokerGroupsConfigs),
    ...definitionsOf(brokerLogConfigs),
    ...definitionsOf(brokerNetworkConfigs),
    ...definitionsOf(brokerOtherConfigs),
    ...definitionsOf(brokerReplicationConfigs),
    ...definitionsOf(brokerSecurityConfigs),
    ...definitionsOf(brokerShareConfigs),
    ...definitionsOf(brokerTieredConfigs),
    ...definitionsOf(brokerTransactionsConfigs),
    ...definitionsOf(brokerInternalConfigs, { internal: true }),
    ...definitionsOf(brokerSamsaConfigs, { internal: true }),
  ].map(withDefaultsDocumentation),
)

/** Broker properties that can only be set dynamically. */
export const DYNAMIC_ONLY_DEFINITIONS: DefinitionMap = byName(definitionsOf(brokerDynamicConfigs))
