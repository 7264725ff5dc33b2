// DeleteShareGroupState (86): deletes the persistent state of share partitions.

import { array, type Infer, int16, int32, request, response, string, uuid } from '../schema.ts'

export const DeleteShareGroupStateRequest = request(
  { key: 86, name: 'DeleteShareGroupStateRequest', versions: '0', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
      }),
    }),
  },
)

export type DeleteShareGroupStateRequest = Infer<typeof DeleteShareGroupStateRequest>

export const DeleteShareGroupStateResponse = response(
  { key: 86, name: 'DeleteShareGroupStateResponse', versions: '0', flexible: '0+' },
  {
    results: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
      }),
    }),
  },
)

export type DeleteShareGroupStateResponse = Infer<typeof DeleteShareGroupStateResponse>
