// DescribeDelegationToken (41): lists delegation tokens.

import { array, bytes, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const DescribeDelegationTokenRequest = request(
  { key: 41, name: 'DescribeDelegationTokenRequest', versions: '1-3', flexible: '2+' },
  {
    owners: array(
      {
        principalType: string(),
        principalName: string(),
      },
      { nullable: true },
    ),
  },
)

export type DescribeDelegationTokenRequest = Infer<typeof DescribeDelegationTokenRequest>

export const DescribeDelegationTokenResponse = response(
  { key: 41, name: 'DescribeDelegationTokenResponse', versions: '1-3', flexible: '2+' },
  {
    errorCode: int16(),
    tokens: array({
      principalType: string(),
      principalName: string(),
      tokenRequesterPrincipalType: string('3+'),
      tokenRequesterPrincipalName: string('3+'),
      issueTimestamp: int64(),
      expiryTimestamp: int64(),
      maxTimestamp: int64(),
      tokenId: string(),
      hmac: bytes(),
      renewers: array({
        principalType: string(),
        principalName: string(),
      }),
    }),
    throttleTimeMs: int32(),
  },
)

export type DescribeDelegationTokenResponse = Infer<typeof DescribeDelegationTokenResponse>
