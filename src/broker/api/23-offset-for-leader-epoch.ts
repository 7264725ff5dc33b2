/**
 * OffsetForLeaderEpoch: where an epoch ended in this leader's log, so that a consumer or follower can tell whether what
 * it has read is still part of the log.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
} from '../../protocol/messages/23-offset-for-leader-epoch.ts'
import type { Infer, Input } from '../../protocol/schema.ts'
import { defineApi, type RequestContext } from '../api.ts'

type PartitionRequest = Infer<typeof OffsetForLeaderEpochRequest>['topics'][number]['partitions'][number]
type PartitionAnswer = Input<typeof OffsetForLeaderEpochResponse>['topics'][number]['partitions'][number]

export default defineApi({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  request: OffsetForLeaderEpochRequest,
  response: OffsetForLeaderEpochResponse,
  versions: [2, 4],
  handle(context, request) {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((asked) => answerPartition(context, topic, asked)),
      })),
    }
  },
})

function answerPartition(context: RequestContext, topic: string, asked: PartitionRequest): PartitionAnswer {
  const { partition: index } = asked
  const failed = (errorCode: ErrorCode): PartitionAnswer => ({ partition: index, errorCode })
  if (!context.allowed('DESCRIBE', 'TOPIC', topic)) return failed(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  const partition = context.broker.partitions.get(topic, index)
  if (partition === undefined) return failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const refusal = partition.refusalFor(asked.currentLeaderEpoch)
  if (refusal !== null) return failed(refusal)
  return { partition: index, errorCode: ErrorCode.NONE, ...partition.log!.endOffsetForEpoch(asked.leaderEpoch) }
}
