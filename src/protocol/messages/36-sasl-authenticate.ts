// SaslAuthenticate (36): one step of a SASL exchange.

import { bytes, type Infer, int16, int64, request, response, string } from '../schema.ts'

export const SaslAuthenticateRequest = request(
  { key: 36, name: 'SaslAuthenticateRequest', versions: '0-2', flexible: '2+' },
  {
    authBytes: bytes(),
  },
)

export type SaslAuthenticateRequest = Infer<typeof SaslAuthenticateRequest>

export const SaslAuthenticateResponse = response(
  { key: 36, name: 'SaslAuthenticateResponse', versions: '0-2', flexible: '2+' },
  {
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    authBytes: bytes(),
    sessionLifetimeMs: int64('1+', { default: 0 }),
  },
)

export type SaslAuthenticateResponse = Infer<typeof SaslAuthenticateResponse>
