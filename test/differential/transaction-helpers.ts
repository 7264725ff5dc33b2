// A transactional producer in a few words, for cases that tell the story of a transaction. Each step is answered by what of the
// broker's answer is compared.
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/02-list-offsets.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../src/protocol/messages/22-init-producer-id.ts'
import {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../../src/protocol/messages/24-add-partitions-to-txn.ts'
import { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } from '../../src/protocol/messages/25-add-offsets-to-txn.ts'
import { EndTxnRequest, EndTxnResponse } from '../../src/protocol/messages/26-end-txn.ts'
import { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from '../../src/protocol/messages/28-txn-offset-commit.ts'
import {
  DescribeProducersRequest,
  DescribeProducersResponse,
} from '../../src/protocol/messages/61-describe-producers.ts'
import {
  DescribeTransactionsRequest,
  DescribeTransactionsResponse,
} from '../../src/protocol/messages/65-describe-transactions.ts'
import type { Infer, Input, MessageSchema } from '../../src/protocol/schema.ts'
import { iterateRecords, readBatchHeader } from '../../src/records/batch.ts'
import { readControlType } from '../../src/records/control.ts'
import type { DifferentialBroker } from './broker.ts'
import { batchOf, produceTo } from './produce-helpers.ts'

const CONCURRENT_TRANSACTIONS = 51
const COORDINATOR_CODES = [14, 15, 16]

export interface ProducerFields {
  producerId?: number
  producerEpoch?: number
}

/** Has both coordinators' topics made and loaded. */
export async function prepareCoordinators(broker: DifferentialBroker): Promise<void> {
  const connection = await broker.connection('setup')
  for (const keyType of [0, 1]) {
    await broker.until(`coordinators of type ${keyType} are there`, async () => {
      const found = await connection.send(
        FindCoordinatorRequest,
        FindCoordinatorResponse,
        { keyType, coordinatorKeys: ['any'] },
        { version: 4 },
      )
      return found.coordinators[0]?.errorCode === 0
    })
  }
}

export class TransactionalClient {
  readonly #broker: DifferentialBroker
  readonly transactionalId: string
  producerId = -1
  epoch = -1
  #sequences = new Map<string, number>()

  constructor(broker: DifferentialBroker, transactionalId: string) {
    this.#broker = broker
    this.transactionalId = transactionalId
  }

  async #send<Request extends MessageSchema, Response extends MessageSchema>(
    request: Request,
    response: Response,
    value: Input<Request>,
    version: number,
  ): Promise<Infer<Response>> {
    const connection = await this.#broker.connection(`transactions`)
    return connection.send(request, response, value, { version })
  }

  /** Asks until the last transaction is complete and the coordinator is there. */
  async #settled<Answer>(ask: () => Promise<Answer>, codeOf: (answer: Answer) => number | undefined): Promise<Answer> {
    for (;;) {
      const answer = await ask()
      const code = codeOf(answer) ?? 0
      if (code !== CONCURRENT_TRANSACTIONS && !COORDINATOR_CODES.includes(code)) return answer
      await Bun.sleep(20)
    }
  }

  #producer(fields: ProducerFields): { producerId: number; producerEpoch: number } {
    return { producerId: fields.producerId ?? this.producerId, producerEpoch: fields.producerEpoch ?? this.epoch }
  }

  /** Without waiting for anything; keeps what it is given. */
  async initOnce(version: number, fields: ProducerFields & { timeoutMs?: number } = {}): Promise<unknown> {
    const { producerId = -1, producerEpoch = -1, timeoutMs = 60_000 } = fields
    const { transactionalId } = this
    const value = { transactionalId, transactionTimeoutMs: timeoutMs, producerId, producerEpoch }
    const answer = await this.#send(InitProducerIdRequest, InitProducerIdResponse, value, version)
    if (answer.errorCode === 0) {
      this.producerId = answer.producerId
      this.epoch = answer.producerEpoch
      this.#sequences = new Map()
    }
    return { errorCode: answer.errorCode, producerId: answer.producerId, producerEpoch: answer.producerEpoch }
  }

  init(version: number, fields: ProducerFields & { timeoutMs?: number } = {}): Promise<unknown> {
    return this.#settled(
      () => this.initOnce(version, fields),
      (answer) => (answer as { errorCode: number }).errorCode,
    )
  }

  async add(version: number, topic: string, partitions: number[], fields: ProducerFields = {}): Promise<unknown> {
    const producer = this.#producer(fields)
    const { transactionalId } = this
    const topics = [{ name: topic, partitions }]
    const old = {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producer.producerId,
      v3AndBelowProducerEpoch: producer.producerEpoch,
      v3AndBelowTopics: topics,
    }
    const value = version < 4 ? old : { transactions: [{ transactionalId, ...producer, verifyOnly: false, topics }] }
    const answer = await this.#settled(
      () => this.#send(AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, value, version),
      (added) => {
        const [topicResult] =
          version < 4 ? added.resultsByTopicV3AndBelow : (added.resultsByTransaction[0]?.topicResults ?? [])
        return topicResult?.resultsByPartition[0]?.partitionErrorCode
      },
    )
    return version >= 4 ? answer.resultsByTransaction : answer.resultsByTopicV3AndBelow
  }

  async verify(version: number, topic: string, partitions: number[], fields: ProducerFields = {}): Promise<unknown> {
    const { transactionalId } = this
    const topics = [{ name: topic, partitions }]
    const value = { transactions: [{ transactionalId, ...this.#producer(fields), verifyOnly: true, topics }] }
    const answer = await this.#send(AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, value, version)
    return answer.resultsByTransaction
  }

  /** The next batch of the partition; its sequence goes on only if it was taken. */
  async produce(
    version: number,
    topic: string,
    options: ProducerFields & { partition?: number; sequence?: number; values?: string[]; plain?: boolean } = {},
  ): Promise<unknown> {
    const { partition = 0, values = ['value'], plain = false } = options
    const name = `${topic}-${partition}`
    const baseSequence = options.sequence ?? this.#sequences.get(name) ?? 0
    const batch = batchOf(values, { ...this.#producer(options), baseSequence, isTransactional: !plain })
    const { transactionalId } = this
    const request = produceTo(topic, batch, { partition, transactionalId })
    const answer = await this.#settled(
      () => this.#send(ProduceRequest, ProduceResponse, request, version),
      (produced) => produced.responses[0]?.partitionResponses[0]?.errorCode,
    )
    const row = answer.responses[0]?.partitionResponses[0]
    if (row?.errorCode === 0) this.#sequences.set(name, baseSequence + values.length)
    return { errorCode: row?.errorCode, baseOffset: row?.baseOffset, errorMessage: row?.errorMessage }
  }

  async addOffsets(version: number, groupId: string, fields: ProducerFields = {}): Promise<unknown> {
    const value = { transactionalId: this.transactionalId, groupId, ...this.#producer(fields) }
    return this.#settled(
      () => this.#send(AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, value, version),
      ({ errorCode }) => errorCode,
    )
  }

  async commitOffsets(
    version: number,
    groupId: string,
    topic: string,
    offset: number,
    options: ProducerFields & {
      partitions?: number[]
      generationId?: number
      memberId?: string
      metadata?: string
    } = {},
  ): Promise<unknown> {
    const { partitions = [0], generationId = -1, memberId = '', metadata = 'm' } = options
    const rows = partitions.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: offset,
      committedLeaderEpoch: -1,
      committedMetadata: metadata,
    }))
    const { transactionalId } = this
    const identity = { transactionalId, groupId, generationId, memberId, groupInstanceId: null }
    const value = { ...identity, ...this.#producer(options), topics: [{ name: topic, partitions: rows }] }
    const answer = await this.#settled(
      () => this.#send(TxnOffsetCommitRequest, TxnOffsetCommitResponse, value, version),
      ({ topics }) => topics[0]?.partitions[0]?.errorCode,
    )
    return answer.topics[0]?.partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex)
  }

  /** Version 5 gives the producer its next epoch. */
  async end(version: number, committed: boolean, fields: ProducerFields = {}): Promise<unknown> {
    const value = { transactionalId: this.transactionalId, committed, ...this.#producer(fields) }
    const answer = await this.#settled(
      () => this.#send(EndTxnRequest, EndTxnResponse, value, version),
      ({ errorCode }) => errorCode,
    )
    if (answer.errorCode === 0 && version >= 5) {
      this.producerId = answer.producerId
      this.epoch = answer.producerEpoch
      this.#sequences = new Map()
    }
    const { errorCode, producerId, producerEpoch } = answer
    return version >= 5 ? { errorCode, producerId, producerEpoch } : { errorCode }
  }

  /** Once no transaction is ending: its state, without the times that are the broker's own. */
  async describe(): Promise<unknown> {
    for (;;) {
      const transactionalIds = [this.transactionalId]
      const value = { transactionalIds }
      const answer = await this.#send(DescribeTransactionsRequest, DescribeTransactionsResponse, value, 0)
      const [state] = answer.transactionStates
      if (state === undefined || !state.transactionState.startsWith('Prepare')) {
        return { ...state, transactionStartTimeMs: (state?.transactionStartTimeMs ?? 0) > 0 }
      }
      await Bun.sleep(20)
    }
  }
}

/** Values and markers of a partition as a reader at that isolation sees them, and what it is told of aborted transactions. */
export async function readBack(broker: DifferentialBroker, topic: string, isolationLevel: 0 | 1): Promise<unknown> {
  const connection = await broker.connection('reads')
  const partition = { partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }
  const request = { maxWaitMs: 0, minBytes: 1, maxBytes: 1_000_000, isolationLevel }
  const value = { ...request, topics: [{ topic, partitions: [partition] }] }
  const answer = await connection.send(FetchRequest, FetchResponse, value, { version: 12 })
  const row = answer.responses[0]?.partitions[0]
  if (row === undefined) return { errorCode: answer.errorCode }
  const { errorCode, highWatermark, lastStableOffset, abortedTransactions } = row
  return {
    errorCode,
    highWatermark,
    lastStableOffset,
    abortedTransactions,
    seen: seenIn(Buffer.concat(row.records ?? [])),
  }
}

function seenIn(bytes: Buffer): string[] {
  const seen: string[] = []
  for (let position = 0; position < bytes.length; ) {
    const header = readBatchHeader(bytes, position)
    const batch = bytes.subarray(position, position + header.sizeBytes)
    for (const { offset, key, value } of iterateRecords(batch)) {
      const isMarker = (header.attributes & 0x20) !== 0
      const marker = isMarker ? `marker ${readControlType({ key })} ${value?.toString('hex')}` : String(value)
      seen.push(`${offset}: epoch ${header.producerEpoch} sequence ${header.baseSequence} ${marker}`)
    }
    position += header.sizeBytes
  }
  return seen
}

export async function latestOffset(broker: DifferentialBroker, topic: string, isolationLevel: 0 | 1): Promise<unknown> {
  const connection = await broker.connection('reads')
  const topics = [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1, currentLeaderEpoch: -1 }] }]
  const value = { replicaId: -1, isolationLevel, topics }
  const answer = await connection.send(ListOffsetsRequest, ListOffsetsResponse, value, { version: 7 })
  return answer.topics[0]?.partitions[0]
}

/** What the partition remembers of its producers, without times. */
export async function producersOf(broker: DifferentialBroker, topic: string): Promise<unknown> {
  const connection = await broker.connection('reads')
  const value = { topics: [{ name: topic, partitionIndexes: [0] }] }
  const answer = await connection.send(DescribeProducersRequest, DescribeProducersResponse, value, { version: 0 })
  return answer.topics[0]?.partitions.map(({ activeProducers, ...row }) => ({
    ...row,
    activeProducers: activeProducers.map(({ lastTimestamp: _, ...producer }) => producer),
  }))
}

export async function committedOffset(
  broker: DifferentialBroker,
  groupId: string,
  topic: string,
  requireStable: boolean,
): Promise<unknown> {
  const connection = await broker.connection('reads')
  const topics = [{ name: topic, partitionIndexes: [0] }]
  const value = { groups: [{ groupId, memberId: null, memberEpoch: -1, topics }], requireStable }
  const answer = await connection.send(OffsetFetchRequest, OffsetFetchResponse, value, { version: 9 })
  return answer.groups[0]
}
