/**
 * A transactional producer that speaks the protocol by hand, in the old way or in that of transaction version 2. It repeats what
 * says "not now" and gives up at anything else: a new session has to take over then, as with real clients.
 */
import { Connection } from '../../src/client/connection.ts'
import { ErrorCode, errorName } from '../../src/protocol/errors.ts'
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
import type { Infer, Input, MessageSchema } from '../../src/protocol/schema.ts'
import { buildBatch } from '../../src/records/batch.ts'
import { nextOffsetAfter, readRecords } from '../support/fetched-records.ts'

const RETRY_MS = 5
const REQUEST_TIMEOUT_MS = 10_000

const NOT_NOW = new Set<number>([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.UNSTABLE_OFFSET_COMMIT,
])

/** The broker said no: this session cannot go on. */
export class Refused extends Error {
  readonly code: number

  constructor(what: string, code: number) {
    super(`${what}: ${errorName(code)}`)
    this.code = code
  }
}

export interface Address {
  port: number
  /** Nothing new begins. */
  ended: boolean
}

export function connect(address: Address): Promise<Connection> {
  const { port } = address
  return Connection.connect({ host: '127.0.0.1', port, timeoutMs: REQUEST_TIMEOUT_MS, negotiate: false })
}

/** Asks until the answer is another than "not now"; throws `Refused` unless that is 0. */
export async function ask<Request extends MessageSchema, Response extends MessageSchema>(
  connection: Connection,
  [request, response, version]: readonly [Request, Response, number],
  value: Input<Request>,
  codeOf: (answer: Infer<Response>) => number | undefined,
): Promise<Infer<Response>> {
  for (;;) {
    const answer = await connection.send(request, response, value, { version })
    const code = codeOf(answer) ?? ErrorCode.NONE
    if (code === ErrorCode.NONE) return answer
    if (!NOT_NOW.has(code)) throw new Refused(request.name, code)
    await Bun.sleep(RETRY_MS)
  }
}

async function findCoordinator(connection: Connection, keyType: number, key: string): Promise<void> {
  const call = [FindCoordinatorRequest, FindCoordinatorResponse, 4] as const
  await ask(connection, call, { keyType, coordinatorKeys: [key] }, ({ coordinators }) => coordinators[0]?.errorCode)
}

export class TransactionSession {
  readonly transactionalId: string
  readonly #connection: Connection
  readonly #isNew: boolean
  #producer = { producerId: -1, producerEpoch: -1 }
  readonly #sequences = new Map<string, number>()
  /** Partitions and groups of the running transaction, where the client has to name them first. */
  readonly #added = new Set<string>()

  private constructor(connection: Connection, transactionalId: string, isNew: boolean) {
    this.#connection = connection
    this.transactionalId = transactionalId
    this.#isNew = isNew
  }

  /** Fences whoever had the id before. */
  static async open(
    connection: Connection,
    transactionalId: string,
    options: { isNew: boolean; timeoutMs: number },
  ): Promise<TransactionSession> {
    await findCoordinator(connection, 1, transactionalId)
    const session = new TransactionSession(connection, transactionalId, options.isNew)
    const value = { transactionalId, transactionTimeoutMs: options.timeoutMs }
    const call = [InitProducerIdRequest, InitProducerIdResponse, options.isNew ? 5 : 4] as const
    const given = await ask(connection, call, value, ({ errorCode }) => errorCode)
    session.#producer = { producerId: given.producerId, producerEpoch: given.producerEpoch }
    return session
  }

  /** `key`: of all of them. */
  async write(topic: string, partition: number, values: readonly string[], key: string | null = null): Promise<void> {
    const name = `${topic}-${partition}`
    const { transactionalId } = this
    if (!this.#isNew && !this.#added.has(name)) {
      const call = [AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, 3] as const
      const { producerId, producerEpoch } = this.#producer
      const value = {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: topic, partitions: [partition] }],
      }
      await ask(
        this.#connection,
        call,
        value,
        ({ resultsByTopicV3AndBelow }) => resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode,
      )
      this.#added.add(name)
    }
    const baseSequence = this.#sequences.get(name) ?? 0
    const keyBytes = key === null ? null : Buffer.from(key)
    const records = values.map((value) => ({ timestamp: Date.now(), key: keyBytes, value: Buffer.from(value) }))
    const call = [ProduceRequest, ProduceResponse, this.#isNew ? 12 : 9] as const
    const build = () => buildBatch({ ...this.#producer, baseSequence, isTransactional: true, records })
    const topicData = [{ name: topic, partitionData: [{ index: partition, records: [build()] }] }]
    const value = { transactionalId, acks: -1, timeoutMs: 5_000, topicData }
    await ask(this.#connection, call, value, ({ responses }) => responses[0]?.partitionResponses[0]?.errorCode)
    this.#sequences.set(name, baseSequence + values.length)
  }

  async commitOffset(groupId: string, topic: string, partition: number, offset: number): Promise<void> {
    const { transactionalId } = this
    await findCoordinator(this.#connection, 0, groupId)
    if (!this.#isNew && !this.#added.has(`group ${groupId}`)) {
      const call = [AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, 3] as const
      const value = { transactionalId, groupId, ...this.#producer }
      await ask(this.#connection, call, value, ({ errorCode }) => errorCode)
      this.#added.add(`group ${groupId}`)
    }
    const partitions = [{ partitionIndex: partition, committedOffset: offset, committedMetadata: '' }]
    const value = { transactionalId, groupId, ...this.#producer, topics: [{ name: topic, partitions }] }
    const call = [TxnOffsetCommitRequest, TxnOffsetCommitResponse, this.#isNew ? 5 : 3] as const
    await ask(this.#connection, call, value, ({ topics }) => topics[0]?.partitions[0]?.errorCode)
  }

  /** May be repeated on another connection, whatever became of the first time. */
  async end(committed: boolean, connection: Connection = this.#connection): Promise<void> {
    const value = { transactionalId: this.transactionalId, ...this.#producer, committed }
    const call = [EndTxnRequest, EndTxnResponse, this.#isNew ? 5 : 3] as const
    const answer = await ask(connection, call, value, ({ errorCode }) => errorCode)
    this.#added.clear()
    if (!this.#isNew) return
    this.#producer = { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
    this.#sequences.clear()
  }
}

export interface ReadRecord {
  readonly offset: number
  readonly key: string | null
  readonly value: string
}

/** What a reader at read_committed gets from the offset on, and where it reads on. */
export async function readCommitted(
  connection: Connection,
  topic: string,
  partition: number,
  fetchOffset: number,
): Promise<{ records: ReadRecord[]; nextOffset: number }> {
  const asked = { partition, fetchOffset, partitionMaxBytes: 100_000 }
  const value = {
    maxWaitMs: 50,
    minBytes: 1,
    maxBytes: 1_000_000,
    isolationLevel: 1,
    topics: [{ topic, partitions: [asked] }],
  }
  const call = [FetchRequest, FetchResponse, 11] as const
  const answer = await ask(connection, call, value, ({ responses }) => responses[0]?.partitions[0]?.errorCode)
  const row = answer.responses[0]?.partitions[0]
  const bytes = Buffer.concat(row?.records ?? [])
  const records = Array.from(readRecords(bytes, fetchOffset, row?.abortedTransactions ?? []), (record) => ({
    offset: record.offset,
    key: record.key === null ? null : String(record.key),
    value: String(record.value),
  }))
  return { records, nextOffset: nextOffsetAfter(bytes, fetchOffset) }
}

/** The committed position, once no transaction may change it any more; 0 if there is none. */
export async function stableOffset(
  connection: Connection,
  groupId: string,
  topic: string,
  partition: number,
): Promise<number> {
  await findCoordinator(connection, 0, groupId)
  const groups = [{ groupId, topics: [{ name: topic, partitionIndexes: [partition] }] }]
  const call = [OffsetFetchRequest, OffsetFetchResponse, 8] as const
  const codeOf = (answer: Infer<typeof OffsetFetchResponse>) =>
    answer.groups[0]?.errorCode || answer.groups[0]?.topics[0]?.partitions[0]?.errorCode
  const answer = await ask(connection, call, { groups, requireStable: true }, codeOf)
  return Math.max(0, answer.groups[0]?.topics[0]?.partitions[0]?.committedOffset ?? 0)
}

export async function endOffset(
  connection: Connection,
  topic: string,
  partition: number,
  isolationLevel: 0 | 1,
): Promise<number> {
  const topics = [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: -1 }] }]
  const call = [ListOffsetsRequest, ListOffsetsResponse, 4] as const
  const value = { replicaId: -1, isolationLevel, topics }
  const answer = await ask(connection, call, value, (offsets) => offsets.topics[0]?.partitions[0]?.errorCode)
  return answer.topics[0]?.partitions[0]?.offset ?? -1
}
