/** Properties of topics, and the broker properties that give them their defaults. */
import type { DefinitionTable } from './definition.ts'
import { atLeast, between, gzipLevel, listOf, oneOf, throttledReplicas } from './validators.ts'

export const topicConfigs: DefinitionTable = {
  'cleanup.policy': {
    type: 'list',
    default: 'delete',
    valid: listOf({ values: ['compact', 'delete'], mayBeEmpty: true }),
    documentation:
      'What happens to old records: delete removes them by age and size, compact keeps the latest per key; both may be combined, and an empty list keeps everything.',
  },
  'compression.gzip.level': {
    type: 'int',
    default: '-1',
    valid: gzipLevel,
    documentation: "Level used when the broker compresses with gzip; -1 is the codec's own default.",
  },
  'compression.lz4.level': {
    type: 'int',
    default: '9',
    valid: between(1, 17),
    documentation: 'Level used when the broker compresses with lz4.',
  },
  'compression.type': {
    type: 'string',
    default: 'producer',
    valid: oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'),
    documentation: 'Codec of the stored batches. With producer they stay as the producer sent them.',
  },
  'compression.zstd.level': {
    type: 'int',
    default: '3',
    valid: between(-131072, 22),
    documentation: 'Level used when the broker compresses with zstd.',
  },
  'delete.retention.ms': {
    type: 'long',
    default: '86400000',
    valid: atLeast(0),
    documentation: 'How long tombstones and transaction markers stay readable in a compacted topic.',
  },
  'file.delete.delay.ms': {
    type: 'long',
    default: '60000',
    valid: atLeast(0),
    documentation: 'How long a removed segment waits on disk before its files are deleted.',
  },
  'flush.messages': {
    type: 'long',
    default: '9223372036854775807',
    valid: atLeast(1),
    documentation: 'Number of records after which a partition is forced to disk.',
  },
  'flush.ms': {
    type: 'long',
    default: '9223372036854775807',
    valid: atLeast(0),
    documentation: 'Time after which a partition is forced to disk.',
  },
  'follower.replication.throttled.replicas': {
    type: 'list',
    default: '',
    valid: throttledReplicas,
    documentation: 'Replicas whose replication is throttled on the follower, as partition:broker pairs or * for all.',
  },
  'index.interval.bytes': {
    type: 'int',
    default: '4096',
    valid: atLeast(0),
    documentation: 'About how many bytes of log lie between two entries of the offset index.',
  },
  'leader.replication.throttled.replicas': {
    type: 'list',
    default: '',
    valid: throttledReplicas,
    documentation: 'Replicas whose replication is throttled on the leader, as partition:broker pairs or * for all.',
  },
  'local.retention.bytes': {
    type: 'long',
    default: '-2',
    valid: atLeast(-2),
    documentation: 'Size kept locally when older segments are in tiered storage; -2 follows retention.bytes.',
  },
  'local.retention.ms': {
    type: 'long',
    default: '-2',
    valid: atLeast(-2),
    documentation: 'Time kept locally when older segments are in tiered storage; -2 follows retention.ms.',
  },
  'max.compaction.lag.ms': {
    type: 'long',
    default: '9223372036854775807',
    valid: atLeast(1),
    documentation: 'The longest a record stays uncompacted.',
  },
  'max.message.bytes': {
    type: 'int',
    default: '1048588',
    valid: atLeast(0),
    documentation: 'Largest record batch that is accepted, compressed if it is compressed.',
  },
  'message.timestamp.after.max.ms': {
    type: 'long',
    default: '3600000',
    valid: atLeast(0),
    documentation: "How far a record's timestamp may lie ahead of the broker's clock.",
  },
  'message.timestamp.before.max.ms': {
    type: 'long',
    default: '9223372036854775807',
    valid: atLeast(0),
    documentation: "How far a record's timestamp may lie behind the broker's clock.",
  },
  'message.timestamp.type': {
    type: 'string',
    default: 'CreateTime',
    valid: oneOf('CreateTime', 'LogAppendTime'),
    documentation: "Whether records carry the producer's time or the time of the append.",
  },
  'min.cleanable.dirty.ratio': {
    type: 'double',
    default: '0.5',
    valid: between(0, 1),
    documentation: 'Share of the log that must be uncompacted before compaction looks at it.',
  },
  'min.compaction.lag.ms': {
    type: 'long',
    default: '0',
    valid: atLeast(0),
    documentation: 'The shortest time a record stays uncompacted.',
  },
  'min.insync.replicas': {
    type: 'int',
    default: '1',
    valid: atLeast(1),
    documentation:
      'Replicas that must have a record before a producer with acks=all gets its answer; never more than the topic has.',
  },
  preallocate: {
    type: 'boolean',
    default: 'false',
    documentation: 'Whether a new segment file gets its full size at once.',
  },
  'remote.log.copy.disable': {
    type: 'boolean',
    default: 'false',
    documentation: 'Whether copying to tiered storage stops and the topic becomes read-only there.',
  },
  'remote.log.delete.on.disable': {
    type: 'boolean',
    default: 'false',
    documentation: 'Whether tiered data is deleted when tiered storage is turned off for the topic.',
  },
  'remote.storage.enable': {
    type: 'boolean',
    default: 'false',
    documentation: 'Whether the topic uses tiered storage.',
  },
  'retention.bytes': {
    type: 'long',
    default: '-1',
    documentation: 'Size of a partition above which old segments are deleted; negative means no limit.',
  },
  'retention.ms': {
    type: 'long',
    default: '604800000',
    valid: atLeast(-1),
    documentation: 'Age above which segments are deleted; -1 means no limit.',
  },
  'segment.bytes': {
    type: 'int',
    default: '1073741824',
    valid: atLeast(1048576),
    documentation: 'Size at which a segment is closed and the next one begins.',
  },
  'segment.index.bytes': {
    type: 'int',
    default: '10485760',
    valid: atLeast(4),
    documentation: "Largest size of a segment's index files.",
  },
  'segment.jitter.ms': {
    type: 'long',
    default: '0',
    valid: atLeast(0),
    documentation:
      'Largest random amount by which segment.ms is shortened, so that partitions do not all roll at once.',
  },
  'segment.ms': {
    type: 'long',
    default: '604800000',
    valid: atLeast(1),
    documentation: 'Age at which a segment is closed even if it is not full.',
  },
  'unclean.leader.election.enable': {
    type: 'boolean',
    default: 'false',
    documentation: 'Whether a replica that is not in sync may become leader, at the price of losing records.',
  },
}

/** Overrides segment.bytes below its minimum; for tests, never described. */
export const topicInternalConfigs: DefinitionTable = {
  'internal.segment.bytes': { type: 'int', default: null },
}

/** A broker property that gives a topic property its default. */
export interface BrokerSynonym {
  readonly name: string
  /** What a value of the broker property is multiplied by. */
  readonly factor: number
}

const same = (name: string): BrokerSynonym => ({ name, factor: 1 })
const inMinutes = (name: string): BrokerSynonym => ({ name, factor: 60_000 })
const inHours = (name: string): BrokerSynonym => ({ name, factor: 3_600_000 })

/** The first one that has a value wins. Topic properties that are not here have no broker default. */
export const TOPIC_SYNONYMS: Readonly<Record<string, readonly BrokerSynonym[]>> = {
  'cleanup.policy': [same('log.cleanup.policy')],
  'compression.gzip.level': [same('compression.gzip.level')],
  'compression.lz4.level': [same('compression.lz4.level')],
  'compression.type': [same('compression.type')],
  'compression.zstd.level': [same('compression.zstd.level')],
  'delete.retention.ms': [same('log.cleaner.delete.retention.ms')],
  'file.delete.delay.ms': [same('log.segment.delete.delay.ms')],
  'flush.messages': [same('log.flush.interval.messages')],
  'flush.ms': [same('log.flush.interval.ms'), same('log.flush.scheduler.interval.ms')],
  'index.interval.bytes': [same('log.index.interval.bytes')],
  'local.retention.bytes': [same('log.local.retention.bytes')],
  'local.retention.ms': [same('log.local.retention.ms')],
  'max.compaction.lag.ms': [same('log.cleaner.max.compaction.lag.ms')],
  'max.message.bytes': [same('message.max.bytes')],
  'message.timestamp.after.max.ms': [same('log.message.timestamp.after.max.ms')],
  'message.timestamp.before.max.ms': [same('log.message.timestamp.before.max.ms')],
  'message.timestamp.type': [same('log.message.timestamp.type')],
  'min.cleanable.dirty.ratio': [same('log.cleaner.min.cleanable.ratio')],
  'min.compaction.lag.ms': [same('log.cleaner.min.compaction.lag.ms')],
  'min.insync.replicas': [same('min.insync.replicas')],
  preallocate: [same('log.preallocate')],
  'retention.bytes': [same('log.retention.bytes')],
  'retention.ms': [same('log.retention.ms'), inMinutes('log.retention.minutes'), inHours('log.retention.hours')],
  'segment.bytes': [same('log.segment.bytes')],
  'segment.index.bytes': [same('log.index.size.max.bytes')],
  'segment.jitter.ms': [same('log.roll.jitter.ms'), inHours('log.roll.jitter.hours')],
  'segment.ms': [same('log.roll.ms'), inHours('log.roll.hours')],
  'unclean.leader.election.enable': [same('unclean.leader.election.enable')],
}
