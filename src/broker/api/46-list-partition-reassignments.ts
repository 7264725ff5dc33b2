/** ListPartitionReassignments: replicas do not move between brokers, so none is ever on its way. */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../../protocol/messages/46-list-partition-reassignments.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 46,
  name: 'ListPartitionReassignments',
  request: ListPartitionReassignmentsRequest,
  response: ListPartitionReassignmentsResponse,
  versions: [0, 0],
  authorize(context) {
    if (context.allowed('DESCRIBE', 'CLUSTER', 'kafka-cluster')) return null
    return { throttleTimeMs: 0, errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, errorMessage: null, topics: [] }
  },
  handle() {
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: null, topics: [] }
  },
})
