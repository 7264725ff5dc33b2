/** Broker properties that exist only as dynamic configs: a properties file may not have them, and they are never described unless set. */
import type { DefinitionTable } from './definition.ts'
import { atLeast } from './validators.ts'

export const brokerDynamicConfigs: DefinitionTable = {
  'follower.replication.throttled.rate': {
    type: 'long',
    default: '9223372036854775807',
    valid: atLeast(0),
    mode: 'cluster-wide',
  },
  'leader.replication.throttled.rate': {
    type: 'long',
    default: '9223372036854775807',
    valid: atLeast(0),
    mode: 'cluster-wide',
  },
  'replica.alter.log.dirs.io.max.bytes.per.second': {
    type: 'long',
    default: '9223372036854775807',
    valid: atLeast(0),
    mode: 'cluster-wide',
  },
}
