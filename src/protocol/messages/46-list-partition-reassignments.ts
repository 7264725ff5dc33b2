// ListPartitionReassignments (46): the moves of partitions under way.

import { array, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const ListPartitionReassignmentsRequest = request(
  { key: 46, name: 'ListPartitionReassignmentsRequest', versions: '0', flexible: '0+' },
  {
    timeoutMs: int32({ default: 60000 }),
    topics: array(
      {
        name: string(),
        partitionIndexes: array(int32),
      },
      { nullable: true, default: null },
    ),
  },
)

export type ListPartitionReassignmentsRequest = Infer<typeof ListPartitionReassignmentsRequest>

export const ListPartitionReassignmentsResponse = response(
  { key: 46, name: 'ListPartitionReassignmentsResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        replicas: array(int32),
        addingReplicas: array(int32),
        removingReplicas: array(int32),
      }),
    }),
  },
)

export type ListPartitionReassignmentsResponse = Infer<typeof ListPartitionReassignmentsResponse>
