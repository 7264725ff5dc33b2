/** DescribeCluster: the brokers and the cluster's id. */
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeClusterRequest, DescribeClusterResponse } from '../../protocol/messages/60-describe-cluster.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi } from '../api.ts'
import { ALL_CLUSTER_OPERATIONS, liveBrokers, OPERATIONS_NOT_REQUESTED } from '../cluster-view.ts'

const BROKERS = 1
const CONTROLLERS = 2

export default defineApi({
  key: 60,
  name: 'DescribeCluster',
  request: DescribeClusterRequest,
  response: DescribeClusterResponse,
  versions: [0, 2],
  handle(context, request) {
    const { broker } = context
    const { endpointType } = request
    if (endpointType === CONTROLLERS) {
      return failed(ErrorCode.MISMATCHED_ENDPOINT_TYPE, 'Controllers were asked for, but this is a broker.')
    }
    if (endpointType !== BROKERS) {
      return failed(ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, `There are no endpoints of type ${endpointType}.`)
    }
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      endpointType,
      clusterId: broker.clusterId,
      controllerId: broker.nodeId,
      brokers: liveBrokers(broker, context.connection).map(({ id, host, port, rack }) => ({
        brokerId: id,
        host,
        port,
        rack,
      })),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? ALL_CLUSTER_OPERATIONS
        : OPERATIONS_NOT_REQUESTED,
    }
  },
})

function failed(errorCode: ErrorCode, errorMessage: string): Input<typeof DescribeClusterResponse> {
  return { throttleTimeMs: 0, errorCode, errorMessage, clusterId: '', brokers: [] }
}
