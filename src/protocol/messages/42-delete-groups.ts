// DeleteGroups (42): deletes groups with their offsets.

import { array, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const DeleteGroupsRequest = request(
  { key: 42, name: 'DeleteGroupsRequest', versions: '0-2', flexible: '2+' },
  {
    groupsNames: array(string),
  },
)

export type DeleteGroupsRequest = Infer<typeof DeleteGroupsRequest>

export const DeleteGroupsResponse = response(
  { key: 42, name: 'DeleteGroupsResponse', versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32(),
    results: array({
      groupId: string(),
      errorCode: int16(),
    }),
  },
)

export type DeleteGroupsResponse = Infer<typeof DeleteGroupsResponse>
