// DeleteTopics (20): deletes topics, by name or by id.

import { array, type Infer, int16, int32, request, response, string, uuid } from '../schema.ts'

export const DeleteTopicsRequest = request(
  { key: 20, name: 'DeleteTopicsRequest', versions: '1-6', flexible: '4+' },
  {
    topics: array(
      {
        name: string({ nullable: true, default: null }),
        topicId: uuid(),
      },
      '6+',
    ),
    topicNames: array(string, '1-5', { ignorable: true }),
    timeoutMs: int32(),
  },
)

export type DeleteTopicsRequest = Infer<typeof DeleteTopicsRequest>

export const DeleteTopicsResponse = response(
  { key: 20, name: 'DeleteTopicsResponse', versions: '1-6', flexible: '4+' },
  {
    throttleTimeMs: int32(),
    responses: array({
      name: string({ nullable: '6+' }),
      topicId: uuid('6+'),
      errorCode: int16(),
      errorMessage: string('5+', { nullable: true, default: null }),
    }),
  },
)

export type DeleteTopicsResponse = Infer<typeof DeleteTopicsResponse>
