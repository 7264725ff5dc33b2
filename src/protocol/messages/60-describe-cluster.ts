// DescribeCluster (60): the brokers of the cluster and its controller.

import { array, bool, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const DescribeClusterRequest = request(
  { key: 60, name: 'DescribeClusterRequest', versions: '0-2', flexible: '0+' },
  {
    includeClusterAuthorizedOperations: bool(),
    endpointType: int8('1+', { default: 1 }),
    includeFencedBrokers: bool('2+'),
  },
)

export type DescribeClusterRequest = Infer<typeof DescribeClusterRequest>

export const DescribeClusterResponse = response(
  { key: 60, name: 'DescribeClusterResponse', versions: '0-2', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true, default: null }),
    endpointType: int8('1+', { default: 1 }),
    clusterId: string(),
    controllerId: int32({ default: -1 }),
    brokers: array({
      brokerId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: true, default: null }),
      isFenced: bool('2+'),
    }),
    clusterAuthorizedOperations: int32({ default: -2147483648 }),
  },
)

export type DescribeClusterResponse = Infer<typeof DescribeClusterResponse>
