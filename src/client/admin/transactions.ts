/** Transactions as coordinators and partitions know them, and ways to end one whose producer is gone. */
import { ErrorCode, isRetriable } from '../../protocol/errors.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../protocol/messages/22-init-producer-id.ts'
import { WriteTxnMarkersRequest, WriteTxnMarkersResponse } from '../../protocol/messages/27-write-txn-markers.ts'
import { DescribeProducersRequest, DescribeProducersResponse } from '../../protocol/messages/61-describe-producers.ts'
import {
  DescribeTransactionsRequest,
  DescribeTransactionsResponse,
} from '../../protocol/messages/65-describe-transactions.ts'
import { ListTransactionsRequest, ListTransactionsResponse } from '../../protocol/messages/66-list-transactions.ts'
import type { Cluster } from '../cluster.ts'
import type { Connection } from '../connection.ts'
import { KafkaError } from '../errors.ts'
import { retrying } from '../retry.ts'
import type { PartitionsOfTopic } from './groups.ts'
import { errorOf, type Outcome, throwIfFailed } from './outcome.ts'

/** Which transactions to list; all conditions hold. */
export interface ListTransactionsFilter {
  /** As in `Ongoing`; every state unless given. */
  readonly states?: readonly string[]
  /** Only of these producers; all unless given. */
  readonly producerIds?: readonly number[]
  /** Only those that run for longer, milliseconds. */
  readonly runningLongerThanMs?: number
  /** A regular expression (RE2) that the whole id matches. */
  readonly idPattern?: string
}

/** A transactional id, as the list of all of them shows it. */
export interface ListedTransaction {
  /** The id that producers were given. */
  readonly transactionalId: string
  /** The producer's number behind it. */
  readonly producerId: number
  /** Kafka's name of its state: `Empty`, `Ongoing`, `PrepareCommit`, `CompleteAbort`, ... */
  readonly state: string
  /** Node id of its coordinator. */
  readonly coordinator: number
}

/** Every broker knows those that it coordinates, so all are asked. Sorted by id. */
export async function listTransactions(
  cluster: Cluster,
  filter: ListTransactionsFilter = {},
): Promise<ListedTransaction[]> {
  const { brokers } = await cluster.metadata([])
  const request = {
    stateFilters: filter.states ?? [],
    producerIdFilters: filter.producerIds ?? [],
    durationFilter: filter.runningLongerThanMs ?? -1,
    transactionalIdPattern: filter.idPattern ?? null,
  }
  const perBroker = await Promise.all(
    brokers.map(({ nodeId }) =>
      retrying(cluster.timeoutMs, async () => {
        const connection = await cluster.broker(nodeId)
        const answer = await connection.send(ListTransactionsRequest, ListTransactionsResponse, request)
        throwIfFailed(answer, `list the transactions of broker ${nodeId}`)
        return answer.transactionStates.map(({ transactionState: state, ...row }) => ({
          ...row,
          state,
          coordinator: nodeId,
        }))
      }),
    ),
  )
  return perBroker.flat().sort((a, b) => (a.transactionalId < b.transactionalId ? -1 : 1))
}

/** A transactional id and its open transaction. */
export interface TransactionDescription {
  /** The id that producers were given. */
  readonly transactionalId: string
  /** Kafka's name of its state. */
  readonly state: string
  /** The producer's number behind the id. */
  readonly producerId: number
  /** Goes up when a producer takes the id over. */
  readonly producerEpoch: number
  /** Milliseconds after which the coordinator aborts it. */
  readonly timeoutMs: number
  /** Milliseconds since 1970; -1 while none is open. */
  readonly startedMs: number
  /** Partitions with records of the open transaction. */
  readonly partitions: readonly PartitionsOfTopic[]
}

/** Throws if the id is not known. */
export function describeTransaction(cluster: Cluster, transactionalId: string): Promise<TransactionDescription> {
  const what = `describe transaction '${transactionalId}'`
  return retrying(cluster.timeoutMs, async () => {
    const coordinator = await cluster.coordinator('transaction', transactionalId)
    const answer = await coordinator.send(DescribeTransactionsRequest, DescribeTransactionsResponse, {
      transactionalIds: [transactionalId],
    })
    const [row] = answer.transactionStates
    throwIfFailed(row, what)
    const { transactionState: state, producerId, producerEpoch, transactionTimeoutMs, transactionStartTimeMs } = row!
    return {
      transactionalId,
      state,
      producerId,
      producerEpoch,
      timeoutMs: transactionTimeoutMs,
      startedMs: transactionStartTimeMs,
      partitions: row!.topics,
    }
  })
}

/** A producer that a partition remembers. */
export interface ActiveProducer {
  /** The producer's number. */
  readonly producerId: number
  /** The epoch of its last batch. */
  readonly producerEpoch: number
  /** The sequence number of its last record; -1: none. */
  readonly lastSequence: number
  /** Milliseconds since 1970; -1: none. */
  readonly lastTimestamp: number
  /** Of the coordinator that wrote the last marker; -1: none. */
  readonly coordinatorEpoch: number
  /** Where its open transaction begins; -1: it has none. */
  readonly transactionStartOffset: number
}

/** Who has written to the partition lately, as its leader knows. */
export function describeProducers(cluster: Cluster, topic: string, partition: number): Promise<ActiveProducer[]> {
  const what = `describe the producers of ${topic}-${partition}`
  return atLeader(cluster, topic, partition, what, async (leader) => {
    const answer = await leader.send(DescribeProducersRequest, DescribeProducersResponse, {
      topics: [{ name: topic, partitionIndexes: [partition] }],
    })
    const row = answer.topics[0]?.partitions[0]
    throwIfFailed(row, what)
    return row!.activeProducers.map(({ currentTxnStartOffset: transactionStartOffset, ...producer }) => ({
      ...producer,
      transactionStartOffset,
    }))
  })
}

/** An open transaction of a partition, as `describeProducers` shows it. */
export interface TransactionToAbort {
  /** The topic. */
  readonly topic: string
  /** The partition. */
  readonly partition: number
  /** The producer's number. */
  readonly producerId: number
  /** The producer's epoch. */
  readonly producerEpoch: number
  /** As `describeProducers` tells it; 0 for one that a coordinator does not know any more. */
  readonly coordinatorEpoch: number
}

/** Writes the abort of a hanging transaction, one that no coordinator will end, into a partition. */
export async function abortTransaction(cluster: Cluster, hanging: TransactionToAbort): Promise<void> {
  const { topic, partition, producerId, producerEpoch, coordinatorEpoch } = hanging
  const what = `abort the transaction of producer ${producerId} in ${topic}-${partition}`
  await atLeader(cluster, topic, partition, what, async (leader) => {
    const answer = await leader.send(WriteTxnMarkersRequest, WriteTxnMarkersResponse, {
      markers: [
        {
          producerId,
          producerEpoch,
          transactionResult: false,
          topics: [{ name: topic, partitionIndexes: [partition] }],
          coordinatorEpoch: Math.max(0, coordinatorEpoch),
        },
      ],
    })
    throwIfFailed(answer.markers[0]?.topics[0]?.partitions[0], what)
  })
}

/** Producers of these ids can do nothing any more, and what they have open is aborted. One outcome per id. */
export function fenceProducers(
  cluster: Cluster,
  transactionalIds: readonly string[],
): Promise<(Outcome & { readonly transactionalId: string })[]> {
  return Promise.all(
    transactionalIds.map(async (transactionalId) => {
      const what = `fence producers of '${transactionalId}'`
      try {
        await retrying(cluster.timeoutMs, async () => {
          const coordinator = await cluster.coordinator('transaction', transactionalId)
          const answer = await coordinator.send(InitProducerIdRequest, InitProducerIdResponse, {
            transactionalId,
            transactionTimeoutMs: cluster.timeoutMs,
          })
          throwIfFailed(answer, what)
        })
        return { transactionalId, error: null }
      } catch (error) {
        if (error instanceof KafkaError) return { transactionalId, error }
        throw error
      }
    }),
  )
}

function atLeader<T>(
  cluster: Cluster,
  topic: string,
  partition: number,
  what: string,
  ask: (leader: Connection) => Promise<T>,
): Promise<T> {
  return retrying(
    cluster.timeoutMs,
    async () => {
      await cluster.topic(topic)
      const known = cluster.partition(topic, partition)
      if (known === undefined) throw errorOf({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }, what)!
      return ask(await cluster.broker(known.leaderId))
    },
    // A fresh look at the topic has told what there is.
    { mayRetry: ({ errorCode }) => isRetriable(errorCode) && errorCode !== ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
  )
}
