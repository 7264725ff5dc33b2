/**
 * StreamsGroupHeartbeat: all that a thread of a Streams application says and hears in the streams protocol (KIP-1071). The internal
 * topics that its topology needs are created here, after the answer.
 */
import type { InternalTopic } from '../../coordinator/group/streams/configure.ts'
import { StreamsStatus } from '../../coordinator/group/streams/status.ts'
import { namedTopics } from '../../coordinator/group/streams/topology.ts'
import type { StreamsHeartbeatAnswer } from '../../coordinator/streams-requests.ts'
import { isInternalTopic } from '../../metadata/image.ts'
import { invalidTopicName } from '../../metadata/topic-names.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  StreamsGroupHeartbeatRequest,
  StreamsGroupHeartbeatResponse,
} from '../../protocol/messages/88-streams-group-heartbeat.ts'
import type { Infer, Input } from '../../protocol/schema.ts'
import { type BrokerContext, defineApi, type RequestContext } from '../api.ts'
import { chargeMutations } from '../quotas.ts'

type Response = Input<typeof StreamsGroupHeartbeatResponse>

const PROTOCOL = 'streams'
const CLUSTER_NAME = 'kafka-cluster'
/** Failed creations are told for so many heartbeats. */
const FAILURE_HEARTBEATS = 2
const FAILURES_SHOWN = 3

/** The protocol is on by its feature level, and by the list of protocols. */
export function servesStreamsProtocol({ features, config }: Pick<BrokerContext, 'features' | 'config'>): boolean {
  if (features.level('streams.version') < 1) return false
  return config.list('group.coordinator.rebalance.protocols').some((name) => name.toLowerCase() === PROTOCOL)
}

function refusal(errorCode: ErrorCode, errorMessage: string | null = null): Response {
  return {
    throttleTimeMs: 0,
    errorCode,
    errorMessage,
    memberId: '',
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    acceptableRecoveryLag: 0,
    taskOffsetIntervalMs: 0,
    status: [],
    endpointInformationEpoch: 0,
  }
}

export default defineApi({
  key: 88,
  name: 'StreamsGroupHeartbeat',
  request: StreamsGroupHeartbeatRequest,
  response: StreamsGroupHeartbeatResponse,
  versions: [0, 0],
  notes: [
    'Epoch 0 joins, -1 leaves; null and -1 elsewhere mean "as before".',
    "Missing internal topics are created with the sender's rights; what goes wrong is in the status of the next heartbeats.",
    'As in Kafka 4.3, static members, warm-up tasks, task offsets and regular expressions for sources are refused, and topologies cannot change.',
    "Tasks are assigned by the `sticky` assignor, with the results of Kafka's.",
  ],
  authorize(context, request) {
    if (!servesStreamsProtocol(context.broker)) return refusal(ErrorCode.UNSUPPORTED_VERSION)
    if (!context.allowed('READ', 'GROUP', request.groupId)) return refusal(ErrorCode.GROUP_AUTHORIZATION_FAILED)
    return refuseTopics(context, request)
  },
  handleLater(context, request, reply) {
    context.broker.groups.streams.heartbeat(context, request, (answer) => reply(withTopics(context, answer)))
  },
})

function refuseTopics(
  context: RequestContext,
  { topology }: Infer<typeof StreamsGroupHeartbeatRequest>,
): Response | null {
  if (topology === null) return null
  const names = [...namedTopics(topology)]
  const internal = names.filter(isInternalTopic)
  if (internal.length > 0) {
    const message = `Use of Kafka internal topics ${internal.join(',')} in a Kafka Streams topology is prohibited.`
    return refusal(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
  }
  const invalid = names.filter((name) => invalidTopicName(name) !== null)
  if (invalid.length > 0) {
    const message = `Topic names ${invalid.join(',')} are not valid topic names.`
    return refusal(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
  }
  if (names.every((name) => context.allowed('DESCRIBE', 'TOPIC', name))) return null
  return refusal(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
}

/** The answer; and what is missing begins to be created, or the answer says why it cannot be. */
function withTopics(context: RequestContext, { response, missingTopics }: StreamsHeartbeatAnswer): Response {
  if (missingTopics.length === 0) return response
  const { streamsTopics } = context.broker
  const mayCreateAll = context.allowed('CREATE', 'CLUSTER', CLUSTER_NAME)
  const forbidden = missingTopics.filter(({ name }) => !mayCreateAll && !context.allowed('CREATE', 'TOPIC', name))
  if (forbidden.length > 0) {
    return withDetail(response, `Unauthorized to CREATE on topics ${namesOf(forbidden).join(', ')}.`)
  }
  const failureMs = response.heartbeatIntervalMs * FAILURE_HEARTBEATS
  streamsTopics.create(missingTopics, { charge: chargeMutations(context, true), failureMs })
  const failures = missingTopics.flatMap(({ name }) => {
    const failure = streamsTopics.failure(name)
    return failure === null ? [] : [`${name} (${failure})`]
  })
  if (failures.length === 0) return response
  const more = failures.length > FAILURES_SHOWN ? ` and ${failures.length - FAILURES_SHOWN} more` : ''
  return withDetail(response, `Creation failed: ${failures.slice(0, FAILURES_SHOWN).join(', ')}${more}.`)
}

function namesOf(topics: readonly InternalTopic[]): string[] {
  return topics.map(({ name }) => name)
}

/** The topics are missing, which one of the statuses says already. */
function withDetail(response: Response, detail: string): Response {
  const status = (response.status ?? []).map((row) =>
    row.statusCode === StreamsStatus.MISSING_INTERNAL_TOPICS
      ? { ...row, statusDetail: `${row.statusDetail}; ${detail}` }
      : row,
  )
  return { ...response, status }
}
