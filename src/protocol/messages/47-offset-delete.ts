// OffsetDelete (47): deletes committed offsets of single partitions.

import { array, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const OffsetDeleteRequest = request(
  { key: 47, name: 'OffsetDeleteRequest', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
      }),
    }),
  },
)

export type OffsetDeleteRequest = Infer<typeof OffsetDeleteRequest>

export const OffsetDeleteResponse = response(
  { key: 47, name: 'OffsetDeleteResponse', versions: '0', flexible: 'none' },
  {
    errorCode: int16(),
    throttleTimeMs: int32(),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)

export type OffsetDeleteResponse = Infer<typeof OffsetDeleteResponse>
