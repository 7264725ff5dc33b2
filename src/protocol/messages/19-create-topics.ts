// CreateTopics (19): creates topics.

import { array, bool, type Infer, int8, int16, int32, request, response, string, uuid } from '../schema.ts'

export const CreateTopicsRequest = request(
  { key: 19, name: 'CreateTopicsRequest', versions: '2-7', flexible: '5+' },
  {
    topics: array({
      name: string(),
      numPartitions: int32(),
      replicationFactor: int16(),
      assignments: array({
        partitionIndex: int32(),
        brokerIds: array(int32),
      }),
      configs: array({
        name: string(),
        value: string({ nullable: true }),
      }),
    }),
    timeoutMs: int32({ default: 60000 }),
    validateOnly: bool({ default: false }),
  },
)

export type CreateTopicsRequest = Infer<typeof CreateTopicsRequest>

export const CreateTopicsResponse = response(
  { key: 19, name: 'CreateTopicsResponse', versions: '2-7', flexible: '5+' },
  {
    throttleTimeMs: int32(),
    topics: array({
      name: string(),
      topicId: uuid('7+'),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      topicConfigErrorCode: int16('5+', { tag: 0 }),
      numPartitions: int32('5+', { default: -1 }),
      replicationFactor: int16('5+', { default: -1 }),
      configs: array(
        {
          name: string(),
          value: string({ nullable: true }),
          readOnly: bool(),
          configSource: int8({ default: -1 }),
          isSensitive: bool(),
        },
        '5+',
        { nullable: true },
      ),
    }),
  },
)

export type CreateTopicsResponse = Infer<typeof CreateTopicsResponse>
