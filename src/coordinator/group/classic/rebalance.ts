/**
 * The rebalance itself: how the join phase begins and ends, whatever set it off. Every path of a member into or out of a
 * group ends in one of these functions.
 *
 * What must hold: a generation begins only in `completeJoinPhase`, and everybody who waits there is answered; whoever waits
 * for a SyncGroup when a rebalance begins is told so.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { type Turn, timerNames } from '../turn.ts'
import { type ClassicGroup, type ClassicMember, EMPTY_BYTES, joinFailure, syncFailure } from './group.ts'
import { endSession, extendSession } from './session.ts'
import { canStartRebalance } from './states.ts'

/** Somebody joined or changed: begins a rebalance, or sees whether the one that runs is complete now. */
export function rebalanceOrComplete(group: ClassicGroup, turn: Turn): void {
  if (canStartRebalance(group.state)) prepareRebalance(group, turn)
  else maybeCompleteJoinPhase(group, turn)
}

/** Somebody is gone. An empty group has nothing to rebalance. */
export function rebalanceAfterRemoval(group: ClassicGroup, turn: Turn): void {
  if (group.state === 'Stable' || group.state === 'CompletingRebalance') prepareRebalance(group, turn)
  else maybeCompleteJoinPhase(group, turn)
}

export function prepareRebalance(group: ClassicGroup, turn: Turn): void {
  if (group.state === 'CompletingRebalance') refuseSyncs(group, turn, ErrorCode.REBALANCE_IN_PROGRESS)
  group.pendingSyncs.clear()
  turn.cancel(timerNames.sync(group.groupId))
  const fromEmpty = group.state === 'Empty'
  group.enter('PreparingRebalance', turn.nowMs)
  group.newMembersInInitialRebalance = false
  if (fromEmpty) beginInitialRebalance(group, turn)
  else if (group.everybodyJoined) completeJoinPhase(group, turn)
  else turn.schedule({ kind: 'join', groupId: group.groupId }, group.rebalanceTimeoutMs)
}

/** The first members of a group rarely come alone: the join phase is held open for a moment, if so configured. */
function beginInitialRebalance(group: ClassicGroup, turn: Turn): void {
  const delayMs = turn.config.initialRebalanceDelayMs
  if (delayMs <= 0) {
    completeJoinPhase(group, turn)
    return
  }
  const remainingMs = Math.max(group.rebalanceTimeoutMs - delayMs, 0)
  turn.schedule({ kind: 'initial-join', groupId: group.groupId, remainingMs }, delayMs)
}

/** The initial delay is over: once more if somebody came meanwhile, as long as the first rebalance timeout allows. */
export function completeInitialRebalance(group: ClassicGroup, turn: Turn, remainingMs: number): void {
  if (!group.newMembersInInitialRebalance || remainingMs === 0) {
    completeJoinPhase(group, turn)
    return
  }
  group.newMembersInInitialRebalance = false
  const delayMs = turn.config.initialRebalanceDelayMs
  const event = {
    kind: 'initial-join',
    groupId: group.groupId,
    remainingMs: Math.max(remainingMs - delayMs, 0),
  } as const
  turn.schedule(event, Math.min(delayMs, remainingMs))
}

/** Ends the join phase if nobody is missing. The initial one is ended by its timer only. */
export function maybeCompleteJoinPhase(group: ClassicGroup, turn: Turn): void {
  if (group.state !== 'PreparingRebalance' || !group.everybodyJoined || group.previousState === 'Empty') return
  completeJoinPhase(group, turn)
}

export function completeJoinPhase(group: ClassicGroup, turn: Turn): void {
  turn.cancel(timerNames.join(group.groupId))
  for (const member of [...group.members]) {
    // A static member may be away for as long as its session lasts.
    if (member.parkedJoin === null && member.groupInstanceId === null) {
      dropMember(group, turn, member, ErrorCode.UNKNOWN_MEMBER_ID)
    }
  }
  if (group.size > 0 && !group.electJoinedLeader()) {
    // Only static members are left, and none of them came back: nobody could lead.
    turn.schedule({ kind: 'join', groupId: group.groupId }, group.rebalanceTimeoutMs)
    return
  }
  group.generation++
  if (group.size === 0) {
    group.protocol = null
    group.enter('Empty', turn.nowMs)
    turn.write({ type: 'group-metadata', group: group.groupId, value: group.metadata(turn.nowMs) })
    return
  }
  group.protocol = group.chosenProtocol()
  group.enter('CompletingRebalance', turn.nowMs)
  for (const member of group.members) answerJoined(group, turn, member)
  turn.schedule({ kind: 'sync', groupId: group.groupId, generation: group.generation }, group.rebalanceTimeoutMs)
}

function answerJoined(group: ClassicGroup, turn: Turn, member: ClassicMember): void {
  const waiter = group.takeJoin(member)
  // An absent static member keeps its assignment and its session; it owes no SyncGroup to a generation it does not know.
  if (waiter === null) return
  const { memberId } = member
  const leads = group.isLeader(memberId)
  turn.answer(waiter, { ...currentGeneration(group, memberId), members: leads ? group.joinedMembers() : [] })
  member.isNew = false
  group.pendingSyncs.add(memberId)
  extendSession(turn, group, member, member.sessionTimeoutMs)
}

/** The answer to a JoinGroup as things stand, for a follower. */
export function currentGeneration(group: ClassicGroup, memberId: string) {
  return {
    errorCode: ErrorCode.NONE,
    generation: group.generation,
    protocolType: group.protocolType,
    protocol: group.protocol,
    leaderId: group.leaderId ?? '',
    skipAssignment: false,
    memberId,
    members: [],
  }
}

/** Takes a member out; calls that it has parked get the error. The caller starts or completes the rebalance. */
export function dropMember(group: ClassicGroup, turn: Turn, member: ClassicMember, errorCode: ErrorCode): void {
  refuseParkedCalls(group, turn, member, errorCode)
  endSession(turn, group, member)
  group.remove(member)
}

export function refuseParkedCalls(group: ClassicGroup, turn: Turn, member: ClassicMember, errorCode: ErrorCode): void {
  const join = group.takeJoin(member)
  if (join !== null) turn.answer(join, joinFailure(errorCode, member.memberId))
  const sync = group.takeSync(member)
  if (sync !== null) turn.answer(sync, syncFailure(errorCode))
}

/** No assignment comes of this generation: waiting SyncGroups get the error, assignments are void. */
export function refuseSyncs(group: ClassicGroup, turn: Turn, errorCode: ErrorCode): void {
  for (const member of group.members) {
    member.assignment = EMPTY_BYTES
    const waiter = group.takeSync(member)
    if (waiter === null) continue
    turn.answer(waiter, syncFailure(errorCode))
    extendSession(turn, group, member, member.sessionTimeoutMs)
  }
}
