/**
 * The transactions of one transactional id: its conversations with the transaction coordinator (KIP-98), in both flows.
 * In version 1 partitions and groups are added to the transaction before anything is written to them; in version 2
 * (KIP-890) the first batch and the first offsets do that by themselves, and the end of a transaction gives the epoch of
 * the next one. Which one counts is the cluster's feature `transaction.version`, looked at when a transaction begins.
 *
 * What must hold: nothing of a transaction leaves before the coordinator knows of it, and none after `end` began. After an
 * error the transaction can only be aborted; after a fatal one nothing can be done with this producer any more.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { FindCoordinatorRequest } from '../../protocol/messages/10-find-coordinator.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../protocol/messages/22-init-producer-id.ts'
import {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../../protocol/messages/24-add-partitions-to-txn.ts'
import { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } from '../../protocol/messages/25-add-offsets-to-txn.ts'
import { EndTxnRequest, EndTxnResponse } from '../../protocol/messages/26-end-txn.ts'
import { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from '../../protocol/messages/28-txn-offset-commit.ts'
import type { Cluster } from '../cluster.ts'
import type { Connection } from '../connection.ts'
import { abortedError, asKafkaError, brokerError, isConnectionLoss, KafkaError } from '../errors.ts'
import { type RetryPolicy, retrying } from '../retry.ts'
import { ANONYMOUS, type ProducerIdentity } from './batch.ts'
import type { IdentitySource } from './dispatcher.ts'
import type { Lane } from './lane.ts'

/** Who commits the offsets: a consumer's own metadata, or only its group's name where nobody else can be in it. */
export interface GroupMetadata {
  /** The group's id. */
  readonly groupId: string
  /** Generation or member epoch; not compared unless given. */
  readonly generationId?: number
  /** The member's id; not compared unless given. */
  readonly memberId?: string
  /** Of a static member. */
  readonly groupInstanceId?: string | null
}

/** What a transaction commits of a partition for a group. */
export interface TransactionOffset {
  /** The topic. */
  readonly topic: string
  /** The partition. */
  readonly partition: number
  /** The next record to read. */
  readonly offset: number
  /** Of the last record that was read; left out where it is not known. */
  readonly leaderEpoch?: number
  /** A text that is kept with the offset; empty unless given. */
  readonly metadata?: string | null
}

export type TransactionState = 'none' | 'open' | 'ending' | 'abortable' | 'fatal'

const TRANSACTION_FEATURE = 'transaction.version'
const VERSION_2 = 2
/** The newest versions that know nothing of version 2, and those of clients: later ones are spoken between brokers. */
const V1 = { addPartitions: 3, addOffsets: 4, endTransaction: 4, commitOffsets: 4 } as const
/** From this version on, InitProducerId can raise the epoch of the producer that asks (KIP-360). */
const FIRST_EPOCH_BUMP = 3
/** The coordinator is busy with the end of the last transaction: it takes milliseconds. */
const POLICY: RetryPolicy = { backoffMs: 20, backoffMaxMs: 1_000 }

const FENCED: ReadonlySet<number> = new Set([ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_EPOCH])
const FATAL: ReadonlySet<number> = new Set([
  ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
  ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  ErrorCode.INVALID_TXN_STATE,
  ErrorCode.UNSUPPORTED_VERSION,
  ErrorCode.INVALID_TRANSACTION_TIMEOUT,
])
const OTHER_COORDINATOR: ReadonlySet<number> = new Set([ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE])

export interface TransactionsOptions {
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
  /** For each conversation with a coordinator, repetitions included. */
  readonly timeoutMs: number
  readonly createTopics: boolean
}

export class Transactions implements IdentitySource {
  current: ProducerIdentity | null = null
  state: TransactionState = 'none'
  /** Why the state is 'abortable' or 'fatal'. */
  error: KafkaError | null = null
  usesVersion2 = false
  private readonly cluster: Cluster
  private readonly options: TransactionsOptions
  private coordinator: Connection | null = null
  private pending: Promise<ProducerIdentity> | null = null
  private readonly added = new Set<string>()
  private readonly addedGroups = new Set<string>()
  private waitingLanes = new Map<string, Lane>()
  private adding: Promise<void> | null = null
  private needsNewEpoch = false
  /** Told when lanes may go on, or when their batches have to be given up. */
  private readonly lanesAdded: (lanes: readonly Lane[]) => void
  private readonly broke: (error: KafkaError) => void

  constructor(
    cluster: Cluster,
    options: TransactionsOptions,
    events: { lanesAdded(lanes: readonly Lane[]): void; broke(error: KafkaError): void },
  ) {
    this.cluster = cluster
    this.options = options
    this.lanesAdded = events.lanesAdded
    this.broke = events.broke
  }

  /** Fences whoever used the id before, and has the coordinator finish what they left. */
  acquire(): Promise<ProducerIdentity> {
    if (this.current !== null) return Promise.resolve(this.current)
    this.pending ??= this.initialize(ANONYMOUS).finally(() => {
      this.pending = null
    })
    return this.pending
  }

  /** The coordinator alone changes a transactional producer's id. */
  discard(): void {}

  /** With the signal the wait ends, and so does what was begun. */
  async begin(signal?: AbortSignal): Promise<void> {
    this.throwIfFatal()
    if (this.state !== 'none')
      throw invalidState(`a transaction is ${this.state === 'ending' ? 'ending' : 'open already'}`)
    this.state = 'open'
    try {
      await this.acquire()
      if (signal?.aborted === true) throw abortedError('beginTransaction', signal)
      this.usesVersion2 = (this.coordinator?.features.get(TRANSACTION_FEATURE) ?? 0) >= VERSION_2
    } catch (error) {
      if (this.state === 'open') this.state = 'none'
      throw error
    }
  }

  /** Why a record cannot be sent now, or null. */
  refusal(): KafkaError | null {
    if (this.state === 'open') return null
    if (this.state === 'fatal') return this.error
    if (this.state === 'abortable') {
      return new KafkaError('ERR_TRANSACTION_ABORTABLE', 'the transaction has to be aborted', { cause: this.error })
    }
    return invalidState(this.state === 'none' ? 'no transaction is open' : 'the transaction is ending')
  }

  mayLeave(lane: Lane): boolean {
    if (this.added.has(lane.name)) return true
    if (this.usesVersion2) {
      this.added.add(lane.name)
      return true
    }
    this.waitingLanes.set(lane.name, lane)
    // All lanes of this turn in one request.
    this.adding ??= Promise.resolve()
      .then(() => this.addPartitions())
      .finally(() => {
        this.adding = null
        const came = [...this.waitingLanes.values()]
        this.waitingLanes = new Map()
        this.lanesAdded(came.filter((waiting) => this.mayLeave(waiting)))
      })
    return false
  }

  /** A record of the transaction could not be stored: what is left is to abort. */
  batchFailed(error: KafkaError): void {
    this.needsNewEpoch = true
    if (this.state === 'open') this.breakOff(error)
  }

  /** The transaction is going to be aborted: nothing more is taken. */
  giveUp(): void {
    this.throwIfFatal()
    this.state = 'ending'
  }

  async sendOffsets(group: GroupMetadata, offsets: readonly TransactionOffset[]): Promise<void> {
    const refusal = this.refusal()
    if (refusal !== null) throw refusal
    if (offsets.length === 0) return
    try {
      if (!this.usesVersion2 && !this.addedGroups.has(group.groupId)) await this.addGroup(group.groupId)
      this.addedGroups.add(group.groupId)
      await this.commitOffsets(group, offsets)
    } catch (error) {
      throw this.judge(error)
    }
  }

  /** Everything was delivered (or, to abort, given up): tells the coordinator the outcome. */
  async end(commit: boolean): Promise<void> {
    this.throwIfFatal()
    await this.adding
    const isEmpty = this.added.size === 0 && this.addedGroups.size === 0
    this.state = 'ending'
    try {
      if (!isEmpty) await this.endTransaction(commit)
      if (this.needsNewEpoch && !this.usesVersion2) await this.initialize(this.current ?? ANONYMOUS)
    } catch (error) {
      // Whether it took effect is unknown. A new producer with this id learns it from the coordinator.
      throw this.fatal(asKafkaError(error, 'ERR_INVALID_STATE', 'end the transaction'))
    }
    this.state = 'none'
    this.error = null
    this.needsNewEpoch = false
    this.added.clear()
    this.addedGroups.clear()
  }

  private async initialize(known: ProducerIdentity): Promise<ProducerIdentity> {
    const { transactionalId, transactionTimeoutMs } = this.options
    const what = `initialize transactional id '${transactionalId}'`
    try {
      const answer = await this.ask(what, (connection) => {
        const canBump = connection.versionFor(InitProducerIdRequest) >= FIRST_EPOCH_BUMP
        const value = { transactionalId, transactionTimeoutMs, ...(canBump ? known : {}) }
        return connection.send(InitProducerIdRequest, InitProducerIdResponse, value)
      })
      this.current = { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
      return this.current
    } catch (error) {
      throw this.judge(error)
    }
  }

  private async addPartitions(): Promise<void> {
    const lanes = [...this.waitingLanes.values()]
    this.waitingLanes = new Map()
    const byTopic = Map.groupBy(lanes, ({ topic }) => topic)
    const topics = [...byTopic].map(([name, of]) => ({ name, partitions: of.map(({ partition }) => partition) }))
    const { producerId, producerEpoch } = this.current ?? ANONYMOUS
    const { transactionalId } = this.options
    try {
      await this.ask('add partitions to the transaction', async (connection) => {
        const answer = await connection.send(
          AddPartitionsToTxnRequest,
          AddPartitionsToTxnResponse,
          {
            v3AndBelowTransactionalId: transactionalId,
            v3AndBelowProducerId: producerId,
            v3AndBelowProducerEpoch: producerEpoch,
            v3AndBelowTopics: topics,
          },
          { maxVersion: V1.addPartitions },
        )
        const rows = answer.resultsByTopicV3AndBelow.flatMap((topic) => topic.resultsByPartition)
        const codes = rows.map(({ partitionErrorCode }) => partitionErrorCode).filter((code) => code !== 0)
        // Where one partition is refused the others were not attempted.
        const errorCode = codes.find((code) => code !== ErrorCode.OPERATION_NOT_ATTEMPTED) ?? codes[0] ?? 0
        return { errorCode }
      })
      for (const { name } of lanes) this.added.add(name)
      this.lanesAdded(lanes)
    } catch (error) {
      const judged = this.judge(error)
      this.lanesAdded(lanes)
      this.broke(judged)
    }
  }

  private async addGroup(groupId: string): Promise<void> {
    const { producerId, producerEpoch } = this.current ?? ANONYMOUS
    const value = { transactionalId: this.options.transactionalId, producerId, producerEpoch, groupId }
    await this.ask(`add group '${groupId}' to the transaction`, (connection) =>
      connection.send(AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, value, { maxVersion: V1.addOffsets }),
    )
  }

  private async commitOffsets(group: GroupMetadata, offsets: readonly TransactionOffset[]): Promise<void> {
    const { producerId, producerEpoch } = this.current ?? ANONYMOUS
    const { groupId } = group
    const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, rows]) => ({
      name,
      partitions: rows.map((row) => ({
        partitionIndex: row.partition,
        committedOffset: row.offset,
        committedLeaderEpoch: row.leaderEpoch ?? -1,
        committedMetadata: row.metadata ?? null,
      })),
    }))
    const member =
      group.memberId === undefined
        ? {}
        : {
            generationId: group.generationId ?? -1,
            memberId: group.memberId,
            groupInstanceId: group.groupInstanceId ?? null,
          }
    const value = {
      transactionalId: this.options.transactionalId,
      groupId,
      producerId,
      producerEpoch,
      topics,
      ...member,
    }
    const options = this.usesVersion2 ? {} : { maxVersion: V1.commitOffsets }
    const attempt = async (): Promise<void> => {
      const connection = await this.cluster.coordinator('group', groupId)
      const answer = await connection.send(TxnOffsetCommitRequest, TxnOffsetCommitResponse, value, options)
      const rows = answer.topics.flatMap((topic) => topic.partitions)
      const errorCode = rows.find((row) => row.errorCode !== 0)?.errorCode ?? 0
      if (errorCode !== 0) throw brokerError(errorCode, `commit offsets of group '${groupId}' in the transaction`)
    }
    await retrying(this.options.timeoutMs, attempt, { policy: POLICY, mayRetry: ({ retriable }) => retriable })
  }

  private async endTransaction(committed: boolean): Promise<void> {
    const { producerId, producerEpoch } = this.current ?? ANONYMOUS
    const value = { transactionalId: this.options.transactionalId, producerId, producerEpoch, committed }
    const options = this.usesVersion2 ? {} : { maxVersion: V1.endTransaction }
    const answer = await this.ask(`${committed ? 'commit' : 'abort'} the transaction`, (connection) =>
      connection.send(EndTxnRequest, EndTxnResponse, value, options),
    )
    if (answer.producerId >= 0) {
      this.current = { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
    }
  }

  /** Asks the coordinator of the transactional id, whoever that is by now, until it answers or time is up. */
  private ask<Answer extends { readonly errorCode: number }>(
    what: string,
    send: (connection: Connection) => Promise<Answer>,
  ): Promise<Answer> {
    const attempt = async (): Promise<Answer> => {
      if (this.coordinator === null || this.coordinator.closedBy !== null) {
        this.coordinator = await this.findCoordinator()
      }
      try {
        const answer = await send(this.coordinator)
        if (answer.errorCode === 0) return answer
        if (OTHER_COORDINATOR.has(answer.errorCode)) this.coordinator = null
        throw brokerError(answer.errorCode, what)
      } catch (error) {
        if (isConnectionLoss(error)) this.coordinator = null
        throw error
      }
    }
    return retrying(this.options.timeoutMs, attempt, { policy: POLICY, mayRetry: ({ retriable }) => retriable })
  }

  private async findCoordinator(): Promise<Connection> {
    const any = await this.cluster.any()
    if (any.versionFor(FindCoordinatorRequest) < 1) {
      throw new KafkaError('ERR_UNSUPPORTED_VERSION', `the broker at ${any.address} knows no transactions`)
    }
    return this.cluster.coordinator('transaction', this.options.transactionalId)
  }

  /** What an error means for the transaction. */
  private judge(cause: unknown): KafkaError {
    const error = asKafkaError(cause, 'ERR_INVALID_STATE', 'transaction')
    if (FENCED.has(error.errorCode)) {
      const message = `transactional id '${this.options.transactionalId}' was taken over: ${error.message}`
      return this.fatal(new KafkaError('ERR_FENCED', message, { cause: error }))
    }
    if (FATAL.has(error.errorCode) || error.code === 'ERR_UNSUPPORTED_VERSION') return this.fatal(error)
    if (this.state === 'open') this.breakOff(error)
    return error
  }

  private breakOff(error: KafkaError): void {
    this.state = 'abortable'
    this.error = error
  }

  private fatal(error: KafkaError): KafkaError {
    if (this.state === 'fatal' && this.error !== null) return this.error
    this.state = 'fatal'
    const isFenced = FENCED.has(error.errorCode)
    this.error = isFenced ? new KafkaError('ERR_FENCED', error.message, { cause: error }) : error
    return this.error
  }

  private throwIfFatal(): void {
    if (this.state === 'fatal' && this.error !== null) throw this.error
  }
}

function invalidState(reason: string): KafkaError {
  return new KafkaError('ERR_INVALID_STATE', reason)
}
