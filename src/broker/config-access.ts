/** Who may see and change configs: the question behind DescribeConfigs and both ways to alter them. */
import { type AlterResult, ResourceType } from '../metadata/configs.ts'
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

/** The resources of an alteration that the requester may change, and the answers for the others. */
export function splitByAlterAccess<R extends { resourceType: number; resourceName: string }>(
  context: RequestContext,
  resources: readonly R[],
): { permitted: R[]; denied: AlterResult[] } {
  const permitted: R[] = []
  const denied: AlterResult[] = []
  for (const resource of resources) {
    const { resourceType: type, resourceName: name } = resource
    const errorCode = configAccessError(context, 'ALTER_CONFIGS', type, name)
    if (errorCode === ErrorCode.NONE) permitted.push(resource)
    else denied.push({ type, name, errorCode, errorMessage: null })
  }
  return { permitted, denied }
}

/** Both alter requests answer alike. */
export function alterConfigsResponse(results: readonly AlterResult[]) {
  return {
    throttleTimeMs: 0,
    responses: results.map(({ type, name, errorCode, errorMessage }) => ({
      errorCode,
      errorMessage,
      resourceType: type,
      resourceName: name,
    })),
  }
}
