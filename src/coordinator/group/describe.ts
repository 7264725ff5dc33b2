/** DescribeGroups and ListGroups: what is shown of a group. Reading only. */
import { EMPTY_BYTES } from './classic/group.ts'
import { CONSUMER_PROTOCOL_TYPE } from './consumer-protocol.ts'
import type { Group, GroupState } from './state.ts'

export interface DescribedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly memberMetadata: Buffer
  readonly memberAssignment: Buffer
}

export interface DescribedGroup {
  readonly groupState: string
  readonly protocolType: string
  readonly protocolData: string
  readonly members: readonly DescribedMember[]
}

/** null: there is no such group. While a group is not Stable, protocol and subscriptions are about to change and not shown; the last assignment is. */
export function describeGroup(state: GroupState, groupId: string): DescribedGroup | null {
  const group = state.groups.get(groupId)
  if (group?.type !== 'classic') return null
  const stable = group.state === 'Stable'
  return {
    groupState: group.state,
    protocolType: group.protocolType,
    protocolData: stable ? (group.protocol ?? '') : '',
    members: Array.from(group.members, (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: stable ? group.subscription(member) : EMPTY_BYTES,
      memberAssignment: member.assignment,
    })),
  }
}

export interface ListFilters {
  /** Lower case; empty lets all pass. Unknown names match nothing. */
  readonly states: ReadonlySet<string>
  readonly types: ReadonlySet<string>
}

export function listFilters(states: readonly string[], types: readonly string[]): ListFilters {
  const normal = (names: readonly string[]) => new Set(names.map((name) => name.trim().toLowerCase()))
  return { states: normal(states), types: normal(types) }
}

export interface ListedGroup {
  readonly groupId: string
  readonly protocolType: string
  readonly groupState: string
  readonly groupType: string
}

function protocolTypeOf(group: Group): string {
  switch (group.type) {
    case 'classic':
      return group.protocolType
    case 'consumer':
      return CONSUMER_PROTOCOL_TYPE
    case 'share':
    case 'streams':
      return group.type
  }
}

/** What a filter must say, in lower case. */
function stateForFilters(state: Group['state']): string {
  return state === 'NotReady' ? 'not_ready' : state.toLowerCase()
}

export function listGroups(state: GroupState, filters: ListFilters): ListedGroup[] {
  const listed: ListedGroup[] = []
  for (const group of state.groups.values()) {
    const { groupId, type: groupType, state: groupState } = group
    if (filters.types.size > 0 && !filters.types.has(groupType)) continue
    if (filters.states.size > 0 && !filters.states.has(stateForFilters(groupState))) continue
    const protocolType = protocolTypeOf(group)
    listed.push({ groupId, protocolType, groupState, groupType })
  }
  return listed
}
