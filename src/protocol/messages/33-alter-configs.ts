// AlterConfigs (33): replaces the whole configuration of resources.

import { array, bool, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const AlterConfigsRequest = request(
  { key: 33, name: 'AlterConfigsRequest', versions: '0-2', flexible: '2+' },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        value: string({ nullable: true }),
      }),
    }),
    validateOnly: bool(),
  },
)

export type AlterConfigsRequest = Infer<typeof AlterConfigsRequest>

export const AlterConfigsResponse = response(
  { key: 33, name: 'AlterConfigsResponse', versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32(),
    responses: array({
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      resourceType: int8(),
      resourceName: string(),
    }),
  },
)

export type AlterConfigsResponse = Infer<typeof AlterConfigsResponse>
