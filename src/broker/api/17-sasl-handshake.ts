/** SaslHandshake: the first step of an authentication. Listeners here ask for none, and say so as Kafka's do. */
import { ErrorCode } from '../../protocol/errors.ts'
import { SaslHandshakeRequest, SaslHandshakeResponse } from '../../protocol/messages/17-sasl-handshake.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 17,
  name: 'SaslHandshake',
  request: SaslHandshakeRequest,
  response: SaslHandshakeResponse,
  versions: [0, 1],
  notes: ['Nobody has to authenticate in this version: the answer is ILLEGAL_SASL_STATE.'],
  handle: () => ({ errorCode: ErrorCode.ILLEGAL_SASL_STATE, mechanisms: [] }),
})
