/** A static member comes back under a new id: the records that put it in the place of the old one. */
import type { Draft } from './draft.ts'
import type { ConsumerGroup } from './group.ts'
import type { ConsumerMember } from './member.ts'
import { removalRecords } from './removal.ts'

/** The member under its new id, in epoch 0 and with everything that the old one had. */
export function replaceStaticMember(
  draft: Draft,
  group: ConsumerGroup,
  former: ConsumerMember,
  memberId: string,
): ConsumerMember {
  const member: ConsumerMember = { ...former, memberId, memberEpoch: 0, previousMemberEpoch: 0 }
  const target = group.target(former.memberId)
  draft.write(
    ...removalRecords(group.groupId, former.memberId),
    { type: 'consumer-member', group: group.groupId, memberId, value: member },
    { type: 'consumer-target', group: group.groupId, memberId, value: target },
    { type: 'consumer-progress', group: group.groupId, memberId, value: member },
  )
  return member
}
