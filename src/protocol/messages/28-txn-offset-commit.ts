// TxnOffsetCommit (28): the positions a group reaches when a transaction commits.

import { array, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const TxnOffsetCommitRequest = request(
  { key: 28, name: 'TxnOffsetCommitRequest', versions: '0-5', flexible: '3+' },
  {
    transactionalId: string(),
    groupId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    generationId: int32('3+', { default: -1 }),
    memberId: string('3+', { default: '' }),
    groupInstanceId: string('3+', { nullable: true, default: null }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32('2+', { default: -1, ignorable: true }),
        committedMetadata: string({ nullable: true }),
      }),
    }),
  },
)

export type TxnOffsetCommitRequest = Infer<typeof TxnOffsetCommitRequest>

export const TxnOffsetCommitResponse = response(
  { key: 28, name: 'TxnOffsetCommitResponse', versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32(),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)

export type TxnOffsetCommitResponse = Infer<typeof TxnOffsetCommitResponse>
