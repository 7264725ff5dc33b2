/** OffsetDelete: deletes committed offsets of single partitions. */
import { ErrorCode } from '../../protocol/errors.ts'
import { OffsetDeleteRequest, OffsetDeleteResponse } from '../../protocol/messages/47-offset-delete.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 47,
  name: 'OffsetDelete',
  request: OffsetDeleteRequest,
  response: OffsetDeleteResponse,
  versions: [0, 0],
  notes: [
    'A group with members must be of type `consumer`; topics that a member subscribes to are refused.',
    'Deleting what was never committed succeeds.',
  ],
  authorize(context, request) {
    if (context.allowed('DELETE', 'GROUP', request.groupId)) return null
    return { errorCode: ErrorCode.GROUP_AUTHORIZATION_FAILED, throttleTimeMs: 0, topics: [] }
  },
  handleLater(context, request, reply) {
    context.broker.groups.offsetDelete(context, request, reply)
  },
})
