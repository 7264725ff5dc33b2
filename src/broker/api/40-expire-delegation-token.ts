/** ExpireDelegationToken. There are no tokens on an open listener. */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  ExpireDelegationTokenRequest,
  ExpireDelegationTokenResponse,
} from '../../protocol/messages/40-expire-delegation-token.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 40,
  name: 'ExpireDelegationToken',
  request: ExpireDelegationTokenRequest,
  response: ExpireDelegationTokenResponse,
  versions: [1, 2],
  handle() {
    return {
      errorCode: ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
      expiryTimestampMs: -1,
      throttleTimeMs: 0,
    }
  },
})
