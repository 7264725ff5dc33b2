/**
 * DescribeClientQuotas: the quotas whose entity matches a filter, as they are stored. What counts for a client is decided by
 * `ClientQuotas.limitOf`, not here.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  DescribeClientQuotasRequest,
  DescribeClientQuotasResponse,
} from '../../protocol/messages/48-describe-client-quotas.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 48,
  name: 'DescribeClientQuotas',
  request: DescribeClientQuotasRequest,
  response: DescribeClientQuotasResponse,
  versions: [0, 1],
  authorize(context) {
    if (context.allowed('DESCRIBE_CONFIGS', 'CLUSTER', 'kafka-cluster')) return null
    return failed(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, 'Cluster authorization failed.')
  },
  handle(context, { components, strict }) {
    const described = context.broker.clientQuotas.describe(components, strict)
    if (!described.ok) return failed(described.errorCode, described.errorMessage)
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: '', entries: described.entries }
  },
})

function failed(errorCode: ErrorCode, errorMessage: string) {
  return { throttleTimeMs: 0, errorCode, errorMessage, entries: null }
}
