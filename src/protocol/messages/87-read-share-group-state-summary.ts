// ReadShareGroupStateSummary (87): reads start offset and epochs of the persistent state of share partitions.

import { array, type Infer, int16, int32, int64, request, response, string, uuid } from '../schema.ts'

export const ReadShareGroupStateSummaryRequest = request(
  { key: 87, name: 'ReadShareGroupStateSummaryRequest', versions: '0-1', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        leaderEpoch: int32(),
      }),
    }),
  },
)

export type ReadShareGroupStateSummaryRequest = Infer<typeof ReadShareGroupStateSummaryRequest>

export const ReadShareGroupStateSummaryResponse = response(
  { key: 87, name: 'ReadShareGroupStateSummaryResponse', versions: '0-1', flexible: '0+' },
  {
    results: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
        stateEpoch: int32(),
        leaderEpoch: int32(),
        startOffset: int64(),
        deliveryCompleteCount: int32('1+', { default: -1 }),
      }),
    }),
  },
)

export type ReadShareGroupStateSummaryResponse = Infer<typeof ReadShareGroupStateSummaryResponse>
