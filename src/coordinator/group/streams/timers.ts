/** What the timers of streams groups do when they fire. Each still looks whether what it was set for is there. */
import { Draft } from '../consumer/draft.ts'
import type { GroupState } from '../state.ts'
import type { StreamsTimerEvent, Turn } from '../turn.ts'
import type { StreamsGroup } from './group.ts'
import { fenceStreamsMember } from './removal.ts'
import { updateStreamsTarget } from './target.ts'

export function streamsTimerFired(state: GroupState, turn: Turn, event: StreamsTimerEvent): void {
  const group = state.groups.get(event.groupId)
  if (group?.type !== 'streams') return
  const draft = new Draft(turn)
  if (event.kind === 'streams-delay') assignAfterDelay(draft, group)
  else {
    const member = group.member(event.memberId)
    if (member === undefined) return
    // It has moved on since.
    if (event.kind === 'streams-rebalance' && event.memberEpoch !== member.memberEpoch) return
    fenceStreamsMember(draft, group, event.memberId)
  }
  draft.commit()
}

/** The members have gathered: their next heartbeats bring them what they get here. */
function assignAfterDelay(draft: Draft, group: StreamsGroup): void {
  const { epoch, assignmentConfigs, soft } = group
  if (group.size === 0 || soft.configured === null || epoch <= group.assignmentEpoch) return
  const input = { epoch, changed: null, topology: soft.configured, assignmentConfigs, isDelayed: false }
  updateStreamsTarget(draft, group, input)
}
