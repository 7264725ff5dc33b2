/** DeleteShareGroupOffsets: a share group without members forgets where it is in whole topics (KIP-932). */
import { refusedAlteration } from '../../coordinator/share-offset-requests.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  DeleteShareGroupOffsetsRequest,
  DeleteShareGroupOffsetsResponse,
} from '../../protocol/messages/92-delete-share-group-offsets.ts'
import { defineApi } from '../api.ts'
import { servesShareGroups } from './76-share-group-heartbeat.ts'

export default defineApi({
  key: 92,
  name: 'DeleteShareGroupOffsets',
  request: DeleteShareGroupOffsetsRequest,
  response: DeleteShareGroupOffsetsResponse,
  versions: [0, 0],
  notes: ['The group must have no members.'],
  authorize(context, { groupId }) {
    if (!servesShareGroups(context.broker)) return refusedAlteration(ErrorCode.UNSUPPORTED_VERSION, null)
    if (context.allowed('DELETE', 'GROUP', groupId)) return null
    return refusedAlteration(ErrorCode.GROUP_AUTHORIZATION_FAILED, null)
  },
  handleLater(context, request, reply) {
    context.broker.groups.shareOffsets.delete(context, request, reply)
  },
})
