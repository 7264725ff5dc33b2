/** The topics in which the coordinators keep their state: how many partitions, how many replicas, which configs. */
import type { BrokerConfig } from './broker-config.ts'
import { TOPIC_DEFINITIONS } from './config-definitions/index.ts'
import { parseConfigValue } from './config-values.ts'

export type InternalTopicName = '__consumer_offsets' | '__transaction_state' | '__share_group_state'

export const OFFSETS_TOPIC = '__consumer_offsets'
const TRANSACTION_STATE_TOPIC = '__transaction_state'
const SHARE_STATE_TOPIC = '__share_group_state'

export interface InternalTopicSpec {
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly configs: readonly { readonly name: string; readonly value: string }[]
}

const SETTINGS_PREFIXES: Readonly<Record<InternalTopicName, string>> = {
  [OFFSETS_TOPIC]: 'offsets.topic',
  [TRANSACTION_STATE_TOPIC]: 'transaction.state.log',
  [SHARE_STATE_TOPIC]: 'share.coordinator.state.topic',
}

function spec(
  broker: BrokerConfig,
  topic: InternalTopicName,
  configs: Readonly<Record<string, string>>,
): InternalTopicSpec {
  const prefix = SETTINGS_PREFIXES[topic]
  return {
    numPartitions: broker.number(`${prefix}.num.partitions`),
    replicationFactor: broker.number(`${prefix}.replication.factor`),
    configs: Object.entries({ ...configs, 'segment.bytes': String(broker.number(`${prefix}.segment.bytes`)) }).map(
      ([name, value]) => ({ name, value }),
    ),
  }
}

export const INTERNAL_TOPIC_SPECS: ReadonlyMap<InternalTopicName, (broker: BrokerConfig) => InternalTopicSpec> =
  new Map([
    [
      OFFSETS_TOPIC,
      (broker: BrokerConfig) =>
        spec(broker, OFFSETS_TOPIC, { 'cleanup.policy': 'compact', 'compression.type': 'producer' }),
    ],
    [
      TRANSACTION_STATE_TOPIC,
      (broker: BrokerConfig) =>
        spec(broker, TRANSACTION_STATE_TOPIC, {
          'cleanup.policy': 'compact',
          'compression.type': 'uncompressed',
          'min.insync.replicas': String(broker.number('transaction.state.log.min.isr')),
          'unclean.leader.election.enable': 'false',
        }),
    ],
    [
      SHARE_STATE_TOPIC,
      (broker: BrokerConfig) =>
        spec(broker, SHARE_STATE_TOPIC, {
          'cleanup.policy': 'delete',
          'compression.type': 'producer',
          'min.insync.replicas': String(broker.number('share.coordinator.state.topic.min.isr')),
          'retention.ms': '-1',
        }),
    ],
  ])

/**
 * One line per setting that was given and with which an internal topic could not be created. Kafka starts all the same, and then has no groups or
 * transactions: their coordinators are never available, and only its log says why.
 */
export function refusedInternalTopics(broker: BrokerConfig, given: ReadonlyMap<string, string>): string[] {
  return [...INTERNAL_TOPIC_SPECS.keys()].flatMap((topic) => {
    const setting = `${SETTINGS_PREFIXES[topic]}.segment.bytes`
    const definition = TOPIC_DEFINITIONS.get('segment.bytes')
    if (!given.has(setting) || definition === undefined) return []
    const parsed = parseConfigValue(definition, String(broker.number(setting)))
    return parsed.ok ? [] : [`${setting}: ${topic} cannot be created with it: ${parsed.reason}`]
  })
}
