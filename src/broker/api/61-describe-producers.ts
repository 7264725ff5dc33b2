/** DescribeProducers: the producers that partitions remember, with their open transactions. */
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeProducersRequest, DescribeProducersResponse } from '../../protocol/messages/61-describe-producers.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi, type RequestContext } from '../api.ts'

type PartitionAnswer = Input<typeof DescribeProducersResponse>['topics'][number]['partitions'][number]

export default defineApi({
  key: 61,
  name: 'DescribeProducers',
  request: DescribeProducersRequest,
  response: DescribeProducersResponse,
  versions: [0, 0],
  handle(context, request) {
    const topics = request.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => describe(context, name, partitionIndex)),
    }))
    return { throttleTimeMs: 0, topics }
  },
})

function describe(context: RequestContext, topic: string, partitionIndex: number): PartitionAnswer {
  if (!context.allowed('READ', 'TOPIC', topic)) return failed(partitionIndex, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  const partition = context.broker.partitions.get(topic, partitionIndex)
  if (partition === undefined) {
    const reason = context.broker.image.topic(topic) === undefined ? 'There is no such topic.' : null
    return failed(partitionIndex, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, reason)
  }
  const refusal = partition.refusalFor(-1)
  if (refusal !== null) return failed(partitionIndex, refusal)
  const activeProducers = partition.log!.activeProducers().map(({ currentTransactionStartOffset, ...producer }) => ({
    ...producer,
    currentTxnStartOffset: currentTransactionStartOffset,
  }))
  return { partitionIndex, errorCode: ErrorCode.NONE, errorMessage: null, activeProducers }
}

function failed(partitionIndex: number, errorCode: ErrorCode, errorMessage: string | null = null): PartitionAnswer {
  return {
    partitionIndex,
    errorCode,
    errorMessage,
    activeProducers: [],
  }
}
