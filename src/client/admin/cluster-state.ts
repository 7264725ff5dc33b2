/** The cluster itself: its brokers, features and folders, who leads, and where replicas are or move to. */
import { ApiVersionsRequest, ApiVersionsResponse } from '../../protocol/messages/18-api-versions.ts'
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../protocol/messages/34-alter-replica-log-dirs.ts'
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from '../../protocol/messages/35-describe-log-dirs.ts'
import { ElectLeadersRequest, ElectLeadersResponse } from '../../protocol/messages/43-elect-leaders.ts'
import {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../../protocol/messages/45-alter-partition-reassignments.ts'
import {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../../protocol/messages/46-list-partition-reassignments.ts'
import { DescribeQuorumRequest, DescribeQuorumResponse } from '../../protocol/messages/55-describe-quorum.ts'
import { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../../protocol/messages/57-update-features.ts'
import { DescribeClusterRequest, DescribeClusterResponse } from '../../protocol/messages/60-describe-cluster.ts'
import { UnregisterBrokerRequest, UnregisterBrokerResponse } from '../../protocol/messages/64-unregister-broker.ts'
import type { Cluster } from '../cluster.ts'
import { errorOf, type Outcome, throwIfFailed } from './outcome.ts'

/** A cluster and its brokers. */
export interface ClusterDescription {
  /** The cluster's id, as it was given when its storage was made. */
  readonly clusterId: string
  /** Node id; -1: none. */
  readonly controllerId: number
  /** Brokers that are there, with the addresses that they tell clients. */
  readonly brokers: readonly {
    /** The broker's id. */
    readonly nodeId: number
    /** Where it listens for clients, as it advertises itself. */
    readonly host: string
    /** The port to that host. */
    readonly port: number
    /** `broker.rack`; null without one. */
    readonly rack: string | null
    /** Registered, but not serving. Only with `includeFenced`. */
    readonly isFenced: boolean
  }[]
}

export async function describeCluster(
  cluster: Cluster,
  options: { readonly includeFenced?: boolean } = {},
): Promise<ClusterDescription> {
  const connection = await cluster.any()
  const answer = await connection.send(DescribeClusterRequest, DescribeClusterResponse, {
    includeClusterAuthorizedOperations: false,
    // Brokers older than the field have no fenced ones to tell of.
    ...(options.includeFenced === true ? { includeFencedBrokers: true } : {}),
  })
  throwIfFailed(answer, 'describe the cluster')
  const { clusterId, controllerId, brokers } = answer
  return { clusterId, controllerId, brokers: brokers.map(({ brokerId: nodeId, ...rest }) => ({ nodeId, ...rest })) }
}

/** A feature of the cluster, such as `metadata.version` or `transaction.version`. */
export interface Feature {
  /** The feature's name. */
  readonly name: string
  /** 0: off. */
  readonly level: number
  /** What this broker supports. */
  readonly min: number
  /** The highest level that this broker supports. */
  readonly max: number
}

/** Sorted by name. */
export async function describeFeatures(cluster: Cluster): Promise<Feature[]> {
  const connection = await cluster.any()
  const answer = await connection.send(ApiVersionsRequest, ApiVersionsResponse, {
    clientSoftwareName: 'samsa',
    clientSoftwareVersion: '0.1.0',
  })
  throwIfFailed(answer, 'describe features')
  const levels = new Map(answer.finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]))
  return answer.supportedFeatures
    .map(({ name, minVersion: min, maxVersion: max }) => ({ name, level: levels.get(name) ?? 0, min, max }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

const UPGRADE_TYPES = { upgrade: 1, 'safe-downgrade': 2, 'unsafe-downgrade': 3 } as const

/** The level that a feature shall have. */
export interface FeatureUpdate {
  /** The feature's name, as `describeFeatures` tells it. */
  readonly name: string
  /** 0 turns it off. */
  readonly level: number
  /** `upgrade` unless given. `unsafe-downgrade` may lose metadata. */
  readonly type?: keyof typeof UPGRADE_TYPES
}

/** All or none. */
export async function updateFeatures(
  cluster: Cluster,
  updates: readonly FeatureUpdate[],
  options: { readonly validateOnly?: boolean } = {},
): Promise<void> {
  const controller = await cluster.controller()
  const answer = await controller.send(UpdateFeaturesRequest, UpdateFeaturesResponse, {
    timeoutMs: cluster.timeoutMs,
    featureUpdates: updates.map(({ name, level, type = 'upgrade' }) => ({
      feature: name,
      maxVersionLevel: level,
      upgradeType: UPGRADE_TYPES[type],
    })),
    validateOnly: options.validateOnly ?? false,
  })
  throwIfFailed(answer, 'update features')
  for (const row of answer.results) throwIfFailed(row, `update feature '${row.feature}'`)
}

/** A folder of a broker and the replicas in it. */
export interface LogDirectory extends Outcome {
  /** Node id. */
  readonly broker: number
  /** The folder, as the broker's `log.dirs` names it. */
  readonly path: string
  /** Bytes; -1 where the broker does not tell. */
  readonly totalBytes: number
  /** Bytes that are free; -1 where the broker does not tell. */
  readonly usableBytes: number
  /** What lies in it. */
  readonly replicas: readonly {
    /** The replica's topic. */
    readonly topic: string
    /** The replica's partition. */
    readonly partition: number
    /** Bytes of its segments. */
    readonly sizeBytes: number
    /** Records it lacks: behind the high watermark, or, for a copy that is moving here, behind the current one. */
    readonly offsetLag: number
    /** A copy on its way here: it takes the replica's place when it has caught up. */
    readonly isFuture: boolean
  }[]
}

/** Of all brokers unless named. */
export async function describeLogDirs(cluster: Cluster, brokers?: readonly number[]): Promise<LogDirectory[]> {
  const known = (await cluster.metadata([])).brokers.map(({ nodeId }) => nodeId)
  const perBroker = await Promise.all(
    (brokers ?? known).map(async (broker) => {
      const connection = await cluster.broker(broker)
      const answer = await connection.send(DescribeLogDirsRequest, DescribeLogDirsResponse, { topics: null })
      throwIfFailed(answer, `describe the log folders of broker ${broker}`)
      return answer.results.map((row) => ({
        broker,
        path: row.logDir,
        totalBytes: row.totalBytes,
        usableBytes: row.usableBytes,
        replicas: row.topics.flatMap(({ name: topic, partitions }) =>
          partitions.map(
            ({ partitionIndex: partition, partitionSize: sizeBytes, offsetLag, isFutureKey: isFuture }) => ({
              topic,
              partition,
              sizeBytes,
              offsetLag,
              isFuture,
            }),
          ),
        ),
        error: errorOf(row, `describe ${row.logDir} of broker ${broker}`),
      }))
    }),
  )
  return perBroker.flat()
}

/** A replica, and the folder where it shall lie. */
export interface ReplicaMove {
  /** Node id of the broker that has the replica. */
  readonly broker: number
  /** The replica's topic. */
  readonly topic: string
  /** The replica's partition. */
  readonly partition: number
  /** The folder of that broker where it shall be. */
  readonly path: string
}

/** Begins the moves; `describeLogDirs` shows how far they are. In the order asked. */
export async function alterReplicaLogDirs(
  cluster: Cluster,
  moves: readonly ReplicaMove[],
): Promise<(ReplicaMove & Outcome)[]> {
  await cluster.metadata([])
  const perBroker = await Promise.all(
    [...Map.groupBy(moves, ({ broker }) => broker)].map(async ([broker, mine]) => {
      const connection = await cluster.broker(broker)
      const answer = await connection.send(AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, {
        dirs: [...Map.groupBy(mine, ({ path }) => path)].map(([path, rows]) => ({
          path,
          topics: [...Map.groupBy(rows, ({ topic }) => topic)].map(([name, partitions]) => ({
            name,
            partitions: partitions.map(({ partition }) => partition),
          })),
        })),
      })
      return answer.results.flatMap(({ topicName, partitions }) =>
        partitions.map((row) => ({ broker, topic: topicName, ...row })),
      )
    }),
  )
  const rows = perBroker.flat()
  return moves.map((move) => {
    const row = rows.find(
      ({ broker, topic, partitionIndex }) =>
        broker === move.broker && topic === move.topic && partitionIndex === move.partition,
    )
    return { ...move, error: errorOf(row, `move ${move.topic}-${move.partition} to ${move.path}`) }
  })
}

const ELECTIONS = { preferred: 0, unclean: 1 } as const

/** What became of a call for one partition. */
export interface PartitionOutcome extends Outcome {
  /** The topic that was named. */
  readonly topic: string
  /** The partition that was named. */
  readonly partition: number
}

/** Of all partitions that need it, unless named. */
export async function electLeaders(
  cluster: Cluster,
  type: keyof typeof ELECTIONS,
  partitions?: readonly { readonly topic: string; readonly partition: number }[],
): Promise<PartitionOutcome[]> {
  const controller = await cluster.controller()
  const topics = partitions === undefined ? null : [...Map.groupBy(partitions, ({ topic }) => topic)]
  const answer = await controller.send(ElectLeadersRequest, ElectLeadersResponse, {
    electionType: ELECTIONS[type],
    topicPartitions:
      topics?.map(([topic, rows]) => ({ topic, partitions: rows.map(({ partition }) => partition) })) ?? null,
    timeoutMs: cluster.timeoutMs,
  })
  throwIfFailed(answer, 'elect leaders')
  return answer.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
    partitionResult.map((row) => ({
      topic,
      partition: row.partitionId,
      error: errorOf(row, `elect a leader of ${topic}-${row.partitionId}`),
    })),
  )
}

/** Where the replicas of a partition shall be. */
export interface Reassignment {
  /** The topic. */
  readonly topic: string
  /** The partition. */
  readonly partition: number
  /** Node ids, the preferred leader first; null cancels what is under way. */
  readonly replicas: readonly number[] | null
}

/** In the order asked. */
export async function alterPartitionReassignments(
  cluster: Cluster,
  reassignments: readonly Reassignment[],
): Promise<PartitionOutcome[]> {
  const controller = await cluster.controller()
  const answer = await controller.send(AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, {
    timeoutMs: cluster.timeoutMs,
    topics: [...Map.groupBy(reassignments, ({ topic }) => topic)].map(([name, rows]) => ({
      name,
      partitions: rows.map(({ partition, replicas }) => ({ partitionIndex: partition, replicas })),
    })),
  })
  throwIfFailed(answer, 'reassign partitions')
  return reassignments.map(({ topic, partition }) => {
    const rows = answer.responses.find(({ name }) => name === topic)?.partitions
    const row = rows?.find(({ partitionIndex }) => partitionIndex === partition)
    return { topic, partition, error: errorOf(row, `reassign ${topic}-${partition}`) }
  })
}

/** A partition whose replicas are moving between brokers. */
export interface OngoingReassignment {
  /** The topic. */
  readonly topic: string
  /** The partition. */
  readonly partition: number
  /** Node ids of all replicas, old and new ones, the preferred leader first. */
  readonly replicas: readonly number[]
  /** Node ids that are still copying. */
  readonly addingReplicas: readonly number[]
  /** Node ids that will go when the new ones are in sync. */
  readonly removingReplicas: readonly number[]
}

export async function listPartitionReassignments(cluster: Cluster): Promise<OngoingReassignment[]> {
  const controller = await cluster.controller()
  const answer = await controller.send(ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, {
    timeoutMs: cluster.timeoutMs,
    topics: null,
  })
  throwIfFailed(answer, 'list reassignments')
  return answer.topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex: partition, ...rest }) => ({ topic, partition, ...rest })),
  )
}

/** A node that reads the metadata log. */
export interface QuorumReplica {
  /** Its node id. */
  readonly nodeId: number
  /** The offset up to which it has the log; -1: not known. */
  readonly logEndOffset: number
  /** Milliseconds since 1970; -1: not known. */
  readonly lastFetchMs: number
  /** When it last had all of it, milliseconds since 1970; -1: not known. */
  readonly lastCaughtUpMs: number
}

/** The controllers of a Kafka cluster, as their metadata log sees them. */
export interface QuorumDescription {
  /** Node id of the active controller; -1: none. */
  readonly leaderId: number
  /** Goes up by one with every election. */
  readonly leaderEpoch: number
  /** Up to this offset the metadata log is on a majority. */
  readonly highWatermark: number
  /** Controllers: they elect the leader. */
  readonly voters: readonly QuorumReplica[]
  /** Brokers: they read along. */
  readonly observers: readonly QuorumReplica[]
}

/** Of Kafka's metadata log. Throws on a cluster that keeps its metadata in another way. */
export async function describeQuorum(cluster: Cluster): Promise<QuorumDescription> {
  const connection = await cluster.any()
  const answer = await connection.send(DescribeQuorumRequest, DescribeQuorumResponse, {
    topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
  })
  throwIfFailed(answer, 'describe the metadata quorum')
  const row = answer.topics[0]?.partitions[0]
  throwIfFailed(row, 'describe the metadata quorum')
  const { leaderId, leaderEpoch, highWatermark, currentVoters, observers } = row!
  type WireReplica = (typeof currentVoters)[number]
  const replica = ({ replicaId, logEndOffset, lastFetchTimestamp, lastCaughtUpTimestamp }: WireReplica) => ({
    nodeId: replicaId,
    logEndOffset,
    lastFetchMs: lastFetchTimestamp,
    lastCaughtUpMs: lastCaughtUpTimestamp,
  })
  return {
    leaderId,
    leaderEpoch,
    highWatermark,
    voters: currentVoters.map(replica),
    observers: observers.map(replica),
  }
}

/** Forgets a broker that will not come back. */
export async function unregisterBroker(cluster: Cluster, nodeId: number): Promise<void> {
  const controller = await cluster.controller()
  const answer = await controller.send(UnregisterBrokerRequest, UnregisterBrokerResponse, { brokerId: nodeId })
  throwIfFailed(answer, `unregister broker ${nodeId}`)
}
