/** The topics in which the coordinators keep their state: how many partitions, how many replicas, which configs. */
import type { BrokerConfig } from './broker-config.ts'

export type InternalTopicName = '__consumer_offsets' | '__transaction_state' | '__share_group_state'

export const OFFSETS_TOPIC = '__consumer_offsets'
const TRANSACTION_STATE_TOPIC = '__transaction_state'
const SHARE_STATE_TOPIC = '__share_group_state'

export interface InternalTopicSpec {
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly configs: readonly { readonly name: string; readonly value: string }[]
}

function spec(broker: BrokerConfig, prefix: string, configs: Readonly<Record<string, string>>): InternalTopicSpec {
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
        spec(broker, 'offsets.topic', { 'cleanup.policy': 'compact', 'compression.type': 'producer' }),
    ],
    [
      TRANSACTION_STATE_TOPIC,
      (broker: BrokerConfig) =>
        spec(broker, 'transaction.state.log', {
          'cleanup.policy': 'compact',
          'compression.type': 'uncompressed',
          'min.insync.replicas': String(broker.number('transaction.state.log.min.isr')),
          'unclean.leader.election.enable': 'false',
        }),
    ],
    [
      SHARE_STATE_TOPIC,
      (broker: BrokerConfig) =>
        spec(broker, 'share.coordinator.state.topic', {
          'cleanup.policy': 'delete',
          'compression.type': 'producer',
          'min.insync.replicas': String(broker.number('share.coordinator.state.topic.min.isr')),
          'retention.ms': '-1',
        }),
    ],
  ])
