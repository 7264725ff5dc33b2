// DescribeQuorum (55): state of the metadata quorum.

import { array, type Infer, int16, int32, int64, request, response, string, uint16, uuid } from '../schema.ts'

export const DescribeQuorumRequest = request(
  { key: 55, name: 'DescribeQuorumRequest', versions: '0-2', flexible: '0+' },
  {
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
      }),
    }),
  },
)

export type DescribeQuorumRequest = Infer<typeof DescribeQuorumRequest>

const ReplicaState = {
  replicaId: int32(),
  replicaDirectoryId: uuid('2+'),
  logEndOffset: int64(),
  lastFetchTimestamp: int64('1+', { default: -1 }),
  lastCaughtUpTimestamp: int64('1+', { default: -1 }),
}

export const DescribeQuorumResponse = response(
  { key: 55, name: 'DescribeQuorumResponse', versions: '0-2', flexible: '0+' },
  {
    errorCode: int16(),
    errorMessage: string('2+', { nullable: true }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string('2+', { nullable: true }),
        leaderId: int32(),
        leaderEpoch: int32(),
        highWatermark: int64(),
        currentVoters: array(ReplicaState),
        observers: array(ReplicaState),
      }),
    }),
    nodes: array(
      {
        nodeId: int32(),
        listeners: array({
          name: string(),
          host: string(),
          port: uint16(),
        }),
      },
      '2+',
    ),
  },
)

export type DescribeQuorumResponse = Infer<typeof DescribeQuorumResponse>
