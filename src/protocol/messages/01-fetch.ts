// Fetch (1): record batches from a leader to a consumer or a follower; answered when enough bytes are there.

import {
  array,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  records,
  request,
  response,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const FetchRequest = request(
  { key: 1, name: 'FetchRequest', versions: '4-18', flexible: '12+' },
  {
    clusterId: string('12+', { nullable: true, default: null, ignorable: true, tag: 0 }),
    replicaId: int32('4-14', { default: -1 }),
    replicaState: struct(
      {
        replicaId: int32({ default: -1 }),
        replicaEpoch: int64({ default: -1 }),
      },
      '15+',
      { tag: 1 },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ default: 2147483647 }),
    isolationLevel: int8({ default: 0 }),
    sessionId: int32('7+', { default: 0, ignorable: true }),
    sessionEpoch: int32('7+', { default: -1, ignorable: true }),
    topics: array({
      topic: string('4-12', { ignorable: true }),
      topicId: uuid('13+', { ignorable: true }),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32('9+', { default: -1, ignorable: true }),
        fetchOffset: int64(),
        lastFetchedEpoch: int32('12+', { default: -1 }),
        logStartOffset: int64('5+', { default: -1, ignorable: true }),
        partitionMaxBytes: int32(),
        replicaDirectoryId: uuid('17+', { ignorable: true, tag: 0 }),
        highWatermark: int64('18+', { default: Number.MAX_SAFE_INTEGER, ignorable: true, tag: 1 }),
      }),
    }),
    forgottenTopicsData: array(
      {
        topic: string('7-12', { ignorable: true }),
        topicId: uuid('13+', { ignorable: true }),
        partitions: array(int32),
      },
      '7+',
    ),
    rackId: string('11+', { default: '', ignorable: true }),
  },
)

export type FetchRequest = Infer<typeof FetchRequest>

export const FetchResponse = response(
  { key: 1, name: 'FetchResponse', versions: '4-18', flexible: '12+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16('7+'),
    sessionId: int32('7+', { default: 0 }),
    responses: array({
      topic: string('4-12'),
      topicId: uuid('13+'),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        highWatermark: int64(),
        lastStableOffset: int64({ default: -1 }),
        logStartOffset: int64('5+', { default: -1 }),
        divergingEpoch: struct(
          {
            epoch: int32({ default: -1 }),
            endOffset: int64({ default: -1 }),
          },
          '12+',
          { tag: 0 },
        ),
        currentLeader: struct(
          {
            leaderId: int32({ default: -1 }),
            leaderEpoch: int32({ default: -1 }),
          },
          '12+',
          { tag: 1 },
        ),
        snapshotId: struct(
          {
            endOffset: int64({ default: -1 }),
            epoch: int32({ default: -1 }),
          },
          '12+',
          { tag: 2 },
        ),
        abortedTransactions: array(
          {
            producerId: int64(),
            firstOffset: int64(),
          },
          { nullable: true },
        ),
        preferredReadReplica: int32('11+', { default: -1 }),
        records: records({ nullable: true }),
      }),
    }),
    nodeEndpoints: array(
      {
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: true, default: null }),
      },
      '16+',
      { tag: 0 },
    ),
  },
)

export type FetchResponse = Infer<typeof FetchResponse>
