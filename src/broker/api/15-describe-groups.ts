/** DescribeGroups: state and members of classic groups. */
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../protocol/messages/15-describe-groups.ts'
import { defineApi } from '../api.ts'
import { ALL_GROUP_OPERATIONS, OPERATIONS_NOT_REQUESTED } from '../cluster-view.ts'

export default defineApi({
  key: 15,
  name: 'DescribeGroups',
  request: DescribeGroupsRequest,
  response: DescribeGroupsResponse,
  versions: [0, 6],
  notes: [
    'An unknown group is in state Dead; v6 adds the error GROUP_ID_NOT_FOUND.',
    'Protocol and subscriptions are shown while the group is Stable; during a rebalance members still show their last assignment.',
  ],
  handleLater(context, request, reply) {
    context.broker.groups.describeGroups(context, request.groups, (groups) => {
      if (!request.includeAuthorizedOperations) {
        reply({ groups })
        return
      }
      // An error says nothing about operations; the Dead groups of older versions are no error.
      const withOperations = groups.map((group) => ({
        ...group,
        authorizedOperations: group.errorCode === ErrorCode.NONE ? ALL_GROUP_OPERATIONS : OPERATIONS_NOT_REQUESTED,
      }))
      reply({ groups: withOperations })
    })
  },
})
