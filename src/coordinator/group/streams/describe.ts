/** StreamsGroupDescribe: what is shown of a streams group. Reading only. */
import type { GroupState } from '../state.ts'
import type { ConfiguredSubtopology } from './configure.ts'
import type { StreamsGroup, StreamsGroupState } from './group.ts'
import type { StreamsMember } from './member.ts'
import type { Tasks } from './tasks.ts'
import type { InternalTopicInfo, Subtopology } from './topology.ts'

export type DescribedSubtopology = Pick<
  Subtopology,
  'subtopologyId' | 'sourceTopics' | 'repartitionSinkTopics' | 'repartitionSourceTopics' | 'stateChangelogTopics'
>

export interface DescribedStreamsGroup {
  readonly state: StreamsGroupState
  readonly epoch: number
  readonly assignmentEpoch: number
  /** null: the records do not say, which only a log that was cut could bring about. */
  readonly topology: { readonly epoch: number; readonly subtopologies: readonly DescribedSubtopology[] } | null
  readonly members: readonly { readonly member: StreamsMember; readonly target: Tasks }[]
}

/** A text says why there is none. */
export function describeStreamsGroup(state: GroupState, groupId: string): DescribedStreamsGroup | string {
  const group = state.groups.get(groupId)
  if (group === undefined) return `Group ${groupId} not found.`
  if (group.type !== 'streams') return `Group ${groupId} is not a streams group.`
  return {
    state: group.state,
    epoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    topology: describeTopology(group),
    members: Array.from(group.members.values(), (member) => ({ member, target: group.target(member.memberId) })),
  }
}

/** With the partitions that were decided on, once that has been; as the members sent it until then. */
function describeTopology({ topology, soft: { configured } }: StreamsGroup): DescribedStreamsGroup['topology'] {
  if (configured !== null && configured.problem === null && configured.subtopologies !== null) {
    const subtopologies = Array.from(configured.subtopologies, ([id, each]) => describeSubtopology(id, each))
    return { epoch: configured.epoch, subtopologies }
  }
  if (topology === null) return null
  const subtopologies = [...topology.subtopologies]
    .sort((one, other) => (one.subtopologyId < other.subtopologyId ? -1 : 1))
    .map((each) => describeSubtopology(each.subtopologyId, each))
  return { epoch: topology.epoch, subtopologies }
}

function describeSubtopology(subtopologyId: string, each: Subtopology | ConfiguredSubtopology): DescribedSubtopology {
  return {
    subtopologyId,
    sourceTopics: [...each.sourceTopics].sort(),
    repartitionSinkTopics: [...each.repartitionSinkTopics].sort(),
    repartitionSourceTopics: byName(each.repartitionSourceTopics),
    stateChangelogTopics: byName(each.stateChangelogTopics),
  }
}

function byName(topics: readonly InternalTopicInfo[]): InternalTopicInfo[] {
  return [...topics].sort((one, other) => (one.name < other.name ? -1 : 1))
}
