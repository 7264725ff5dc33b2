// CreateDelegationToken (38): issues a delegation token.

import { array, bytes, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const CreateDelegationTokenRequest = request(
  { key: 38, name: 'CreateDelegationTokenRequest', versions: '1-3', flexible: '2+' },
  {
    ownerPrincipalType: string('3+', { nullable: true }),
    ownerPrincipalName: string('3+', { nullable: true }),
    renewers: array({
      principalType: string(),
      principalName: string(),
    }),
    maxLifetimeMs: int64(),
  },
)

export type CreateDelegationTokenRequest = Infer<typeof CreateDelegationTokenRequest>

export const CreateDelegationTokenResponse = response(
  { key: 38, name: 'CreateDelegationTokenResponse', versions: '1-3', flexible: '2+' },
  {
    errorCode: int16(),
    principalType: string(),
    principalName: string(),
    tokenRequesterPrincipalType: string('3+'),
    tokenRequesterPrincipalName: string('3+'),
    issueTimestampMs: int64(),
    expiryTimestampMs: int64(),
    maxTimestampMs: int64(),
    tokenId: string(),
    hmac: bytes(),
    throttleTimeMs: int32(),
  },
)

export type CreateDelegationTokenResponse = Infer<typeof CreateDelegationTokenResponse>
