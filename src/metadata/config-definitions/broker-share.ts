/** Broker properties of the share coordinator. */
import type { DefinitionTable } from './definition.ts'
import { atLeast, between } from './validators.ts'

export const brokerShareConfigs: DefinitionTable = {
  'share.coordinator.append.linger.ms': { type: 'int', default: '-1', valid: atLeast(-1) },
  'share.coordinator.cached.buffer.max.bytes': {
    type: 'int',
    default: '1048588',
    valid: atLeast(524288),
    mode: 'cluster-wide',
  },
  'share.coordinator.load.buffer.size': { type: 'int', default: '5242880', valid: atLeast(1), importance: 'high' },
  'share.coordinator.snapshot.update.records.per.snapshot': { type: 'int', default: '500', valid: between(0, 500) },
  'share.coordinator.state.topic.compression.codec': { type: 'int', default: '0', importance: 'high' },
  'share.coordinator.state.topic.min.isr': { type: 'short', default: '2', valid: atLeast(1), importance: 'high' },
  'share.coordinator.state.topic.num.partitions': { type: 'int', default: '50', valid: atLeast(1), importance: 'high' },
  'share.coordinator.state.topic.replication.factor': {
    type: 'short',
    default: '3',
    valid: atLeast(1),
    importance: 'high',
  },
  'share.coordinator.state.topic.segment.bytes': {
    type: 'int',
    default: '104857600',
    valid: atLeast(1),
    importance: 'high',
  },
  'share.coordinator.threads': { type: 'int', default: '1', valid: atLeast(1) },
  'share.coordinator.write.timeout.ms': { type: 'int', default: '5000', valid: atLeast(1), importance: 'high' },
  'share.fetch.purgatory.purge.interval.requests': { type: 'int', default: '1000' },
}
