/**
 * AlterPartitionReassignments: moves replicas between brokers. Replicas stay where they are here, so what is answered with success
 * is what needs no move; nothing is ever in progress that could be cancelled.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../../protocol/messages/45-alter-partition-reassignments.ts'
import type { Infer, Input } from '../../protocol/schema.ts'
import { type BrokerContext, defineApi } from '../api.ts'

type Response = Input<typeof AlterPartitionReassignmentsResponse>
type Topic = Infer<typeof AlterPartitionReassignmentsRequest>['topics'][number]
type Outcome = readonly [errorCode: ErrorCode, errorMessage: string | null]

const ACCEPTED: Outcome = [ErrorCode.NONE, null]

export default defineApi({
  key: 45,
  name: 'AlterPartitionReassignments',
  request: AlterPartitionReassignmentsRequest,
  response: AlterPartitionReassignmentsResponse,
  versions: [0, 1],
  notes: [
    'Replicas do not move between brokers: an assignment to other known brokers is answered INVALID_REPLICA_ASSIGNMENT.',
  ],
  authorize(context, request) {
    if (context.allowed('ALTER', 'CLUSTER', 'kafka-cluster')) return null
    return { ...answer(request, []), errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED }
  },
  handle({ broker }, request) {
    const responses = request.topics.map((topic) => ({
      name: topic.name,
      partitions: topic.partitions.map((partition) => {
        const [errorCode, errorMessage] = reassign(broker, topic.name, partition, request.allowReplicationFactorChange)
        return { partitionIndex: partition.partitionIndex, errorCode, errorMessage }
      }),
    }))
    return answer(request, responses)
  },
})

function answer(
  { allowReplicationFactorChange }: { readonly allowReplicationFactorChange: boolean },
  responses: Response['responses'],
): Response {
  // Kafka leaves its message at the field's default where it was asked for nothing.
  const errorMessage = responses.length === 0 ? '' : null
  return { throttleTimeMs: 0, allowReplicationFactorChange, errorCode: ErrorCode.NONE, errorMessage, responses }
}

function reassign(
  broker: BrokerContext,
  name: string,
  { partitionIndex, replicas }: Topic['partitions'][number],
  mayChangeFactor: boolean,
): Outcome {
  const topic = broker.image.topic(name)
  if (topic === undefined) {
    return [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find a topic named ${name}.`]
  }
  const current = topic.partitions[partitionIndex]?.replicas
  if (current === undefined) {
    return [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find partition ${name}:${partitionIndex}.`]
  }
  if (replicas === null) return [ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, null]
  const reason = refuseReplicas(broker, replicas)
  if (reason !== null) return [ErrorCode.INVALID_REPLICA_ASSIGNMENT, reason]
  if (!mayChangeFactor && replicas.length !== current.length) {
    const message = `The replication factor is changed from ${current.length} to ${replicas.length}`
    return [ErrorCode.INVALID_REPLICATION_FACTOR, message]
  }
  if (replicas.length === current.length && replicas.every((id, index) => id === current[index])) return ACCEPTED
  return [ErrorCode.INVALID_REPLICA_ASSIGNMENT, 'Replicas do not move between brokers.']
}

function refuseReplicas(broker: BrokerContext, replicas: readonly number[]): string | null {
  if (replicas.length === 0) return 'The manual partition assignment includes an empty replica list.'
  for (const id of replicas) {
    if (broker.image.broker(id) === undefined)
      return `The manual partition assignment includes broker ${id}, but no such broker is registered.`
  }
  if (new Set(replicas).size !== replicas.length)
    return 'The manual partition assignment includes a broker more than once.'
  return null
}
