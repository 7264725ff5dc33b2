/** DescribeShareGroupOffsets: where share groups are in the partitions that they read, and how much is left (KIP-932, KIP-1226). */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  DescribeShareGroupOffsetsRequest,
  DescribeShareGroupOffsetsResponse,
} from '../../protocol/messages/90-describe-share-group-offsets.ts'
import { defineApi } from '../api.ts'
import { servesShareGroups } from './76-share-group-heartbeat.ts'

export default defineApi({
  key: 90,
  name: 'DescribeShareGroupOffsets',
  request: DescribeShareGroupOffsetsRequest,
  response: DescribeShareGroupOffsetsResponse,
  versions: [0, 1],
  notes: [
    'A partition that nobody has begun to read has start offset -1, one that does not exist too.',
    'The lag (v1) counts records that need no delivery any more as read.',
  ],
  authorize(context, { groups }) {
    if (servesShareGroups(context.broker)) return null
    const refused = groups.map(({ groupId }) => ({ groupId, topics: [], errorCode: ErrorCode.UNSUPPORTED_VERSION }))
    return { throttleTimeMs: 0, groups: refused }
  },
  handleLater(context, request, reply) {
    context.broker.groups.shareOffsets.describe(context, request.groups, (groups) => {
      reply({ throttleTimeMs: 0, groups })
    })
  },
})
