// AlterPartitionReassignments (45): starts or cancels moving partitions to other brokers.

import { array, bool, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const AlterPartitionReassignmentsRequest = request(
  { key: 45, name: 'AlterPartitionReassignmentsRequest', versions: '0-1', flexible: '0+' },
  {
    timeoutMs: int32({ default: 60000 }),
    allowReplicationFactorChange: bool('1+', { default: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        replicas: array(int32, { nullable: true, default: null }),
      }),
    }),
  },
)

export type AlterPartitionReassignmentsRequest = Infer<typeof AlterPartitionReassignmentsRequest>

export const AlterPartitionReassignmentsResponse = response(
  { key: 45, name: 'AlterPartitionReassignmentsResponse', versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    allowReplicationFactorChange: bool('1+', { default: true }),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    responses: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
      }),
    }),
  },
)

export type AlterPartitionReassignmentsResponse = Infer<typeof AlterPartitionReassignmentsResponse>
