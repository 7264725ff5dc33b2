/** ShareGroupHeartbeat: all that a member of a share group says and hears of its membership (KIP-932). */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  ShareGroupHeartbeatRequest,
  ShareGroupHeartbeatResponse,
} from '../../protocol/messages/76-share-group-heartbeat.ts'
import { type BrokerContext, defineApi } from '../api.ts'

/** Share groups are on by their feature level. */
export function servesShareGroups({ features }: Pick<BrokerContext, 'features'>): boolean {
  return features.level('share.version') >= 1
}

function refusal(errorCode: ErrorCode) {
  return { throttleTimeMs: 0, errorCode, memberEpoch: 0, heartbeatIntervalMs: 0 }
}

export default defineApi({
  key: 76,
  name: 'ShareGroupHeartbeat',
  request: ShareGroupHeartbeatRequest,
  response: ShareGroupHeartbeatResponse,
  versions: [1, 1],
  notes: [
    'Epoch 0 joins, -1 leaves; members make their ids themselves, of 1 to 36 characters.',
    'The one assignor is `simple`. Partitions are assigned once their state is initialized, usually with the second heartbeat.',
  ],
  authorize(context, request) {
    if (!servesShareGroups(context.broker)) return refusal(ErrorCode.UNSUPPORTED_VERSION)
    if (!context.allowed('READ', 'GROUP', request.groupId)) return refusal(ErrorCode.GROUP_AUTHORIZATION_FAILED)
    const names = request.subscribedTopicNames ?? []
    if (names.every((name) => context.allowed('DESCRIBE', 'TOPIC', name))) return null
    return refusal(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  },
  handleLater(context, request, reply) {
    context.broker.groups.share.heartbeat(context, request, reply)
  },
})
