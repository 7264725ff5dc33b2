/**
 * ConsumerGroupHeartbeat: the one request of the consumer protocol (KIP-848). A member joins with epoch 0, says what changed, says what it
 * has, and hears its epoch and what it shall have; with -1 it leaves, with -2 it goes away for a while.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import type { GroupState } from '../state.ts'
import type { Turn, Waiter } from '../turn.ts'
import { settle, subscribe } from './advance.ts'
import { holdsAll, listedHeld, sameHeld, type TopicPartitionList } from './assignment.ts'
import { Draft, Refusal } from './draft.ts'
import type { ConsumerGroup } from './group.ts'
import { leaveConsumerGroup } from './leave.ts'
import { type ConsumerMember, LEAVE_STATIC_EPOCH, newMember, sortedNames } from './member.ts'
import { openConsumerGroup } from './open.ts'
import { replaceStaticMember } from './replace.ts'

export interface ConsumerHeartbeatInput {
  readonly groupId: string
  /** '': to be made here. */
  readonly memberId: string
  readonly memberEpoch: number
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** From here on null, or -1, means that it is as before. */
  readonly rackId: string | null
  readonly rebalanceTimeoutMs: number
  readonly topicNames: readonly string[] | null
  /** '': no expression any more. */
  readonly topicRegex: string | null
  readonly serverAssignor: string | null
  readonly owned: readonly TopicPartitionList[] | null
  mayDescribe(topicName: string): boolean
}

export interface ConsumerHeartbeatResult {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
  readonly memberId: string | null
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** null: as before. */
  readonly assignment: readonly TopicPartitionList[] | null
}

/** Beyond this the group cannot grow. */
const TOO_LARGE = 'The records of the group do not fit into one batch of the offsets topic.'

export function heartbeatFailure(errorCode: ErrorCode, errorMessage: string | null): ConsumerHeartbeatResult {
  return { errorCode, errorMessage, memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null }
}

export function consumerHeartbeat(
  state: GroupState,
  turn: Turn,
  input: ConsumerHeartbeatInput,
  waiter: Waiter<ConsumerHeartbeatResult>,
): void {
  const draft = new Draft(turn)
  const decided = input.memberEpoch < 0 ? leave(state, draft, input) : beat(state, draft, input)
  const result = draft.fits ? decided : new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR, TOO_LARGE)
  if (result instanceof Refusal) {
    turn.answer(waiter, heartbeatFailure(result.errorCode, result.message))
    return
  }
  draft.commit()
  turn.answer(waiter, result)
}

function beat(state: GroupState, draft: Draft, input: ConsumerHeartbeatInput): ConsumerHeartbeatResult | Refusal {
  const { turn } = draft
  const { groupId, memberEpoch, owned } = input
  const group = openConsumerGroup(state, draft, groupId, memberEpoch === 0)
  if (group instanceof Refusal) return group
  if (group.size >= turn.config.consumer.membersMax && !group.members.has(input.memberId)) {
    const message = `The consumer group has reached its maximum capacity of ${turn.config.consumer.membersMax} members.`
    return new Refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, message)
  }
  const memberId = input.memberId === '' ? turn.random.uuid() : input.memberId
  const before = findMember(draft, group, { ...input, memberId })
  if (before instanceof Refusal) return before
  const advance = { before, after: updated(before, input), owned, mayDescribe: input.mayDescribe }
  const subscribed = subscribe(draft, group, advance)
  if (subscribed instanceof Refusal) return subscribed
  const member = settle(draft, group, advance, subscribed)
  if (member instanceof Refusal) return member
  const { sessionTimeoutMs, heartbeatIntervalMs } = turn.consumerSettings(groupId)
  draft.effect(() => turn.schedule({ kind: 'consumer-member', what: 'session', groupId, memberId }, sessionTimeoutMs))
  const saysEverything =
    input.rebalanceTimeoutMs !== -1 && (input.topicNames !== null || input.topicRegex !== null) && owned !== null
  const isShown = memberEpoch === 0 || saysEverything || !sameHeld(before.assigned, member.assigned)
  return {
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    memberId,
    memberEpoch: member.memberEpoch,
    heartbeatIntervalMs,
    assignment: isShown ? listedHeld(member.assigned) : null,
  }
}

/** The member with what the request changes. Whoever heartbeats speaks the consumer protocol from now on. */
function updated(member: ConsumerMember, input: ConsumerHeartbeatInput): ConsumerMember {
  return {
    ...member,
    instanceId: input.instanceId ?? member.instanceId,
    rackId: input.rackId ?? member.rackId,
    rebalanceTimeoutMs: input.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : input.rebalanceTimeoutMs,
    serverAssignor: input.serverAssignor ?? member.serverAssignor,
    topicNames: input.topicNames === null ? member.topicNames : sortedNames(input.topicNames),
    topicRegex: input.topicRegex ?? member.topicRegex,
    clientId: input.clientId,
    clientHost: input.clientHost,
    classic: null,
  }
}

function findMember(draft: Draft, group: ConsumerGroup, input: ConsumerHeartbeatInput): ConsumerMember | Refusal {
  return input.instanceId === null ? findDynamic(group, input) : findStatic(draft, group, input, input.instanceId)
}

function findDynamic(group: ConsumerGroup, input: ConsumerHeartbeatInput): ConsumerMember | Refusal {
  const { memberId, memberEpoch } = input
  const member = group.member(memberId)
  if (member !== undefined) return checkEpoch(member, input) ?? member
  return memberEpoch === 0 ? newMember(memberId) : unknownMember(group, memberId)
}

export function unknownMember({ groupId }: ConsumerGroup, memberId: string): Refusal {
  return new Refusal(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${memberId} is not a member of group ${groupId}.`)
}

function findStatic(
  draft: Draft,
  group: ConsumerGroup,
  input: ConsumerHeartbeatInput,
  instanceId: string,
): ConsumerMember | Refusal {
  const { memberId, memberEpoch } = input
  const holder = group.staticMember(instanceId)
  if (memberEpoch !== 0) {
    const refusal = checkHolder(holder, memberId, instanceId)
    if (refusal instanceof Refusal) return refusal
    return checkEpoch(refusal, input) ?? refusal
  }
  if (holder === undefined) return group.member(memberId) ?? newMember(memberId)
  // A classic member gives way to whoever comes with its instance id; of the others, one that said that it goes.
  if (holder.classic === null && holder.memberEpoch !== LEAVE_STATIC_EPOCH) {
    const message = `Static member ${memberId} with instance id ${instanceId} cannot join the group because the instance id is owned by ${holder.memberId} member.`
    return new Refusal(ErrorCode.UNRELEASED_INSTANCE_ID, message)
  }
  return replaceStaticMember(draft, group, holder, memberId)
}

/** The member, if it holds the instance. */
export function checkHolder(
  holder: ConsumerMember | undefined,
  memberId: string,
  instanceId: string,
): ConsumerMember | Refusal {
  if (holder === undefined) return new Refusal(ErrorCode.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`)
  if (holder.memberId === memberId) return holder
  const message = `Static member ${memberId} with instance id ${instanceId} was fenced by member ${holder.memberId}.`
  return new Refusal(ErrorCode.FENCED_INSTANCE_ID, message)
}

/** Fenced are epochs that the member cannot have; the one before its own it has if our last answer was lost. */
function checkEpoch(
  { memberEpoch, previousMemberEpoch, assigned }: ConsumerMember,
  { memberEpoch: received, owned }: ConsumerHeartbeatInput,
): Refusal | null {
  if (received === 0 || received === memberEpoch) return null
  if (received < memberEpoch && received === previousMemberEpoch && owned !== null && holdsAll(assigned, owned))
    return null
  const how = received > memberEpoch ? 'greater' : 'smaller'
  const message = `The consumer group member has a ${how} member epoch (${received}) than the one known by the group coordinator (${memberEpoch}). The member must abandon all its partitions and rejoin.`
  return new Refusal(ErrorCode.FENCED_MEMBER_EPOCH, message)
}

function leave(state: GroupState, draft: Draft, input: ConsumerHeartbeatInput): ConsumerHeartbeatResult | Refusal {
  const { groupId, memberId, memberEpoch, instanceId } = input
  const group = openConsumerGroup(state, draft, groupId, false)
  if (group instanceof Refusal) return group
  const holder =
    instanceId === null
      ? (group.member(memberId) ?? unknownMember(group, memberId))
      : checkHolder(group.staticMember(instanceId), memberId, instanceId)
  if (holder instanceof Refusal) return holder
  leaveConsumerGroup(state, draft, group, { member: holder, temporarily: memberEpoch === LEAVE_STATIC_EPOCH })
  const errorCode = ErrorCode.NONE
  return { errorCode, errorMessage: null, memberId, memberEpoch, heartbeatIntervalMs: 0, assignment: null }
}
