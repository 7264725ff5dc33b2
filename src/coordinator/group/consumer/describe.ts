/** ConsumerGroupDescribe: what is shown of a consumer group. Reading only. */
import type { ClusterTopics } from '../../request-context.ts'
import type { GroupState } from '../state.ts'
import type { Turn } from '../turn.ts'
import { ascending, heldTogether, type PartitionSet, withoutEpochs } from './assignment.ts'
import type { ConsumerGroup, ConsumerGroupState } from './group.ts'
import type { ConsumerMember } from './member.ts'
import { chosenAssignor } from './target.ts'

export interface DescribedPartitions {
  readonly topicId: string
  readonly topicName: string
  readonly partitions: readonly number[]
}

export interface DescribedConsumer {
  readonly member: ConsumerMember
  /** What it has, or has not given up yet. */
  readonly assignment: readonly DescribedPartitions[]
  readonly targetAssignment: readonly DescribedPartitions[]
}

export interface DescribedConsumerGroup {
  readonly state: ConsumerGroupState
  readonly epoch: number
  readonly assignmentEpoch: number
  readonly assignor: string
  readonly members: readonly DescribedConsumer[]
}

/** A text says why there is none. */
export function describeConsumerGroup(state: GroupState, turn: Turn, groupId: string): DescribedConsumerGroup | string {
  const group = state.groups.get(groupId)
  if (group === undefined) return `Group ${groupId} not found.`
  if (group.type !== 'consumer') return `Group ${groupId} is not a consumer group.`
  return {
    state: group.state,
    epoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignor: chosenAssignor(group, null) ?? turn.config.consumer.assignors[0]!,
    members: Array.from(group.members.values(), (member) => describeMember(group, member, turn.topics)),
  }
}

function describeMember(group: ConsumerGroup, member: ConsumerMember, topics: ClusterTopics): DescribedConsumer {
  const held = withoutEpochs(heldTogether(member.assigned, member.pendingRevocation))
  const target = group.target(member.memberId)
  return { member, assignment: describePartitions(held, topics), targetAssignment: describePartitions(target, topics) }
}

/** Topics that are gone have no name and are left out. */
export function describePartitions(set: PartitionSet, topics: ClusterTopics): DescribedPartitions[] {
  const described: DescribedPartitions[] = []
  for (const [topicId, partitions] of set) {
    const topicName = topics.topicName(topicId)
    if (topicName !== undefined) described.push({ topicId, topicName, partitions: ascending(partitions) })
  }
  return described
}
