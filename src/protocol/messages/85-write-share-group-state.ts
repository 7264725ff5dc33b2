// WriteShareGroupState (85): writes the persistent state of share partitions.

import { array, type Infer, int8, int16, int32, int64, request, response, string, uuid } from '../schema.ts'

export const WriteShareGroupStateRequest = request(
  { key: 85, name: 'WriteShareGroupStateRequest', versions: '0-1', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        stateEpoch: int32(),
        leaderEpoch: int32(),
        startOffset: int64(),
        deliveryCompleteCount: int32('1+', { default: -1, ignorable: true }),
        stateBatches: array({
          firstOffset: int64(),
          lastOffset: int64(),
          deliveryState: int8(),
          deliveryCount: int16(),
        }),
      }),
    }),
  },
)

export type WriteShareGroupStateRequest = Infer<typeof WriteShareGroupStateRequest>

export const WriteShareGroupStateResponse = response(
  { key: 85, name: 'WriteShareGroupStateResponse', versions: '0-1', flexible: '0+' },
  {
    results: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
      }),
    }),
  },
)

export type WriteShareGroupStateResponse = Infer<typeof WriteShareGroupStateResponse>
