/** ListConfigResources: names of what can have configs. v0 knows client metrics only; tools use it to describe all of a kind. */
import { ResourceType } from '../../metadata/configs.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  ListConfigResourcesRequest,
  ListConfigResourcesResponse,
} from '../../protocol/messages/74-list-config-resources.ts'
import { type BrokerContext, defineApi } from '../api.ts'

/** Above this version the request names the types it wants. */
const TYPES_SINCE = 1
const ALL_TYPES: readonly number[] = Object.values(ResourceType)

export default defineApi({
  key: 74,
  name: 'ListConfigResources',
  request: ListConfigResourcesRequest,
  response: ListConfigResourcesResponse,
  versions: [0, 1],
  authorize(context) {
    if (context.allowed('DESCRIBE_CONFIGS', 'CLUSTER', 'kafka-cluster')) return null
    return { throttleTimeMs: 0, errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, configResources: [] }
  },
  handle({ broker, apiVersion }, request) {
    const asked = apiVersion < TYPES_SINCE ? [ResourceType.CLIENT_METRICS] : request.resourceTypes
    if (asked.some((type) => !ALL_TYPES.includes(type))) {
      return { throttleTimeMs: 0, errorCode: ErrorCode.UNSUPPORTED_VERSION, configResources: [] }
    }
    const types = new Set(asked.length === 0 ? ALL_TYPES : asked)
    const configResources = [...types].flatMap((resourceType) =>
      namesOf(broker, resourceType).map((resourceName) => ({ resourceName, resourceType })),
    )
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, configResources }
  },
})

/** Groups and client metrics exist, as far as configs go, when they have one. */
function namesOf({ image }: BrokerContext, type: number): string[] {
  switch (type) {
    case ResourceType.TOPIC:
      return image.topics().map(({ name }) => name)
    case ResourceType.GROUP:
      return image.configuredNames('group')
    case ResourceType.CLIENT_METRICS:
      return image.configuredNames('client-metrics')
    default:
      return image.brokers().map(({ id }) => String(id))
  }
}
