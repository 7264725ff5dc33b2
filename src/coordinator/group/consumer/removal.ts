/** The tombstones that take a member, or a whole consumer group, away. */
import type { GroupRecord } from '../records.ts'
import type { ConsumerGroup } from './group.ts'

/** The order is that of Kafka: whoever reads half of them still finds the member's subscription. */
export function removalRecords(group: string, memberId: string): GroupRecord[] {
  return [
    { type: 'consumer-progress', group, memberId, value: null },
    { type: 'consumer-target', group, memberId, value: null },
    { type: 'consumer-member', group, memberId, value: null },
  ]
}

/** Everything of the group but its offsets. `memberIds` are those of the members whose records are in the log. */
export function groupTombstones(
  group: ConsumerGroup,
  memberIds: Iterable<string> = group.members.keys(),
): GroupRecord[] {
  const { groupId } = group
  const ids = [...memberIds]
  return [
    ...ids.map((memberId): GroupRecord => ({ type: 'consumer-progress', group: groupId, memberId, value: null })),
    ...ids.map((memberId): GroupRecord => ({ type: 'consumer-target', group: groupId, memberId, value: null })),
    { type: 'consumer-target-epoch', group: groupId, value: null },
    ...ids.map((memberId): GroupRecord => ({ type: 'consumer-member', group: groupId, memberId, value: null })),
    ...Array.from(group.regexes.keys(), (regex): GroupRecord => {
      return { type: 'consumer-regex', group: groupId, regex, value: null }
    }),
    { type: 'consumer-topics', group: groupId, value: null },
    { type: 'consumer-group', group: groupId, value: null },
  ]
}
