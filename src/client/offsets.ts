/** Where partitions begin and end, and which offset belongs to a time. Asked of each partition's leader. */
import { ListOffsetsRequest, ListOffsetsResponse } from '../protocol/messages/02-list-offsets.ts'
import type { Cluster, TopicMetadata } from './cluster.ts'
import { brokerError } from './errors.ts'

/** Timestamps with a meaning of their own. */
export const LATEST_TIMESTAMP = -1
export const EARLIEST_TIMESTAMP = -2

export interface IsolationOptions {
  /** Look only at what is committed. */
  readonly readCommitted?: boolean
}

/** Offset per partition; -1 where no record is as young as the timestamp asks. */
export async function listOffsets(
  cluster: Cluster,
  topic: TopicMetadata,
  partitions: readonly number[],
  timestamp: number,
  options: IsolationOptions = {},
): Promise<Map<number, number>> {
  const wanted = new Set(partitions)
  const byLeader = Map.groupBy(
    topic.partitions.filter((partition) => wanted.has(partition.partitionIndex)),
    (partition) => partition.leaderId,
  )
  const offsets = new Map<number, number>()
  const ask = async (leaderId: number, rows: TopicMetadata['partitions']): Promise<void> => {
    const leader = await cluster.broker(leaderId)
    const answer = await leader.send(ListOffsetsRequest, ListOffsetsResponse, {
      replicaId: -1,
      isolationLevel: options.readCommitted === true ? 1 : 0,
      topics: [
        {
          name: topic.name ?? '',
          partitions: rows.map(({ partitionIndex }) => ({ partitionIndex, timestamp })),
        },
      ],
      timeoutMs: cluster.timeoutMs,
    })
    for (const row of answer.topics.flatMap((answered) => answered.partitions)) {
      if (row.errorCode !== 0) throw brokerError(row.errorCode, `list offsets of ${topic.name}-${row.partitionIndex}`)
      offsets.set(row.partitionIndex, row.offset)
    }
  }
  await Promise.all([...byLeader].map(([leaderId, rows]) => ask(leaderId, rows)))
  return offsets
}
