/**
 * Members of a consumer group that still speak the classic protocol (KIP-848): JoinGroup and SyncGroup carry what a heartbeat of
 * the new protocol would, the broker assigns for them too, and REBALANCE_IN_PROGRESS tells them to come again. Nobody leads, nobody
 * waits for others: joins and syncs are answered at once.
 *
 * | call      | stands for                                                                 |
 * |-----------|----------------------------------------------------------------------------|
 * | JoinGroup | a full heartbeat; generation = member epoch; the owned partitions are in the subscription |
 * | SyncGroup | fetching what is assigned; within the rebalance timeout after the join      |
 * | Heartbeat | keeping the session; says when to join again, which has the same timeout    |
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { type JoinResult, joinFailure, type SyncResult, syncFailure } from '../classic/group.ts'
import type { HeartbeatInput } from '../classic/heartbeat.ts'
import type { JoinInput } from '../classic/join.ts'
import type { LeaveInput, MemberIdentity } from '../classic/leave.ts'
import type { SyncInput } from '../classic/sync.ts'
import { CONSUMER_PROTOCOL_TYPE, type ConsumerSubscription, parseSubscription } from '../consumer-protocol.ts'
import type { GroupState } from '../state.ts'
import { type Turn, timerNames, type Waiter } from '../turn.ts'
import { type MemberAdvance, type Subscribed, settle, stepTowards, subscribe } from './advance.ts'
import { heldOf, withoutEpochs } from './assignment.ts'
import { assignmentBytes, canDowngradeReplacing, downgrade } from './downgrade.ts'
import { Draft, Refusal } from './draft.ts'
import type { ConsumerGroup } from './group.ts'
import { checkHolder, unknownMember } from './heartbeat.ts'
import { fenceMembers } from './leave.ts'
import { type ClassicMembership, type ConsumerMember, newMember, sortedNames } from './member.ts'
import { partitionsById } from './open.ts'
import { replaceStaticMember } from './replace.ts'

/** From here on a client without member id must come back with the one it was given. */
const MEMBER_ID_REQUIRED_VERSION = 4

export function joinConsumerGroup(
  state: GroupState,
  turn: Turn,
  group: ConsumerGroup,
  input: JoinInput,
  waiter: Waiter<JoinResult>,
): void {
  const draft = new Draft(turn)
  const decided = join(state, draft, group, input)
  const result = draft.fits
    ? decided
    : new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR, 'the records do not fit into one batch')
  if (result instanceof Refusal) turn.answer(waiter, joinFailure(result.errorCode, input.memberId))
  else {
    draft.commit()
    turn.answer(waiter, result)
  }
}

function join(state: GroupState, draft: Draft, group: ConsumerGroup, input: JoinInput): JoinResult | Refusal {
  const refusal = checkJoin(draft, group, input)
  if (refusal !== null) return refusal
  const { groupInstanceId, apiVersion } = input
  const isUnknown = input.memberId === ''
  const memberId = isUnknown ? draft.turn.random.uuid() : input.memberId
  if (isUnknown && groupInstanceId === null && apiVersion >= MEMBER_ID_REQUIRED_VERSION) {
    return joinFailure(ErrorCode.MEMBER_ID_REQUIRED, memberId)
  }
  const subscription = parseSubscription(input.protocols[0]!.metadata)
  if (subscription === null) return new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR, 'the subscription is malformed')
  const holder = groupInstanceId === null ? undefined : group.staticMember(groupInstanceId)
  const before = findJoining(draft, group, { ...input, memberId }, isUnknown)
  if (before instanceof Refusal) return before
  const advance: MemberAdvance = {
    before,
    after: updated(before, input, subscription),
    owned: Array.from(partitionsById(draft, subscription.owned), ([topicId, partitions]) => {
      return { topicId, partitions: [...partitions] }
    }),
    mayDescribe: () => true,
  }
  const subscribed = subscribe(draft, group, advance)
  if (subscribed instanceof Refusal) return subscribed
  if (holder !== undefined && canDowngradeReplacing(draft.turn.config, group, holder)) {
    return joinDowngrading(state, draft, group, { advance, subscribed })
  }
  const member = settle(draft, group, advance, subscribed)
  if (member instanceof Refusal) return member
  watchJoined(draft, group, member, input)
  return joined(member)
}

function checkJoin(draft: Draft, group: ConsumerGroup, input: JoinInput): Refusal | null {
  const { migration, membersMax } = draft.turn.config.consumer
  if (migration === 'disabled') {
    return new Refusal(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, 'the group migration is disabled')
  }
  if (group.size >= membersMax && !group.members.has(input.memberId)) {
    return new Refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, `the group has ${membersMax} members`)
  }
  if (supportsProtocols(group, input)) return null
  return new Refusal(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, "the member's protocols are not supported")
}

/** One of the member's protocols must be one that all classic members have. */
function supportsProtocols(group: ConsumerGroup, { protocolType, protocols }: JoinInput): boolean {
  if (protocolType !== CONSUMER_PROTOCOL_TYPE) return false
  const counts = new Map<string, number>()
  for (const { classic } of group.members.values()) {
    for (const name of new Set(classic?.protocols.map((protocol) => protocol.name))) {
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
  }
  return protocols.some(({ name }) => (counts.get(name) ?? 0) === group.classicMemberCount)
}

function findJoining(
  draft: Draft,
  group: ConsumerGroup,
  { memberId, groupInstanceId }: JoinInput,
  isUnknown: boolean,
): ConsumerMember | Refusal {
  if (groupInstanceId === null) return group.member(memberId) ?? newMember(memberId)
  const holder = group.staticMember(groupInstanceId)
  if (!isUnknown) return checkHolder(holder, memberId, groupInstanceId)
  return holder === undefined ? newMember(memberId) : replaceStaticMember(draft, group, holder, memberId)
}

function updated(member: ConsumerMember, input: JoinInput, subscription: ConsumerSubscription): ConsumerMember {
  const { sessionTimeoutMs, protocols, rebalanceTimeoutMs, clientId, clientHost, groupInstanceId } = input
  return {
    ...member,
    instanceId: groupInstanceId ?? member.instanceId,
    rackId: subscription.rackId === null || subscription.rackId === '' ? member.rackId : subscription.rackId,
    rebalanceTimeoutMs,
    topicNames: sortedNames(subscription.topics),
    // Classic members match expressions themselves.
    topicRegex: '',
    clientId,
    clientHost,
    classic: { sessionTimeoutMs, protocols },
  }
}

function joined({ memberId, memberEpoch, classic }: ConsumerMember): JoinResult {
  return {
    errorCode: ErrorCode.NONE,
    generation: memberEpoch,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocol: classic!.protocols[0]!.name,
    leaderId: '',
    skipAssignment: false,
    memberId,
    members: [],
  }
}

function watchJoined(draft: Draft, { groupId }: ConsumerGroup, { memberId }: ConsumerMember, input: JoinInput): void {
  const { sessionTimeoutMs, rebalanceTimeoutMs } = input
  draft.effect((turn) => {
    turn.cancel(timerNames.consumer('join', groupId, memberId))
    turn.schedule({ kind: 'consumer-member', what: 'session', groupId, memberId }, sessionTimeoutMs)
    turn.schedule({ kind: 'consumer-member', what: 'sync', groupId, memberId }, rebalanceTimeoutMs)
  })
}

interface JoinDowngrading {
  readonly advance: MemberAdvance
  readonly subscribed: Subscribed
}

/** The last member of the new protocol is replaced by a classic one. If nothing else changes nobody has to rebalance. */
function joinDowngrading(
  state: GroupState,
  draft: Draft,
  group: ConsumerGroup,
  { advance, subscribed }: JoinDowngrading,
): JoinResult | Refusal {
  const rebalance = group.assignmentEpoch < subscribed.metadata.epoch
  let member = advance.after
  if (!rebalance) {
    const { subscriptionChanged } = subscribed
    const partitions = group.targetFor(member)
    const stepped = stepTowards(draft, group, advance, {
      epoch: group.assignmentEpoch,
      partitions,
      subscriptionChanged,
    })
    if (stepped instanceof Refusal) return stepped
    member = stepped
  }
  downgrade(state, draft, group, { leaving: [], joining: member, rebalance })
  return joined(member)
}

export function syncConsumerGroup(
  turn: Turn,
  group: ConsumerGroup,
  input: SyncInput,
  waiter: Waiter<SyncResult>,
): void {
  const { groupId } = group
  const { memberId, generation, groupInstanceId } = input
  const member = findClassic(group, { memberId, groupInstanceId, generation })
  const refusal = member instanceof Refusal ? member : checkSync(member, input)
  if (member instanceof Refusal || refusal !== null) {
    turn.answer(waiter, syncFailure(refusal?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR))
    return
  }
  // One that has to give partitions up has joined already; it comes again when it has.
  if (group.epoch > member.memberEpoch && member.state !== 'unrevoked') {
    askToJoin(turn, groupId, member)
    turn.answer(waiter, syncFailure(ErrorCode.REBALANCE_IN_PROGRESS))
    return
  }
  turn.cancel(timerNames.consumer('sync', groupId, memberId))
  keepSession(turn, groupId, member)
  const metadata = member.classic!.protocols[0]!.metadata
  const assignment = assignmentBytes(new Draft(turn), withoutEpochs(member.assigned), metadata)
  const { protocolType, protocol } = input
  turn.answer(waiter, { errorCode: ErrorCode.NONE, protocolType, protocol, assignment })
}

function checkSync({ classic }: ConsumerMember, { protocolType, protocol }: SyncInput): Refusal | null {
  const otherType = protocolType !== null && protocolType !== CONSUMER_PROTOCOL_TYPE
  const otherName = protocol !== null && protocol !== classic!.protocols[0]!.name
  if (!otherType && !otherName) return null
  return new Refusal(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, 'another protocol than that of the join')
}

export function heartbeatConsumerGroup(turn: Turn, group: ConsumerGroup, input: HeartbeatInput): ErrorCode {
  const member = findClassic(group, input)
  if (member instanceof Refusal) return member.errorCode
  keepSession(turn, group.groupId, member)
  const mustJoin =
    member.memberEpoch < group.epoch ||
    member.state === 'unrevoked' ||
    (member.state === 'unreleased' && !waitsForOthers(group, member))
  if (!mustJoin) return ErrorCode.NONE
  askToJoin(turn, group.groupId, member)
  return ErrorCode.REBALANCE_IN_PROGRESS
}

/** Whether others still have some of what the member shall get. */
function waitsForOthers(group: ConsumerGroup, member: ConsumerMember): boolean {
  for (const [topicId, partitions] of group.target(member.memberId)) {
    const held = heldOf(member.assigned, topicId)
    for (const partition of partitions) {
      if (!held.has(partition) && group.ownerOf(topicId, partition) !== undefined) return true
    }
  }
  return false
}

export function leaveConsumerGroupAsClassic(
  state: GroupState,
  turn: Turn,
  group: ConsumerGroup,
  input: LeaveInput,
): ErrorCode[] {
  const leaving = new Map<string, ConsumerMember>()
  const errorCodes = input.members.map((identity) => {
    const member = findLeaving(group, identity)
    if (member instanceof Refusal) return member.errorCode
    leaving.set(member.memberId, member)
    return ErrorCode.NONE
  })
  const draft = new Draft(turn)
  fenceMembers(state, draft, group, [...leaving.values()])
  draft.commit()
  return errorCodes
}

function findLeaving(group: ConsumerGroup, { memberId, groupInstanceId }: MemberIdentity): ConsumerMember | Refusal {
  if (groupInstanceId === null) return group.member(memberId) ?? unknownMember(group, memberId)
  const holder = group.staticMember(groupInstanceId)
  // Administrators remove members by their instance id alone.
  return checkHolder(holder, memberId === '' && holder !== undefined ? holder.memberId : memberId, groupInstanceId)
}

interface ClassicIdentity {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generation: number
}

/** The member, if it speaks the classic protocol and is in this generation. */
function findClassic(
  group: ConsumerGroup,
  { memberId, groupInstanceId, generation }: ClassicIdentity,
): (ConsumerMember & { readonly classic: ClassicMembership }) | Refusal {
  const member =
    groupInstanceId === null
      ? (group.member(memberId) ?? unknownMember(group, memberId))
      : checkHolder(group.staticMember(groupInstanceId), memberId, groupInstanceId)
  if (member instanceof Refusal) return member
  const { classic } = member
  if (classic === null) return unknownMember(group, memberId)
  if (member.memberEpoch === generation) return { ...member, classic }
  return new Refusal(ErrorCode.ILLEGAL_GENERATION, `generation ${generation} in epoch ${member.memberEpoch}`)
}

function keepSession(turn: Turn, groupId: string, { memberId, classic }: ConsumerMember): void {
  turn.schedule({ kind: 'consumer-member', what: 'session', groupId, memberId }, classic!.sessionTimeoutMs)
}

/** It has been told; if it does not come in time it goes. */
function askToJoin(turn: Turn, groupId: string, { memberId, rebalanceTimeoutMs }: ConsumerMember): void {
  turn.scheduleIfAbsent({ kind: 'consumer-member', what: 'join', groupId, memberId }, rebalanceTimeoutMs)
}
