// DescribeShareGroupOffsets (90): the start offsets of share groups.

import { array, type Infer, int16, int32, int64, request, response, string, uuid } from '../schema.ts'

export const DescribeShareGroupOffsetsRequest = request(
  { key: 90, name: 'DescribeShareGroupOffsetsRequest', versions: '0-1', flexible: '0+' },
  {
    groups: array({
      groupId: string(),
      topics: array(
        {
          topicName: string(),
          partitions: array(int32),
        },
        { nullable: true },
      ),
    }),
  },
)

export type DescribeShareGroupOffsetsRequest = Infer<typeof DescribeShareGroupOffsetsRequest>

export const DescribeShareGroupOffsetsResponse = response(
  { key: 90, name: 'DescribeShareGroupOffsetsResponse', versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    groups: array({
      groupId: string(),
      topics: array({
        topicName: string(),
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          startOffset: int64(),
          leaderEpoch: int32(),
          lag: int64('1+', { default: -1 }),
          errorCode: int16(),
          errorMessage: string({ nullable: true, default: null }),
        }),
      }),
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
    }),
  },
)

export type DescribeShareGroupOffsetsResponse = Infer<typeof DescribeShareGroupOffsetsResponse>
