// CreatePartitions (37): gives topics more partitions.

import { array, bool, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const CreatePartitionsRequest = request(
  { key: 37, name: 'CreatePartitionsRequest', versions: '0-3', flexible: '2+' },
  {
    topics: array({
      name: string(),
      count: int32(),
      assignments: array(
        {
          brokerIds: array(int32),
        },
        { nullable: true },
      ),
    }),
    timeoutMs: int32(),
    validateOnly: bool(),
  },
)

export type CreatePartitionsRequest = Infer<typeof CreatePartitionsRequest>

export const CreatePartitionsResponse = response(
  { key: 37, name: 'CreatePartitionsResponse', versions: '0-3', flexible: '2+' },
  {
    throttleTimeMs: int32(),
    results: array({
      name: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
    }),
  },
)

export type CreatePartitionsResponse = Infer<typeof CreatePartitionsResponse>
