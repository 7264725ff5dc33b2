/** ConsumerGroupHeartbeat: all that a member of a consumer group says and hears in the new group protocol (KIP-848). */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/messages/68-consumer-group-heartbeat.ts'
import { type BrokerContext, defineApi } from '../api.ts'

const PROTOCOL = 'consumer'

/** The protocol is on by its feature level, and by the list of protocols. */
export function servesConsumerProtocol({ features, config }: Pick<BrokerContext, 'features' | 'config'>): boolean {
  if (features.level('group.version') < 1) return false
  return config.list('group.coordinator.rebalance.protocols').some((name) => name.toLowerCase() === PROTOCOL)
}

function refusal(errorCode: ErrorCode) {
  return { throttleTimeMs: 0, errorCode, memberEpoch: 0, heartbeatIntervalMs: 0 }
}

export default defineApi({
  key: 68,
  name: 'ConsumerGroupHeartbeat',
  request: ConsumerGroupHeartbeatRequest,
  response: ConsumerGroupHeartbeatResponse,
  versions: [0, 1],
  notes: [
    'Epoch 0 joins, -1 leaves, -2 is a static member that will be back; null and -1 elsewhere mean "as before".',
    "Assignors: `uniform` and `range`, with the results of Kafka's.",
    "Regular expressions (v1) are RE2's, of at most 1024 characters; they are resolved after the answer.",
    'A group whose members speak the classic protocol becomes a consumer group, and back, while they run (`group.consumer.migration.policy`).',
  ],
  authorize(context, request) {
    if (!servesConsumerProtocol(context.broker)) return refusal(ErrorCode.UNSUPPORTED_VERSION)
    if (!context.allowed('READ', 'GROUP', request.groupId)) return refusal(ErrorCode.GROUP_AUTHORIZATION_FAILED)
    const names = request.subscribedTopicNames ?? []
    if (names.every((name) => context.allowed('DESCRIBE', 'TOPIC', name))) return null
    return refusal(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  },
  handleLater(context, request, reply) {
    context.broker.groups.consumerHeartbeat(context, request, reply)
  },
})
