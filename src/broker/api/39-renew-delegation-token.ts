/** RenewDelegationToken. There are no tokens on an open listener. */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  RenewDelegationTokenRequest,
  RenewDelegationTokenResponse,
} from '../../protocol/messages/39-renew-delegation-token.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 39,
  name: 'RenewDelegationToken',
  request: RenewDelegationTokenRequest,
  response: RenewDelegationTokenResponse,
  versions: [1, 2],
  handle() {
    return {
      errorCode: ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
      expiryTimestampMs: -1,
      throttleTimeMs: 0,
    }
  },
})
