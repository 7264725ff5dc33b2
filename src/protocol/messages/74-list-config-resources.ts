// ListConfigResources (74): names of the resources that have a configuration of their own.

import { array, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const ListConfigResourcesRequest = request(
  { key: 74, name: 'ListConfigResourcesRequest', versions: '0-1', flexible: '0+' },
  {
    resourceTypes: array(int8, '1+'),
  },
)

export type ListConfigResourcesRequest = Infer<typeof ListConfigResourcesRequest>

export const ListConfigResourcesResponse = response(
  { key: 74, name: 'ListConfigResourcesResponse', versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    configResources: array({
      resourceName: string(),
      resourceType: int8('1+', { default: 16 }),
    }),
  },
)

export type ListConfigResourcesResponse = Infer<typeof ListConfigResourcesResponse>
