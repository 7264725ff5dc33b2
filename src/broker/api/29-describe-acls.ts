/** DescribeAcls. There is no authorizer, so there are no ACLs, and the answer says so. */
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeAclsRequest, DescribeAclsResponse } from '../../protocol/messages/29-describe-acls.ts'
import { isUnknownFilter } from '../acl-access.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 29,
  name: 'DescribeAcls',
  request: DescribeAclsRequest,
  response: DescribeAclsResponse,
  versions: [1, 3],
  notes: ['No authorizer can be configured: SECURITY_DISABLED.'],
  handleLater(context, request, reply) {
    if (isUnknownFilter(request)) {
      context.refuse('it sent a filter of ACLs with an unknown element')
      return
    }
    const errorMessage = 'No Authorizer is configured on the broker'
    reply({ throttleTimeMs: 0, errorCode: ErrorCode.SECURITY_DISABLED, errorMessage, resources: [] })
  },
})
