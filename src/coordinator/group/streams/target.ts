/**
 * The target assignment of a streams group: made anew when the group epoch is ahead of it, but not before the group's first delay has
 * passed and not more often than its assignment interval allows. Only what differs from the last target is written.
 */
import { isWithin } from '../../../storage/clock.ts'
import type { Draft } from '../consumer/draft.ts'
import { type Turn, timerNames } from '../turn.ts'
import { type AssignedSubtopology, assignTasks, type TaskAssignment } from './assignor/sticky.ts'
import type { ConfiguredTopology } from './configure.ts'
import type { StreamsGroup } from './group.ts'
import type { StreamsMember } from './member.ts'
import { StreamsStatus, type StreamsStatusRow } from './status.ts'
import { NO_TASKS, sameTasks, type Tasks } from './tasks.ts'

/** What the assignor is told besides, by the names that Kafka stores. */
export const STANDBY_REPLICAS_CONFIG = 'num.standby.replicas'

export interface StreamsTarget {
  readonly epoch: number
  /** Of the member that the request is about. */
  readonly tasks: Tasks
  readonly status: StreamsStatusRow | null
}

export interface StreamsTargetInput {
  readonly epoch: number
  /** As it is from now on; null: nobody's request. */
  readonly changed: StreamsMember | null
  readonly topology: ConfiguredTopology
  readonly assignmentConfigs: ReadonlyMap<string, string>
  /** The first delay runs. */
  readonly isDelayed: boolean
}

export function isFirstDelayRunning(turn: Turn, groupId: string): boolean {
  return turn.isScheduled(timerNames.streamsDelay(groupId))
}

function delayed(detail: string): StreamsStatusRow {
  return { code: StreamsStatus.ASSIGNMENT_DELAYED, detail: `Assignment delayed due to the configured ${detail}.` }
}

export function updateStreamsTarget(draft: Draft, group: StreamsGroup, input: StreamsTargetInput): StreamsTarget {
  const { turn } = draft
  const { groupId } = group
  const { epoch, changed } = input
  if (input.isDelayed) {
    return { epoch: group.assignmentEpoch, tasks: NO_TASKS, status: delayed('initial rebalance delay') }
  }
  const last = { epoch: group.assignmentEpoch, tasks: changed === null ? NO_TASKS : group.target(changed.memberId) }
  if (epoch <= group.assignmentEpoch) return { ...last, status: null }
  const { assignmentIntervalMs } = turn.streamsSettings(groupId)
  if (isWithin(assignmentIntervalMs, group.assignedAtMs, turn.nowMs)) {
    return { ...last, status: delayed('assignment interval') }
  }
  const members = new Map(group.members)
  if (changed !== null) members.set(changed.memberId, changed)
  const assignment = assign(group, [...members.values()], input)
  for (const memberId of members.keys()) {
    const value = assignment.get(memberId) ?? NO_TASKS
    const before = group.targets.get(memberId)
    if (before !== undefined && sameTasks(before, value)) continue
    draft.write({ type: 'streams-target', group: groupId, memberId, value })
  }
  const value = { assignmentEpoch: epoch, assignedAtMs: turn.nowMs }
  draft.write({ type: 'streams-target-epoch', group: groupId, value })
  return { epoch, tasks: changed === null ? NO_TASKS : (assignment.get(changed.memberId) ?? NO_TASKS), status: null }
}

/** While topics are missing or wrong, nobody has anything to do. */
function assign(
  group: StreamsGroup,
  members: readonly StreamsMember[],
  { topology, assignmentConfigs }: StreamsTargetInput,
): TaskAssignment {
  if (topology.problem !== null || topology.subtopologies === null) return new Map()
  const subtopologies = Array.from(topology.subtopologies, ([subtopologyId, subtopology]): AssignedSubtopology => {
    const isStateful = subtopology.stateChangelogTopics.length > 0
    return { subtopologyId, taskCount: subtopology.taskCount, isStateful }
  })
  return assignTasks({
    members: members.map(({ memberId, processId }) => ({ memberId, processId, target: group.target(memberId) })),
    subtopologies,
    standbyReplicas: Number(assignmentConfigs.get(STANDBY_REPLICAS_CONFIG) ?? 0),
  })
}
