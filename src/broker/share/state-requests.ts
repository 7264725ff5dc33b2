/**
 * The requests in which brokers ask each other for the states of share partitions. All of them name a group, topics and partitions, and
 * get a row for each; what differs is what is asked of the share coordinator.
 */

import { Gather } from '../../coordinator/replies.ts'
import type { StateReply } from '../../coordinator/share-state/coordinator.ts'
import type { SharePartitionKey, StateFailure } from '../../coordinator/share-state/persister.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { RequestContext } from '../api.ts'

export interface StateRequest<Partition> {
  readonly groupId: string
  readonly topics: readonly { readonly topicId: string; readonly partitions: readonly Partition[] }[]
}

export interface StateTopicResult<Row> {
  readonly topicId: string
  readonly partitions: Row[]
}

export function mayAskForStates(context: RequestContext): boolean {
  return context.allowed('CLUSTER_ACTION', 'CLUSTER', 'kafka-cluster')
}

/** The same for every partition of the request. */
export function refusedStates<Partition extends { readonly partition: number }>(
  { topics }: StateRequest<Partition>,
  errorCode: ErrorCode,
) {
  return topics.map(({ topicId, partitions }) => ({
    topicId,
    partitions: partitions.map(({ partition }) => ({ partition, errorCode })),
  }))
}

/** Empty requests, and those without a group, have no answer. */
export function askForStates<Partition extends { readonly partition: number }, Answer extends StateFailure, Row>(
  { groupId, topics }: StateRequest<Partition>,
  ask: (key: SharePartitionKey, partition: Partition, reply: StateReply<Answer>) => void,
  row: (partition: number, answer: Answer | StateFailure) => Row,
  reply: (results: StateTopicResult<Row>[]) => void,
): void {
  if (groupId === '' || topics.some(({ partitions }) => partitions.length === 0)) {
    reply([])
    return
  }
  const results = new Gather<StateTopicResult<Row>>(topics.length, reply)
  for (const [topicIndex, { topicId, partitions }] of topics.entries()) {
    const rows = new Gather<Row>(partitions.length, (done) => results.put(topicIndex, { topicId, partitions: done }))
    for (const [index, asked] of partitions.entries()) {
      const { partition } = asked
      ask({ groupId, topicId, partition }, asked, (answer) => {
        const known = typeof answer === 'number' ? { errorCode: answer, errorMessage: null } : answer
        rows.put(index, row(partition, known))
      })
    }
  }
}

export function plainRow(partition: number, { errorCode, errorMessage }: StateFailure) {
  return { partition, errorCode, errorMessage }
}

export const REFUSED = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
