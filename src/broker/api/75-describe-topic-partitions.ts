/** DescribeTopicPartitions: topics and their partitions in pages, sorted by name; for clients with very many of them. */
import type { TopicImage } from '../../metadata/image.ts'
import { invalidTopicName } from '../../metadata/topic-names.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse,
} from '../../protocol/messages/75-describe-topic-partitions.ts'
import { type Infer, type Input, ZERO_UUID } from '../../protocol/schema.ts'
import { type BrokerContext, defineApi } from '../api.ts'
import { ALL_TOPIC_OPERATIONS, describePartition } from '../cluster-view.ts'

type Request = Infer<typeof DescribeTopicPartitionsRequest>
type Response = Input<typeof DescribeTopicPartitionsResponse>
type TopicAnswer = Response['topics'][number]

const PARTITION_LIMIT_CONFIG = 'max.request.partition.size.limit'

export default defineApi({
  key: 75,
  name: 'DescribeTopicPartitions',
  request: DescribeTopicPartitionsRequest,
  response: DescribeTopicPartitionsResponse,
  versions: [0, 0],
  handle(context, request): Response {
    const { broker } = context
    const { cursor } = request
    if (cursor !== null && !isUsable(cursor, request.topics)) {
      return { throttleTimeMs: 0, topics: request.topics.map(({ name }) => refused(name)) }
    }
    const limit = Math.max(1, Math.min(request.responsePartitionLimit, broker.config.number(PARTITION_LIMIT_CONFIG)))
    return page(broker, namesFrom(broker, request), cursor, limit)
  },
})

/** A cursor points at a partition of one of the topics that are asked for. */
function isUsable(cursor: NonNullable<Request['cursor']>, topics: Request['topics']): boolean {
  if (cursor.partitionIndex < 0) return false
  return topics.length === 0 || topics.some(({ name }) => name === cursor.topicName)
}

/** Sorted names at and behind the cursor. */
function namesFrom(broker: BrokerContext, request: Request): string[] {
  const names =
    request.topics.length === 0
      ? broker.image.topics().map((topic) => topic.name)
      : [...new Set(request.topics.map((topic) => topic.name))].sort()
  const first = request.cursor?.topicName
  return first === undefined ? names : names.filter((name) => name >= first)
}

/** As many partitions as the limit allows; the next cursor points at the first one left out. */
function page(broker: BrokerContext, names: readonly string[], cursor: Request['cursor'], limit: number): Response {
  const topics: TopicAnswer[] = []
  let left = limit
  for (const name of names) {
    const topic = broker.image.topic(name)
    const from = name === cursor?.topicName ? cursor.partitionIndex : 0
    if (left === 0) return { throttleTimeMs: 0, topics, nextCursor: { topicName: name, partitionIndex: from } }
    if (topic === undefined) {
      const isValid = invalidTopicName(name) === null
      topics.push(failed(name, isValid ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION))
      continue
    }
    const to = Math.min(topic.partitions.length, from + left)
    topics.push(answer(broker, topic, from, to))
    left -= Math.max(0, to - from)
    if (to < topic.partitions.length) {
      return { throttleTimeMs: 0, topics, nextCursor: { topicName: name, partitionIndex: to } }
    }
  }
  return { throttleTimeMs: 0, topics }
}

function answer(broker: BrokerContext, topic: TopicImage, from: number, to: number): TopicAnswer {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: topic.internal,
    partitions: topic.partitions.slice(from, to).map((partition) => ({
      ...describePartition(broker, topic.name, partition),
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    })),
    topicAuthorizedOperations: ALL_TOPIC_OPERATIONS,
  }
}

/** The whole request is refused: nothing is said about the topic itself. */
function refused(name: string): TopicAnswer {
  return { errorCode: ErrorCode.INVALID_REQUEST, name, topicId: ZERO_UUID, partitions: [] }
}

function failed(name: string, errorCode: ErrorCode): TopicAnswer {
  return {
    errorCode,
    name,
    topicId: ZERO_UUID,
    partitions: [],
    topicAuthorizedOperations: ALL_TOPIC_OPERATIONS,
  }
}
