/**
 * Produce requests to one broker: a batch of every partition that has one, up to the largest request, so many requests
 * under way.
 *
 * What must hold: a request without an answer in time ends the connection (connection.ts). Its batches, and those of all requests behind
 * it, come back as lost, and the broker can no longer take them from the old connection out of turn.
 */
import { ProduceRequest, ProduceResponse } from '../../protocol/messages/00-produce.ts'
import { type Infer, ZERO_UUID } from '../../protocol/schema.ts'
import type { Connection } from '../connection.ts'
import { asKafkaError, KafkaError } from '../errors.ts'
import type { Batch } from './batch.ts'
import type { Dispatcher } from './dispatcher.ts'
import { type Lane, leaderIdOf } from './lane.ts'

type ProduceAnswer = Infer<typeof ProduceResponse>
export type PartitionAnswer = ProduceAnswer['responses'][number]['partitionResponses'][number]

/** From this version on, Produce names topics by id. */
const FIRST_PRODUCE_BY_ID = 13
/** Up to this version a partition must have been added to the transaction before (KIP-890). */
const LAST_PRODUCE_OF_TRANSACTION_V1 = 11
const ACKS = { all: -1, 1: 1, 0: 0 } as const
/** Header of a request and of its topics, beside the batches. */
const REQUEST_OVERHEAD_BYTES = 512

/** A last attempt gets so much time, for its own sake and for that of the others on the connection, which ends with it. */
const REQUEST_MS_MIN = 1_000

interface Outgoing {
  readonly lane: Lane
  readonly batch: Batch
}

interface TopicData {
  readonly name: string
  readonly topicId: string
  readonly partitionData: { index: number; records: readonly Buffer[] }[]
}

export class BrokerSender {
  private readonly nodeId: number
  private readonly dispatcher: Dispatcher
  private ready: Lane[] = []
  private connection: Connection | null = null
  private connecting = false
  private inFlight = 0
  private pauseTimer: ReturnType<typeof setTimeout> | null = null
  private stopped = false

  constructor(nodeId: number, dispatcher: Dispatcher) {
    this.nodeId = nodeId
    this.dispatcher = dispatcher
  }

  /** The lane is ready: it has something to send. */
  add(lane: Lane): this {
    this.ready.push(lane)
    return this
  }

  /** Sends as much as may be under way. */
  pump(): void {
    const { maxInFlight } = this.dispatcher.context.options
    while (this.ready.length > 0 && this.inFlight < maxInFlight && this.pauseTimer === null && !this.stopped) {
      if (this.connection === null || this.connection.closedBy !== null) {
        this.connect()
        return
      }
      const outgoing = this.gather()
      if (outgoing.length > 0) this.send(this.connection, outgoing)
    }
  }

  stop(): void {
    this.stopped = true
    if (this.pauseTimer !== null) clearTimeout(this.pauseTimer)
  }

  private connect(): void {
    if (this.connecting) return
    this.connecting = true
    this.dispatcher.context.cluster
      .broker(this.nodeId)
      .then(
        (connection) => {
          this.connection = connection
        },
        (cause: unknown) => {
          const error = asKafkaError(cause, 'ERR_CONNECT', `connect to broker ${this.nodeId}`)
          const lanes = this.ready
          this.ready = []
          // The broker may be gone for good: others may lead its partitions by now.
          for (const lane of lanes) this.dispatcher.later(lane, error)
        },
      )
      .finally(() => {
        this.connecting = false
        this.pump()
      })
  }

  /** One batch of each ready lane, as many as fit one request. */
  private gather(): Outgoing[] {
    const { options, identity, cluster } = this.dispatcher.context
    const outgoing: Outgoing[] = []
    const again: Lane[] = []
    let bytes = REQUEST_OVERHEAD_BYTES
    let index = 0
    for (; index < this.ready.length; index++) {
      const lane = this.ready[index]!
      const batch = lane.next(options.maxInFlightPerPartition)
      // Used up by another lane: this one comes back when there is a new one.
      const hasNoIdentity = options.idempotence && identity.current === null
      const hasMoved = leaderIdOf(cluster.partition(lane.topic, lane.partition)) !== this.nodeId
      if (batch === null || hasMoved || hasNoIdentity) {
        lane.phase = 'idle'
        this.dispatcher.wake(lane)
        continue
      }
      if (!lane.enter(cluster.knownTopic(lane.topic)?.topicId ?? ZERO_UUID)) {
        // The answer to what is under way wakes it.
        lane.phase = 'idle'
        continue
      }
      if (outgoing.length > 0 && bytes + batch.sizeBytes > options.maxRequestBytes) break
      bytes += batch.sizeBytes
      outgoing.push({ lane, batch: lane.take(identity.current ?? batch.identity) })
      if (lane.next(options.maxInFlightPerPartition) === null) lane.phase = 'idle'
      else again.push(lane)
    }
    this.ready = [...this.ready.slice(index), ...again]
    return outgoing
  }

  private send(connection: Connection, gathered: Outgoing[]): void {
    const { options, cluster, usesTransactionV2 } = this.dispatcher.context
    const outgoing = gathered.filter((each) => this.encoded(each))
    if (outgoing.length === 0) return
    const topicData: TopicData[] = []
    for (const { lane, batch } of outgoing) {
      let topic = topicData.find(({ name }) => name === lane.topic)
      if (topic === undefined) {
        const topicId = cluster.knownTopic(lane.topic)?.topicId ?? ZERO_UUID
        topic = { name: lane.topic, topicId, partitionData: [] }
        topicData.push(topic)
      }
      topic.partitionData.push({ index: lane.partition, records: batch.encode(options.compression(lane.topic)) })
    }
    const byId = topicData.every(({ topicId }) => topicId !== ZERO_UUID)
    const newest = byId ? FIRST_PRODUCE_BY_ID : FIRST_PRODUCE_BY_ID - 1
    const isTransactionV1 = options.transactionalId !== null && !usesTransactionV2
    const maxVersion = isTransactionV1 ? LAST_PRODUCE_OF_TRANSACTION_V1 : newest
    const timeoutMs = this.timeLeft(outgoing)
    const request = {
      transactionalId: options.transactionalId,
      acks: ACKS[options.acks],
      timeoutMs: Math.ceil(timeoutMs),
      topicData,
    }
    this.inFlight += 1
    const exchange =
      options.acks === 0
        ? this.sendUnanswered(connection, request, outgoing, maxVersion)
        : connection
            .send(ProduceRequest, ProduceResponse, request, { maxVersion, timeoutMs })
            .then((answer) => this.answered(answer, outgoing))
    exchange
      .catch((error: unknown) =>
        this.dispatcher.lost(outgoing, asKafkaError(error, 'ERR_BAD_RESPONSE', 'produce'), this.nodeId),
      )
      .finally(() => {
        this.inFlight -= 1
        this.pump()
      })
  }

  /** False if it cannot be: the batch has failed then. */
  private encoded({ lane, batch }: Outgoing): boolean {
    const { compression } = this.dispatcher.context.options
    try {
      batch.encode(compression(lane.topic))
      return true
    } catch (error) {
      lane.settled(batch)
      this.dispatcher.fail(lane, batch, asKafkaError(error, 'ERR_CODEC_UNAVAILABLE', `produce to ${lane.name}`))
      this.dispatcher.wake(lane)
      return false
    }
  }

  /** No request outlives the delivery timeout of its oldest batch by much. */
  private timeLeft(outgoing: readonly Outgoing[]): number {
    const { requestTimeoutMs, deliveryTimeoutMs } = this.dispatcher.context.options
    let oldestMs = Number.POSITIVE_INFINITY
    for (const { batch } of outgoing) oldestMs = Math.min(oldestMs, batch.createdMs)
    const leftMs = Math.max(REQUEST_MS_MIN, oldestMs + deliveryTimeoutMs - performance.now())
    return Math.min(requestTimeoutMs, leftMs)
  }

  private async sendUnanswered(
    connection: Connection,
    request: Parameters<typeof connection.sendNoReply<typeof ProduceRequest>>[1],
    outgoing: readonly Outgoing[],
    maxVersion: number,
  ): Promise<void> {
    connection.sendNoReply(ProduceRequest, request, { maxVersion })
    await connection.drained()
    if (connection.closedBy !== null) throw connection.closedBy
    for (const { lane, batch } of outgoing) {
      this.dispatcher.complete(lane, batch, { baseOffset: -1, logAppendTimeMs: -1 })
      this.dispatcher.wake(lane)
    }
  }

  private answered(answer: ProduceAnswer, outgoing: readonly Outgoing[]): void {
    const { cluster } = this.dispatcher.context
    cluster.noteBrokers(answer.nodeEndpoints)
    this.throttle(answer.throttleTimeMs)
    const rest = new Set(outgoing)
    for (const topic of answer.responses) {
      const name = topic.name === '' ? cluster.topicName(topic.topicId) : topic.name
      for (const row of topic.partitionResponses) {
        const found = outgoing.find(({ lane }) => lane.partition === row.index && lane.topic === name)
        if (found === undefined || !rest.delete(found)) continue
        const { lane, batch } = found
        cluster.noteLeader(lane.topic, { partition: lane.partition, ...row.currentLeader })
        this.dispatcher.answered(lane, batch, row, this.nodeId)
        this.dispatcher.wake(lane)
      }
    }
    if (rest.size === 0) return
    const missing = new KafkaError('ERR_BAD_RESPONSE', `broker ${this.nodeId} left partitions out of its answer`)
    this.dispatcher.lost([...rest], missing, this.nodeId)
  }

  /** KIP-219: the broker has answered already and would leave what comes now unread for so long. */
  private throttle(forMs: number): void {
    if (forMs <= 0 || this.stopped) return
    if (this.pauseTimer !== null) clearTimeout(this.pauseTimer)
    this.pauseTimer = setTimeout(() => {
      this.pauseTimer = null
      this.pump()
    }, forMs)
  }
}
