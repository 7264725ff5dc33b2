/** DeleteGroups: deletes groups without members, with their committed offsets. */
import { DeleteGroupsRequest, DeleteGroupsResponse } from '../../protocol/messages/42-delete-groups.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 42,
  name: 'DeleteGroups',
  request: DeleteGroupsRequest,
  response: DeleteGroupsResponse,
  versions: [0, 2],
  notes: ['A group that is named twice is answered once.'],
  handleLater(context, request, reply) {
    context.broker.groups.deleteGroups(context, request.groupsNames, (results) => reply({ throttleTimeMs: 0, results }))
  },
})
