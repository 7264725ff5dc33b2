// UnregisterBroker (64): removes a broker that is gone from the cluster.

import { type Infer, int16, int32, request, response, string } from '../schema.ts'

export const UnregisterBrokerRequest = request(
  { key: 64, name: 'UnregisterBrokerRequest', versions: '0', flexible: '0+' },
  {
    brokerId: int32(),
  },
)

export type UnregisterBrokerRequest = Infer<typeof UnregisterBrokerRequest>

export const UnregisterBrokerResponse = response(
  { key: 64, name: 'UnregisterBrokerResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
  },
)

export type UnregisterBrokerResponse = Infer<typeof UnregisterBrokerResponse>
