// DescribeProducers (61): producers with state in partitions.

import { array, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const DescribeProducersRequest = request(
  { key: 61, name: 'DescribeProducersRequest', versions: '0', flexible: '0+' },
  {
    topics: array({
      name: string(),
      partitionIndexes: array(int32),
    }),
  },
)

export type DescribeProducersRequest = Infer<typeof DescribeProducersRequest>

export const DescribeProducersResponse = response(
  { key: 61, name: 'DescribeProducersResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
        activeProducers: array({
          producerId: int64(),
          producerEpoch: int32(),
          lastSequence: int32({ default: -1 }),
          lastTimestamp: int64({ default: -1 }),
          coordinatorEpoch: int32(),
          currentTxnStartOffset: int64({ default: -1 }),
        }),
      }),
    }),
  },
)

export type DescribeProducersResponse = Infer<typeof DescribeProducersResponse>
