/** ConsumerGroupDescribe: state, epochs and members of groups that speak the consumer protocol (KIP-848). */
import { undescribedConsumerGroup } from '../../coordinator/consumer-requests.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  ConsumerGroupDescribeRequest,
  ConsumerGroupDescribeResponse,
} from '../../protocol/messages/69-consumer-group-describe.ts'
import { defineApi } from '../api.ts'
import { ALL_GROUP_OPERATIONS, OPERATIONS_NOT_REQUESTED } from '../cluster-view.ts'
import { servesConsumerProtocol } from './68-consumer-group-heartbeat.ts'

export default defineApi({
  key: 69,
  name: 'ConsumerGroupDescribe',
  request: ConsumerGroupDescribeRequest,
  response: ConsumerGroupDescribeResponse,
  versions: [0, 1],
  notes: [
    'A group of another type is GROUP_ID_NOT_FOUND.',
    'The assignment shown contains what the member has not given up yet; v1 says which protocol a member speaks.',
  ],
  authorize(context, { groupIds }) {
    if (servesConsumerProtocol(context.broker)) return null
    const groups = groupIds.map((groupId) => undescribedConsumerGroup(groupId, ErrorCode.UNSUPPORTED_VERSION))
    return { throttleTimeMs: 0, groups }
  },
  handleLater(context, request, reply) {
    context.broker.groups.describeConsumerGroups(context, request.groupIds, (described) => {
      const groups = described.map((group) => {
        const isShown = request.includeAuthorizedOperations && group.errorCode === ErrorCode.NONE
        return { ...group, authorizedOperations: isShown ? ALL_GROUP_OPERATIONS : OPERATIONS_NOT_REQUESTED }
      })
      reply({ throttleTimeMs: 0, groups })
    })
  },
})
