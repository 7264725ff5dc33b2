/** CreateAcls. There is no authorizer that would look at them, so none are kept: nobody may believe to be protected. */
import { ErrorCode } from '../../protocol/errors.ts'
import { CreateAclsRequest, CreateAclsResponse } from '../../protocol/messages/30-create-acls.ts'
import { NO_AUTHORIZER, UNKNOWN_ELEMENT } from '../acl-access.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 30,
  name: 'CreateAcls',
  request: CreateAclsRequest,
  response: CreateAclsResponse,
  versions: [1, 3],
  handleLater(context, { creations }, reply) {
    const hasUnknown = creations.some(({ resourceType, resourcePatternType, operation, permissionType }) =>
      [resourceType, resourcePatternType, operation, permissionType].includes(UNKNOWN_ELEMENT),
    )
    if (hasUnknown) {
      context.refuse('it sent ACLs with an unknown element')
      return
    }
    const result = { errorCode: ErrorCode.SECURITY_DISABLED, errorMessage: NO_AUTHORIZER }
    reply({ throttleTimeMs: 0, results: creations.map(() => result) })
  },
})
