/** AlterShareGroupOffsets: sets where a share group without members goes on; what was in flight is forgotten (KIP-932). */
import { refusedAlteration } from '../../coordinator/share-offset-requests.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  AlterShareGroupOffsetsRequest,
  AlterShareGroupOffsetsResponse,
} from '../../protocol/messages/91-alter-share-group-offsets.ts'
import { defineApi } from '../api.ts'
import { servesShareGroups } from './76-share-group-heartbeat.ts'

export default defineApi({
  key: 91,
  name: 'AlterShareGroupOffsets',
  request: AlterShareGroupOffsetsRequest,
  response: AlterShareGroupOffsetsResponse,
  versions: [0, 0],
  notes: ['The group must have no members; one that does not exist comes into being.'],
  authorize(context, { groupId }) {
    if (!servesShareGroups(context.broker)) return refusedAlteration(ErrorCode.UNSUPPORTED_VERSION, null)
    if (context.allowed('READ', 'GROUP', groupId)) return null
    return refusedAlteration(ErrorCode.GROUP_AUTHORIZATION_FAILED, null)
  },
  handleLater(context, request, reply) {
    context.broker.groups.shareOffsets.alter(context, request, reply)
  },
})
