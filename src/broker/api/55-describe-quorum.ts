/**
 * DescribeQuorum: who holds the metadata. This broker alone does; what grows in its store with every change is the revision, which
 * stands for the offset of Kafka's metadata log.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeQuorumRequest, DescribeQuorumResponse } from '../../protocol/messages/55-describe-quorum.ts'
import { type Infer, type Input, ZERO_UUID } from '../../protocol/schema.ts'
import { defineApi, type RequestContext } from '../api.ts'

type Response = Input<typeof DescribeQuorumResponse>
type PartitionAnswer = Response['topics'][number]['partitions'][number]

const METADATA_TOPIC = '__cluster_metadata'
/** The quorum never changes, so this is its first and only epoch. */
const LEADER_EPOCH = 1
const TIMES_SINCE = 1
const MESSAGES_SINCE = 2

export default defineApi({
  key: 55,
  name: 'DescribeQuorum',
  request: DescribeQuorumRequest,
  response: DescribeQuorumResponse,
  versions: [0, 2],
  notes: ['The one voter is this broker; its end offset is the revision of the metadata store.'],
  authorize(context) {
    if (context.allowed('DESCRIBE', 'CLUSTER', 'kafka-cluster')) return null
    return { errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, topics: [] }
  },
  handle(context, request) {
    const known = isMetadataPartition(request)
    const topics = request.topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ partitionIndex }) =>
        known ? described(context) : unknownPartition(context.apiVersion, partitionIndex),
      ),
    }))
    const { broker, connection, apiVersion } = context
    if (apiVersion < MESSAGES_SINCE) return { errorCode: ErrorCode.NONE, topics }
    const listeners = [{ name: 'PLAINTEXT', ...broker.advertised(connection) }]
    const nodes = known ? [{ nodeId: broker.nodeId, listeners }] : []
    return { errorCode: ErrorCode.NONE, errorMessage: '', topics, nodes }
  },
})

/** Asked for anything beside that one partition, Kafka knows none of it. */
function isMetadataPartition({ topics }: Infer<typeof DescribeQuorumRequest>): boolean {
  const [topic] = topics
  if (topics.length !== 1 || topic?.topicName !== METADATA_TOPIC) return false
  return topic.partitions.length === 1 && topic.partitions[0]?.partitionIndex === 0
}

function described({ broker, apiVersion, nowMs }: RequestContext): PartitionAnswer {
  const { revision } = broker.image
  const voter = {
    replicaId: broker.nodeId,
    ...(apiVersion >= MESSAGES_SINCE && { replicaDirectoryId: ZERO_UUID }),
    logEndOffset: revision,
    ...(apiVersion >= TIMES_SINCE && { lastFetchTimestamp: nowMs, lastCaughtUpTimestamp: nowMs }),
  }
  return {
    partitionIndex: 0,
    errorCode: ErrorCode.NONE,
    ...(apiVersion >= MESSAGES_SINCE && { errorMessage: '' }),
    leaderId: broker.nodeId,
    leaderEpoch: LEADER_EPOCH,
    highWatermark: revision,
    currentVoters: [voter],
    observers: [],
  }
}

function unknownPartition(apiVersion: number, partitionIndex: number): PartitionAnswer {
  return {
    partitionIndex,
    errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ...(apiVersion >= MESSAGES_SINCE && { errorMessage: 'This server does not host this topic-partition.' }),
    leaderId: 0,
    leaderEpoch: 0,
    highWatermark: 0,
    currentVoters: [],
    observers: [],
  }
}
