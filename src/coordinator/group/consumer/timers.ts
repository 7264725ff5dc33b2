/** What the timers of consumer groups do when they fire. Each still looks whether the member that it was set for is there. */
import type { GroupState } from '../state.ts'
import type { ConsumerTimerEvent, Turn } from '../turn.ts'
import { Draft } from './draft.ts'
import { fenceMembers } from './leave.ts'
import { resolveRegexes } from './regex.ts'

export function consumerTimerFired(state: GroupState, turn: Turn, event: ConsumerTimerEvent): void {
  if (event.kind === 'consumer-regex') {
    resolveRegexes(state, turn, event)
    return
  }
  const group = state.groups.get(event.groupId)
  if (group?.type !== 'consumer') return
  const member = group.member(event.memberId)
  if (member === undefined) return
  // It has moved on since.
  const isRevoking =
    member.state === 'unrevoked' && event.kind === 'consumer-rebalance' && event.memberEpoch === member.memberEpoch
  if (event.kind === 'consumer-rebalance' && !isRevoking) return
  const draft = new Draft(turn)
  fenceMembers(state, draft, group, [member])
  draft.commit()
}
