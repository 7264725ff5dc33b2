/** StreamsGroupDescribe: state, epochs, topology and members of groups that speak the streams protocol (KIP-1071). */
import { undescribedStreamsGroup } from '../../coordinator/streams-requests.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  StreamsGroupDescribeRequest,
  StreamsGroupDescribeResponse,
} from '../../protocol/messages/89-streams-group-describe.ts'
import { defineApi } from '../api.ts'
import { ALL_GROUP_OPERATIONS, OPERATIONS_NOT_REQUESTED } from '../cluster-view.ts'
import { servesStreamsProtocol } from './88-streams-group-heartbeat.ts'

export default defineApi({
  key: 89,
  name: 'StreamsGroupDescribe',
  request: StreamsGroupDescribeRequest,
  response: StreamsGroupDescribeResponse,
  versions: [0, 0],
  notes: [
    'A group of another type is GROUP_ID_NOT_FOUND.',
    'Internal topics are shown with the partitions that were decided for them once all topics of the topology are there.',
  ],
  authorize(context, { groupIds }) {
    if (servesStreamsProtocol(context.broker)) return null
    const groups = groupIds.map((groupId) => undescribedStreamsGroup(groupId, ErrorCode.UNSUPPORTED_VERSION))
    return { throttleTimeMs: 0, groups }
  },
  handleLater(context, request, reply) {
    context.broker.groups.streams.describe(context, request.groupIds, (described) => {
      const groups = described.map((group) => {
        const isShown = request.includeAuthorizedOperations && group.errorCode === ErrorCode.NONE
        return { ...group, authorizedOperations: isShown ? ALL_GROUP_OPERATIONS : OPERATIONS_NOT_REQUESTED }
      })
      reply({ throttleTimeMs: 0, groups })
    })
  },
})
