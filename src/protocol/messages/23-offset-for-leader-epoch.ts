// OffsetForLeaderEpoch (23): where the log of a leader epoch ends, to detect divergence.

import { array, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const OffsetForLeaderEpochRequest = request(
  { key: 23, name: 'OffsetForLeaderEpochRequest', versions: '2-4', flexible: '4+' },
  {
    replicaId: int32('3+', { default: -2, ignorable: true }),
    topics: array({
      topic: string(),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32({ default: -1 }),
        leaderEpoch: int32(),
      }),
    }),
  },
)

export type OffsetForLeaderEpochRequest = Infer<typeof OffsetForLeaderEpochRequest>

export const OffsetForLeaderEpochResponse = response(
  { key: 23, name: 'OffsetForLeaderEpochResponse', versions: '2-4', flexible: '4+' },
  {
    throttleTimeMs: int32(),
    topics: array({
      topic: string(),
      partitions: array({
        errorCode: int16(),
        partition: int32(),
        leaderEpoch: int32({ default: -1 }),
        endOffset: int64({ default: -1 }),
      }),
    }),
  },
)

export type OffsetForLeaderEpochResponse = Infer<typeof OffsetForLeaderEpochResponse>
