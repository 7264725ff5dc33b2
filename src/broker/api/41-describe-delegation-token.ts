/** DescribeDelegationToken. There are no tokens on an open listener. */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  DescribeDelegationTokenRequest,
  DescribeDelegationTokenResponse,
} from '../../protocol/messages/41-describe-delegation-token.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 41,
  name: 'DescribeDelegationToken',
  request: DescribeDelegationTokenRequest,
  response: DescribeDelegationTokenResponse,
  versions: [1, 3],
  handle() {
    return { errorCode: ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, tokens: [], throttleTimeMs: 0 }
  },
})
