/**
 * Topics: made, deleted, grown and described. Results come per topic, in the order asked; a topic that failed
 * carries its error, so that one bad name does not hide what happened to the others.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../protocol/messages/19-create-topics.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../protocol/messages/20-delete-topics.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../protocol/messages/37-create-partitions.ts'
import {
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse,
} from '../../protocol/messages/75-describe-topic-partitions.ts'
import { type Infer, ZERO_UUID } from '../../protocol/schema.ts'
import type { Cluster } from '../cluster.ts'
import { brokerError } from '../errors.ts'
import { errorOf, type Outcome, type OutcomeRow } from './outcome.ts'

/** From this version on, DeleteTopics names a topic by a struct that may hold an id instead. */
const FIRST_DELETE_BY_ID = 6
/** What became of a call for one topic. */
export interface TopicOutcome extends Outcome {
  /** The topic that was named. */
  readonly name: string
}

/** A topic to be made, complete. */
export interface NewTopic {
  /** The topic's name. */
  readonly name: string
  /** -1: what the broker is configured for; so with the replication factor. */
  readonly partitions: number
  /** Replicas of each partition; -1: the broker's default. */
  readonly replicationFactor: number
  /** Kafka's topic settings. */
  readonly configs: readonly { readonly key: string; readonly value: string }[]
  /** Node ids of the replicas of partition 0, 1, ...; `partitions` and `replicationFactor` are -1 then. Without it the broker chooses. */
  readonly assignments?: readonly (readonly number[])[]
}

export async function createTopics(
  cluster: Cluster,
  topics: readonly NewTopic[],
  options: { validateOnly?: boolean } = {},
): Promise<TopicOutcome[]> {
  const controller = await cluster.controller()
  const answer = await controller.send(CreateTopicsRequest, CreateTopicsResponse, {
    topics: topics.map(({ name, partitions, replicationFactor, configs, assignments = [] }) => ({
      name,
      numPartitions: partitions,
      replicationFactor,
      assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
      configs: configs.map(({ key, value }) => ({ name: key, value })),
    })),
    timeoutMs: cluster.timeoutMs,
    validateOnly: options.validateOnly ?? false,
  })
  return outcomes(
    topics.map((topic) => topic.name),
    answer.topics,
    'create',
  )
}

export async function deleteTopics(cluster: Cluster, names: readonly string[]): Promise<TopicOutcome[]> {
  const controller = await cluster.controller()
  const byState = controller.versionFor(DeleteTopicsRequest) >= FIRST_DELETE_BY_ID
  const answer = await controller.send(DeleteTopicsRequest, DeleteTopicsResponse, {
    ...(byState ? { topics: names.map((name) => ({ name, topicId: ZERO_UUID })) } : { topicNames: names }),
    timeoutMs: cluster.timeoutMs,
  })
  return outcomes(names, answer.responses, 'delete')
}

/** How many partitions a topic shall have. */
export interface PartitionCount {
  /** The topic's name. */
  readonly name: string
  /** All of them, not how many more. */
  readonly count: number
  /** Node ids of the replicas of each partition that is added. Without it the broker chooses. */
  readonly assignments?: readonly (readonly number[])[]
}

export async function createPartitions(
  cluster: Cluster,
  topics: readonly PartitionCount[],
  options: { readonly validateOnly?: boolean } = {},
): Promise<TopicOutcome[]> {
  const controller = await cluster.controller()
  const answer = await controller.send(CreatePartitionsRequest, CreatePartitionsResponse, {
    topics: topics.map(({ name, count, assignments }) => ({
      name,
      count,
      assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null,
    })),
    timeoutMs: cluster.timeoutMs,
    validateOnly: options.validateOnly ?? false,
  })
  return outcomes(
    topics.map(({ name }) => name),
    answer.results,
    'add partitions to',
  )
}

/** A partition: who leads, and who follows. */
export interface PartitionDescription {
  /** The partition's number. */
  readonly partition: number
  /** -1: none. */
  readonly leader: number
  /** Goes up by one with every new leader. */
  readonly leaderEpoch: number
  /** Node ids, the preferred leader first. */
  readonly replicas: readonly number[]
  /** Node ids of the replicas that are in sync. */
  readonly isr: readonly number[]
  /** Node ids of replicas whose broker or folder is gone. */
  readonly offlineReplicas: readonly number[]
  /** Null where the broker does not know of eligible leader replicas. */
  readonly elr: readonly number[] | null
  /** Node ids that were eligible before; null where the broker does not tell. */
  readonly lastKnownElr: readonly number[] | null
}

/** A topic with its partitions. */
export interface TopicDescription {
  /** The topic's name. */
  readonly name: string
  /** Its id as a UUID; that of a topic made again under the same name is another. */
  readonly topicId: string
  /** Kafka's own, such as `__consumer_offsets`. */
  readonly internal: boolean
  /** Sorted by number. */
  readonly partitions: readonly PartitionDescription[]
}

/** All topics for null. Sorted by name; a topic that does not exist is an error. */
export async function describeTopics(cluster: Cluster, names: readonly string[] | null): Promise<TopicDescription[]> {
  const metadata = await cluster.metadata(names)
  const elrs = await eligibleLeaders(cluster, names)
  const topics: TopicDescription[] = []
  for (const topic of metadata.topics) {
    const name = topic.name ?? ''
    if (topic.errorCode !== 0) {
      const missing = topic.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      throw brokerError(topic.errorCode, `topic '${name}'`, missing ? 'it does not exist' : null)
    }
    const partitions = topic.partitions.map((row) => ({
      partition: row.partitionIndex,
      leader: row.leaderId,
      leaderEpoch: row.leaderEpoch,
      replicas: row.replicaNodes,
      isr: row.isrNodes,
      offlineReplicas: row.offlineReplicas,
      elr: elrs?.get(`${name}-${row.partitionIndex}`)?.elr ?? null,
      lastKnownElr: elrs?.get(`${name}-${row.partitionIndex}`)?.lastKnownElr ?? null,
    }))
    partitions.sort((a, b) => a.partition - b.partition)
    topics.push({ name, topicId: topic.topicId, internal: topic.isInternal, partitions })
  }
  return topics.sort((a, b) => (a.name < b.name ? -1 : 1))
}

type EligibleLeaders = Map<string, { elr: number[] | null; lastKnownElr: number[] | null }>

/** Only DescribeTopicPartitions tells them; null where the broker does not serve it. */
async function eligibleLeaders(cluster: Cluster, names: readonly string[] | null): Promise<EligibleLeaders | null> {
  const connection = await cluster.any()
  if (!connection.versions.has(DescribeTopicPartitionsRequest.key)) return null
  const found: EligibleLeaders = new Map()
  let cursor: DescribedTopics['nextCursor'] = null
  do {
    const answer: DescribedTopics = await connection.send(
      DescribeTopicPartitionsRequest,
      DescribeTopicPartitionsResponse,
      { topics: (names ?? []).toSorted().map((name) => ({ name })), cursor },
    )
    for (const topic of answer.topics) {
      for (const { partitionIndex, eligibleLeaderReplicas: elr, lastKnownElr } of topic.partitions) {
        found.set(`${topic.name}-${partitionIndex}`, { elr, lastKnownElr })
      }
    }
    cursor = answer.nextCursor
  } while (cursor !== null)
  return found
}

type DescribedTopics = Infer<typeof DescribeTopicPartitionsResponse>

interface TopicRow extends OutcomeRow {
  readonly name: string | null
}

function outcomes(names: readonly string[], rows: readonly TopicRow[], verb: string): TopicOutcome[] {
  return names.map((name) => {
    const row = rows.find((candidate) => candidate.name === name)
    return { name, error: errorOf(row, `${verb} topic '${name}'`) }
  })
}
