/** DescribeUserScramCredentials: mechanisms and iterations, never a secret. */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  DescribeUserScramCredentialsRequest,
  DescribeUserScramCredentialsResponse,
} from '../../protocol/messages/50-describe-user-scram-credentials.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 50,
  name: 'DescribeUserScramCredentials',
  request: DescribeUserScramCredentialsRequest,
  response: DescribeUserScramCredentialsResponse,
  versions: [0, 0],
  authorize(context) {
    if (context.allowed('DESCRIBE', 'CLUSTER', 'kafka-cluster')) return null
    const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    return { throttleTimeMs: 0, errorCode, errorMessage: 'Cluster authorization failed.', results: [] }
  },
  handle({ broker }, { users }) {
    const results = broker.scram.describe(users === null ? null : users.map(({ name }) => name))
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: '', results }
  },
})
