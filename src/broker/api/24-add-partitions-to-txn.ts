/**
 * AddPartitionsToTxn: partitions become part of a producer's transaction before it writes to them.
 *
 * Versions: 0-3 are sent by clients, one transaction at a time, and either all partitions are added or none. 4 and 5 are for brokers
 * (many transactions, and only asking); a client library that sends them is served the same way. From 2 on a fenced producer is told
 * PRODUCER_FENCED, before INVALID_PRODUCER_EPOCH.
 */
import { union } from '../../coordinator/txn/add-partitions.ts'
import { NO_PARTITIONS, type TransactionPartitions } from '../../coordinator/txn/state.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../../protocol/messages/24-add-partitions-to-txn.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi, type Reply, type RequestContext } from '../api.ts'
import { fencedErrorFor } from '../transaction-errors.ts'

type Asked = AddPartitionsToTxnRequest['transactions'][number]
type AskedTopics = Asked['topics']
type Answer = Input<typeof AddPartitionsToTxnResponse>
type TopicResults = NonNullable<Answer['resultsByTopicV3AndBelow']>

const BATCHED_SINCE = 4
const PRODUCER_FENCED_SINCE = 2

export default defineApi({
  key: 24,
  name: 'AddPartitionsToTxn',
  request: AddPartitionsToTxnRequest,
  response: AddPartitionsToTxnResponse,
  versions: [0, 5],
  notes: [
    'While the last transaction is ending the answer waits for it, at most add.partitions.to.txn.retry.backoff.max.ms; Kafka answers CONCURRENT_TRANSACTIONS at once.',
    'A request of v4+ without transactions is answered; Kafka leaves it open.',
  ],
  authorize(context) {
    if (context.apiVersion < BATCHED_SINCE || context.allowed('CLUSTER_ACTION', 'CLUSTER', 'kafka-cluster')) return null
    const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    return { throttleTimeMs: 0, errorCode, resultsByTransaction: [], resultsByTopicV3AndBelow: [] }
  },
  handleLater(context, request, reply) {
    if (context.apiVersion >= BATCHED_SINCE) {
      answerMany(context, request.transactions, reply)
      return
    }
    const asked: Asked = {
      transactionalId: request.v3AndBelowTransactionalId,
      producerId: request.v3AndBelowProducerId,
      producerEpoch: request.v3AndBelowProducerEpoch,
      verifyOnly: false,
      topics: request.v3AndBelowTopics,
    }
    if (!context.allowed('WRITE', 'TRANSACTIONAL_ID', asked.transactionalId)) {
      const errorCode = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
      reply({ throttleTimeMs: 0, resultsByTopicV3AndBelow: sameForAll(asked.topics, errorCode) })
      return
    }
    answerOne(context, asked, (results) => reply({ throttleTimeMs: 0, resultsByTopicV3AndBelow: results }))
  },
})

function answerMany(
  context: RequestContext,
  transactions: readonly Asked[],
  reply: Reply<typeof AddPartitionsToTxnResponse>,
): void {
  const resultsByTransaction: { transactionalId: string; topicResults: TopicResults }[] = []
  let missing = transactions.length
  const send = () => reply({ throttleTimeMs: 0, errorCode: ErrorCode.NONE, resultsByTransaction })
  if (missing === 0) send()
  for (const asked of transactions) {
    const { transactionalId } = asked
    answerOne(context, asked, (topicResults) => {
      resultsByTransaction.push({ transactionalId, topicResults })
      if (--missing === 0) send()
    })
  }
}

function answerOne(context: RequestContext, asked: Asked, reply: (results: TopicResults) => void): void {
  const refused = refusedPartitions(context, asked.topics)
  if (refused !== null) {
    reply(refused)
    return
  }
  const { transactionalId, producerId, producerEpoch, topics } = asked
  const { broker, apiVersion } = context
  const partitions = topics.reduce<TransactionPartitions>(
    (known, topic) => union(known, new Map([[topic.name, topic.partitions]])),
    NO_PARTITIONS,
  )
  const knowsFenced = apiVersion >= PRODUCER_FENCED_SINCE
  if (!asked.verifyOnly) {
    const clientVersion = apiVersion >= BATCHED_SINCE ? 2 : 0
    const input = { producerId, producerEpoch, partitions, clientVersion } as const
    broker.transactions.addPartitions(transactionalId, input, (errorCode) =>
      reply(sameForAll(topics, fencedErrorFor(errorCode, knowsFenced))),
    )
    return
  }
  broker.transactions.verifyPartitions(transactionalId, { producerId, producerEpoch, partitions }, (result) => {
    if (typeof result === 'number') {
      reply(sameForAll(topics, result))
      return
    }
    // In the order of `partitions`, in which a topic that was named twice is one.
    const names = [...partitions].flatMap(([name, indexes]) => indexes.map((index) => `${name}-${index}`))
    const codes = new Map(names.map((name, position) => [name, result[position]]))
    reply(resultsFor(topics, (name, index) => codes.get(`${name}-${index}`) ?? ErrorCode.UNKNOWN_SERVER_ERROR))
  })
}

/** Null if every partition may be added; otherwise none is, and those that could have been say so. */
function refusedPartitions(context: RequestContext, topics: AskedTopics): TopicResults | null {
  let isRefused = false
  const results = resultsFor(topics, (name, index) => {
    const errorCode = refusalOf(context, name, index)
    if (errorCode !== ErrorCode.NONE) isRefused = true
    return errorCode === ErrorCode.NONE ? ErrorCode.OPERATION_NOT_ATTEMPTED : errorCode
  })
  return isRefused ? results : null
}

function refusalOf({ apiVersion, broker, allowed }: RequestContext, topic: string, index: number): ErrorCode {
  if (apiVersion < BATCHED_SINCE && !allowed('WRITE', 'TOPIC', topic)) return ErrorCode.TOPIC_AUTHORIZATION_FAILED
  if (broker.partitions.get(topic, index) === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return ErrorCode.NONE
}

function sameForAll(topics: AskedTopics, errorCode: ErrorCode): TopicResults {
  return resultsFor(topics, () => errorCode)
}

function resultsFor(topics: AskedTopics, errorFor: (topic: string, index: number) => ErrorCode): TopicResults {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: errorFor(name, partitionIndex),
    })),
  }))
}
