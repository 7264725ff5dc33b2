/** Broker properties of tiered storage (accepted; Samsa keeps everything local). */
import type { DefinitionTable } from './definition.ts'
import { atLeast, nonEmptyString } from './validators.ts'

export const brokerTieredConfigs: DefinitionTable = {
  'remote.fetch.max.wait.ms': { type: 'int', default: '500', valid: atLeast(1), mode: 'cluster-wide' },
  'remote.list.offsets.request.timeout.ms': { type: 'long', default: '30000', valid: atLeast(1), mode: 'cluster-wide' },
  'remote.log.index.file.cache.total.size.bytes': {
    type: 'long',
    default: '1073741824',
    valid: atLeast(1),
    mode: 'cluster-wide',
    importance: 'low',
  },
  'remote.log.manager.copier.thread.pool.size': { type: 'int', default: '10', valid: atLeast(1), mode: 'cluster-wide' },
  'remote.log.manager.copy.max.bytes.per.second': {
    type: 'long',
    default: '9223372036854775807',
    valid: atLeast(1),
    mode: 'cluster-wide',
  },
  'remote.log.manager.copy.quota.window.num': { type: 'int', default: '11', valid: atLeast(1) },
  'remote.log.manager.copy.quota.window.size.seconds': { type: 'int', default: '1', valid: atLeast(1) },
  'remote.log.manager.expiration.thread.pool.size': {
    type: 'int',
    default: '10',
    valid: atLeast(1),
    mode: 'cluster-wide',
  },
  'remote.log.manager.fetch.max.bytes.per.second': {
    type: 'long',
    default: '9223372036854775807',
    valid: atLeast(1),
    mode: 'cluster-wide',
  },
  'remote.log.manager.fetch.quota.window.num': { type: 'int', default: '11', valid: atLeast(1) },
  'remote.log.manager.fetch.quota.window.size.seconds': { type: 'int', default: '1', valid: atLeast(1) },
  'remote.log.manager.follower.thread.pool.size': {
    type: 'int',
    default: '2',
    valid: atLeast(1),
    mode: 'cluster-wide',
  },
  'remote.log.manager.task.interval.ms': { type: 'long', default: '30000', valid: atLeast(1), importance: 'low' },
  'remote.log.manager.thread.pool.size': { type: 'int', default: '2', valid: atLeast(1) },
  'remote.log.metadata.custom.metadata.max.bytes': {
    type: 'int',
    default: '128',
    valid: atLeast(0),
    importance: 'low',
  },
  'remote.log.metadata.manager.class.name': {
    type: 'string',
    default: 'org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager',
    valid: nonEmptyString,
  },
  'remote.log.metadata.manager.class.path': { type: 'string', default: null },
  'remote.log.metadata.manager.impl.prefix': { type: 'string', default: 'rlmm.config.', valid: nonEmptyString },
  'remote.log.metadata.manager.listener.name': { type: 'string', default: null, valid: nonEmptyString },
  'remote.log.reader.max.pending.tasks': { type: 'int', default: '100', valid: atLeast(1) },
  'remote.log.reader.threads': { type: 'int', default: '10', valid: atLeast(1), mode: 'cluster-wide' },
  'remote.log.storage.manager.class.name': { type: 'string', default: null, valid: nonEmptyString },
  'remote.log.storage.manager.class.path': { type: 'string', default: null },
  'remote.log.storage.manager.impl.prefix': { type: 'string', default: 'rsm.config.', valid: nonEmptyString },
  'remote.log.storage.system.enable': { type: 'boolean', default: 'false' },
}
