/** OffsetCommit: the positions a group has reached, stored in `__consumer_offsets` before the answer. */
import { ErrorCode } from '../../protocol/errors.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/08-offset-commit.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 8,
  name: 'OffsetCommit',
  request: OffsetCommitRequest,
  response: OffsetCommitResponse,
  versions: [2, 10],
  notes: [
    'Unknown topics and partitions fail one by one; the others are stored.',
    'Accepted while members gather for a rebalance, refused between the end of the join phase and the assignment.',
    'A retention time of the request (v2-v4) gives the commits an expiry of their own.',
  ],
  authorize(context, request) {
    if (context.allowed('READ', 'GROUP', request.groupId)) return null
    const errorCode = ErrorCode.GROUP_AUTHORIZATION_FAILED
    return {
      topics: request.topics.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
      })),
    }
  },
  handleLater(context, request, reply) {
    context.broker.groups.offsetCommit(context, request, reply)
  },
})
