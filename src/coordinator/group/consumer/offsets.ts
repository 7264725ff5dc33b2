/** Who may commit and fetch offsets of a consumer group: members in their own epoch, and anybody while there are no members. */
import { ErrorCode } from '../../../protocol/errors.ts'
import type { ConsumerGroup } from './group.ts'
import type { ConsumerMember } from './member.ts'

export interface CommitterMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** Below 0: the committer is not a member. */
  readonly memberEpoch: number
  readonly apiVersion: number
  readonly isTransactional: boolean
}

export interface ConsumerCommitter extends CommitterMember {
  /** By topic id, as far as the topics are known to the group. */
  readonly partitions: Iterable<{ readonly topicId: string | undefined; readonly partition: number }>
}

/** Commits of members of the new protocols need this version of OffsetCommit. */
export const MEMBER_EPOCH_VERSION = 9

/** One code for all partitions. */
export function checkConsumerCommit(group: ConsumerGroup, committer: ConsumerCommitter): ErrorCode {
  const { memberId, groupInstanceId, memberEpoch, apiVersion, isTransactional } = committer
  if (memberEpoch < 0 && group.size === 0) return ErrorCode.NONE
  // A producer that says nothing of a member.
  if (isTransactional && memberEpoch === -1 && memberId === '' && groupInstanceId === null) return ErrorCode.NONE
  const member = group.member(memberId)
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  if (!isTransactional && member.classic === null && apiVersion < MEMBER_EPOCH_VERSION) {
    return ErrorCode.UNSUPPORTED_VERSION
  }
  if (memberEpoch === member.memberEpoch) return ErrorCode.NONE
  if (memberEpoch > member.memberEpoch) return staleEpoch(member)
  // Its epoch went on while the commit was on the way: good as long as the partitions are its own since before.
  for (const { topicId, partition } of committer.partitions) {
    const assignedIn = topicId === undefined ? undefined : assignmentEpoch(member, topicId, partition)
    if (assignedIn === undefined || memberEpoch < assignedIn) return staleEpoch(member)
  }
  return ErrorCode.NONE
}

function assignmentEpoch(member: ConsumerMember, topicId: string, partition: number): number | undefined {
  return member.assigned.get(topicId)?.get(partition) ?? member.pendingRevocation.get(topicId)?.get(partition)
}

export interface ConsumerFetcher {
  /** null, with epoch -1: nobody says who fetches, and nothing is checked. */
  readonly memberId: string | null
  readonly memberEpoch: number
}

export function checkConsumerFetch(group: ConsumerGroup, { memberId, memberEpoch }: ConsumerFetcher): ErrorCode {
  if (memberId === null && memberEpoch < 0) return ErrorCode.NONE
  const member = group.member(memberId ?? '')
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  return member.memberEpoch === memberEpoch ? ErrorCode.NONE : staleEpoch(member)
}

function staleEpoch({ classic }: ConsumerMember): ErrorCode {
  return classic === null ? ErrorCode.STALE_MEMBER_EPOCH : ErrorCode.ILLEGAL_GENERATION
}
