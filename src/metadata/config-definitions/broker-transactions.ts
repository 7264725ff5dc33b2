/** Broker properties of the transaction coordinator. */
import type { DefinitionTable } from './definition.ts'
import { atLeast } from './validators.ts'

export const brokerTransactionsConfigs: DefinitionTable = {
  'add.partitions.to.txn.retry.backoff.max.ms': { type: 'int', default: '100', valid: atLeast(0), importance: 'high' },
  'add.partitions.to.txn.retry.backoff.ms': { type: 'int', default: '20', valid: atLeast(1), importance: 'high' },
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': {
    type: 'int',
    default: '10000',
    valid: atLeast(1),
    importance: 'low',
  },
  'transaction.max.timeout.ms': { type: 'int', default: '900000', valid: atLeast(1), importance: 'high' },
  'transaction.remove.expired.transaction.cleanup.interval.ms': {
    type: 'int',
    default: '3600000',
    valid: atLeast(1),
    importance: 'low',
  },
  'transaction.state.log.load.buffer.size': { type: 'int', default: '5242880', valid: atLeast(1), importance: 'high' },
  'transaction.state.log.min.isr': { type: 'int', default: '2', valid: atLeast(1), importance: 'high' },
  'transaction.state.log.num.partitions': { type: 'int', default: '50', valid: atLeast(1), importance: 'high' },
  'transaction.state.log.replication.factor': { type: 'short', default: '3', valid: atLeast(1), importance: 'high' },
  'transaction.state.log.segment.bytes': { type: 'int', default: '104857600', valid: atLeast(1), importance: 'high' },
  'transaction.two.phase.commit.enable': { type: 'boolean', default: 'false', importance: 'low' },
  'transactional.id.expiration.ms': { type: 'int', default: '604800000', valid: atLeast(1), importance: 'high' },
}
