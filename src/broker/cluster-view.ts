/**
 * How clients are shown the cluster: brokers with the addresses they can reach, and the state of partitions. Metadata,
 * DescribeCluster and DescribeTopicPartitions answer from here, so that they cannot contradict each other.
 */
import type { PartitionImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { BrokerContext } from './api.ts'
import type { Connection } from './connection.ts'

/** Every operation a resource type supports, as the bit field of "authorized operations". */
export const ALL_TOPIC_OPERATIONS = 3576
export const ALL_CLUSTER_OPERATIONS = 8096
/** READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS */
export const ALL_GROUP_OPERATIONS = 3400
/** The client did not ask for them. */
export const OPERATIONS_NOT_REQUESTED = -2147483648

export interface BrokerView {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** Live brokers by id. This one shows the address that suits the connection. */
export function liveBrokers(broker: BrokerContext, connection: Connection): BrokerView[] {
  const own = {
    id: broker.nodeId,
    ...broker.advertised(connection),
    rack: broker.image.broker(broker.nodeId)?.rack ?? null,
  }
  const others = broker.image.brokers().filter(({ id }) => id !== broker.nodeId)
  return [own, ...others.map(({ id, host, port, rack }) => ({ id, host, port, rack }))].sort((a, b) => a.id - b.id)
}

export interface PartitionView {
  readonly errorCode: ErrorCode
  readonly partitionIndex: number
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
  readonly isrNodes: readonly number[]
  readonly offlineReplicas: readonly number[]
}

export function describePartition(broker: BrokerContext, topic: string, partition: PartitionImage): PartitionView {
  const isLive = (id: number): boolean => id === broker.nodeId || broker.image.broker(id) !== undefined
  // A replica whose log cannot be used, as when its data folder is offline, is no replica for the time being.
  const hasNoLog = broker.logs.failureOf(topic, partition.index) !== null
  const isOffline = (id: number): boolean => !isLive(id) || (hasNoLog && id === broker.nodeId)
  const hasLeader = !isOffline(partition.leader)
  return {
    errorCode: hasLeader ? ErrorCode.NONE : ErrorCode.LEADER_NOT_AVAILABLE,
    partitionIndex: partition.index,
    leaderId: hasLeader ? partition.leader : -1,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: partition.replicas,
    isrNodes: hasNoLog ? partition.isr.filter((id) => !isOffline(id)) : partition.isr,
    offlineReplicas: partition.replicas.filter(isOffline),
  }
}
