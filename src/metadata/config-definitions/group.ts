/** Properties of single groups. Most take their default from the broker property of the same name behind `group.`. */
import type { DefinitionTable } from './definition.ts'
import { atLeast, oneOf, shareOffsetReset } from './validators.ts'

export const groupConfigs: DefinitionTable = {
  'consumer.assignment.interval.ms': {
    type: 'int',
    default: '1000',
    valid: atLeast(0),
    documentation: 'The shortest time between two assignments of a consumer group.',
  },
  'consumer.heartbeat.interval.ms': {
    type: 'int',
    default: '5000',
    valid: atLeast(1),
    documentation: 'How often members of a consumer group send heartbeats.',
  },
  'consumer.session.timeout.ms': {
    type: 'int',
    default: '45000',
    valid: atLeast(1),
    documentation: 'How long a member of a consumer group may stay silent before it is removed.',
  },
  'share.assignment.interval.ms': {
    type: 'int',
    default: '1000',
    valid: atLeast(0),
    documentation: 'The shortest time between two assignments of a share group.',
  },
  'share.auto.offset.reset': {
    type: 'string',
    default: 'latest',
    valid: shareOffsetReset,
    documentation: 'Where a share group begins without a start offset: latest, earliest or by_duration:DURATION.',
  },
  'share.delivery.count.limit': {
    type: 'int',
    default: '5',
    valid: atLeast(2),
    documentation: 'How often a record is delivered to a share group before it is given up.',
  },
  'share.heartbeat.interval.ms': {
    type: 'int',
    default: '5000',
    valid: atLeast(1),
    documentation: 'How often members of a share group send heartbeats.',
  },
  'share.isolation.level': {
    type: 'string',
    default: 'read_uncommitted',
    valid: oneOf('read_committed', 'read_uncommitted'),
    documentation: 'Whether a share group reads records of open transactions.',
  },
  'share.partition.max.record.locks': {
    type: 'int',
    default: '2000',
    valid: atLeast(100),
    documentation: 'How many records of one partition may be locked at a time.',
  },
  'share.record.lock.duration.ms': {
    type: 'int',
    default: '30000',
    valid: atLeast(1000),
    documentation: 'How long a fetched record belongs to one member of a share group.',
  },
  'share.renew.acknowledge.enable': {
    type: 'boolean',
    default: 'true',
    documentation: 'Whether members may renew the lock of a record.',
  },
  'share.session.timeout.ms': {
    type: 'int',
    default: '45000',
    valid: atLeast(1),
    documentation: 'How long a member of a share group may stay silent before it is removed.',
  },
  'streams.assignment.interval.ms': {
    type: 'int',
    default: '1000',
    valid: atLeast(0),
    documentation: 'The shortest time between two assignments of a streams group.',
  },
  'streams.heartbeat.interval.ms': {
    type: 'int',
    default: '5000',
    valid: atLeast(1),
    documentation: 'How often members of a streams group send heartbeats.',
  },
  'streams.initial.rebalance.delay.ms': {
    type: 'int',
    default: '3000',
    valid: atLeast(0),
    documentation: 'How long the first assignment of a streams group waits for more members.',
  },
  'streams.num.standby.replicas': {
    type: 'int',
    default: '0',
    valid: atLeast(0),
    documentation: 'How many standby copies of each task a streams group keeps.',
  },
  'streams.session.timeout.ms': {
    type: 'int',
    default: '45000',
    valid: atLeast(1),
    documentation: 'How long a member of a streams group may stay silent before it is removed.',
  },
}
