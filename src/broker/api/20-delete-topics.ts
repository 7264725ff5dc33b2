/** DeleteTopics, by name or by id. The answer is given when the topic is gone from the metadata; its files follow. */
import type { TopicReference } from '../../metadata/topics.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../protocol/messages/20-delete-topics.ts'
import { type Infer, ZERO_UUID } from '../../protocol/schema.ts'
import { defineApi } from '../api.ts'
import { chargeMutations } from '../quotas.ts'

const CLUSTER_NAME = 'kafka-cluster'
/** From here on topics may be named by id. */
const TOPIC_IDS_SINCE = 6
/** Older clients do not know the error of an exceeded quota: they are only throttled. */
const STRICT_QUOTA_SINCE = 5
const DISABLED_ERROR_SINCE = 3

export default defineApi({
  key: 20,
  name: 'DeleteTopics',
  request: DeleteTopicsRequest,
  response: DeleteTopicsResponse,
  versions: [1, 6],
  async handle(context, request) {
    const { broker, apiVersion } = context
    const references = referencesOf(request, apiVersion)
    if (!broker.config.boolean('delete.topic.enable')) {
      const errorCode =
        apiVersion >= DISABLED_ERROR_SINCE ? ErrorCode.TOPIC_DELETION_DISABLED : ErrorCode.INVALID_REQUEST
      const errorMessage = 'This cluster does not support topic deletion.'
      return {
        throttleTimeMs: 0,
        responses: references.map((reference) => ({ ...reference, errorCode, errorMessage })),
      }
    }
    const wholeCluster = context.allowed('DELETE', 'CLUSTER', CLUSTER_NAME)
    const responses = await broker.topics.delete(references, {
      mayDelete: (name) => wholeCluster || context.allowed('DELETE', 'TOPIC', name),
      charge: chargeMutations(context, apiVersion >= STRICT_QUOTA_SINCE),
      mayDescribe: (name) => context.allowed('DESCRIBE', 'TOPIC', name),
    })
    return { throttleTimeMs: 0, responses }
  },
})

function referencesOf(request: Infer<typeof DeleteTopicsRequest>, apiVersion: number): TopicReference[] {
  return apiVersion >= TOPIC_IDS_SINCE
    ? request.topics
    : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }))
}
