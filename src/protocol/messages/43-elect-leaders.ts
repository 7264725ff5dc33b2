// ElectLeaders (43): elects leaders of partitions.

import { array, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const ElectLeadersRequest = request(
  { key: 43, name: 'ElectLeadersRequest', versions: '0-2', flexible: '2+' },
  {
    electionType: int8('1+'),
    topicPartitions: array(
      {
        topic: string(),
        partitions: array(int32),
      },
      { nullable: true },
    ),
    timeoutMs: int32({ default: 60000 }),
  },
)

export type ElectLeadersRequest = Infer<typeof ElectLeadersRequest>

export const ElectLeadersResponse = response(
  { key: 43, name: 'ElectLeadersResponse', versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16('1+'),
    replicaElectionResults: array({
      topic: string(),
      partitionResult: array({
        partitionId: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
      }),
    }),
  },
)

export type ElectLeadersResponse = Infer<typeof ElectLeadersResponse>
