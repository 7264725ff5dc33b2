/** What share groups (KIP-932) have acknowledged, by partition: from which offset on records are still to be delivered. */
import {
  DescribeShareGroupOffsetsRequest,
  DescribeShareGroupOffsetsResponse,
} from '../../protocol/messages/90-describe-share-group-offsets.ts'
import {
  AlterShareGroupOffsetsRequest,
  AlterShareGroupOffsetsResponse,
} from '../../protocol/messages/91-alter-share-group-offsets.ts'
import {
  DeleteShareGroupOffsetsRequest,
  DeleteShareGroupOffsetsResponse,
} from '../../protocol/messages/92-delete-share-group-offsets.ts'
import type { Cluster } from '../cluster.ts'
import { retrying } from '../retry.ts'
import type { PartitionOutcome } from './cluster-state.ts'
import { errorOf, type Outcome, throwIfFailed } from './outcome.ts'

/** Where a share group is in a partition. */
export interface ShareOffset extends PartitionOutcome {
  /** -1: not set yet. */
  readonly startOffset: number
  /** Records that are still to be delivered; -1 where the broker does not tell. */
  readonly lag: number
}

/** Sorted by topic and partition. */
export function describeShareOffsets(cluster: Cluster, groupId: string): Promise<ShareOffset[]> {
  return retrying(cluster.timeoutMs, async () => {
    const coordinator = await cluster.coordinator('group', groupId)
    const answer = await coordinator.send(DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse, {
      groups: [{ groupId, topics: null }],
    })
    const [group] = answer.groups
    throwIfFailed(group, `describe the offsets of share group '${groupId}'`)
    const rows = group!.topics.flatMap(({ topicName: topic, partitions }) =>
      partitions.map((row) => ({
        topic,
        partition: row.partitionIndex,
        startOffset: row.startOffset,
        lag: row.lag,
        error: errorOf(row, `describe the offset of share group '${groupId}' in ${topic}-${row.partitionIndex}`),
      })),
    )
    return rows.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
  })
}

/** Only while the group has no members. In the order asked. */
export function alterShareOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly { readonly topic: string; readonly partition: number; readonly startOffset: number }[],
): Promise<PartitionOutcome[]> {
  return retrying(cluster.timeoutMs, async () => {
    const coordinator = await cluster.coordinator('group', groupId)
    const answer = await coordinator.send(AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, {
      groupId,
      topics: [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topicName, rows]) => ({
        topicName,
        partitions: rows.map(({ partition, startOffset }) => ({ partitionIndex: partition, startOffset })),
      })),
    })
    throwIfFailed(answer, `alter the offsets of share group '${groupId}'`)
    return offsets.map(({ topic, partition }) => {
      const rows = answer.responses.find(({ topicName }) => topicName === topic)?.partitions
      const row = rows?.find(({ partitionIndex }) => partitionIndex === partition)
      return {
        topic,
        partition,
        error: errorOf(row, `alter the offset of share group '${groupId}' in ${topic}-${partition}`),
      }
    })
  })
}

/** The group forgets these topics. Only while it has no members. In the order asked. */
export function deleteShareOffsets(
  cluster: Cluster,
  groupId: string,
  topics: readonly string[],
): Promise<(Outcome & { readonly topic: string })[]> {
  return retrying(cluster.timeoutMs, async () => {
    const coordinator = await cluster.coordinator('group', groupId)
    const answer = await coordinator.send(DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse, {
      groupId,
      topics: topics.map((topicName) => ({ topicName })),
    })
    throwIfFailed(answer, `delete offsets of share group '${groupId}'`)
    return topics.map((topic) => {
      const row = answer.responses.find(({ topicName }) => topicName === topic)
      return { topic, error: errorOf(row, `delete the offsets of share group '${groupId}' in '${topic}'`) }
    })
  })
}
