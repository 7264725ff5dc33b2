/** CreateTopics. The rules are in metadata/topics.ts; the answer is given when the topic is stored and this broker knows it. */
import type { CreateTopicResult } from '../../metadata/topics.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../protocol/messages/19-create-topics.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi, type RequestContext } from '../api.ts'
import { chargeMutations } from '../quotas.ts'

/** Older clients do not know the error of an exceeded quota: they are only throttled. */
const STRICT_QUOTA_SINCE = 6
const CLUSTER_NAME = 'kafka-cluster'

export default defineApi({
  key: 19,
  name: 'CreateTopics',
  request: CreateTopicsRequest,
  response: CreateTopicsResponse,
  versions: [2, 7],
  notes: [
    'Two names of one request that differ only in `.` and `_` collide as they do with an existing topic.',
    'The answer does not wait for other brokers, so TimeoutMs plays no part.',
  ],
  async handle(context, request) {
    const wholeCluster = context.allowed('CREATE', 'CLUSTER', CLUSTER_NAME)
    const results = await context.broker.topics.create(request.topics, {
      validateOnly: request.validateOnly,
      charge: chargeMutations(context, context.apiVersion >= STRICT_QUOTA_SINCE),
      allowed: (name) => wholeCluster || context.allowed('CREATE', 'TOPIC', name),
    })
    return { throttleTimeMs: 0, topics: results.map((result) => row(context, result)) }
  },
})

type Row = Input<typeof CreateTopicsResponse>['topics'][number]

function row(context: RequestContext, result: CreateTopicResult): Row {
  const { name, topicId, errorCode, errorMessage, numPartitions, replicationFactor, configs } = result
  const failed = errorCode !== ErrorCode.NONE
  const common = { name, topicId, errorCode, errorMessage }
  if (failed || configs === null) return { ...common, configs: failed ? [] : null }
  if (!context.allowed('DESCRIBE_CONFIGS', 'TOPIC', name)) {
    return { ...common, topicConfigErrorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED, configs: null }
  }
  return {
    ...common,
    numPartitions,
    replicationFactor,
    configs: configs.map(({ name: configName, value, readOnly, source, sensitive }) => ({
      name: configName,
      value,
      readOnly,
      configSource: source,
      isSensitive: sensitive,
    })),
  }
}
