/** AlterUserScramCredentials. The rules are in metadata/scram-credentials.ts. */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse,
} from '../../protocol/messages/51-alter-user-scram-credentials.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 51,
  name: 'AlterUserScramCredentials',
  request: AlterUserScramCredentialsRequest,
  response: AlterUserScramCredentialsResponse,
  versions: [0, 0],
  notes: ['Credentials are kept and shown; no listener asks for them yet.'],
  authorize(context, { deletions, upsertions }) {
    if (context.allowed('ALTER', 'CLUSTER', 'kafka-cluster')) return null
    const users = new Set([...deletions, ...upsertions].map(({ name }) => name))
    const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    const errorMessage = 'Cluster authorization failed.'
    return { throttleTimeMs: 0, results: [...users].map((user) => ({ user, errorCode, errorMessage })) }
  },
  async handle({ broker }, { deletions, upsertions }) {
    return { throttleTimeMs: 0, results: await broker.scram.alter(deletions, upsertions) }
  },
})
