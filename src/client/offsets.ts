/** Where partitions begin and end, and which offset belongs to a time. Asked of each partition's leader. */
import { ErrorCode, isRetriable } from '../protocol/errors.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from '../protocol/messages/02-list-offsets.ts'
import type { Cluster, TopicMetadata } from './cluster.ts'
import { brokerError, isConnectionLoss } from './errors.ts'
import { backoffMs, sleep } from './retry.ts'

/** Timestamps with a meaning of their own. */
export const LATEST_TIMESTAMP = -1
/** In place of a timestamp: the first record that is there. */
export const EARLIEST_TIMESTAMP = -2

/** What counts as an end, and how long to wait. */
export interface IsolationOptions {
  /** Look only at what is committed. */
  readonly readCommitted?: boolean
  /** Ends the waiting with ERR_ABORTED. */
  readonly signal?: AbortSignal | undefined
}

/** A question about one partition. */
export interface OffsetQuery {
  /** The topic. */
  readonly topic: string
  /** The partition. */
  readonly partition: number
  /** Milliseconds since 1970: asks for the first record that is at least as young. Or `EARLIEST_TIMESTAMP`, `LATEST_TIMESTAMP`. */
  readonly timestamp: number
}

/** The answer to an OffsetQuery. */
export interface FoundOffset extends OffsetQuery {
  /** Of this partition alone; 0 when it was found. */
  readonly errorCode: number
  /** -1 where no record is as young as the timestamp asks. */
  readonly offset: number
  /** Of the record; -1 for the beginning and the end of a partition. */
  readonly recordTimestamp: number
  /** Of the leader that appended the record; -1 where the broker does not tell. */
  readonly leaderEpoch: number
}

/**
 * One answer per query. Leaders that moved and brokers that are away are asked for again until the cluster's timeout has passed; what
 * then is still wrong with a partition is its error code.
 */
export async function queryOffsets(
  cluster: Cluster,
  queries: readonly OffsetQuery[],
  options: IsolationOptions = {},
): Promise<FoundOffset[]> {
  const deadlineMs = performance.now() + cluster.timeoutMs
  const found: FoundOffset[] = []
  let left = queries
  for (let attempt = 0; left.length > 0; attempt++) {
    const unknown = left.filter(({ topic, partition }) => (cluster.partition(topic, partition)?.leaderId ?? -1) < 0)
    if (unknown.length > 0) await cluster.update(new Set(unknown.map(({ topic }) => topic)))
    const byLeader = Map.groupBy(left, ({ topic, partition }) => cluster.partition(topic, partition)?.leaderId ?? -1)
    const last = performance.now() > deadlineMs
    const answers = await Promise.all([...byLeader].map(([leaderId, rows]) => ask(cluster, leaderId, rows, options)))
    const again: OffsetQuery[] = []
    for (const answer of answers.flat()) {
      if (answer.errorCode !== 0 && isRetriable(answer.errorCode) && !last) again.push(answer)
      else found.push(answer)
    }
    left = again.map(({ topic, partition, timestamp }) => ({ topic, partition, timestamp }))
    if (left.length === 0) break
    await sleep(backoffMs(cluster.retry, attempt), options.signal)
    await cluster.update(new Set(left.map(({ topic }) => topic))).catch((error: unknown) => {
      if (!isConnectionLoss(error)) throw error
    })
  }
  return found
}

const NOT_FOUND = { offset: -1, recordTimestamp: -1, leaderEpoch: -1 }

async function ask(
  cluster: Cluster,
  leaderId: number,
  queries: readonly OffsetQuery[],
  options: IsolationOptions,
): Promise<FoundOffset[]> {
  const failed = (errorCode: number): FoundOffset[] => queries.map((query) => ({ ...query, ...NOT_FOUND, errorCode }))
  if (leaderId < 0) return failed(ErrorCode.LEADER_NOT_AVAILABLE)
  try {
    const leader = await cluster.broker(leaderId)
    const topics = [...Map.groupBy(queries, ({ topic }) => topic)]
    const answer = await leader.send(
      ListOffsetsRequest,
      ListOffsetsResponse,
      {
        replicaId: -1,
        isolationLevel: options.readCommitted === true ? 1 : 0,
        topics: topics.map(([name, rows]) => ({
          name,
          partitions: rows.map(({ partition, timestamp }) => {
            const currentLeaderEpoch = cluster.partition(name, partition)?.leaderEpoch ?? -1
            return { partitionIndex: partition, currentLeaderEpoch, timestamp }
          }),
        })),
        timeoutMs: cluster.timeoutMs,
      },
      { signal: options.signal },
    )
    const rows = answer.topics.flatMap(({ name, partitions }) => partitions.map((row) => ({ name, row })))
    return queries.map((query) => {
      const answered = rows.find(({ name, row }) => name === query.topic && row.partitionIndex === query.partition)?.row
      if (answered === undefined) return { ...query, ...NOT_FOUND, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }
      const { errorCode, offset, timestamp: recordTimestamp, leaderEpoch } = answered
      return { ...query, errorCode, offset, recordTimestamp, leaderEpoch }
    })
  } catch (error) {
    if (!isConnectionLoss(error)) throw error
    return failed(ErrorCode.NETWORK_EXCEPTION)
  }
}

/** Offset per partition of one topic; -1 where no record is as young as the timestamp asks. */
export async function listOffsets(
  cluster: Cluster,
  topic: TopicMetadata,
  partitions: readonly number[],
  timestamp: number,
  options: IsolationOptions = {},
): Promise<Map<number, number>> {
  const name = topic.name ?? ''
  const queries = partitions.map((partition) => ({ topic: name, partition, timestamp }))
  const found = await queryOffsets(cluster, queries, options)
  for (const { partition, errorCode } of found) {
    if (errorCode !== 0) throw brokerError(errorCode, `list offsets of ${name}-${partition}`)
  }
  return new Map(found.map(({ partition, offset }) => [partition, offset]))
}
