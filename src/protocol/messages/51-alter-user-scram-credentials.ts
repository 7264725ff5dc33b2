// AlterUserScramCredentials (51): creates, changes and deletes SCRAM credentials.

import { array, bytes, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const AlterUserScramCredentialsRequest = request(
  { key: 51, name: 'AlterUserScramCredentialsRequest', versions: '0', flexible: '0+' },
  {
    deletions: array({
      name: string(),
      mechanism: int8(),
    }),
    upsertions: array({
      name: string(),
      mechanism: int8(),
      iterations: int32(),
      salt: bytes(),
      saltedPassword: bytes(),
    }),
  },
)

export type AlterUserScramCredentialsRequest = Infer<typeof AlterUserScramCredentialsRequest>

export const AlterUserScramCredentialsResponse = response(
  { key: 51, name: 'AlterUserScramCredentialsResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    results: array({
      user: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
    }),
  },
)

export type AlterUserScramCredentialsResponse = Infer<typeof AlterUserScramCredentialsResponse>
