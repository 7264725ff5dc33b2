/**
 * OffsetCommit: checks the committer against the group and turns partitions into records. Topics and partitions are known to
 * exist when it is called. It changes no soft state but the member's session: a commit that cannot be written leaves no trace.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import type { ClassicGroup } from '../classic/group.ts'
import { extendSession } from '../classic/session.ts'
import type { ConsumerGroup } from '../consumer/group.ts'
import { type CommitterMember, checkConsumerCommit } from '../consumer/offsets.ts'
import type { Group, GroupState } from '../state.ts'
import type { StreamsGroup } from '../streams/group.ts'
import { checkStreamsCommit } from '../streams/offsets.ts'
import type { Turn, Waiter } from '../turn.ts'

export interface CommittedPartition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

export interface CommitInput {
  readonly groupId: string
  /** Below 0: the committer is not a member. */
  readonly generation: number
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly apiVersion: number
  /** -1: the broker's retention. */
  readonly retentionTimeMs: number
  readonly partitions: readonly CommittedPartition[]
}

/** One code for all partitions, or one for each in the order of the input. */
export type CommitResult = ErrorCode | readonly ErrorCode[]

/** From here on an unknown group is called that; before, clients expected a wrong generation. */
const GROUP_ID_NOT_FOUND_VERSION = 9

export function commitOffsets(state: GroupState, turn: Turn, input: CommitInput, waiter: Waiter<CommitResult>): void {
  const group = state.groups.get(input.groupId)
  const errorCode = group === undefined ? checkCreation(input) : checkCommitter(group, turn, input)
  if (errorCode !== ErrorCode.NONE) {
    turn.answer(waiter, errorCode)
    return
  }
  if (group === undefined) createSimpleGroup(turn, input.groupId)
  turn.answer(waiter, writeCommits(turn, input))
}

function checkCreation(input: CommitInput): ErrorCode {
  if (input.generation < 0) return ErrorCode.NONE
  return input.apiVersion >= GROUP_ID_NOT_FOUND_VERSION ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION
}

/** A group that only commits: it gets its place in memory when this record is replayed. */
function createSimpleGroup(turn: Turn, groupId: string): void {
  const value = {
    protocolType: '',
    generation: 0,
    protocol: null,
    leader: null,
    stateTimestampMs: turn.nowMs,
    members: [],
  }
  turn.write({ type: 'group-metadata', group: groupId, value })
}

function checkCommitter(group: Group, turn: Turn, input: CommitInput): ErrorCode {
  if (group.type === 'classic') return checkClassicCommitter(group, turn, input)
  if (group.type === 'share') return ErrorCode.GROUP_ID_NOT_FOUND
  const { memberId, groupInstanceId, generation: memberEpoch, apiVersion } = input
  const committer = { memberId, groupInstanceId, memberEpoch, apiVersion, isTransactional: false }
  return checkMemberCommit(group, committer, turn, input.partitions)
}

/** Of a member of the newer protocols. */
export function checkMemberCommit(
  group: ConsumerGroup | StreamsGroup,
  committer: CommitterMember,
  turn: Turn,
  partitions: CommitInput['partitions'],
): ErrorCode {
  if (group.type === 'streams') return checkStreamsCommit(group, { ...committer, partitions })
  const byId = partitions.map(({ topic, partition }) => ({ topicId: turn.topics.topicId(topic), partition }))
  return checkConsumerCommit(group, { ...committer, partitions: byId })
}

function checkClassicCommitter(group: ClassicGroup, turn: Turn, input: CommitInput): ErrorCode {
  const { generation, memberId, groupInstanceId } = input
  const anonymous = generation < 0 && memberId === '' && groupInstanceId === null
  // Admin clients, and consumers that assign their partitions themselves, commit into groups without members.
  if (generation < 0 && group.state === 'Empty') return ErrorCode.NONE
  if (anonymous) return group.state === 'Empty' ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
  const errorCode = group.checkMember(memberId, groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  if (generation !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  // The next owners may already be reading from what was committed before.
  if (group.state === 'CompletingRebalance') return ErrorCode.REBALANCE_IN_PROGRESS
  const member = group.member(memberId)
  if (member !== undefined) extendSession(turn, group, member, member.sessionTimeoutMs)
  return ErrorCode.NONE
}

type WrittenCommits = Pick<CommitInput, 'groupId' | 'retentionTimeMs' | 'partitions'>

/** The records of the commits that can be kept. */
export function writeCommits(turn: Turn, input: WrittenCommits): CommitResult {
  const expireTimestampMs = input.retentionTimeMs === -1 ? null : turn.nowMs + input.retentionTimeMs
  let errorCodes: ErrorCode[] | null = null
  for (let index = 0; index < input.partitions.length; index++) {
    const { topic, topicId, partition, offset, leaderEpoch, metadata } = input.partitions[index]!
    if (metadata.length > turn.config.offsetMetadataMax) {
      errorCodes ??= new Array<ErrorCode>(input.partitions.length).fill(ErrorCode.NONE)
      errorCodes[index] = ErrorCode.OFFSET_METADATA_TOO_LARGE
      continue
    }
    const value = { offset, leaderEpoch, metadata, commitTimestampMs: turn.nowMs, expireTimestampMs, topicId }
    turn.write({ type: 'offset-commit', group: input.groupId, topic, partition, value })
  }
  return errorCodes ?? ErrorCode.NONE
}
