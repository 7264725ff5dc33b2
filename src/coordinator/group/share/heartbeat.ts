/**
 * ShareGroupHeartbeat: the one request of members of a share group (KIP-932). A member joins with epoch 0 under an id that it made
 * itself, says what it subscribes to, and hears its epoch and its partitions; with -1 it leaves. Partitions are shared, so a change of the
 * assignment holds at once: nobody has to give anything up first.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { isWithin } from '../../../storage/clock.ts'
import type { ClusterTopics } from '../../request-context.ts'
import { listedSet, type PartitionSet, samePartitions, type TopicPartitionList } from '../consumer/assignment.ts'
import { Draft, Refusal } from '../consumer/draft.ts'
import { addTo } from '../consumer/group.ts'
import { sortedNames } from '../consumer/member.ts'
import { hashGroup } from '../consumer/metadata-hash.ts'
import type { GroupState } from '../state.ts'
import { type Turn, timerNames, type Waiter } from '../turn.ts'
import { ShareGroup } from './group.ts'
import { beginInitialization, type NamedTopicPartitions, type TopicStates } from './initialization.ts'
import { LEAVE_EPOCH, newShareMember, type ShareMember, sameShareProgress, sameShareSubscription } from './member.ts'
import { memberTombstones } from './removal.ts'
import { type EpochUpdate, type ShareTarget, topicIdsOf, updateShareTarget } from './target.ts'

export interface ShareHeartbeatInput {
  readonly groupId: string
  readonly memberId: string
  readonly memberEpoch: number
  readonly clientId: string
  readonly clientHost: string
  /** From here on null means that it is as before. */
  readonly rackId: string | null
  readonly topicNames: readonly string[] | null
}

export interface ShareHeartbeatResult {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
  readonly memberId: string | null
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** null: as before. */
  readonly assignment: readonly TopicPartitionList[] | null
  /** States that the share coordinator is to be asked for once this is durable, in this epoch; null: none. */
  readonly initialize: { readonly stateEpoch: number; readonly topics: TopicStates } | null
}

/** Beyond this the group cannot grow. */
const TOO_LARGE = 'The records of the group do not fit into one batch of the offsets topic.'

export function shareHeartbeatFailure(errorCode: ErrorCode, errorMessage: string | null): ShareHeartbeatResult {
  const nothing = { memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null, initialize: null }
  return { errorCode, errorMessage, ...nothing }
}

export function shareHeartbeat(
  state: GroupState,
  turn: Turn,
  input: ShareHeartbeatInput,
  waiter: Waiter<ShareHeartbeatResult>,
): void {
  const draft = new Draft(turn)
  const decided = input.memberEpoch === LEAVE_EPOCH ? leave(state, draft, input) : beat(state, draft, input)
  const result = draft.fits ? decided : new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR, TOO_LARGE)
  if (result instanceof Refusal) {
    turn.answer(waiter, shareHeartbeatFailure(result.errorCode, result.message))
    return
  }
  draft.commit()
  turn.answer(waiter, result)
}

function leave(state: GroupState, draft: Draft, input: ShareHeartbeatInput): ShareHeartbeatResult | Refusal {
  const { groupId, memberId, memberEpoch } = input
  const group = openShareGroup(state, groupId, false)
  if (group instanceof Refusal) return group
  const member = group.members.get(memberId)
  if (member === undefined) return unknownMember(groupId, memberId)
  fenceShareMember(draft, group, member)
  return { ...shareHeartbeatFailure(ErrorCode.NONE, null), memberId, memberEpoch }
}

function beat(state: GroupState, draft: Draft, input: ShareHeartbeatInput): ShareHeartbeatResult | Refusal {
  const { turn } = draft
  const { groupId, memberId, memberEpoch, topicNames } = input
  const group = openShareGroup(state, groupId, memberEpoch === 0)
  if (group instanceof Refusal) return group
  const { membersMax } = turn.config.share
  if (group.size >= membersMax && !group.members.has(memberId)) {
    const message = `The share group has reached its maximum capacity of ${membersMax} members.`
    return new Refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, message)
  }
  const before = group.members.get(memberId) ?? (memberEpoch === 0 ? newShareMember(memberId) : null)
  if (before === null) return unknownMember(groupId, memberId)
  const fenced = checkEpoch(before, memberEpoch)
  if (fenced !== null) return fenced
  const subscribed = updated(before, input)
  const update = updateEpoch(draft, group, before, subscribed)
  const target = updateShareTarget(draft, group, subscribed, update)
  const member = follow(draft, group, subscribed, { target, bumped: update.bumped })
  const { sessionTimeoutMs, heartbeatIntervalMs } = turn.shareSettings(groupId)
  draft.effect(() => turn.schedule({ kind: 'share-member', groupId, memberId }, sessionTimeoutMs))
  const isShown = memberEpoch === 0 || topicNames !== null || !samePartitions(before.assigned, member.assigned)
  return {
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    memberId,
    memberEpoch: member.memberEpoch,
    heartbeatIntervalMs,
    assignment: isShown ? listedSet(member.assigned) : null,
    initialize: initialize(draft, group, update),
  }
}

export function openShareGroup(state: GroupState, groupId: string, mayCreate: boolean): ShareGroup | Refusal {
  const group = state.groups.get(groupId)
  if (group?.type === 'share') return group
  if (group !== undefined) return new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a share group.`)
  if (mayCreate) return new ShareGroup(groupId)
  return new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Share group ${groupId} not found.`)
}

function unknownMember(groupId: string, memberId: string): Refusal {
  return new Refusal(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${memberId} is not a member of group ${groupId}.`)
}

/** The answer that brought the last epoch may have been lost: the one before it is as good. */
function checkEpoch({ memberEpoch: known, previousMemberEpoch }: ShareMember, received: number): Refusal | null {
  if (received === 0 || received === known || received === previousMemberEpoch) return null
  const than = `member epoch (${received}) than the one known by the group coordinator (${known})`
  const message =
    received > known
      ? `The share group member has a greater ${than}.`
      : `The share group member has a smaller ${than}, and it does not match the previous member epoch (${previousMemberEpoch}).`
  return new Refusal(ErrorCode.FENCED_MEMBER_EPOCH, `${message} The member must abandon all its partitions and rejoin.`)
}

function updated(member: ShareMember, input: ShareHeartbeatInput): ShareMember {
  return {
    ...member,
    rackId: input.rackId ?? member.rackId,
    clientId: input.clientId,
    clientHost: input.clientHost,
    topicNames: input.topicNames === null ? member.topicNames : sortedNames(input.topicNames),
  }
}

interface ShareEpochUpdate extends EpochUpdate {
  readonly bumped: boolean
  /** What the group subscribes to, as far as it was looked at. */
  readonly topicNames: Iterable<string>
}

/** A new group epoch if somebody's wishes, the topics, or the partitions that can be assigned changed. */
function updateEpoch(draft: Draft, group: ShareGroup, before: ShareMember, after: ShareMember): ShareEpochUpdate {
  const { groupId } = group
  let bumped = false
  if (!sameShareSubscription(before, after) || !group.members.has(after.memberId)) {
    draft.write({ type: 'share-member', group: groupId, memberId: after.memberId, value: after })
    bumped = before.topicNames.join('\0') !== after.topicNames.join('\0')
  }
  if (group.assignmentEpoch >= group.epoch && hasNewStates(group)) bumped = true
  const counts = new Map(group.topicCounts)
  for (const name of before.topicNames) addTo(counts, name, -1)
  for (const name of after.topicNames) addTo(counts, name, 1)
  const size = group.size + (group.members.has(after.memberId) ? 0 : 1)
  const homogeneous = [...counts.values()].every((count) => count === size)
  let { epoch } = group
  if (bumped || group.isMetadataStale) {
    const metadataHash = hashOf(counts.keys(), draft.turn.topics)
    if (metadataHash !== group.metadataHash) bumped = true
    if (bumped) {
      epoch++
      draft.write({ type: 'share-group', group: groupId, value: { epoch, metadataHash } })
    }
    draft.effect(() => {
      group.isMetadataStale = false
    })
  }
  return { epoch, homogeneous, bumped, topicNames: counts.keys() }
}

function hashOf(names: Iterable<string>, topics: ClusterTopics): bigint {
  return hashGroup(names, (name) => topics.metadataHash(name))
}

/** Whether there are states of subscribed topics that the last target does not know of. */
function hasNewStates(group: ShareGroup): boolean {
  if (group.size === 0) return false
  for (const [topicId, { name, partitions }] of group.states.initialized) {
    if (!group.topicCounts.has(name)) continue
    const assigned = new Set<number>()
    for (const target of group.targets.values())
      for (const partition of target.get(topicId) ?? []) assigned.add(partition)
    if (assigned.size !== partitions.size || [...partitions].some((partition) => !assigned.has(partition))) return true
  }
  return false
}

/** The member takes its target over. */
function follow(
  draft: Draft,
  group: ShareGroup,
  member: ShareMember,
  { target, bumped }: { readonly target: ShareTarget; readonly bumped: boolean },
): ShareMember {
  const isBehind = target.epoch !== member.memberEpoch
  if (!isBehind && !bumped) return member
  const topicIds = topicIdsOf(draft, member)
  const assigned: PartitionSet = new Map([...target.partitions].filter(([topicId]) => topicIds.has(topicId)))
  const next = isBehind
    ? { ...member, assigned, memberEpoch: target.epoch, previousMemberEpoch: member.memberEpoch }
    : { ...member, assigned }
  if (sameShareProgress(next, member)) return member
  draft.write({ type: 'share-progress', group: group.groupId, memberId: member.memberId, value: next })
  return next
}

/** Partitions of subscribed topics that have no state and for which none was asked a moment ago. */
function initialize(
  draft: Draft,
  group: ShareGroup,
  { epoch, topicNames }: ShareEpochUpdate,
): ShareHeartbeatResult['initialize'] {
  const { topics, nowMs, config } = draft.turn
  const { initialized, initializing } = group.states
  const wanted = new Map<string, NamedTopicPartitions>()
  for (const name of topicNames) {
    const topicId = topics.topicId(name)
    const count = topics.partitionCount(name)
    if (topicId === undefined || count === undefined) continue
    const known = new Set(initialized.get(topicId)?.partitions)
    const asked = initializing.get(topicId)
    if (asked !== undefined && isWithin(config.share.initializeRetryIntervalMs, asked.askedAtMs, nowMs)) {
      for (const partition of asked.partitions) known.add(partition)
    }
    const partitions = new Set<number>()
    for (let partition = 0; partition < count; partition++) if (!known.has(partition)) partitions.add(partition)
    if (partitions.size > 0) wanted.set(topicId, { name, partitions, askedAtMs: nowMs })
  }
  if (wanted.size === 0) return null
  const value = beginInitialization(group.states, wanted)
  draft.write({ type: 'share-states', group: group.groupId, value })
  return { stateEpoch: epoch, topics: wanted }
}

/** Takes the member out of the group. */
export function fenceShareMember(draft: Draft, group: ShareGroup, member: ShareMember): void {
  const { groupId } = group
  const { memberId } = member
  draft.write(...memberTombstones(groupId, memberId))
  const counts = new Map(group.topicCounts)
  for (const name of member.topicNames) addTo(counts, name, -1)
  const metadataHash = hashOf(counts.keys(), draft.turn.topics)
  draft.write({ type: 'share-group', group: groupId, value: { epoch: group.epoch + 1, metadataHash } })
  draft.effect((turn) => turn.cancel(timerNames.share(groupId, memberId)))
}

/** The member was silent for too long. */
export function shareMemberTimedOut(state: GroupState, turn: Turn, groupId: string, memberId: string): void {
  const group = state.groups.get(groupId)
  const member = group?.type === 'share' ? group.members.get(memberId) : undefined
  if (group?.type !== 'share' || member === undefined) return
  const draft = new Draft(turn)
  fenceShareMember(draft, group, member)
  draft.commit()
}
