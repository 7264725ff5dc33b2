// Metadata (3): brokers, topics and who leads their partitions.

import { array, bool, type Infer, int16, int32, request, response, string, uuid } from '../schema.ts'

export const MetadataRequest = request(
  { key: 3, name: 'MetadataRequest', versions: '0-13', flexible: '9+' },
  {
    topics: array(
      {
        topicId: uuid('10+', { ignorable: true }),
        name: string({ nullable: '10+' }),
      },
      { nullable: '1+' },
    ),
    allowAutoTopicCreation: bool('4+', { default: true }),
    includeClusterAuthorizedOperations: bool('8-10'),
    includeTopicAuthorizedOperations: bool('8+'),
  },
)

export type MetadataRequest = Infer<typeof MetadataRequest>

export const MetadataResponse = response(
  { key: 3, name: 'MetadataResponse', versions: '0-13', flexible: '9+' },
  {
    throttleTimeMs: int32('3+'),
    brokers: array({
      nodeId: int32(),
      host: string(),
      port: int32(),
      rack: string('1+', { nullable: true, default: null }),
    }),
    clusterId: string('2+', { nullable: true, default: null }),
    controllerId: int32('1+', { default: -1 }),
    topics: array({
      errorCode: int16(),
      name: string({ nullable: '12+' }),
      topicId: uuid('10+'),
      isInternal: bool('1+', { default: false }),
      partitions: array({
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32('7+', { default: -1 }),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        offlineReplicas: array(int32, '5+'),
      }),
      topicAuthorizedOperations: int32('8+', { default: -2147483648 }),
    }),
    clusterAuthorizedOperations: int32('8-10', { default: -2147483648 }),
    errorCode: int16('13+'),
  },
)

export type MetadataResponse = Infer<typeof MetadataResponse>
