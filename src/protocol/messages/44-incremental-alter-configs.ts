// IncrementalAlterConfigs (44): changes single configuration values of resources.

import { array, bool, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const IncrementalAlterConfigsRequest = request(
  { key: 44, name: 'IncrementalAlterConfigsRequest', versions: '0-1', flexible: '1+' },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        configOperation: int8(),
        value: string({ nullable: true }),
      }),
    }),
    validateOnly: bool(),
  },
)

export type IncrementalAlterConfigsRequest = Infer<typeof IncrementalAlterConfigsRequest>

export const IncrementalAlterConfigsResponse = response(
  { key: 44, name: 'IncrementalAlterConfigsResponse', versions: '0-1', flexible: '1+' },
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

export type IncrementalAlterConfigsResponse = Infer<typeof IncrementalAlterConfigsResponse>
