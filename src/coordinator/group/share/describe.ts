/** ShareGroupDescribe: what is shown of a share group. Reading only. */
import { type DescribedPartitions, describePartitions } from '../consumer/describe.ts'
import type { GroupState } from '../state.ts'
import type { Turn } from '../turn.ts'
import type { ShareGroupState } from './group.ts'
import type { ShareMember } from './member.ts'

export interface DescribedShareGroup {
  readonly state: ShareGroupState
  readonly epoch: number
  readonly assignmentEpoch: number
  readonly members: readonly { readonly member: ShareMember; readonly assignment: readonly DescribedPartitions[] }[]
}

/** A text says why there is none. */
export function describeShareGroup(state: GroupState, turn: Turn, groupId: string): DescribedShareGroup | string {
  const group = state.groups.get(groupId)
  if (group === undefined) return `Group ${groupId} not found.`
  if (group.type !== 'share') return `Group ${groupId} is not a share group.`
  return {
    state: group.state,
    epoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    members: Array.from(group.members.values(), (member) => {
      return { member, assignment: describePartitions(member.assigned, turn.topics) }
    }),
  }
}
