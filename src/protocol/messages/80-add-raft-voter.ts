// AddRaftVoter (80): adds a voter to the metadata quorum.

import { array, bool, type Infer, int16, int32, request, response, string, uint16, uuid } from '../schema.ts'

export const AddRaftVoterRequest = request(
  { key: 80, name: 'AddRaftVoterRequest', versions: '0-1', flexible: '0+' },
  {
    clusterId: string({ nullable: true }),
    timeoutMs: int32(),
    voterId: int32(),
    voterDirectoryId: uuid(),
    listeners: array({
      name: string(),
      host: string(),
      port: uint16(),
    }),
    ackWhenCommitted: bool('1+', { default: true }),
  },
)

export type AddRaftVoterRequest = Infer<typeof AddRaftVoterRequest>

export const AddRaftVoterResponse = response(
  { key: 80, name: 'AddRaftVoterResponse', versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
  },
)

export type AddRaftVoterResponse = Infer<typeof AddRaftVoterResponse>
