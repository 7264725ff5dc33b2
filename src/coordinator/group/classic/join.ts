/**
 * JoinGroup: a member enters the group or takes part in its next generation. Called once per request, after group id and
 * session timeout have been checked; every path answers or parks the waiter exactly once.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { NEW_MEMBER_TIMEOUT_MS } from '../../config.ts'
import { joinConsumerGroup } from '../consumer/classic-member.ts'
import { groupTombstones } from '../consumer/removal.ts'
import type { GroupState } from '../state.ts'
import { streamsGroupTombstones } from '../streams/removal.ts'
import { type Turn, timerNames, type Waiter } from '../turn.ts'
import {
  ClassicGroup,
  type ClassicMember,
  type JoinResult,
  joinFailure,
  type MemberProtocol,
  newMember,
  sameProtocols,
} from './group.ts'
import { currentGeneration, prepareRebalance, rebalanceOrComplete, refuseParkedCalls } from './rebalance.ts'
import { endSession, extendSession } from './session.ts'
import { rejoinAction } from './states.ts'

export interface JoinInput {
  readonly groupId: string
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly apiVersion: number
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  /** In the member's order of preference; the bytes belong to the group from here on. */
  readonly protocols: readonly MemberProtocol[]
}

/** From here on a client without member id must come back with the one it was given. */
const MEMBER_ID_REQUIRED_VERSION = 4
const SKIP_ASSIGNMENT_VERSION = 9

type JoinWaiter = Waiter<JoinResult>

export function joinGroup(state: GroupState, turn: Turn, input: JoinInput, waiter: JoinWaiter): void {
  const existing = state.groups.get(input.groupId)
  if (existing?.type === 'consumer' && existing.size > 0) {
    joinConsumerGroup(state, turn, existing, input, waiter)
    return
  }
  if (existing?.type === 'share' || (existing?.type === 'streams' && existing.size > 0)) {
    turn.answer(waiter, joinFailure(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, ''))
    return
  }
  // A consumer or streams group without members gives way to the classic one.
  const known = existing?.type === 'classic' ? existing : undefined
  if (known === undefined && input.memberId !== '') {
    turn.answer(waiter, joinFailure(ErrorCode.UNKNOWN_MEMBER_ID, input.memberId))
    return
  }
  const group = known ?? new ClassicGroup(input.groupId, turn.nowMs)
  if (isFull(group, input.memberId, turn.config.membersMax)) {
    turn.answer(waiter, joinFailure(ErrorCode.GROUP_MAX_SIZE_REACHED, ''))
    return
  }
  if (!group.supports(input.protocolType, input.protocols)) {
    turn.answer(waiter, joinFailure(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, input.memberId))
    return
  }
  if (existing?.type === 'consumer') for (const record of groupTombstones(existing)) turn.write(record)
  if (existing?.type === 'streams') for (const record of streamsGroupTombstones(existing)) turn.write(record)
  if (known === undefined) {
    state.groups.set(group.groupId, group)
    turn.write({ type: 'group-metadata', group: group.groupId, value: group.metadata(turn.nowMs) })
  }
  if (input.memberId === '') joinWithoutMemberId(group, turn, input, waiter)
  else joinWithMemberId(group, turn, input, waiter)
}

/** While members gather, those who wait count: whoever comes back first gets the places. */
function isFull(group: ClassicGroup, memberId: string, membersMax: number): boolean {
  switch (group.state) {
    case 'Empty':
      return false
    case 'PreparingRebalance': {
      const waits = (group.member(memberId)?.parkedJoin ?? null) !== null
      return !waits && group.waitingJoins >= membersMax
    }
    case 'CompletingRebalance':
    case 'Stable':
      return !group.has(memberId) && group.size >= membersMax
  }
}

/** The usual form of a UUID, which is how Kafka writes these; its own ids are base64. */
function uuidText(id: string): string {
  return Buffer.from(id, 'base64url')
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function joinWithoutMemberId(group: ClassicGroup, turn: Turn, input: JoinInput, waiter: JoinWaiter): void {
  const { groupInstanceId } = input
  const memberId = `${groupInstanceId ?? input.clientId}-${uuidText(turn.random.uuid())}`
  if (groupInstanceId !== null) {
    const holderId = group.holderOf(groupInstanceId)
    const holder = holderId === undefined ? undefined : group.member(holderId)
    if (holder === undefined) addMember(group, turn, input, memberId, waiter)
    else replaceStaticMember(group, turn, { input, holder, memberId }, waiter)
    return
  }
  if (input.apiVersion < MEMBER_ID_REQUIRED_VERSION) {
    addMember(group, turn, input, memberId, waiter)
    return
  }
  group.pendingJoins.add(memberId)
  turn.schedule({ kind: 'pending-join', groupId: group.groupId, memberId }, input.sessionTimeoutMs)
  turn.answer(waiter, joinFailure(ErrorCode.MEMBER_ID_REQUIRED, memberId))
}

function joinWithMemberId(group: ClassicGroup, turn: Turn, input: JoinInput, waiter: JoinWaiter): void {
  const { memberId, groupInstanceId, protocols } = input
  if (group.pendingJoins.has(memberId) && groupInstanceId === null) {
    turn.cancel(timerNames.pendingJoin(group.groupId, memberId))
    addMember(group, turn, input, memberId, waiter)
    return
  }
  const errorCode = group.checkMember(memberId, groupInstanceId)
  const member = group.member(memberId)
  if (errorCode !== ErrorCode.NONE || member === undefined) {
    const refusal = errorCode === ErrorCode.NONE ? ErrorCode.UNKNOWN_MEMBER_ID : errorCode
    turn.answer(waiter, joinFailure(refusal, memberId))
    return
  }
  const leads = group.isLeader(memberId)
  switch (rejoinAction(group.state, leads, sameProtocols(member.protocols, protocols))) {
    case 'unknown-member':
      turn.answer(waiter, joinFailure(ErrorCode.UNKNOWN_MEMBER_ID, memberId))
      return
    case 'current':
      turn.answer(waiter, { ...currentGeneration(group, memberId), members: leads ? group.joinedMembers() : [] })
      return
    case 'wait':
    case 'rebalance':
      parkUpdatedMember(group, turn, member, { input, waiter })
      rebalanceOrComplete(group, turn)
      return
  }
}

function addMember(group: ClassicGroup, turn: Turn, input: JoinInput, memberId: string, waiter: JoinWaiter): void {
  const { groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols } = input
  const identity = { memberId, groupInstanceId, clientId, clientHost }
  const member = newMember({ ...identity, rebalanceTimeoutMs, sessionTimeoutMs, protocols })
  member.isNew = true
  member.parkedJoin = waiter
  if (group.size === 0) group.protocolType = input.protocolType
  if (group.state === 'PreparingRebalance' && group.previousState === 'Empty') group.newMembersInInitialRebalance = true
  group.add(member)
  // Clients set their request timeout for a JoinGroup as they like; a first one is kept for as long as this.
  extendSession(turn, group, member, NEW_MEMBER_TIMEOUT_MS)
  rebalanceOrComplete(group, turn)
}

function parkUpdatedMember(
  group: ClassicGroup,
  turn: Turn,
  member: ClassicMember,
  join: { input: JoinInput; waiter: JoinWaiter },
): void {
  // A second call under the same id: the connection of the first is gone, or somebody uses the id twice.
  const superseded = group.takeJoin(member)
  if (superseded !== null) turn.answer(superseded, joinFailure(ErrorCode.REBALANCE_IN_PROGRESS, member.memberId))
  group.updateProtocols(member, join.input.protocols)
  member.rebalanceTimeoutMs = join.input.rebalanceTimeoutMs
  member.sessionTimeoutMs = join.input.sessionTimeoutMs
  group.parkJoin(member, join.waiter)
}

interface Replacement {
  readonly input: JoinInput
  readonly holder: ClassicMember
  readonly memberId: string
}

/**
 * A static member starts again: it takes its place under a new id, and whoever still uses the old one is fenced. In a stable
 * group nobody else notices, unless the protocol would be another one.
 */
function replaceStaticMember(group: ClassicGroup, turn: Turn, replacement: Replacement, waiter: JoinWaiter): void {
  const { input, holder, memberId } = replacement
  const formerLeader = group.leaderId ?? ''
  refuseParkedCalls(group, turn, holder, ErrorCode.FENCED_INSTANCE_ID)
  endSession(turn, group, holder)
  const member = group.replaceStatic(holder, memberId)
  parkUpdatedMember(group, turn, member, { input, waiter })
  extendSession(turn, group, member, member.sessionTimeoutMs)
  if (group.state === 'CompletingRebalance') {
    // The leader may already be assigning to the old id: the new one would get nothing.
    prepareRebalance(group, turn)
    return
  }
  if (group.state !== 'Stable' || group.chosenProtocol() !== group.protocol) {
    rebalanceOrComplete(group, turn)
    return
  }
  group.takeJoin(member)
  const current = currentGeneration(group, memberId)
  turn.write({ type: 'group-metadata', group: group.groupId, value: group.metadata(turn.nowMs) })
  if (input.apiVersion >= SKIP_ASSIGNMENT_VERSION) {
    const leads = group.isLeader(memberId)
    turn.answer(waiter, { ...current, skipAssignment: leads, members: leads ? group.joinedMembers() : [] })
  } else {
    // Older clients would assign anew if they saw themselves lead: they are told the leader that was.
    turn.answer(waiter, { ...current, leaderId: formerLeader })
  }
}
