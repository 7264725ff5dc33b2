/** DescribeCluster: the brokers and the cluster's id. */
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeClusterRequest, DescribeClusterResponse } from '../../protocol/messages/60-describe-cluster.ts'
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
    if (endpointType !== BROKERS) {
      return {
        throttleTimeMs: 0,
        errorCode:
          endpointType === CONTROLLERS ? ErrorCode.MISMATCHED_ENDPOINT_TYPE : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
        errorMessage:
          endpointType === CONTROLLERS
            ? 'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER'
            : `Unsupported endpoint type ${endpointType}`,
        endpointType,
        clusterId: '',
        brokers: [],
      }
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
