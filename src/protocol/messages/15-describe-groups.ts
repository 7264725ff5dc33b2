// DescribeGroups (15): state and members of classic groups.

import { array, bool, bytes, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const DescribeGroupsRequest = request(
  { key: 15, name: 'DescribeGroupsRequest', versions: '0-6', flexible: '5+' },
  {
    groups: array(string),
    includeAuthorizedOperations: bool('3+'),
  },
)

export type DescribeGroupsRequest = Infer<typeof DescribeGroupsRequest>

export const DescribeGroupsResponse = response(
  { key: 15, name: 'DescribeGroupsResponse', versions: '0-6', flexible: '5+' },
  {
    throttleTimeMs: int32('1+'),
    groups: array({
      errorCode: int16(),
      errorMessage: string('6+', { nullable: true, default: null }),
      groupId: string(),
      groupState: string(),
      protocolType: string(),
      protocolData: string(),
      members: array({
        memberId: string(),
        groupInstanceId: string('4+', { nullable: true, default: null }),
        clientId: string(),
        clientHost: string(),
        memberMetadata: bytes(),
        memberAssignment: bytes(),
      }),
      authorizedOperations: int32('3+', { default: -2147483648 }),
    }),
  },
)

export type DescribeGroupsResponse = Infer<typeof DescribeGroupsResponse>
