/**
 * Sessions. A session is extended by remembering a later end; its timer, when it fires early, is set again for that end
 * (`timers.ts`). So a heartbeat or a commit costs an assignment and not a timer.
 */
import { type Turn, timerNames } from '../turn.ts'
import type { ClassicGroup, ClassicMember } from './group.ts'

/** The member was heard of: its session goes on for `lengthMs` from now. */
export function extendSession(turn: Turn, group: ClassicGroup, member: ClassicMember, lengthMs: number): void {
  member.sessionEndsAtMs = turn.monotonicMs + lengthMs
  if (member.sessionTimerAtMs !== null && member.sessionTimerAtMs <= member.sessionEndsAtMs) return
  member.sessionTimerAtMs = member.sessionEndsAtMs
  turn.schedule({ kind: 'session', groupId: group.groupId, memberId: member.memberId }, lengthMs)
}

export function endSession(turn: Turn, group: ClassicGroup, member: ClassicMember): void {
  member.sessionTimerAtMs = null
  turn.cancel(timerNames.session(group.groupId, member.memberId))
}
