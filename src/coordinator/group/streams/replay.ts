/**
 * What a record of a streams group changes; called by `../replay.ts` only. A group comes into being with the first record that says
 * something of it, and goes with the tombstone of its epoch. In between tombstones of its other records may concern what is not there:
 * compaction leaves them in any combination.
 */
import { StreamsGroup } from './group.ts'
import { newStreamsMember } from './member.ts'
import type { StreamsRecord } from './records.ts'

/** Whether the group has come into being. */
export function replayStreamsRecord(groups: Map<string, StreamsGroup>, record: StreamsRecord): boolean {
  const known = groups.get(record.group)
  if (known === undefined && record.value === null) return false
  const group = known ?? new StreamsGroup(record.group)
  groups.set(record.group, group)
  switch (record.type) {
    case 'streams-group':
      if (record.value === null) groups.delete(record.group)
      else group.putEpoch(record.value)
      break
    case 'streams-member':
      if (record.value === null) group.removeMember(record.memberId)
      else group.putDescription(record.memberId, record.value)
      break
    case 'streams-target-epoch':
      if (record.value !== null) group.putAssignmentEpoch(record.value.assignmentEpoch, record.value.assignedAtMs)
      break
    case 'streams-target':
      group.putTarget(record.memberId, record.value)
      break
    case 'streams-progress':
      if (record.value !== null) group.putProgress(record.memberId, record.value)
      // The member's description has a tombstone of its own; until that comes it has nothing.
      else if (group.members.has(record.memberId)) group.putProgress(record.memberId, newStreamsMember(record.memberId))
      break
    case 'streams-topology':
      group.putTopology(record.value)
      break
  }
  return known === undefined
}
