/**
 * Takes records from one broker for a member of a share group, and tells it what became of earlier ones: one request after the other
 * within a share session. Acknowledgements travel with the next fetch; without room for records they travel alone.
 *
 * What must hold: an acknowledgement is sent once, to the broker that handed the record out, within the session in which it did. When the
 * session is lost, so are they: the broker hands the records out again when their locks end.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { ShareFetchRequest, ShareFetchResponse } from '../../../protocol/messages/78-share-fetch.ts'
import { ShareAcknowledgeRequest, ShareAcknowledgeResponse } from '../../../protocol/messages/79-share-acknowledge.ts'
import type { Infer } from '../../../protocol/schema.ts'
import type { Cluster } from '../../cluster.ts'
import type { Connection } from '../../connection.ts'
import { asKafkaError, brokerError, KafkaError } from '../../errors.ts'
import { backoffMs, sleep } from '../../retry.ts'
import { FetchedChunk } from '../fetched-chunk.ts'
import type { Message } from '../message.ts'
import { partitionKey, type TopicPartition } from '../topic-partition.ts'
import { within } from '../within.ts'
import { Acknowledgements } from './acknowledgements.ts'

export interface ShareFetchSettings {
  readonly groupId: string
  readonly memberId: string
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly maxRecords: number
  readonly checkCrcs: boolean
  readonly maxDecompressedBytes: number
}

export interface ShareFetchOwner<V, K> {
  /** Partitions that this broker leads and the member may take from. */
  partitionsOf(nodeId: number): readonly TopicPartition[]
  /** Room for so many records. */
  room(): number
  take(messages: readonly Message<V, K>[], lockMs: number): void
  /** Leaders have moved, or the broker is away. */
  moved(nodeId: number): void
  /** The broker did not take what was said of these. */
  refused(partition: TopicPartition, error: KafkaError): void
  /** Records that nobody can read; they are rejected. */
  unreadable(error: KafkaError): void
  fatal(error: KafkaError): void
}

type FetchAnswer = Infer<typeof ShareFetchResponse>
type PartitionAnswer = FetchAnswer['responses'][number]['partitions'][number]

const FINAL_EPOCH = -1
const CLOSE_TIMEOUT_MS = 5_000
/** So many records may stand in one acquisition batch. */
const BATCH_SIZE = 500
const SESSION_ERRORS = new Set<number>([
  ErrorCode.SHARE_SESSION_NOT_FOUND,
  ErrorCode.INVALID_SHARE_SESSION_EPOCH,
  ErrorCode.SHARE_SESSION_LIMIT_REACHED,
])

export class ShareFetcher<V, K> {
  private readonly nodeId: number
  private readonly cluster: Cluster
  private readonly settings: ShareFetchSettings
  private readonly owner: ShareFetchOwner<V, K>
  private connection: Connection | null = null
  private epoch = 0
  /** What the broker's session holds. */
  private held = new Map<string, TopicPartition>()
  private readonly pending = new Map<string, { readonly partition: TopicPartition; readonly acks: Acknowledgements }>()
  private flushed: (() => void)[] = []
  /** Who waits for the step that is under way, and whether it carries acknowledgements. */
  private hearing: (() => void)[] = []
  private isTelling = false
  private wakeUp: (() => void) | null = null
  private woken = false
  private stopped = false
  private readonly stopping = new AbortController()
  private failures = 0
  /** The broker did not take the last request, or a partition of it. */
  private isRefused = false
  private readonly ended: Promise<void>

  constructor(nodeId: number, cluster: Cluster, settings: ShareFetchSettings, owner: ShareFetchOwner<V, K>) {
    this.nodeId = nodeId
    this.cluster = cluster
    this.settings = settings
    this.owner = owner
    this.ended = this.run()
  }

  wake(): void {
    this.woken = true
    this.wakeUp?.()
  }

  acknowledgements(partition: TopicPartition): Acknowledgements {
    const key = partitionKey(partition.topic, partition.partition)
    let row = this.pending.get(key)
    if (row === undefined) {
      row = { partition, acks: new Acknowledgements() }
      this.pending.set(key, row)
    }
    return row.acks
  }

  /** Resolves when the broker has heard everything that was said so far. */
  flush(): Promise<void> {
    if (this.stopped) return Promise.resolve()
    if (this.pending.size === 0) {
      return this.isTelling ? new Promise((resolve) => this.hearing.push(resolve)) : Promise.resolve()
    }
    const heard = new Promise<void>((resolve) => this.flushed.push(resolve))
    this.wake()
    return heard
  }

  /** Ends the session with what is left to say; the broker releases everything else. */
  async stop(): Promise<void> {
    this.stopped = true
    this.stopping.abort()
    this.wake()
    await within(this.settings.maxWaitMs + CLOSE_TIMEOUT_MS, this.ended)
    const { connection } = this
    // An answer that is still awaited will not come any more.
    if (connection !== null && connection.inFlight > 0) connection.destroy(new KafkaError('ERR_CLOSED', 'closed'))
    if (connection !== null && connection.closedBy === null && this.epoch > 0) {
      await this.acknowledge(connection, false, FINAL_EPOCH, CLOSE_TIMEOUT_MS).catch(() => undefined)
    }
    await connection?.close()
    for (const resolve of this.flushed.splice(0)) resolve()
  }

  private async run(): Promise<void> {
    // Not before the owner has kept this object.
    await Promise.resolve()
    while (!this.stopped) {
      this.hearing = this.flushed.splice(0)
      this.woken = false
      let hasStepped = true
      try {
        this.isRefused = false
        hasStepped = await this.step()
        this.failures = 0
      } catch (error) {
        await this.failed(asKafkaError(error, 'ERR_BAD_RESPONSE', `take records from broker ${this.nodeId}`))
      } finally {
        // Also when the session is lost: what was said in it is of no more use, and nobody is to wait for it.
        this.isTelling = false
        for (const resolve of this.hearing.splice(0)) resolve()
      }
      if (!hasStepped) await this.idle()
      // Asked at once, it would only be refused again: leaders have to be known, or the broker to have room for a session.
      else if (this.isRefused && !this.stopped) await this.pause(this.cluster.retry.backoffMs)
    }
    for (const resolve of this.flushed.splice(0)) resolve()
  }

  private async failed(failure: KafkaError): Promise<void> {
    if (this.stopped) return
    this.endSession()
    if (failure.retriable) {
      this.owner.moved(this.nodeId)
      await this.pause(backoffMs(this.cluster.retry, this.failures++))
      return
    }
    this.stopped = true
    this.owner.fatal(failure)
  }

  /** Not beyond the end. */
  private async pause(ms: number): Promise<void> {
    await sleep(ms, this.stopping.signal).catch(() => undefined)
  }

  /** One request; false if there is nothing to ask or to say. */
  private async step(): Promise<boolean> {
    const partitions = this.owner.partitionsOf(this.nodeId)
    const room = this.owner.room()
    const hasNews = [...this.pending.values()].some(({ acks }) => acks.size > 0)
    if ((partitions.length === 0 || room <= 0) && !(hasNews && this.epoch > 0)) {
      if (!hasNews || this.epoch > 0) return false
      this.pending.clear()
      return false
    }
    const connection = await this.connect()
    const renewals = [...this.pending.values()].some(({ acks }) => acks.has(true))
    if (this.epoch > 0 && renewals) await this.acknowledge(connection, true, this.epoch)
    if (partitions.length > 0 && room > 0) await this.fetch(connection, partitions, room)
    else if (this.epoch > 0) await this.acknowledge(connection, false, this.epoch)
    return true
  }

  private idle(): Promise<void> {
    return new Promise((resolve) => {
      this.wakeUp = () => {
        this.wakeUp = null
        resolve()
      }
      if (this.woken || this.stopped) this.wakeUp()
    })
  }

  private async connect(): Promise<Connection> {
    if (this.connection !== null && this.connection.closedBy === null) return this.connection
    this.endSession()
    const connection = await this.cluster.ownConnection(this.nodeId)
    this.connection = connection
    // `stop` may not have waited for it.
    if (this.stopped) await connection.close()
    return connection
  }

  private endSession(): void {
    this.epoch = 0
    this.held = new Map()
    this.pending.clear()
  }

  private nextEpoch(): void {
    this.epoch = this.epoch === 0x7fffffff ? 1 : this.epoch + 1
  }

  private async fetch(connection: Connection, partitions: readonly TopicPartition[], room: number): Promise<void> {
    const { groupId, memberId, maxWaitMs, minBytes, maxBytes, maxRecords } = this.settings
    const wanted = new Map(partitions.map((each) => [partitionKey(each.topic, each.partition), each]))
    const added = [...wanted].filter(([key]) => !this.held.has(key)).map(([, each]) => each)
    const gone = [...this.held].filter(([key]) => !wanted.has(key)).map(([, each]) => each)
    const acks = this.epoch === 0 ? [] : this.takeAcks(false)
    const rows = new Map(added.map((each) => [partitionKey(each.topic, each.partition), { each, batches: NO_BATCHES }]))
    for (const { partition: each, batches } of acks)
      rows.set(partitionKey(each.topic, each.partition), { each, batches })
    const answer = await connection.send(
      ShareFetchRequest,
      ShareFetchResponse,
      {
        groupId,
        memberId,
        shareSessionEpoch: this.epoch,
        maxWaitMs,
        minBytes,
        maxBytes,
        maxRecords: Math.min(room, maxRecords),
        batchSize: BATCH_SIZE,
        topics: this.inTopics([...rows.values()].map(({ each, batches }) => ({ partition: each, batches }))),
        forgottenTopicsData: this.inTopics(gone.map((partition) => ({ partition, batches: NO_BATCHES }))).map(
          ({ topicId, partitions: numbers }) => ({
            topicId,
            partitions: numbers.map(({ partitionIndex }) => partitionIndex),
          }),
        ),
      },
      { timeoutMs: maxWaitMs + this.cluster.timeoutMs },
    )
    if (this.lostSession(answer.errorCode, answer.errorMessage)) return
    this.held = wanted
    this.nextEpoch()
    this.cluster.noteBrokers(answer.nodeEndpoints)
    for (const { topicId, partitions: numbers } of answer.responses) {
      const topic = this.cluster.topicName(topicId)
      if (topic === undefined) continue
      for (const row of numbers)
        this.takePartition({ topic, partition: row.partitionIndex }, row, answer.acquisitionLockTimeoutMs)
    }
  }

  /** True if the request counted for nothing; the next one begins a session. */
  private lostSession(errorCode: number, message: string | null): boolean {
    if (errorCode === 0) return false
    if (!SESSION_ERRORS.has(errorCode)) throw brokerError(errorCode, `share group '${this.settings.groupId}'`, message)
    this.endSession()
    this.isRefused = true
    return true
  }

  private takePartition(partition: TopicPartition, row: PartitionAnswer, lockMs: number): void {
    if (row.acknowledgeErrorCode !== 0) this.refuse(partition, row.acknowledgeErrorCode, row.acknowledgeErrorMessage)
    if (row.errorCode !== 0) {
      this.held.delete(partitionKey(partition.topic, partition.partition))
      this.cluster.noteLeader(partition.topic, { partition: partition.partition, ...row.currentLeader })
      this.owner.moved(this.nodeId)
      this.isRefused = true
      return
    }
    if (row.acquiredRecords.length === 0) return
    const chunk = new FetchedChunk<V, K>({
      ...partition,
      records: row.records,
      fetchOffset: 0,
      abortedTransactions: null,
      checkCrcs: this.settings.checkCrcs,
      maxDecompressedBytes: this.settings.maxDecompressedBytes,
    })
    const byOffset = new Map<number, Message<V, K>>()
    let unreadable: { readonly from: number; readonly to: number } | null = null
    try {
      for (let message = chunk.next(); message !== null; message = chunk.next()) byOffset.set(message.offset, message)
    } catch (cause) {
      unreadable = this.tellUnreadable(partition, chunk, cause)
    }
    const messages: Message<V, K>[] = []
    for (const { firstOffset, lastOffset, deliveryCount } of row.acquiredRecords) {
      for (let offset = firstOffset; offset <= lastOffset; offset++) {
        const message = byOffset.get(offset)
        if (message === undefined && unreadable !== null && offset >= unreadable.from) {
          // What comes after it is for another try.
          this.acknowledgements(partition).set(offset, offset < unreadable.to ? 'reject' : 'release')
        } else if (message === undefined) this.acknowledgements(partition).setGap(offset)
        else {
          message.deliveryCount = deliveryCount
          messages.push(message)
        }
      }
    }
    this.owner.take(messages, lockMs)
  }

  private tellUnreadable(
    { topic, partition }: TopicPartition,
    { nextOffset: offset, offsetAfterUnreadable: nextOffset }: FetchedChunk<V, K>,
    cause: unknown,
  ): { from: number; to: number } {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const place = { topic, partition, offset, nextOffset }
    const what = `${topic}-${partition} at offset ${offset}: ${reason}`
    this.owner.unreadable(new KafkaError('ERR_CORRUPT_RECORDS', what, { cause, place }))
    return { from: offset, to: nextOffset ?? offset + 1 }
  }

  private async acknowledge(
    connection: Connection,
    renewals: boolean,
    epoch: number,
    timeoutMs?: number,
  ): Promise<void> {
    const { groupId, memberId } = this.settings
    const acks = this.takeAcks(renewals)
    if (acks.length === 0 && epoch !== FINAL_EPOCH) return
    const answer = await connection.send(
      ShareAcknowledgeRequest,
      ShareAcknowledgeResponse,
      {
        groupId,
        memberId,
        shareSessionEpoch: epoch,
        ...(renewals ? { isRenewAck: true } : {}),
        topics: this.inTopics(acks),
      },
      timeoutMs === undefined ? {} : { timeoutMs },
    )
    if (epoch === FINAL_EPOCH || this.lostSession(answer.errorCode, answer.errorMessage)) return
    this.nextEpoch()
    for (const { topicId, partitions } of answer.responses) {
      const topic = this.cluster.topicName(topicId)
      for (const { partitionIndex: partition, errorCode, errorMessage } of partitions) {
        if (errorCode !== 0 && topic !== undefined) this.refuse({ topic, partition }, errorCode, errorMessage)
      }
    }
  }

  private refuse(partition: TopicPartition, errorCode: number, message: string | null): void {
    this.owner.refused(
      partition,
      brokerError(errorCode, `acknowledge in ${partition.topic}-${partition.partition}`, message),
    )
  }

  private takeAcks(renewals: boolean): PartitionAcks[] {
    const taken: PartitionAcks[] = []
    for (const [key, { partition, acks }] of this.pending) {
      const batches = acks.take(renewals)
      if (batches.length > 0) {
        taken.push({ partition, batches })
        this.isTelling = true
      }
      if (acks.size === 0) this.pending.delete(key)
    }
    return taken
  }

  private inTopics(rows: readonly PartitionAcks[]) {
    return [...Map.groupBy(rows, ({ partition }) => partition.topic)].map(([topic, partitions]) => ({
      topicId: this.topicId(topic),
      partitions: partitions.map(({ partition, batches }) => {
        return { partitionIndex: partition.partition, acknowledgementBatches: batches }
      }),
    }))
  }

  private topicId(topic: string): string {
    const known = this.cluster.knownTopic(topic)
    if (known !== undefined) return known.topicId
    throw new KafkaError('ERR_CONNECT', `the id of topic '${topic}' is not known`)
  }
}

interface PartitionAcks {
  readonly partition: TopicPartition
  readonly batches: ReturnType<Acknowledgements['take']>
}

const NO_BATCHES: PartitionAcks['batches'] = []
