// Produce (0): record batches from a producer to the leaders of their partitions.

import { array, type Infer, int16, int32, int64, records, request, response, string, struct, uuid } from '../schema.ts'

export const ProduceRequest = request(
  { key: 0, name: 'ProduceRequest', versions: '3-13', flexible: '9+' },
  {
    transactionalId: string({ nullable: true, default: null }),
    acks: int16(),
    timeoutMs: int32(),
    topicData: array({
      name: string('3-12', { ignorable: true }),
      topicId: uuid('13+', { ignorable: true }),
      partitionData: array({
        index: int32(),
        records: records({ nullable: true }),
      }),
    }),
  },
)

export type ProduceRequest = Infer<typeof ProduceRequest>

export const ProduceResponse = response(
  { key: 0, name: 'ProduceResponse', versions: '3-13', flexible: '9+' },
  {
    responses: array({
      name: string('3-12'),
      topicId: uuid('13+'),
      partitionResponses: array({
        index: int32(),
        errorCode: int16(),
        baseOffset: int64(),
        logAppendTimeMs: int64({ default: -1 }),
        logStartOffset: int64('5+', { default: -1 }),
        recordErrors: array(
          {
            batchIndex: int32(),
            batchIndexErrorMessage: string({ nullable: true, default: null }),
          },
          '8+',
        ),
        errorMessage: string('8+', { nullable: true, default: null }),
        currentLeader: struct(
          {
            leaderId: int32({ default: -1 }),
            leaderEpoch: int32({ default: -1 }),
          },
          '10+',
          { tag: 0 },
        ),
      }),
    }),
    throttleTimeMs: int32({ default: 0 }),
    nodeEndpoints: array(
      {
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: true, default: null }),
      },
      '10+',
      { tag: 0 },
    ),
  },
)

export type ProduceResponse = Infer<typeof ProduceResponse>
