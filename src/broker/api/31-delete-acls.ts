/** DeleteAcls. There is no authorizer, so there is nothing to delete, and every filter is told so. */
import { ErrorCode } from '../../protocol/errors.ts'
import { DeleteAclsRequest, DeleteAclsResponse } from '../../protocol/messages/31-delete-acls.ts'
import { isUnknownFilter, NO_AUTHORIZER } from '../acl-access.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 31,
  name: 'DeleteAcls',
  request: DeleteAclsRequest,
  response: DeleteAclsResponse,
  versions: [1, 3],
  handleLater(context, { filters }, reply) {
    if (filters.some(isUnknownFilter)) {
      context.refuse('it sent a filter of ACLs with an unknown element')
      return
    }
    const result = { errorCode: ErrorCode.SECURITY_DISABLED, errorMessage: NO_AUTHORIZER, matchingAcls: [] }
    reply({ throttleTimeMs: 0, filterResults: filters.map(() => result) })
  },
})
