/**
 * ElectLeaders: makes the preferred replica lead, or any replica where none is in sync. One broker leads whatever it has, so what is
 * asked for has nearly always happened already.
 */
import type { TopicImage } from '../../metadata/image.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { ElectLeadersRequest, ElectLeadersResponse } from '../../protocol/messages/43-elect-leaders.ts'
import type { Infer, Input } from '../../protocol/schema.ts'
import { defineApi, type RequestContext } from '../api.ts'

type Response = Input<typeof ElectLeadersResponse>
type PartitionResult = Response['replicaElectionResults'][number]['partitionResult'][number]

const PREFERRED = 0
const UNCLEAN = 1

export default defineApi({
  key: 43,
  name: 'ElectLeaders',
  request: ElectLeadersRequest,
  response: ElectLeadersResponse,
  versions: [0, 2],
  notes: ['Leadership does not move between brokers: what is not led by the replica asked for is answered 80 or 83.'],
  authorize(context) {
    if (context.allowed('ALTER', 'CLUSTER', 'kafka-cluster')) return null
    return answer(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, [])
  },
  handle(context, request) {
    const { electionType } = request
    if (electionType !== PREFERRED && electionType !== UNCLEAN) return unknownType(request)
    return answer(ErrorCode.NONE, results(context, request))
  },
})

function answer(errorCode: ErrorCode, replicaElectionResults: Response['replicaElectionResults']): Response {
  return { throttleTimeMs: 0, errorCode, replicaElectionResults }
}

/** The whole request is refused, and every partition that it names says so, too. */
function unknownType({ electionType, topicPartitions }: Infer<typeof ElectLeadersRequest>): Response {
  const errorCode = ErrorCode.INVALID_REQUEST
  const errorMessage = `Unknown election type ${electionType}`
  const rows = (topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode, errorMessage })),
  }))
  return answer(errorCode, rows)
}

function results(
  { broker }: RequestContext,
  { topicPartitions, electionType }: Infer<typeof ElectLeadersRequest>,
): Response['replicaElectionResults'] {
  if (topicPartitions !== null) {
    return topicPartitions.map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((index) => elect(broker.image.topic(topic), topic, index, electionType)),
    }))
  }
  // Asked for everything, nobody wants to hear of what needs no election.
  return broker.image.topics().map((topic) => ({
    topic: topic.name,
    partitionResult: topic.partitions
      .map(({ index }) => elect(topic, topic.name, index, electionType))
      .filter(({ errorCode }) => errorCode !== ErrorCode.ELECTION_NOT_NEEDED),
  }))
}

function elect(topic: TopicImage | undefined, name: string, index: number, electionType: number): PartitionResult {
  const failed = (errorCode: ErrorCode, errorMessage: string | null): PartitionResult => ({
    partitionId: index,
    errorCode,
    errorMessage,
  })
  const partition = topic?.partitions[index]
  if (topic === undefined) return failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such topic as ${name}`)
  if (partition === undefined)
    return failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such partition as ${name}-${index}`)
  const { leader, replicas } = partition
  const isLed = electionType === UNCLEAN ? leader >= 0 : leader === replicas[0]
  if (isLed) return failed(ErrorCode.ELECTION_NOT_NEEDED, 'The partition has the leader that was asked for.')
  if (electionType === UNCLEAN) {
    return failed(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, 'No replica of the partition can lead it.')
  }
  return failed(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, 'The preferred replica cannot lead the partition.')
}
