/** AlterClientQuotas. The rules are in metadata/client-quotas.ts; a change is in force when it is answered. */
import { ErrorCode } from '../../protocol/errors.ts'
import { AlterClientQuotasRequest, AlterClientQuotasResponse } from '../../protocol/messages/49-alter-client-quotas.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 49,
  name: 'AlterClientQuotas',
  request: AlterClientQuotasRequest,
  response: AlterClientQuotasResponse,
  versions: [0, 1],
  notes: [
    'Quotas of an ip are for addresses; host names are refused.',
    "request_percentage counts the time that the broker's thread spends on decoding and handling; 100 is the whole thread.",
  ],
  authorize(context, request) {
    if (context.allowed('ALTER_CONFIGS', 'CLUSTER', 'kafka-cluster')) return null
    const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    const entries = request.entries.map(({ entity }) => ({ errorCode, errorMessage: null, entity }))
    return { throttleTimeMs: 0, entries }
  },
  async handle(context, request) {
    const entries = await context.broker.clientQuotas.alter(request.entries, request.validateOnly)
    return { throttleTimeMs: 0, entries }
  },
})
