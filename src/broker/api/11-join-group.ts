/** JoinGroup: a member enters a classic group or takes part in its next generation. Answered when the join phase ends. */
import { ErrorCode } from '../../protocol/errors.ts'
import { JoinGroupRequest, JoinGroupResponse } from '../../protocol/messages/11-join-group.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 11,
  name: 'JoinGroup',
  request: JoinGroupRequest,
  response: JoinGroupResponse,
  versions: [0, 9],
  notes: [
    'v0 has one timeout for session and rebalance.',
    'v4+ without member id and instance id: MEMBER_ID_REQUIRED with the id to come back with.',
    'A static member that returns to a stable group is answered at once: as follower of the former leader (v5-v8), or with SkipAssignment (v9).',
  ],
  authorize(context, request) {
    if (context.allowed('READ', 'GROUP', request.groupId)) return null
    return {
      errorCode: ErrorCode.GROUP_AUTHORIZATION_FAILED,
      protocolName: context.apiVersion >= 7 ? null : '',
      leader: '',
      memberId: request.memberId,
      members: [],
    }
  },
  handleLater(context, request, reply) {
    context.broker.groups.joinGroup(context, request, reply)
  },
})
