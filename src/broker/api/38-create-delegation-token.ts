/** CreateDelegationToken. A token stands for somebody who has logged in, which nobody has on an open listener. */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  CreateDelegationTokenRequest,
  CreateDelegationTokenResponse,
} from '../../protocol/messages/38-create-delegation-token.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 38,
  name: 'CreateDelegationToken',
  request: CreateDelegationTokenRequest,
  response: CreateDelegationTokenResponse,
  versions: [1, 3],
  notes: ['Listeners are open: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as for the other token requests.'],
  handle({ principal, apiVersion }, { ownerPrincipalType, ownerPrincipalName }) {
    const [type = '', name = ''] = principal.split(':', 2)
    const isForAnother = ownerPrincipalName !== null && ownerPrincipalName !== ''
    const owner = isForAnother ? [ownerPrincipalType ?? '', ownerPrincipalName] : [type, name]
    return {
      errorCode: ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
      principalType: owner[0] ?? '',
      principalName: owner[1] ?? '',
      ...(apiVersion >= REQUESTER_SINCE && { tokenRequesterPrincipalType: type, tokenRequesterPrincipalName: name }),
      issueTimestampMs: -1,
      expiryTimestampMs: -1,
      maxTimestampMs: -1,
      tokenId: '',
      hmac: Buffer.alloc(0),
      throttleTimeMs: 0,
    }
  },
})

const REQUESTER_SINCE = 3
