/** Broker properties of what may be set but is never described. */
import type { DefinitionTable } from './definition.ts'
import { atLeast, between } from './validators.ts'

export const brokerInternalConfigs: DefinitionTable = {
  'controller.performance.always.log.threshold.ms': { type: 'long', default: '2000', valid: atLeast(0) },
  'controller.performance.sample.period.ms': { type: 'long', default: '60000', valid: atLeast(100) },
  'group.consumer.regex.refresh.interval.ms': { type: 'int', default: '600000', valid: atLeast(10000) },
  'group.share.initialize.retry.interval.ms': { type: 'int', default: '30000', valid: atLeast(1), importance: 'low' },
  'group.share.persister.class.name': {
    type: 'string',
    default: 'org.apache.kafka.server.share.persister.DefaultStatePersister',
  },
  'internal.metadata.delete.delay.millis': { type: 'long', default: '60000', importance: 'low' },
  'internal.metadata.log.segment.bytes': { type: 'int', default: null, importance: 'low' },
  'internal.metadata.max.batch.size.in.bytes': { type: 'int', default: '8388608', importance: 'low' },
  'log.initial.task.delay.ms': { type: 'long', default: '30000', valid: atLeast(0), importance: 'low' },
  'producer.id.expiration.check.interval.ms': { type: 'int', default: '600000', valid: atLeast(1), importance: 'low' },
  'remote.log.index.file.cache.ttl.ms': { type: 'long', default: '900000', valid: atLeast(-1), importance: 'low' },
  'remote.log.manager.task.retry.backoff.max.ms': {
    type: 'long',
    default: '30000',
    valid: atLeast(1),
    importance: 'low',
  },
  'remote.log.manager.task.retry.backoff.ms': { type: 'long', default: '500', valid: atLeast(1), importance: 'low' },
  'remote.log.manager.task.retry.jitter': { type: 'double', default: '0.2', valid: between(0, 0.5), importance: 'low' },
  'server.max.startup.time.ms': { type: 'long', default: '9223372036854775807', valid: atLeast(0) },
  'share.coordinator.cold.partition.snapshot.interval.ms': {
    type: 'int',
    default: '300000',
    valid: atLeast(1),
    importance: 'low',
  },
  'share.coordinator.state.topic.prune.interval.ms': {
    type: 'int',
    default: '300000',
    valid: atLeast(1),
    importance: 'low',
  },
  'unclean.leader.election.interval.ms': { type: 'long', default: '300000', valid: atLeast(1) },
  'unstable.api.versions.enable': { type: 'boolean', default: 'false', importance: 'high' },
  'unstable.feature.versions.enable': { type: 'boolean', default: 'false', importance: 'high' },
}
