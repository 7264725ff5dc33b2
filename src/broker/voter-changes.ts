/** What AddRaftVoter and RemoveRaftVoter are answered: the metadata has one voter, this broker, and it stays so. */
import { ErrorCode } from '../protocol/errors.ts'
import type { RequestContext } from './api.ts'

interface VoterAnswer {
  readonly throttleTimeMs: number
  readonly errorCode: ErrorCode
  readonly errorMessage: string
}

function refused(errorCode: ErrorCode, errorMessage: string): VoterAnswer {
  return { throttleTimeMs: 0, errorCode, errorMessage }
}

export function deniedVoterChange(context: RequestContext): VoterAnswer | null {
  if (context.allowed('ALTER', 'CLUSTER', 'kafka-cluster')) return null
  return refused(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, 'Cluster authorization failed.')
}

/** `invalid` says what is wrong with the request itself. */
export function refuseVoterChange(
  { broker }: RequestContext,
  clusterId: string | null,
  invalid: string | null,
  change: 'adding' | 'removing',
): VoterAnswer {
  if (clusterId !== null && clusterId !== broker.clusterId) {
    const reason = `The given id "${clusterId}" doesn't match the cluster id "${broker.clusterId}"`
    return refused(ErrorCode.INCONSISTENT_CLUSTER_ID, reason)
  }
  if (invalid !== null) return refused(ErrorCode.INVALID_REQUEST, invalid)
  const reason = `Cluster doesn't support ${change} voter because the kraft.version feature is 0`
  return refused(ErrorCode.UNSUPPORTED_VERSION, reason)
}
