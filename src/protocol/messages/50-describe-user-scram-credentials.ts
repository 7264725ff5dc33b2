// DescribeUserScramCredentials (50): which SCRAM credentials users have.

import { array, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const DescribeUserScramCredentialsRequest = request(
  { key: 50, name: 'DescribeUserScramCredentialsRequest', versions: '0', flexible: '0+' },
  {
    users: array(
      {
        name: string(),
      },
      { nullable: true },
    ),
  },
)

export type DescribeUserScramCredentialsRequest = Infer<typeof DescribeUserScramCredentialsRequest>

export const DescribeUserScramCredentialsResponse = response(
  { key: 50, name: 'DescribeUserScramCredentialsResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    results: array({
      user: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      credentialInfos: array({
        mechanism: int8(),
        iterations: int32(),
      }),
    }),
  },
)

export type DescribeUserScramCredentialsResponse = Infer<typeof DescribeUserScramCredentialsResponse>
