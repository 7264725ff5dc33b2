// OffsetFetch (9): the positions groups have committed.

import { array, bool, type Infer, int16, int32, int64, request, response, string, uuid } from '../schema.ts'

export const OffsetFetchRequest = request(
  { key: 9, name: 'OffsetFetchRequest', versions: '1-10', flexible: '6+' },
  {
    groupId: string('1-7'),
    topics: array(
      {
        name: string(),
        partitionIndexes: array(int32),
      },
      '1-7',
      { nullable: '2-7' },
    ),
    groups: array(
      {
        groupId: string(),
        memberId: string('9+', { nullable: true, default: null, ignorable: true }),
        memberEpoch: int32('9+', { default: -1, ignorable: true }),
        topics: array(
          {
            name: string('8-9', { ignorable: true }),
            topicId: uuid('10+', { ignorable: true }),
            partitionIndexes: array(int32),
          },
          { nullable: true },
        ),
      },
      '8+',
    ),
    requireStable: bool('7+', { default: false }),
  },
)

export type OffsetFetchRequest = Infer<typeof OffsetFetchRequest>

export const OffsetFetchResponse = response(
  { key: 9, name: 'OffsetFetchResponse', versions: '1-10', flexible: '6+' },
  {
    throttleTimeMs: int32('3+'),
    topics: array(
      {
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          committedOffset: int64(),
          committedLeaderEpoch: int32('5-7', { default: -1 }),
          metadata: string({ nullable: true }),
          errorCode: int16(),
        }),
      },
      '1-7',
    ),
    errorCode: int16('2-7', { default: 0 }),
    groups: array(
      {
        groupId: string(),
        topics: array({
          name: string('8-9'),
          topicId: uuid('10+'),
          partitions: array({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ default: -1 }),
            metadata: string({ nullable: true }),
            errorCode: int16(),
          }),
        }),
        errorCode: int16({ default: 0 }),
      },
      '8+',
    ),
  },
)

export type OffsetFetchResponse = Infer<typeof OffsetFetchResponse>
