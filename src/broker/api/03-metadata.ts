/**
 * Metadata: brokers, and topics with their partitions' leaders. Every client asks it first and whenever it is told that
 * it is at the wrong place; asking for an unknown topic may create it.
 */

import { isInternalTopic, type TopicImage } from '../../metadata/image.ts'
import { invalidTopicName } from '../../metadata/topic-names.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { MetadataRequest, MetadataResponse } from '../../protocol/messages/03-metadata.ts'
import { type Infer, type Input, ZERO_UUID } from '../../protocol/schema.ts'
import { type BrokerContext, defineApi, type RequestContext } from '../api.ts'
import {
  ALL_CLUSTER_OPERATIONS,
  ALL_TOPIC_OPERATIONS,
  describePartition,
  liveBrokers,
  OPERATIONS_NOT_REQUESTED,
} from '../cluster-view.ts'

type Request = Infer<typeof MetadataRequest>
type Response = Input<typeof MetadataResponse>
type TopicAnswer = Response['topics'][number]

const IDS_ANSWERED_SINCE = 12
const OPERATIONS_SINCE = 8

export default defineApi({
  key: 3,
  name: 'Metadata',
  request: MetadataRequest,
  response: MetadataResponse,
  versions: [0, 13],
  notes: [
    'Every broker is shown with its advertised address; without one, this broker shows the address that the client dialled.',
    'An unknown topic is answered UNKNOWN_TOPIC_OR_PARTITION and, if allowed, created in the background.',
    'A topic with neither name nor id is answered INVALID_REQUEST.',
  ],
  handle(context, request): Response {
    const { broker, apiVersion } = context
    if (apiVersion < IDS_ANSWERED_SINCE && isMalformed(request)) return refusal(request)
    const topics = describeTopics(context, request)
    return {
      throttleTimeMs: 0,
      brokers: liveBrokers(broker, context.connection).map(({ id, ...address }) => ({ nodeId: id, ...address })),
      clusterId: broker.clusterId,
      // Every broker can serve what clients ask a controller for.
      controllerId: broker.nodeId,
      topics,
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? ALL_CLUSTER_OPERATIONS
        : OPERATIONS_NOT_REQUESTED,
      errorCode: ErrorCode.NONE,
    }
  },
})

/** Ids and null names are fields of v10 and v11 already, but may be used only from v12 on. */
function isMalformed(request: Request): boolean {
  return request.topics?.some((topic) => topic.name === null || topic.topicId !== ZERO_UUID) ?? false
}

/** Nothing but the topics as they were named. */
function refusal(request: Request): Response {
  const topics = (request.topics ?? []).map(({ name, topicId }) => ({
    errorCode: ErrorCode.INVALID_REQUEST,
    name: name ?? '',
    topicId,
    partitions: [],
  }))
  return { throttleTimeMs: 0, brokers: [], topics, errorCode: ErrorCode.NONE }
}

function describeTopics(context: RequestContext, request: Request): TopicAnswer[] {
  const { broker, apiVersion } = context
  const asked = request.topics
  if (asked === null || (asked.length === 0 && apiVersion === 0)) {
    return broker.image.topics().map((topic) => known(context, request, topic))
  }
  if (apiVersion < IDS_ANSWERED_SINCE) {
    const names = asked.map((topic) => topic.name ?? '')
    return byName(context, request, names)
  }
  const ids = asked.filter((topic) => topic.topicId !== ZERO_UUID).map((topic) => topic.topicId)
  if (ids.length > 0) return byId(context, request, ids)
  const names = asked.flatMap((topic) => (topic.name === null ? [] : [topic.name]))
  const answers = byName(context, request, names)
  if (names.length < asked.length) answers.push(unknown(request, context, null, ErrorCode.INVALID_REQUEST))
  return answers
}

function byId(context: RequestContext, request: Request, ids: readonly string[]): TopicAnswer[] {
  return [...new Set(ids)].map((topicId) => {
    const topic = context.broker.image.topicById(topicId)
    if (topic !== undefined) return known(context, request, topic)
    return { ...unknown(request, context, null, ErrorCode.UNKNOWN_TOPIC_ID), topicId }
  })
}

function byName(context: RequestContext, request: Request, names: readonly string[]): TopicAnswer[] {
  const { broker } = context
  const toCreate: string[] = []
  const mayCreate = request.allowAutoTopicCreation && broker.config.boolean('auto.create.topics.enable')
  const answers = [...new Set(names)].map((name) => {
    if (!context.allowed('DESCRIBE', 'TOPIC', name)) {
      return unknown(request, context, name, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    }
    const topic = broker.image.topic(name)
    if (topic !== undefined) return known(context, request, topic)
    if (invalidTopicName(name) !== null) return unknown(request, context, name, ErrorCode.INVALID_TOPIC_EXCEPTION)
    if (mayCreate && mayCreateTopic(context, name)) toCreate.push(name)
    return unknown(request, context, name, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })
  for (const name of toCreate) createInBackground(broker, name)
  return answers
}

/** The client asks again in a moment, and by then the topic is there. Topics logs the outcome. */
function createInBackground(broker: BrokerContext, topic: string): void {
  broker.topics.createAutomatically(topic).catch((error: unknown) => {
    broker.logger.error('topic could not be created on first use', { topic, error })
  })
}

function mayCreateTopic(context: RequestContext, name: string): boolean {
  return context.allowed('CREATE', 'CLUSTER', 'kafka-cluster') || context.allowed('CREATE', 'TOPIC', name)
}

function known(context: RequestContext, request: Request, topic: TopicImage): TopicAnswer {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: topic.internal,
    partitions: topic.partitions.map((partition) => describePartition(context.broker, topic.name, partition)),
    topicAuthorizedOperations: operations(request, context.apiVersion),
  }
}

function unknown(request: Request, context: RequestContext, name: string | null, errorCode: ErrorCode): TopicAnswer {
  return {
    errorCode,
    name,
    topicId: ZERO_UUID,
    // An internal name is internal before its topic is there.
    isInternal: name !== null && isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: operations(request, context.apiVersion),
  }
}

function operations(request: Request, version: number): number {
  const isAsked = version >= OPERATIONS_SINCE && request.includeTopicAuthorizedOperations
  return isAsked ? ALL_TOPIC_OPERATIONS : OPERATIONS_NOT_REQUESTED
}
