// DescribeTopicPartitions (75): topics and their partitions, page by page.

import { array, bool, type Infer, int16, int32, request, response, string, struct, uuid } from '../schema.ts'

export const DescribeTopicPartitionsRequest = request(
  { key: 75, name: 'DescribeTopicPartitionsRequest', versions: '0', flexible: '0+' },
  {
    topics: array({
      name: string(),
    }),
    responsePartitionLimit: int32({ default: 2000 }),
    cursor: struct(
      {
        topicName: string(),
        partitionIndex: int32(),
      },
      { nullable: true, default: null },
    ),
  },
)

export type DescribeTopicPartitionsRequest = Infer<typeof DescribeTopicPartitionsRequest>

export const DescribeTopicPartitionsResponse = response(
  { key: 75, name: 'DescribeTopicPartitionsResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    topics: array({
      errorCode: int16(),
      name: string({ nullable: true }),
      topicId: uuid(),
      isInternal: bool({ default: false }),
      partitions: array({
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32({ default: -1 }),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        eligibleLeaderReplicas: array(int32, { nullable: true, default: null }),
        lastKnownElr: array(int32, { nullable: true, default: null }),
        offlineReplicas: array(int32),
      }),
      topicAuthorizedOperations: int32({ default: -2147483648 }),
    }),
    nextCursor: struct(
      {
        topicName: string(),
        partitionIndex: int32(),
      },
      { nullable: true, default: null },
    ),
  },
)

export type DescribeTopicPartitionsResponse = Infer<typeof DescribeTopicPartitionsResponse>
