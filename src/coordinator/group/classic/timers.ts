/**
 * What a timer that fires does. The names say what a timer is about, so that one which was cancelled or replaced never fires;
 * each still looks whether the state that it was set in holds.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { consumerTimerFired } from '../consumer/timers.ts'
import { shareMemberTimedOut } from '../share/heartbeat.ts'
import type { GroupState } from '../state.ts'
import { streamsTimerFired } from '../streams/timers.ts'
import type { TimerEvent, Turn } from '../turn.ts'
import type { ClassicGroup } from './group.ts'
import {
  completeInitialRebalance,
  completeJoinPhase,
  dropMember,
  maybeCompleteJoinPhase,
  prepareRebalance,
  rebalanceAfterRemoval,
} from './rebalance.ts'
import { extendSession } from './session.ts'

export function timerFired(state: GroupState, turn: Turn, event: TimerEvent): void {
  if (event.kind === 'consumer-member' || event.kind === 'consumer-rebalance' || event.kind === 'consumer-regex') {
    consumerTimerFired(state, turn, event)
    return
  }
  if (event.kind === 'share-member') {
    shareMemberTimedOut(state, turn, event.groupId, event.memberId)
    return
  }
  if (event.kind === 'streams-session' || event.kind === 'streams-rebalance' || event.kind === 'streams-delay') {
    streamsTimerFired(state, turn, event)
    return
  }
  const group = state.groups.get(event.groupId)
  if (group?.type !== 'classic') return
  switch (event.kind) {
    case 'initial-join':
      if (group.state === 'PreparingRebalance') completeInitialRebalance(group, turn, event.remainingMs)
      return
    case 'join':
      if (group.state === 'PreparingRebalance') completeJoinPhase(group, turn)
      return
    case 'sync':
      syncTimedOut(group, turn, event.generation)
      return
    case 'session':
      sessionTimedOut(group, turn, event.memberId)
      return
    case 'pending-join':
      if (group.pendingJoins.delete(event.memberId)) maybeCompleteJoinPhase(group, turn)
      return
  }
}

/** Members of this generation that never fetched their assignment go; the others share theirs out anew. */
function syncTimedOut(group: ClassicGroup, turn: Turn, generation: number): void {
  if (generation !== group.generation || group.pendingSyncs.size === 0) return
  if (group.state !== 'CompletingRebalance' && group.state !== 'Stable') return
  for (const memberId of [...group.pendingSyncs]) {
    const member = group.member(memberId)
    if (member !== undefined) dropMember(group, turn, member, ErrorCode.UNKNOWN_MEMBER_ID)
  }
  prepareRebalance(group, turn)
}

function sessionTimedOut(group: ClassicGroup, turn: Turn, memberId: string): void {
  const member = group.member(memberId)
  if (member === undefined || member.sessionTimerAtMs === null) return
  member.sessionTimerAtMs = null
  const leftMs = member.sessionEndsAtMs - turn.monotonicMs
  if (leftMs > 0) {
    extendSession(turn, group, member, leftMs)
    return
  }
  // Who waits for us is alive as far as we can tell; the answer starts a new session. Only a first join may not wait for ever.
  if (!member.isNew && (member.parkedJoin !== null || member.parkedSync !== null)) return
  dropMember(group, turn, member, ErrorCode.UNKNOWN_MEMBER_ID)
  rebalanceAfterRemoval(group, turn)
}
