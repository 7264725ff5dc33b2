/** DescribeConfigs: what applies to topics, this broker, the cluster's default, groups and the logger, and why. */
import { type DescribedConfig, isResourceType } from '../../metadata/configs.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeConfigsRequest, DescribeConfigsResponse } from '../../protocol/messages/32-describe-configs.ts'
import type { Infer, Input } from '../../protocol/schema.ts'
import { defineApi, type RequestContext } from '../api.ts'
import { configAccessError } from '../config-access.ts'

type Request = Infer<typeof DescribeConfigsRequest>
type Row = Input<typeof DescribeConfigsResponse>['results'][number]

export default defineApi({
  key: 32,
  name: 'DescribeConfigs',
  request: DescribeConfigsRequest,
  response: DescribeConfigsResponse,
  versions: [1, 4],
  notes: [
    'Documentation is given for the properties of topics and groups and for what the broker has as their defaults, in words of our own.',
    'There is one logger, `root`.',
    'A resource type that does not exist spoils the whole request, as in Kafka.',
  ],
  handle(context, request) {
    const { resources } = request
    const unsupported = resources.find(({ resourceType }) => !isResourceType(resourceType))
    const results =
      unsupported === undefined
        ? resources.map((resource) => row(context, request, resource))
        : resources.map((resource) => refusedRow(resource, `Unknown resource type ${unsupported.resourceType}`))
    return { throttleTimeMs: 0, results }
  },
})

function row(context: RequestContext, request: Request, resource: Request['resources'][number]): Row {
  const { resourceType, resourceName, configurationKeys } = resource
  const denied = configAccessError(context, 'DESCRIBE_CONFIGS', resourceType, resourceName)
  if (denied !== ErrorCode.NONE)
    return { errorCode: denied, errorMessage: null, resourceType, resourceName, configs: [] }
  const name = resourceName
  const result = context.broker.configs.describe({ type: resourceType, name }, configurationKeys)
  const { errorCode, errorMessage, configs } = result
  return {
    errorCode,
    // Kafka's answers without a reason carry an empty text, not null.
    errorMessage: errorMessage ?? '',
    resourceType,
    resourceName,
    configs: configs.map((config) => configRow(config, request)),
  }
}

function refusedRow({ resourceType, resourceName }: Request['resources'][number], errorMessage: string): Row {
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage, resourceType, resourceName, configs: [] }
}

function configRow(config: DescribedConfig, request: Request): Row['configs'][number] {
  return {
    name: config.name,
    value: config.value,
    readOnly: config.readOnly,
    configSource: config.source,
    isSensitive: config.sensitive,
    synonyms: request.includeSynonyms ? config.synonyms : [],
    configType: config.type,
    // Loggers have none, and say so in every answer.
    documentation: request.includeDocumentation || config.documentation === '' ? config.documentation : null,
  }
}
