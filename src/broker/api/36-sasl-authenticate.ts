/** SaslAuthenticate: a step of an authentication that nobody began, because listeners here ask for none. */
import { ErrorCode } from '../../protocol/errors.ts'
import { SaslAuthenticateRequest, SaslAuthenticateResponse } from '../../protocol/messages/36-sasl-authenticate.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 36,
  name: 'SaslAuthenticate',
  request: SaslAuthenticateRequest,
  response: SaslAuthenticateResponse,
  versions: [0, 2],
  notes: ['Nobody has to authenticate in this version: the answer is ILLEGAL_SASL_STATE.'],
  handle: () => ({
    errorCode: ErrorCode.ILLEGAL_SASL_STATE,
    errorMessage: 'SaslAuthenticate request received after successful authentication',
    authBytes: Buffer.alloc(0),
  }),
})
