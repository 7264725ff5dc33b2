/** Groups that are idle: their offsets set or deleted, members taken out, groups deleted. Asked of each group's coordinator. */
import { ErrorCode } from '../../protocol/errors.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/08-offset-commit.ts'
import { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/13-leave-group.ts'
import { DeleteGroupsRequest, DeleteGroupsResponse } from '../../protocol/messages/42-delete-groups.ts'
import { OffsetDeleteRequest, OffsetDeleteResponse } from '../../protocol/messages/47-offset-delete.ts'
import type { Cluster } from '../cluster.ts'
import { KafkaError } from '../errors.ts'
import { retrying } from '../retry.ts'
import type { PartitionOutcome } from './cluster-state.ts'
import { errorOf, type Outcome, throwIfFailed } from './outcome.ts'

/** From this version on, OffsetCommit names topics by id. */
const LAST_COMMIT_BY_NAME = 9
/** About the coordinator or the group as a whole: the commit is tried again. What else is wrong with a partition is answered. */
const PASSING: ReadonlySet<number> = new Set([
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.REBALANCE_IN_PROGRESS,
])

/** One outcome per group. A group with members is refused. */
export function deleteGroups(
  cluster: Cluster,
  groupIds: readonly string[],
): Promise<(Outcome & { readonly groupId: string })[]> {
  return Promise.all(
    groupIds.map(async (groupId) => {
      const what = `delete group '${groupId}'`
      try {
        await retrying(cluster.timeoutMs, async () => {
          const coordinator = await cluster.groupCoordinator(groupId)
          const answer = await coordinator.send(DeleteGroupsRequest, DeleteGroupsResponse, { groupsNames: [groupId] })
          throwIfFailed(answer.results[0], what)
        })
        return { groupId, error: null }
      } catch (error) {
        if (error instanceof KafkaError) return { groupId, error }
        throw error
      }
    }),
  )
}

/** The position that a group shall have in a partition. */
export interface NewOffset {
  /** The topic. */
  readonly topic: string
  /** The partition. */
  readonly partition: number
  /** Of the next message to be read. */
  readonly offset: number
  /** A text that is kept with it; empty unless given. */
  readonly metadata?: string | null
}

/** Sets what the group has committed. Only while it has no members. In the order asked. */
export function alterOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly NewOffset[],
): Promise<PartitionOutcome[]> {
  const attempt = async (): Promise<PartitionOutcome[]> => {
    const coordinator = await cluster.groupCoordinator(groupId)
    const answer = await coordinator.send(
      OffsetCommitRequest,
      OffsetCommitResponse,
      {
        groupId,
        generationIdOrMemberEpoch: -1,
        memberId: '',
        topics: [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, rows]) => ({
          name,
          partitions: rows.map(({ partition, offset, metadata }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedMetadata: metadata ?? '',
          })),
        })),
      },
      { maxVersion: LAST_COMMIT_BY_NAME },
    )
    const rows = answer.topics.flatMap(({ partitions }) => partitions)
    const passing = rows.find(({ errorCode }) => PASSING.has(errorCode))
    if (passing !== undefined) throwIfFailed(passing, `set offsets of group '${groupId}'`)
    return offsets.map(({ topic, partition }) => {
      const rows = answer.topics.find(({ name }) => name === topic)?.partitions
      const row = rows?.find(({ partitionIndex }) => partitionIndex === partition)
      return { topic, partition, error: errorOf(row, `set the offset of group '${groupId}' in ${topic}-${partition}`) }
    })
  }
  return retrying(cluster.timeoutMs, attempt, {
    policy: cluster.retry,
    mayRetry: ({ errorCode }) => PASSING.has(errorCode),
  })
}

/** The group forgets what it has committed there. Topics that its members read are refused. In the order asked. */
export function deleteOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly { readonly topic: string; readonly partition: number }[],
): Promise<PartitionOutcome[]> {
  return retrying(cluster.timeoutMs, async () => {
    const coordinator = await cluster.groupCoordinator(groupId)
    const answer = await coordinator.send(OffsetDeleteRequest, OffsetDeleteResponse, {
      groupId,
      topics: [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, rows]) => ({
        name,
        partitions: rows.map(({ partition }) => ({ partitionIndex: partition })),
      })),
    })
    throwIfFailed(answer, `delete offsets of group '${groupId}'`)
    return partitions.map(({ topic, partition }) => {
      const rows = answer.topics.find(({ name }) => name === topic)?.partitions
      const row = rows?.find(({ partitionIndex }) => partitionIndex === partition)
      return {
        topic,
        partition,
        error: errorOf(row, `delete the offset of group '${groupId}' in ${topic}-${partition}`),
      }
    })
  })
}

/** A member of a classic group, by its own id or by the instance id of a static one. */
export type MemberToRemove =
  | {
      /** As `describeGroup` tells it. */
      readonly memberId: string
    }
  | {
      /** Its `group.instance.id`. */
      readonly instanceId: string
    }

/** Takes members out of a classic group, as if they had left. In the order asked. */
export function removeMembers(
  cluster: Cluster,
  groupId: string,
  members: readonly MemberToRemove[],
  reason: string | null = null,
): Promise<(Outcome & { readonly member: MemberToRemove })[]> {
  return retrying(cluster.timeoutMs, async () => {
    const coordinator = await cluster.groupCoordinator(groupId)
    const answer = await coordinator.send(LeaveGroupRequest, LeaveGroupResponse, {
      groupId,
      members: members.map((member) =>
        'memberId' in member
          ? { memberId: member.memberId, groupInstanceId: null, reason }
          : { memberId: '', groupInstanceId: member.instanceId, reason },
      ),
    })
    throwIfFailed(answer, `remove members of group '${groupId}'`)
    // Answers come by position.
    return members.map((member, index) => {
      const name = 'memberId' in member ? member.memberId : member.instanceId
      return { member, error: errorOf(answer.members[index], `remove member '${name}' of group '${groupId}'`) }
    })
  })
}
