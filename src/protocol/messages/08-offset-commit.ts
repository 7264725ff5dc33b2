// OffsetCommit (8): the positions a group has reached.

import { array, type Infer, int16, int32, int64, request, response, string, uuid } from '../schema.ts'

export const OffsetCommitRequest = request(
  { key: 8, name: 'OffsetCommitRequest', versions: '2-10', flexible: '8+' },
  {
    groupId: string(),
    generationIdOrMemberEpoch: int32({ default: -1 }),
    memberId: string(),
    groupInstanceId: string('7+', { nullable: true, default: null }),
    retentionTimeMs: int64('2-4', { default: -1, ignorable: true }),
    topics: array({
      name: string('2-9', { ignorable: true }),
      topicId: uuid('10+', { ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32('6+', { default: -1, ignorable: true }),
        committedMetadata: string({ nullable: true }),
      }),
    }),
  },
)

export type OffsetCommitRequest = Infer<typeof OffsetCommitRequest>

export const OffsetCommitResponse = response(
  { key: 8, name: 'OffsetCommitResponse', versions: '2-10', flexible: '8+' },
  {
    throttleTimeMs: int32('3+'),
    topics: array({
      name: string('2-9'),
      topicId: uuid('10+'),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)

export type OffsetCommitResponse = Infer<typeof OffsetCommitResponse>
