/** ShareGroupDescribe: state, epochs and members of share groups (KIP-932). */
import { undescribedShareGroup } from '../../coordinator/share-requests.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  ShareGroupDescribeRequest,
  ShareGroupDescribeResponse,
} from '../../protocol/messages/77-share-group-describe.ts'
import { defineApi } from '../api.ts'
import { ALL_GROUP_OPERATIONS, OPERATIONS_NOT_REQUESTED } from '../cluster-view.ts'
import { servesShareGroups } from './76-share-group-heartbeat.ts'

export default defineApi({
  key: 77,
  name: 'ShareGroupDescribe',
  request: ShareGroupDescribeRequest,
  response: ShareGroupDescribeResponse,
  versions: [1, 1],
  notes: ['A group of another type is GROUP_ID_NOT_FOUND.'],
  authorize(context, { groupIds }) {
    if (servesShareGroups(context.broker)) return null
    const groups = groupIds.map((groupId) => undescribedShareGroup(groupId, ErrorCode.UNSUPPORTED_VERSION))
    return { throttleTimeMs: 0, groups }
  },
  handleLater(context, request, reply) {
    context.broker.groups.share.describe(context, request.groupIds, (described) => {
      const groups = described.map((group) => {
        const isShown = request.includeAuthorizedOperations && group.errorCode === ErrorCode.NONE
        return { ...group, authorizedOperations: isShown ? ALL_GROUP_OPERATIONS : OPERATIONS_NOT_REQUESTED }
      })
      reply({ throttleTimeMs: 0, groups })
    })
  },
})
