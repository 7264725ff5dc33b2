/**
 * What a record of a share group changes; called by `../replay.ts` only. A group comes into being with the first record that says
 * something of it, and goes with the tombstone of its epoch.
 */
import { ShareGroup } from './group.ts'
import { NO_SHARE_STATES } from './initialization.ts'
import { newShareMember } from './member.ts'
import type { ShareRecord } from './records.ts'

export function replayShareRecord(groups: Map<string, ShareGroup>, record: ShareRecord): void {
  let group = groups.get(record.group)
  if (group === undefined) {
    if (record.value === null) return
    group = new ShareGroup(record.group)
    groups.set(record.group, group)
  }
  switch (record.type) {
    case 'share-member':
      if (record.value === null) group.removeMember(record.memberId)
      else group.putSubscription(record.memberId, record.value)
      return
    case 'share-group':
      if (record.value === null) groups.delete(record.group)
      else group.putEpoch(record.value.epoch, record.value.metadataHash)
      return
    case 'share-target-epoch':
      if (record.value !== null) group.putAssignmentEpoch(record.value.assignmentEpoch, record.value.assignedAtMs)
      return
    case 'share-target':
      group.putTarget(record.memberId, record.value)
      return
    case 'share-progress':
      if (record.value !== null) group.putProgress(record.memberId, record.value)
      // The member's subscription has a tombstone of its own; until that comes it has nothing.
      else if (group.members.has(record.memberId)) group.putProgress(record.memberId, newShareMember(record.memberId))
      return
    case 'share-states':
      group.putStates(record.value ?? NO_SHARE_STATES)
      return
  }
}
