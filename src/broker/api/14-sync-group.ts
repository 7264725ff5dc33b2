/** SyncGroup: the leader of a classic group hands in the assignment, every member gets its part. */
import { ErrorCode } from '../../protocol/errors.ts'
import { SyncGroupRequest, SyncGroupResponse } from '../../protocol/messages/14-sync-group.ts'
import { defineApi } from '../api.ts'

const PROTOCOL_VERSION = 5

export default defineApi({
  key: 14,
  name: 'SyncGroup',
  request: SyncGroupRequest,
  response: SyncGroupResponse,
  versions: [0, 5],
  notes: ['Members that the leader left out get an empty assignment.', 'v5 must name protocol type and protocol.'],
  authorize(context, request) {
    const assignment = Buffer.alloc(0)
    const unnamed = request.protocolType === null || request.protocolName === null
    if (context.apiVersion >= PROTOCOL_VERSION && unnamed) {
      return { errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL, assignment }
    }
    if (context.allowed('READ', 'GROUP', request.groupId)) return null
    return { errorCode: ErrorCode.GROUP_AUTHORIZATION_FAILED, assignment }
  },
  handleLater(context, request, reply) {
    context.broker.groups.syncGroup(context, request, reply)
  },
})
