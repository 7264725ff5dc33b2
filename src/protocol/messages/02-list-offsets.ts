// ListOffsets (2): the offset for a timestamp, or the first or last offset, of partitions.

import { array, type Infer, int8, int16, int32, int64, request, response, string } from '../schema.ts'

export const ListOffsetsRequest = request(
  { key: 2, name: 'ListOffsetsRequest', versions: '1-11', flexible: '6+' },
  {
    replicaId: int32(),
    isolationLevel: int8('2+'),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        currentLeaderEpoch: int32('4+', { default: -1, ignorable: true }),
        timestamp: int64(),
      }),
    }),
    timeoutMs: int32('10+', { ignorable: true }),
  },
)

export type ListOffsetsRequest = Infer<typeof ListOffsetsRequest>

export const ListOffsetsResponse = response(
  { key: 2, name: 'ListOffsetsResponse', versions: '1-11', flexible: '6+' },
  {
    throttleTimeMs: int32('2+'),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        timestamp: int64({ default: -1 }),
        offset: int64({ default: -1 }),
        leaderEpoch: int32('4+', { default: -1 }),
      }),
    }),
  },
)

export type ListOffsetsResponse = Infer<typeof ListOffsetsResponse>
