/** Broker properties of replication and reassignment. */
import type { DefinitionTable } from './definition.ts'
import { atLeast } from './validators.ts'

export const brokerReplicationConfigs: DefinitionTable = {
  'alter.log.dirs.replication.quota.window.num': { type: 'int', default: '11', valid: atLeast(1), importance: 'low' },
  'alter.log.dirs.replication.quota.window.size.seconds': {
    type: 'int',
    default: '1',
    valid: atLeast(1),
    importance: 'low',
  },
  'auto.leader.rebalance.enable': { type: 'boolean', default: 'true', importance: 'high' },
  'follower.fetch.last.tiered.offset.enable': { type: 'boolean', default: 'false', mode: 'cluster-wide' },
  'leader.imbalance.check.interval.seconds': { type: 'long', default: '300', valid: atLeast(1), importance: 'high' },
  'num.replica.alter.log.dirs.threads': { type: 'int', default: null, importance: 'high' },
  'num.replica.fetchers': { type: 'int', default: '1', valid: atLeast(1), mode: 'cluster-wide', importance: 'high' },
  'replica.fetch.backoff.ms': { type: 'int', default: '1000', valid: atLeast(0) },
  'replica.fetch.max.bytes': { type: 'int', default: '1048576', valid: atLeast(0) },
  'replica.fetch.min.bytes': { type: 'int', default: '1', importance: 'high' },
  'replica.fetch.response.max.bytes': { type: 'int', default: '10485760', valid: atLeast(0) },
  'replica.fetch.wait.max.ms': { type: 'int', default: '500', importance: 'high' },
  'replica.lag.time.max.ms': { type: 'long', default: '30000', importance: 'high' },
  'replica.selector.class': { type: 'string', default: null },
  'replica.socket.receive.buffer.bytes': { type: 'int', default: '65536', importance: 'high' },
  'replica.socket.timeout.ms': { type: 'int', default: '30000', importance: 'high' },
  'replication.quota.window.num': { type: 'int', default: '11', valid: atLeast(1), importance: 'low' },
  'replication.quota.window.size.seconds': { type: 'int', default: '1', valid: atLeast(1), importance: 'low' },
}
