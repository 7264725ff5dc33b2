// CreateAcls (30): creates access rules.

import { array, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const CreateAclsRequest = request(
  { key: 30, name: 'CreateAclsRequest', versions: '1-3', flexible: '2+' },
  {
    creations: array({
      resourceType: int8(),
      resourceName: string(),
      resourcePatternType: int8({ default: 3 }),
      principal: string(),
      host: string(),
      operation: int8(),
      permissionType: int8(),
    }),
  },
)

export type CreateAclsRequest = Infer<typeof CreateAclsRequest>

export const CreateAclsResponse = response(
  { key: 30, name: 'CreateAclsResponse', versions: '1-3', flexible: '2+' },
  {
    throttleTimeMs: int32(),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
    }),
  },
)

export type CreateAclsResponse = Infer<typeof CreateAclsResponse>
