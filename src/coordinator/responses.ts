/**
 * From what the groups decided to what goes on the wire: where the versions of the classic group APIs differ in content (the
 * fields that come and go with a version are the encoder's affair).
 */
import { ErrorCode } from '../protocol/errors.ts'
import type { JoinGroupResponse } from '../protocol/messages/11-join-group.ts'
import type { LeaveGroupResponse } from '../protocol/messages/13-leave-group.ts'
import type { SyncGroupResponse } from '../protocol/messages/14-sync-group.ts'
import type { DescribeGroupsResponse } from '../protocol/messages/15-describe-groups.ts'
import type { Input } from '../protocol/schema.ts'
import type { JoinResult, SyncResult } from './group/classic/group.ts'
import type { MemberIdentity } from './group/classic/leave.ts'
import type { DescribedGroup } from './group/describe.ts'

export type JoinGroupAnswer = Input<typeof JoinGroupResponse>
export type SyncGroupAnswer = Input<typeof SyncGroupResponse>
export type LeaveGroupAnswer = Input<typeof LeaveGroupResponse>
export type DescribedGroupAnswer = Input<typeof DescribeGroupsResponse>['groups'][number]

/** From here on an absent protocol is null on the wire; before, it was ''. */
const JOIN_NULLABLE_PROTOCOL_VERSION = 7

export function joinGroupResponse(result: JoinResult, version: number): JoinGroupAnswer {
  return {
    errorCode: result.errorCode,
    generationId: result.generation,
    protocolType: result.protocolType,
    protocolName: version >= JOIN_NULLABLE_PROTOCOL_VERSION ? result.protocol : (result.protocol ?? ''),
    leader: result.leaderId,
    skipAssignment: result.skipAssignment,
    memberId: result.memberId,
    members: result.members,
  }
}

export function syncGroupResponse(result: SyncResult): SyncGroupAnswer {
  const { errorCode, protocolType, protocol, assignment } = result
  return { errorCode, protocolType, protocolName: protocol, assignment }
}

/** From here on members leave in lists, each with a code of its own. */
export const LEAVE_MANY_VERSION = 3

export function leaveGroupResponse(
  identities: readonly MemberIdentity[],
  errorCodes: readonly ErrorCode[],
  version: number,
): LeaveGroupAnswer {
  if (version < LEAVE_MANY_VERSION) return { errorCode: errorCodes[0] ?? ErrorCode.NONE, members: [] }
  const members = identities.map(({ memberId, groupInstanceId }, index) => ({
    memberId,
    groupInstanceId,
    errorCode: errorCodes[index] ?? ErrorCode.NONE,
  }))
  return { errorCode: ErrorCode.NONE, members }
}

/** From here on an unknown group is an error; before, it was a group in state Dead. */
const DESCRIBE_UNKNOWN_GROUP_VERSION = 6

export function describedGroup(
  groupId: string,
  described: DescribedGroup | null,
  version: number,
): DescribedGroupAnswer {
  if (described !== null) {
    return { errorCode: ErrorCode.NONE, groupId, ...described, members: [...described.members] }
  }
  const dead = { groupId, groupState: 'Dead', protocolType: '', protocolData: '', members: [] }
  if (version < DESCRIBE_UNKNOWN_GROUP_VERSION) return { errorCode: ErrorCode.NONE, ...dead }
  return { errorCode: ErrorCode.GROUP_ID_NOT_FOUND, errorMessage: `Group ${groupId} not found.`, ...dead }
}

export function undescribedGroup(groupId: string, errorCode: ErrorCode): DescribedGroupAnswer {
  return { errorCode, groupId, groupState: '', protocolType: '', protocolData: '', members: [] }
}
