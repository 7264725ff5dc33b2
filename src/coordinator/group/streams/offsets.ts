/** Who may commit and fetch offsets of a streams group: members in their own epoch, and anybody while there are no members. */
import { ErrorCode } from '../../../protocol/errors.ts'
import type { CommitterMember, ConsumerFetcher } from '../consumer/offsets.ts'
import { MEMBER_EPOCH_VERSION } from '../consumer/offsets.ts'
import type { StreamsGroup } from './group.ts'
import type { StreamsMember } from './member.ts'

export interface StreamsCommitter extends CommitterMember {
  readonly partitions: Iterable<{ readonly topic: string; readonly partition: number }>
}

/** One code for all partitions. */
export function checkStreamsCommit(group: StreamsGroup, committer: StreamsCommitter): ErrorCode {
  const { memberId, groupInstanceId, memberEpoch, apiVersion, isTransactional } = committer
  if (memberEpoch < 0 && group.size === 0) return ErrorCode.NONE
  // A producer that says nothing of a member.
  if (isTransactional && memberEpoch === -1 && memberId === '' && groupInstanceId === null) return ErrorCode.NONE
  const member = group.member(memberId)
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  if (!isTransactional && apiVersion < MEMBER_EPOCH_VERSION) return ErrorCode.UNSUPPORTED_VERSION
  if (memberEpoch === member.memberEpoch) return ErrorCode.NONE
  if (memberEpoch > member.memberEpoch) return ErrorCode.STALE_MEMBER_EPOCH
  // Its epoch went on while the commit was on the way: good as long as the tasks are its own since before.
  for (const { topic, partition } of committer.partitions) {
    const assignedIn = assignmentEpoch(group, member, topic, partition)
    if (assignedIn === undefined || memberEpoch < assignedIn) return ErrorCode.STALE_MEMBER_EPOCH
  }
  return ErrorCode.NONE
}

function assignmentEpoch(
  group: StreamsGroup,
  { assigned, pendingRevocation }: StreamsMember,
  topic: string,
  partition: number,
): number | undefined {
  const subtopologyId = group.readerOf(topic)
  if (subtopologyId === undefined) return undefined
  return (
    assigned.active.get(subtopologyId)?.get(partition) ?? pendingRevocation.active.get(subtopologyId)?.get(partition)
  )
}

export function checkStreamsFetch(group: StreamsGroup, { memberId, memberEpoch }: ConsumerFetcher): ErrorCode {
  if (memberId === null && memberEpoch < 0) return ErrorCode.NONE
  const member = group.member(memberId ?? '')
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  return member.memberEpoch === memberEpoch ? ErrorCode.NONE : ErrorCode.STALE_MEMBER_EPOCH
}
