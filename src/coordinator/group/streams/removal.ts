/** Members of streams groups that go, and the tombstones that take a member, or a whole group, away. */
import type { Draft } from '../consumer/draft.ts'
import type { GroupRecord } from '../records.ts'
import { timerNames } from '../turn.ts'
import type { StreamsGroup } from './group.ts'

/** Takes the member out of the group; what it had is free from now on, and the others get it with their next assignment. */
export function fenceStreamsMember(draft: Draft, group: StreamsGroup, memberId: string): void {
  const { groupId, epoch, metadataHash, validatedTopologyEpoch, assignmentConfigs } = group
  const value = { epoch: epoch + 1, metadataHash, validatedTopologyEpoch, assignmentConfigs }
  draft.write(
    { type: 'streams-progress', group: groupId, memberId, value: null },
    { type: 'streams-target', group: groupId, memberId, value: null },
    { type: 'streams-member', group: groupId, memberId, value: null },
    { type: 'streams-group', group: groupId, value },
  )
  draft.effect((turn) => {
    turn.cancel(timerNames.streams('session', groupId, memberId))
    turn.cancel(timerNames.streams('rebalance', groupId, memberId))
  })
}

/** Everything of the group but its offsets. */
export function streamsGroupTombstones({ groupId, members }: StreamsGroup): GroupRecord[] {
  const ids = [...members.keys()]
  return [
    ...ids.map((memberId): GroupRecord => ({ type: 'streams-progress', group: groupId, memberId, value: null })),
    ...ids.map((memberId): GroupRecord => ({ type: 'streams-target', group: groupId, memberId, value: null })),
    { type: 'streams-target-epoch', group: groupId, value: null },
    ...ids.map((memberId): GroupRecord => ({ type: 'streams-member', group: groupId, memberId, value: null })),
    { type: 'streams-group', group: groupId, value: null },
    { type: 'streams-topology', group: groupId, value: null },
  ]
}
