/** DescribeConfigs: what applies to topics, this broker, the cluster's default, groups and the logger, and why. */
import type { DescribedConfig } from '../../metadata/configs.ts'
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
    'Documentation is given for the properties of topics and groups, in words of our own.',
    'Client metrics have no configs here: INVALID_REQUEST.',
    'There is one logger, `root`.',
  ],
  handle(context, request) {
    return { throttleTimeMs: 0, results: request.resources.map((resource) => row(context, request, resource)) }
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
    // Successes carry an empty text, not null.
    errorMessage: errorCode === ErrorCode.NONE ? '' : errorMessage,
    resourceType,
    resourceName,
    configs: configs.map((config) => configRow(config, request)),
  }
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
    documentation: request.includeDocumentation ? config.documentation : null,
  }
}
