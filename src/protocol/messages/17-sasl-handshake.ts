// SaslHandshake (17): the client names the SASL mechanism it is going to use.

import { array, type Infer, int16, request, response, string } from '../schema.ts'

export const SaslHandshakeRequest = request(
  { key: 17, name: 'SaslHandshakeRequest', versions: '0-1', flexible: 'none' },
  {
    mechanism: string(),
  },
)

export type SaslHandshakeRequest = Infer<typeof SaslHandshakeRequest>

export const SaslHandshakeResponse = response(
  { key: 17, name: 'SaslHandshakeResponse', versions: '0-1', flexible: 'none' },
  {
    errorCode: int16(),
    mechanisms: array(string),
  },
)

export type SaslHandshakeResponse = Infer<typeof SaslHandshakeResponse>
