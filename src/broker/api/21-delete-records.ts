/**
 * DeleteRecords: moves a partition's log start forward. What lies below is gone for readers at once and stays gone after
 * a crash: the log writes its start before it answers.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../protocol/messages/21-delete-records.ts'
import { defineApi, type RequestContext } from '../api.ts'

/** In place of an offset: everything that is committed. */
const TO_HIGH_WATERMARK = -1

interface Outcome {
  readonly errorCode: ErrorCode
  readonly lowWatermark: number
}

export default defineApi({
  key: 21,
  name: 'DeleteRecords',
  request: DeleteRecordsRequest,
  response: DeleteRecordsResponse,
  versions: [0, 2],
  notes: ['The new log start is durable before the answer; Kafka keeps it in memory for up to a minute.'],
  handle(context, request) {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, offset }) => ({
          partitionIndex,
          ...deleteTo(context, name, partitionIndex, offset),
        })),
      })),
    }
  },
})

function deleteTo(context: RequestContext, topic: string, index: number, asked: number): Outcome {
  if (!context.allowed('DELETE', 'TOPIC', topic)) return failed(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  const partition = context.broker.partitions.get(topic, index)
  if (partition === undefined) return failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  if (partition.isInternal) return failed(ErrorCode.INVALID_TOPIC_EXCEPTION)
  const refusal = partition.refusalFor(-1)
  if (refusal !== null) return failed(refusal)
  const log = partition.log!
  const { cleanupPolicy } = log.config
  // A topic that keeps everything, with an empty policy, may have records deleted.
  if (cleanupPolicy.compact && !cleanupPolicy.delete) return failed(ErrorCode.POLICY_VIOLATION)
  const offset = asked === TO_HIGH_WATERMARK ? log.highWatermark : asked
  if (offset < 0 || offset > log.highWatermark) return failed(ErrorCode.OFFSET_OUT_OF_RANGE)
  if (offset > log.logStartOffset) {
    const errorCode = log.deleteRecordsTo(offset)
    if (errorCode !== ErrorCode.NONE) return failed(errorCode)
    // Readers below the new start must hear OFFSET_OUT_OF_RANGE now.
    partition.wake()
  }
  return { errorCode: ErrorCode.NONE, lowWatermark: log.logStartOffset }
}

function failed(errorCode: ErrorCode): Outcome {
  return { errorCode, lowWatermark: -1 }
}
