/** The tombstones that take a member, or a whole share group, away. */
import type { GroupRecord } from '../records.ts'
import type { ShareGroup } from './group.ts'

export function memberTombstones(group: string, memberId: string): GroupRecord[] {
  return [
    { type: 'share-progress', group, memberId, value: null },
    { type: 'share-target', group, memberId, value: null },
    { type: 'share-member', group, memberId, value: null },
  ]
}

/** Everything of a group without members. */
export function shareGroupTombstones({ groupId: group }: ShareGroup): GroupRecord[] {
  return [
    { type: 'share-target-epoch', group, value: null },
    { type: 'share-states', group, value: null },
    { type: 'share-group', group, value: null },
  ]
}
