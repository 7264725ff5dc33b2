/** ListGroups: the groups that this broker coordinates. */
import { ListGroupsRequest, ListGroupsResponse } from '../../protocol/messages/16-list-groups.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 16,
  name: 'ListGroups',
  request: ListGroupsRequest,
  response: ListGroupsResponse,
  versions: [0, 5],
  notes: ['Filters by state (v4+) and type (v5+) ignore case; unknown values match nothing.'],
  handleLater(context, request, reply) {
    context.broker.groups.listGroups(context, request, reply)
  },
})
