/** Who may see and change configs: the question behind DescribeConfigs and both ways to alter them. */
import { ResourceType } from '../metadata/configs.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { Operation, RequestContext } from './api.ts'

const CLUSTER_NAME = 'kafka-cluster'

/** The error of a resource that the requester may not touch; NONE if it may. */
export function configAccessError(
  context: RequestContext,
  operation: Extract<Operation, 'DESCRIBE_CONFIGS' | 'ALTER_CONFIGS'>,
  resourceType: number,
  resourceName: string,
): ErrorCode {
  if (resourceType === ResourceType.TOPIC) {
    return context.allowed(operation, 'TOPIC', resourceName) ? ErrorCode.NONE : ErrorCode.TOPIC_AUTHORIZATION_FAILED
  }
  if (resourceType === ResourceType.GROUP) {
    return context.allowed(operation, 'GROUP', resourceName) ? ErrorCode.NONE : ErrorCode.GROUP_AUTHORIZATION_FAILED
  }
  return context.allowed(operation, 'CLUSTER', CLUSTER_NAME) ? ErrorCode.NONE : ErrorCode.CLUSTER_AUTHORIZATION_FAILED
}
