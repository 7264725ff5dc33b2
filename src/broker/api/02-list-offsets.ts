/**
 * ListOffsets: the offset that belongs to a timestamp, or one of the special places of a partition (its start, its end,
 * its newest timestamp). Consumers ask it to seek and to reset.
 */
import type { OffsetAndTimestamp } from '../../log/types.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from '../../protocol/messages/02-list-offsets.ts'
import type { Infer, Input } from '../../protocol/schema.ts'
import { defineApi, type RequestContext } from '../api.ts'
import type { Partition } from '../partition.ts'

type TopicRequest = Infer<typeof ListOffsetsRequest>['topics'][number]
type PartitionRequest = TopicRequest['partitions'][number]
type PartitionAnswer = Input<typeof ListOffsetsResponse>['topics'][number]['partitions'][number]

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const LATEST_TIERED = -5
const EARLIEST_PENDING_UPLOAD = -6

/** The version that introduced each special timestamp; earlier ones do not know it. */
const SPECIAL_SINCE: ReadonlyMap<number, number> = new Map([
  [LATEST, 1],
  [EARLIEST, 1],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
])

const READ_COMMITTED = 1
/** Replica ids of followers are 0 and up; -2 is a debugging client that may ask any replica. */
const DEBUGGING_REPLICA = -2

export default defineApi({
  key: 2,
  name: 'ListOffsets',
  request: ListOffsetsRequest,
  response: ListOffsetsResponse,
  versions: [1, 11],
  notes: ['Nothing is tiered: latest-tiered and earliest-pending-upload answer -1.'],
  async handle(context, request) {
    const duplicates = duplicatePartitions(request.topics)
    const topics = await Promise.all(
      request.topics.map(async (topic) => ({
        name: topic.name,
        partitions: await Promise.all(
          oncePerPartition(topic).map((partition) => {
            if (duplicates.has(`${topic.name}-${partition.partitionIndex}`)) {
              return failed(partition.partitionIndex, ErrorCode.INVALID_REQUEST)
            }
            return answerPartition(context, request, topic.name, partition)
          }),
        ),
      })),
    )
    return { throttleTimeMs: 0, topics }
  },
})

async function answerPartition(
  context: RequestContext,
  request: Infer<typeof ListOffsetsRequest>,
  topic: string,
  asked: PartitionRequest,
): Promise<PartitionAnswer> {
  const { partitionIndex, timestamp, currentLeaderEpoch } = asked
  if (timestamp < 0 && context.apiVersion < (SPECIAL_SINCE.get(timestamp) ?? Number.POSITIVE_INFINITY)) {
    return failed(partitionIndex, ErrorCode.UNSUPPORTED_VERSION)
  }
  if (!context.allowed('DESCRIBE', 'TOPIC', topic)) {
    return failed(partitionIndex, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  }
  const partition = context.broker.partitions.get(topic, partitionIndex)
  if (partition === undefined) return failed(partitionIndex, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const refusal = partition.refusalFor(currentLeaderEpoch)
  if (refusal !== null && !(refusal === ErrorCode.NOT_LEADER_OR_FOLLOWER && request.replicaId === DEBUGGING_REPLICA)) {
    return failed(partitionIndex, refusal)
  }
  const log = partition.log
  if (log === null) return failed(partitionIndex, ErrorCode.KAFKA_STORAGE_ERROR)
  const isCommitted = request.isolationLevel === READ_COMMITTED
  const lastFetchable = isCommitted ? log.lastStableOffset : log.highWatermark
  const end = request.replicaId >= 0 ? log.logEndOffset : lastFetchable
  try {
    const found = await find(partition, timestamp, end)
    if (found === null) return { partitionIndex, errorCode: ErrorCode.NONE }
    return { partitionIndex, errorCode: ErrorCode.NONE, ...found }
  } catch (error) {
    context.broker.logger.error('look-up of an offset failed', { topic, partition: partitionIndex, timestamp, error })
    return failed(partitionIndex, ErrorCode.KAFKA_STORAGE_ERROR)
  }
}

/** Null: there is no such record. */
async function find(partition: Partition, timestamp: number, end: number): Promise<OffsetAndTimestamp | null> {
  const log = partition.log!
  switch (timestamp) {
    case LATEST:
      return { timestamp: -1, offset: end, leaderEpoch: partition.leaderEpoch }
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { timestamp: -1, offset: log.logStartOffset, leaderEpoch: log.epochs.epochAt(log.logStartOffset) }
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return null
    case MAX_TIMESTAMP: {
      const newest = await log.maxTimestamp()
      // Kafka does not look for the newest below it.
      return newest !== null && newest.offset < end ? newest : null
    }
    default:
      return log.offsetForTimestamp(timestamp, end)
  }
}

function failed(partitionIndex: number, errorCode: ErrorCode): PartitionAnswer {
  return { partitionIndex, errorCode }
}

/** A partition that is asked about twice is answered once, with an error. */
function duplicatePartitions(topics: readonly TopicRequest[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const duplicates = new Set<string>()
  for (const topic of topics) {
    for (const { partitionIndex } of topic.partitions) {
      const key = `${topic.name}-${partitionIndex}`
      if (seen.has(key)) duplicates.add(key)
      seen.add(key)
    }
  }
  return duplicates
}

function oncePerPartition(topic: TopicRequest): PartitionRequest[] {
  const byIndex = new Map(topic.partitions.map((partition) => [partition.partitionIndex, partition]))
  return [...byIndex.values()]
}
