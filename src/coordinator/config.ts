/** The limits and times of the group coordinator, in one place. The names behind them are Kafka's. */

export interface GroupCoordinatorConfig {
  /** group.initial.rebalance.delay.ms */
  readonly initialRebalanceDelayMs: number
  /** group.min.session.timeout.ms */
  readonly sessionTimeoutMsMin: number
  /** group.max.session.timeout.ms */
  readonly sessionTimeoutMsMax: number
  /** group.max.size */
  readonly membersMax: number
  /** offset.metadata.max.bytes; counted in UTF-16 units, as Kafka does. */
  readonly offsetMetadataMax: number
  /** offsets.retention.minutes, in milliseconds */
  readonly offsetsRetentionMs: number
  /** offsets.retention.check.interval.ms */
  readonly offsetsRetentionCheckIntervalMs: number
  /** offsets.topic.num.partitions: used until the topic exists */
  readonly offsetsTopicPartitions: number
  readonly consumer: ConsumerGroupConfig
  readonly share: ShareGroupConfig
  readonly streams: StreamsGroupConfig
}

/** Of share groups (KIP-932). */
export interface ShareGroupConfig {
  /** group.share.max.size */
  readonly membersMax: number
  /** group.share.initialize.retry.interval.ms: states that the share coordinator did not confirm are asked for again. */
  readonly initializeRetryIntervalMs: number
}

/** Of groups that speak the consumer protocol (KIP-848). */
export interface ConsumerGroupConfig {
  /** group.consumer.max.size */
  readonly membersMax: number
  /** group.consumer.assignors; the first is used where nobody asks for one. */
  readonly assignors: readonly string[]
  /** group.consumer.migration.policy */
  readonly migration: MigrationPolicy
  /** group.consumer.regex.refresh.interval.ms */
  readonly regexRefreshIntervalMs: number
}

/** Which way groups with members may change their protocol. */
export type MigrationPolicy = 'disabled' | 'upgrade' | 'downgrade' | 'bidirectional'

/** What can be set for a single consumer or share group, and be changed while the broker runs. */
export interface ConsumerGroupSettings {
  /** consumer.session.timeout.ms, share.session.timeout.ms */
  readonly sessionTimeoutMs: number
  /** consumer.heartbeat.interval.ms, share.heartbeat.interval.ms */
  readonly heartbeatIntervalMs: number
  /** consumer.assignment.interval.ms, share.assignment.interval.ms: the shortest time between two assignments. */
  readonly assignmentIntervalMs: number
}

/** Of streams groups (KIP-1071). */
export interface StreamsGroupConfig {
  /** group.streams.max.size */
  readonly membersMax: number
}

/** What can be set for a single streams group, and be changed while the broker runs. */
export interface StreamsGroupSettings {
  /** streams.session.timeout.ms */
  readonly sessionTimeoutMs: number
  /** streams.heartbeat.interval.ms */
  readonly heartbeatIntervalMs: number
  /** streams.assignment.interval.ms: the shortest time between two assignments. */
  readonly assignmentIntervalMs: number
  /** streams.initial.rebalance.delay.ms: how long the first assignment waits for more members. */
  readonly initialRebalanceDelayMs: number
  /** streams.num.standby.replicas */
  readonly standbyReplicas: number
}

export const STREAMS_GROUP_SETTINGS: StreamsGroupSettings = {
  sessionTimeoutMs: 45_000,
  heartbeatIntervalMs: 5_000,
  assignmentIntervalMs: 1_000,
  initialRebalanceDelayMs: 3_000,
  standbyReplicas: 0,
}

export const CONSUMER_GROUP_SETTINGS: ConsumerGroupSettings = {
  sessionTimeoutMs: 45_000,
  heartbeatIntervalMs: 5_000,
  assignmentIntervalMs: 1_000,
}

export const GROUP_COORDINATOR_DEFAULTS: GroupCoordinatorConfig = {
  initialRebalanceDelayMs: 0,
  sessionTimeoutMsMin: 6_000,
  sessionTimeoutMsMax: 1_800_000,
  membersMax: 2 ** 31 - 1,
  offsetMetadataMax: 4096,
  offsetsRetentionMs: 10_080 * 60_000,
  offsetsRetentionCheckIntervalMs: 600_000,
  offsetsTopicPartitions: 50,
  consumer: {
    membersMax: 2 ** 31 - 1,
    assignors: ['uniform', 'range'],
    migration: 'bidirectional',
    regexRefreshIntervalMs: 600_000,
  },
  share: { membersMax: 200, initializeRetryIntervalMs: 30_000 },
  streams: { membersMax: 2 ** 31 - 1 },
}

export const OFFSETS_TOPIC = '__consumer_offsets'

/** A new member's JoinGroup may wait this long for the rebalance to end, whatever session timeout it asked for. */
export const NEW_MEMBER_TIMEOUT_MS = 300_000

/** After a load that failed, the next one begins this much later. */
export const RELOAD_DELAY_MS = 1_000

/** Regular expressions of a group are resolved no more often than this. */
export const REGEX_REFRESH_INTERVAL_MIN_MS = 10_000

/** What a key can hold. */
export const GROUP_ID_BYTES_MAX = 32_767

/** Names that are held against expressions in one go; the rest follows when others have had their turn. */
export const REGEX_MATCHES_PER_TURN = 10_000

/** Space for the batch's own header when a record is compared with the largest batch. */
export const BATCH_HEADER_ALLOWANCE_BYTES = 256
