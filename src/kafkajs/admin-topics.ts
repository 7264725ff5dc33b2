/** kafkajs' admin calls about topics, their partitions and where those begin and end. */
import {
  alterPartitionReassignments as alterReassignments,
  listPartitionReassignments as listReassignments,
} from '../client/admin/cluster-state.ts'
import { deleteRecords, listOffsets } from '../client/admin/records.ts'
import {
  createPartitions as addPartitions,
  deleteTopics as dropTopics,
  createTopics as makeTopics,
} from '../client/admin/topics.ts'
import type { Cluster } from '../client/cluster.ts'
import { brokerError } from '../client/errors.ts'
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP } from '../client/offsets.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { checkArray, checkName, checkTopicRows, refused } from './admin-checks.ts'
import {
  KafkaJSAggregateError,
  KafkaJSAlterPartitionReassignmentsError,
  KafkaJSBrokerNotFound,
  KafkaJSCreateTopicError,
  KafkaJSDeleteTopicRecordsError,
  type KafkaJSError,
} from './errors.ts'
import { partitionMetadata } from './producer.ts'
import { failureOf, protocolError } from './translate.ts'
import type { Admin, ITopicConfig, SeekEntry } from './types.ts'

type Arguments<Name extends keyof Admin> = Admin[Name] extends (argument: infer A) => unknown ? NonNullable<A> : never

const BROKER_CHOOSES = -1

function checkConfigEntries({ topic, configEntries }: ITopicConfig): void {
  if (configEntries === undefined || configEntries === null) return
  if (!Array.isArray(configEntries)) throw refused(`Invalid configEntries for topic "${topic}", must be an array`)
  for (const [index, entry] of configEntries.entries()) {
    if (typeof entry !== 'object' || entry === null) {
      throw refused(`Invalid configEntries for topic "${topic}". Entry ${index} must be an object`)
    }
    for (const property of ['name', 'value'] as const) {
      if (typeof entry[property] === 'string') continue
      throw refused(
        `Invalid configEntries for topic "${topic}". Entry ${index} must have a valid "${property}" property`,
      )
    }
  }
}

/** True: made. False: all of them were there already. */
export async function createTopics(
  cluster: Cluster,
  { topics, validateOnly = false, waitForLeaders = true }: Arguments<'createTopics'>,
): Promise<boolean> {
  checkTopicRows(topics)
  for (const topic of topics) checkConfigEntries(topic)
  const wanted = topics.map(({ topic, numPartitions, replicationFactor, replicaAssignment = [], configEntries }) => ({
    name: topic,
    partitions: numPartitions ?? BROKER_CHOOSES,
    replicationFactor: replicationFactor ?? BROKER_CHOOSES,
    assignments: replicaAssignment
      .toSorted((one, other) => one.partition - other.partition)
      .map(({ replicas }) => replicas),
    configs: (configEntries ?? []).map(({ name, value }) => ({ key: name, value })),
  }))
  const failed = (await makeTopics(cluster, wanted, { validateOnly })).filter(({ error }) => error !== null)
  if (failed.length > 0) {
    if (failed.every(({ error }) => error!.errorCode === ErrorCode.TOPIC_ALREADY_EXISTS)) return false
    const errors = failed.map(({ name, error }) => new KafkaJSCreateTopicError(failureOf(error), name))
    throw new KafkaJSAggregateError('Topic creation errors', errors)
  }
  if (waitForLeaders && !validateOnly) {
    // A topic that was just made may be unknown for a moment to the broker that is asked.
    for (const { topic } of topics) await cluster.topic(topic, { create: true })
  }
  return true
}

export async function deleteTopics(cluster: Cluster, { topics }: Arguments<'deleteTopics'>): Promise<void> {
  checkArray(topics, 'topics')
  if (topics.some((topic) => typeof topic !== 'string')) {
    throw refused('Invalid topics array, the names must be a valid string')
  }
  const failed = (await dropTopics(cluster, topics)).find(({ error }) => error !== null)
  if (failed !== undefined) throw failed.error
}

export async function createPartitions(
  cluster: Cluster,
  { topicPartitions, validateOnly = false }: Arguments<'createPartitions'>,
): Promise<boolean> {
  checkTopicRows(topicPartitions, 'topic partitions')
  if (topicPartitions.length === 0) throw refused('Empty topic partitions array')
  const wanted = topicPartitions.map(({ topic, count, assignments }) => ({
    name: topic,
    count,
    ...(assignments === undefined ? {} : { assignments }),
  }))
  const failed = (await addPartitions(cluster, wanted, { validateOnly })).find(({ error }) => error !== null)
  if (failed !== undefined) throw failed.error
  return true
}

export async function fetchTopicMetadata(
  cluster: Cluster,
  { topics = [] }: Partial<Arguments<'fetchTopicMetadata'>> = {},
): ReturnType<Admin['fetchTopicMetadata']> {
  for (const topic of topics) checkName(topic, 'topic')
  // No names are all topics.
  const metadata = await cluster.metadata(topics.length === 0 ? null : topics)
  return {
    topics: metadata.topics.map(({ name, errorCode, partitions }) => {
      // Asked once: kafkajs does not try it again, and programs look at the `type`.
      if (errorCode !== 0) throw protocolError(brokerError(errorCode, `topic '${name}'`))
      return { name: name ?? '', partitions: partitions.map(partitionMetadata) }
    }),
  }
}

export async function fetchTopicOffsets(cluster: Cluster, topic: string): ReturnType<Admin['fetchTopicOffsets']> {
  checkName(topic, 'topic')
  const high = await offsetsAt(cluster, topic, LATEST_TIMESTAMP)
  const low = new Map((await offsetsAt(cluster, topic, EARLIEST_TIMESTAMP)).map((row) => [row.partition, row.offset]))
  return high.map(({ partition, offset }) => ({
    partition,
    offset: String(offset),
    high: String(offset),
    low: String(low.get(partition) ?? offset),
  }))
}

/** Where no record is as young, the end of the partition. */
export async function fetchTopicOffsetsByTimestamp(
  cluster: Cluster,
  topic: string,
  timestamp?: number,
): Promise<SeekEntry[]> {
  checkName(topic, 'topic')
  const ends = new Map((await offsetsAt(cluster, topic, LATEST_TIMESTAMP)).map((row) => [row.partition, row.offset]))
  const found = await offsetsAt(cluster, topic, timestamp ?? LATEST_TIMESTAMP)
  return found.map(({ partition, offset }) => ({
    partition,
    offset: String(offset >= 0 ? offset : (ends.get(partition) ?? 0)),
  }))
}

export async function partitionIds(cluster: Cluster, topic: string): Promise<number[]> {
  const { partitions } = await cluster.topic(topic)
  return partitions.map(({ partitionIndex }) => partitionIndex).sort((one, other) => one - other)
}

async function offsetsAt(cluster: Cluster, topic: string, timestamp: number) {
  const queries = (await partitionIds(cluster, topic)).map((partition) => ({ topic, partition, timestamp }))
  const rows = await listOffsets(cluster, queries)
  const failed = rows.find(({ errorCode }) => errorCode !== 0)
  if (failed !== undefined) throw brokerError(failed.errorCode, `list offsets of ${topic}-${failed.partition}`)
  return rows
}

export async function deleteTopicRecords(
  cluster: Cluster,
  { topic, partitions }: Arguments<'deleteTopicRecords'>,
): Promise<void> {
  checkName(topic, 'topic')
  if (!partitions || partitions.length === 0) throw refused('Invalid partitions')
  const known = new Set(await partitionIds(cluster, topic))
  const fail = (rows: { partition: number; offset: string; error: KafkaJSError }[]): never => {
    throw new KafkaJSDeleteTopicRecordsError({ topic, partitions: rows })
  }
  const missing = partitions.filter(({ partition }) => !known.has(partition))
  if (missing.length > 0) {
    const error = new KafkaJSBrokerNotFound('Could not find the leader for the partition', { retriable: false })
    fail(missing.map((row) => ({ ...row, error })))
  }
  const wanted = partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) }))
  const outcomes = await deleteRecords(cluster, wanted)
  const failed = outcomes.flatMap(({ partition, error }, index) =>
    error === null ? [] : [{ partition, offset: partitions[index]!.offset, error: failureOf(error) as KafkaJSError }],
  )
  if (failed.length > 0) fail(failed)
}

export async function alterPartitionReassignments(
  cluster: Cluster,
  { topics }: Arguments<'alterPartitionReassignments'>,
): Promise<void> {
  checkTopicRows(topics)
  const wanted = topics.flatMap(({ topic, partitionAssignment }) => {
    if (!Array.isArray(partitionAssignment)) {
      throw refused(`Invalid partitions array: ${partitionAssignment} for topic: ${topic}`)
    }
    return partitionAssignment.map(({ partition, replicas }) => {
      if (typeof partition !== 'number' || partition < 0) {
        throw refused(`Invalid partitions index: ${partition} for topic: ${topic}`)
      }
      if (!Array.isArray(replicas) || replicas.some((replica) => typeof replica !== 'number' || replica < 0)) {
        throw refused(`Invalid replica assignment: ${replicas} for topic: ${topic} on partition: ${partition}`)
      }
      return { topic, partition, replicas }
    })
  })
  const failed = (await alterReassignments(cluster, wanted)).filter(({ error }) => error !== null)
  if (failed.length === 0) return
  const errors = failed.map(({ topic, partition, error }) => {
    return new KafkaJSAlterPartitionReassignmentsError(failureOf(error), topic, partition)
  })
  throw new KafkaJSAggregateError('Errors altering partition reassignments', errors)
}

export async function listPartitionReassignments(
  cluster: Cluster,
  { topics }: Partial<Arguments<'listPartitionReassignments'>> = {},
): ReturnType<Admin['listPartitionReassignments']> {
  if (topics) {
    checkTopicRows(topics)
    for (const { topic, partitions } of topics) {
      if (Array.isArray(partitions) && partitions.every((each) => typeof each === 'number' && each >= 0)) continue
      throw refused(`Invalid partition array: ${partitions} for topic: ${topic}`)
    }
  }
  const isAsked = ({ topic, partition }: { topic: string; partition: number }): boolean =>
    !topics || topics.some((row) => row.topic === topic && row.partitions.includes(partition))
  const found = (await listReassignments(cluster)).filter(isAsked)
  return {
    topics: [...Map.groupBy(found, ({ topic }) => topic)].map(([topic, rows]) => ({
      topic,
      partitions: rows.map(({ partition, replicas, addingReplicas, removingReplicas }) => ({
        partitionIndex: partition,
        replicas: [...replicas],
        addingReplicas: [...addingReplicas],
        removingReplicas: [...removingReplicas],
      })),
    })),
  }
}
