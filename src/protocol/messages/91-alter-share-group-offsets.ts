// AlterShareGroupOffsets (91): sets the start offsets of share groups.

import { array, type Infer, int16, int32, int64, request, response, string, uuid } from '../schema.ts'

export const AlterShareGroupOffsetsRequest = request(
  { key: 91, name: 'AlterShareGroupOffsetsRequest', versions: '0', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        startOffset: int64(),
      }),
    }),
  },
)

export type AlterShareGroupOffsetsRequest = Infer<typeof AlterShareGroupOffsetsRequest>

export const AlterShareGroupOffsetsResponse = response(
  { key: 91, name: 'AlterShareGroupOffsetsResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true, default: null }),
    responses: array({
      topicName: string(),
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
      }),
    }),
  },
)

export type AlterShareGroupOffsetsResponse = Infer<typeof AlterShareGroupOffsetsResponse>
