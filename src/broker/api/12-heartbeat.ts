/** Heartbeat: a classic group member is alive, and learns whether a rebalance runs. */
import { ErrorCode } from '../../protocol/errors.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../protocol/messages/12-heartbeat.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 12,
  name: 'Heartbeat',
  request: HeartbeatRequest,
  response: HeartbeatResponse,
  versions: [0, 4],
  notes: ['Answers 0 while the coordinator loads, so that members stay where they are.'],
  authorize(context, request) {
    if (context.allowed('READ', 'GROUP', request.groupId)) return null
    return { errorCode: ErrorCode.GROUP_AUTHORIZATION_FAILED }
  },
  handleLater(context, request, reply) {
    context.broker.groups.heartbeat(context, request, reply)
  },
})
