/** ShareAcknowledge: what became of records that a member of a share group has acquired (KIP-932). Answered when it is written down. */
import { isShareMemberId } from '../../coordinator/share-requests.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { ShareAcknowledgeRequest, ShareAcknowledgeResponse } from '../../protocol/messages/79-share-acknowledge.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi } from '../api.ts'
import { liveBrokers } from '../cluster-view.ts'
import { type AcknowledgedPartition, acknowledge } from '../share/acknowledge.ts'
import { servesShareGroups } from './76-share-group-heartbeat.ts'

type Response = Input<typeof ShareAcknowledgeResponse>
type PartitionAnswer = Response['responses'][number]['partitions'][number]

const EPOCH_FINAL = -1
const NO_LEADER = { leaderId: 0, leaderEpoch: 0 }

function failed(errorCode: ErrorCode): Response {
  return { throttleTimeMs: 0, errorCode, responses: [], nodeEndpoints: [] }
}

export default defineApi({
  key: 79,
  name: 'ShareAcknowledge',
  request: ShareAcknowledgeRequest,
  response: ShareAcknowledgeResponse,
  versions: [1, 2],
  notes: ['All that is said of a partition holds together or not at all; v2 can renew locks (`is_renew_ack`, type 4).'],
  authorize(context, { groupId }) {
    if (!servesShareGroups(context.broker)) return failed(ErrorCode.UNSUPPORTED_VERSION)
    if (groupId === null) return failed(ErrorCode.INVALID_REQUEST)
    if (!context.allowed('READ', 'GROUP', groupId)) return failed(ErrorCode.GROUP_AUTHORIZATION_FAILED)
    return null
  },
  handleLater(context, request, reply) {
    const { broker, connection } = context
    const groupId = request.groupId!
    const { memberId, shareSessionEpoch: epoch, topics, isRenewAck } = request
    if (!isShareMemberId(memberId)) {
      reply(failed(ErrorCode.INVALID_REQUEST))
      return
    }
    const session = { groupId, memberId, epoch, connection }
    const errorCode = broker.sharedPartitions.sessions.advance(session)
    if (errorCode !== ErrorCode.NONE) {
      reply(failed(errorCode))
      return
    }
    acknowledge(context, { groupId, memberId, topics, isRenewAck }, (rows) => {
      if (epoch === EPOCH_FINAL) broker.sharedPartitions.sessions.end(session)
      const isElsewhere = rows.some((row) => row.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER)
      const endpoints = isElsewhere ? liveBrokers(broker, connection) : []
      reply({
        throttleTimeMs: 0,
        errorCode: ErrorCode.NONE,
        acquisitionLockTimeoutMs: broker.shareSettings.of(groupId).lockDurationMs,
        responses: byTopic(rows),
        nodeEndpoints: endpoints.map(({ id, ...address }) => ({ nodeId: id, ...address })),
      })
    })
  },
})

function byTopic(rows: readonly AcknowledgedPartition[]): Response['responses'] {
  const topics = new Map<string, PartitionAnswer[]>()
  for (const { topicId, index, errorCode, errorMessage } of rows) {
    const answer = { partitionIndex: index, errorCode, errorMessage, currentLeader: NO_LEADER }
    const partitions = topics.get(topicId)
    if (partitions === undefined) topics.set(topicId, [answer])
    else partitions.push(answer)
  }
  return Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions }))
}
