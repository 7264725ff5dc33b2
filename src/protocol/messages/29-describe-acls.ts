// DescribeAcls (29): lists access rules that match a filter.

import { array, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const DescribeAclsRequest = request(
  { key: 29, name: 'DescribeAclsRequest', versions: '1-3', flexible: '2+' },
  {
    resourceTypeFilter: int8(),
    resourceNameFilter: string({ nullable: true }),
    patternTypeFilter: int8({ default: 3 }),
    principalFilter: string({ nullable: true }),
    hostFilter: string({ nullable: true }),
    operation: int8(),
    permissionType: int8(),
  },
)

export type DescribeAclsRequest = Infer<typeof DescribeAclsRequest>

export const DescribeAclsResponse = response(
  { key: 29, name: 'DescribeAclsResponse', versions: '1-3', flexible: '2+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      patternType: int8({ default: 3 }),
      acls: array({
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
)

export type DescribeAclsResponse = Infer<typeof DescribeAclsResponse>
