// ListGroups (16): the groups a broker coordinates.

import { array, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const ListGroupsRequest = request(
  { key: 16, name: 'ListGroupsRequest', versions: '0-5', flexible: '3+' },
  {
    statesFilter: array(string, '4+'),
    typesFilter: array(string, '5+'),
  },
)

export type ListGroupsRequest = Infer<typeof ListGroupsRequest>

export const ListGroupsResponse = response(
  { key: 16, name: 'ListGroupsResponse', versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32('1+'),
    errorCode: int16(),
    groups: array({
      groupId: string(),
      protocolType: string(),
      groupState: string('4+'),
      groupType: string('5+'),
    }),
  },
)

export type ListGroupsResponse = Infer<typeof ListGroupsResponse>
