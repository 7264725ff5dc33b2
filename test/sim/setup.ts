/** The topics of every history, and the settings of its brokers and groups. */
import { ErrorCode } from '../../src/protocol/errors.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/44-incremental-alter-configs.ts'
import { type SimClient, split } from './client.ts'
import { fleetingTopic } from './fleeting.ts'
import { CONSUMER_SESSION_TIMEOUT_MS } from './members.ts'
import { SHARE_LOCK_MS } from './share-members.ts'
import { STREAMS_SESSION_TIMEOUT_MS } from './streams.ts'

export const ORDERS = ['orders-0', 'orders-1'] as const
export const SOURCE = 'source-0'
export const COPIES = 'copies-0'
/** Compacted. */
export const TABLE = 'table-0'
/** Kept for a short time. */
export const AGED = 'aged-0'
export const PARTITIONS = [...ORDERS, SOURCE, COPIES, TABLE, AGED]
export const SEGMENT_BYTES = 3000
export const AGED_MS = 5000
export const SHARE_GROUP = 'sharing'
export const SHARE_STATE_PARTITIONS = 2
export const STREAMS_GROUP = 'streaming'
const TOPIC_RESOURCE = 2
const GROUP_RESOURCE = 32
const HEARTBEAT_MS = 1000
/** Groups are to move, not to wait. */
const ASSIGNMENT_INTERVAL_MS = 50

const sessionOf = (kind: string, timeoutMs: number): [string, string][] => [
  [`group.${kind}.session.timeout.ms`, String(timeoutMs)],
  [`group.${kind}.min.session.timeout.ms`, String(HEARTBEAT_MS)],
  [`group.${kind}.heartbeat.interval.ms`, String(HEARTBEAT_MS)],
  [`group.${kind}.min.heartbeat.interval.ms`, String(HEARTBEAT_MS)],
  [`group.${kind}.assignment.interval.ms`, String(ASSIGNMENT_INTERVAL_MS)],
]

export const SETTINGS: ReadonlyMap<string, string> = new Map([
  ['offsets.topic.num.partitions', '2'],
  ['transaction.state.log.num.partitions', '2'],
  ['share.coordinator.state.topic.num.partitions', String(SHARE_STATE_PARTITIONS)],
  // Often enough that snapshots are written and the log of the states is cut off.
  ['share.coordinator.snapshot.update.records.per.snapshot', '10'],
  ['share.coordinator.state.topic.prune.interval.ms', '1000'],
  ['share.coordinator.cold.partition.snapshot.interval.ms', '5000'],
  ['transaction.abort.timed.out.transaction.cleanup.interval.ms', '500'],
  ['log.cleaner.backoff.ms', '400'],
  ['log.cleaner.min.cleanable.ratio', '0.05'],
  ['log.retention.check.interval.ms', '1000'],
  ['log.segment.delete.delay.ms', '500'],
  ['group.share.record.lock.duration.ms', String(SHARE_LOCK_MS)],
  ['group.share.min.record.lock.duration.ms', String(SHARE_LOCK_MS)],
  ['group.share.initialize.retry.interval.ms', '1000'],
  ...sessionOf('consumer', CONSUMER_SESSION_TIMEOUT_MS),
  ...sessionOf('share', CONSUMER_SESSION_TIMEOUT_MS),
  ...sessionOf('streams', STREAMS_SESSION_TIMEOUT_MS),
  ['group.streams.initial.rebalance.delay.ms', String(ASSIGNMENT_INTERVAL_MS)],
])

export interface Prepared {
  readonly seed: number
  readonly isSharingCommitted: boolean
  readonly deliveryLimit: number
  readonly standbys: boolean
}

/** `alone` runs one request after the other while nothing else happens. */
export async function prepare(
  alone: (task: (client: SimClient) => Promise<unknown>) => Promise<unknown>,
  prepared: Prepared,
): Promise<void> {
  await alone((client) => createTopics(client, prepared.seed))
  await alone((client) => client.findCoordinator(0, 'classic'))
  await alone((client) => client.findCoordinator(1, 'copier'))
  const segments = { 'internal.segment.bytes': String(SEGMENT_BYTES) }
  for (const name of ['__consumer_offsets', '__transaction_state']) {
    await alone((client) => configure(client, TOPIC_RESOURCE, name, segments))
  }
  const isolation = prepared.isSharingCommitted ? 'read_committed' : 'read_uncommitted'
  const sharing = {
    'share.auto.offset.reset': 'earliest',
    'share.isolation.level': isolation,
    'share.delivery.count.limit': String(prepared.deliveryLimit),
  }
  await alone((client) => configure(client, GROUP_RESOURCE, SHARE_GROUP, sharing))
  const streaming = { 'streams.num.standby.replicas': prepared.standbys ? '1' : '0' }
  await alone((client) => configure(client, GROUP_RESOURCE, STREAMS_GROUP, streaming))
}

function createTopics(client: SimClient, seed: number) {
  const small = { 'internal.segment.bytes': String(SEGMENT_BYTES) }
  const policy = seed % 2 === 0 ? 'compact' : 'compact,delete'
  const retentionMs = seed % 4 === 1 ? '15000' : '60000'
  const configs: Record<string, Record<string, string>> = {
    orders: small,
    source: small,
    copies: small,
    table: { ...small, 'cleanup.policy': policy, 'delete.retention.ms': '2000', 'retention.ms': retentionMs },
    aged: { ...small, 'retention.ms': String(AGED_MS) },
  }
  const topics = Object.entries(configs).map(([name, config]) => ({
    name,
    numPartitions: PARTITIONS.filter((partition) => split(partition).topic === name).length,
    replicationFactor: 1,
    assignments: [],
    configs: Object.entries(config).map(([key, value]) => ({ name: key, value })),
  }))
  return client.ask(
    [CreateTopicsRequest, CreateTopicsResponse, 5] as const,
    { topics: [...topics, fleetingTopic(SEGMENT_BYTES)], timeoutMs: 1000, validateOnly: false },
    (answer) => answer.topics.find(({ errorCode }) => errorCode !== ErrorCode.NONE)?.errorCode,
  )
}

function configure(
  client: SimClient,
  resourceType: number,
  resourceName: string,
  values: Readonly<Record<string, string>>,
) {
  const configs = Object.entries(values).map(([name, value]) => ({ name, configOperation: 0, value }))
  return client.ask(
    [IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, 1] as const,
    { resources: [{ resourceType, resourceName, configs }], validateOnly: false },
    ({ responses }) => responses.find(({ errorCode }) => errorCode !== ErrorCode.NONE)?.errorCode,
  )
}
