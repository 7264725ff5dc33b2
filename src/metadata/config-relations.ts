/** Settings that must fit each other. Checked when a broker starts and before a dynamic change is stored. */
import type { ConfigScalar } from './config-definitions/validators.ts'

/** The first value must not be greater than the second. */
export interface ConfigRelation {
  readonly lower: string
  readonly upper: string
}

function within(prefix: string, min: string, value: string, max: string): ConfigRelation[] {
  return [
    { lower: prefix + min, upper: prefix + max },
    { lower: prefix + min, upper: prefix + value },
    { lower: prefix + value, upper: prefix + max },
  ]
}

function sessionOf(kind: string): ConfigRelation[] {
  const prefix = `group.${kind}.`
  return [
    ...within(prefix, 'min.heartbeat.interval.ms', 'heartbeat.interval.ms', 'max.heartbeat.interval.ms'),
    ...within(prefix, 'min.session.timeout.ms', 'session.timeout.ms', 'max.session.timeout.ms'),
    ...within(prefix, 'min.assignment.interval.ms', 'assignment.interval.ms', 'max.assignment.interval.ms'),
    { lower: `${prefix}heartbeat.interval.ms`, upper: `${prefix}session.timeout.ms` },
  ]
}

export const RELATED_CONFIGS: readonly ConfigRelation[] = [
  ...sessionOf('consumer'),
  ...sessionOf('share'),
  ...sessionOf('streams'),
  { lower: 'group.min.session.timeout.ms', upper: 'group.max.session.timeout.ms' },
  { lower: 'log.cleaner.min.compaction.lag.ms', upper: 'log.cleaner.max.compaction.lag.ms' },
  { lower: 'group.share.delivery.count.limit', upper: 'group.share.max.delivery.count.limit' },
  { lower: 'group.share.min.delivery.count.limit', upper: 'group.share.delivery.count.limit' },
  ...within('group.share.', 'min.record.lock.duration.ms', 'record.lock.duration.ms', 'max.record.lock.duration.ms'),
  ...within(
    'group.share.',
    'min.partition.max.record.locks',
    'partition.max.record.locks',
    'max.partition.max.record.locks',
  ),
  { lower: 'group.streams.num.standby.replicas', upper: 'group.streams.max.standby.replicas' },
]

/** One line per relation that does not hold. */
export function brokenRelations(
  value: (name: string) => ConfigScalar,
  relations: readonly ConfigRelation[] = RELATED_CONFIGS,
): string[] {
  const broken: string[] = []
  for (const { lower, upper } of relations) {
    const low = value(lower)
    const high = value(upper)
    if (typeof low === 'number' && typeof high === 'number' && low > high) {
      broken.push(`${lower} (${low}) must not be greater than ${upper} (${high})`)
    }
  }
  return broken
}
