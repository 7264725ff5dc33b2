/** LeaveGroup: members leave a classic group; the others rebalance once for all of them. */
import { ErrorCode } from '../../protocol/errors.ts'
import { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/13-leave-group.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 13,
  name: 'LeaveGroup',
  request: LeaveGroupRequest,
  response: LeaveGroupResponse,
  versions: [0, 5],
  notes: [
    'v0-v2 name one member and answer its error at the top; v3+ a list with an error each, also for an unknown group.',
    'An empty member id with an instance id removes whoever holds that instance.',
  ],
  authorize(context, request) {
    if (context.allowed('READ', 'GROUP', request.groupId)) return null
    return { errorCode: ErrorCode.GROUP_AUTHORIZATION_FAILED, members: [] }
  },
  handleLater(context, request, reply) {
    context.broker.groups.leaveGroup(context, request, reply)
  },
})
