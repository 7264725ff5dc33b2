/**
 * Fetches from one broker: one request after the other on a connection of its own, so that a long poll delays nobody else. While the
 * application works on one answer the next one is under way, as far as the memory for it goes.
 *
 * What must hold: a request asks for no more than was reserved for its answer; the reservation ends with the answer. Whatever goes
 * wrong here is repaired here or handed to `FetchOwner`; `run` itself never rejects.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { FetchRequest, FetchResponse } from '../../protocol/messages/01-fetch.ts'
import { type Infer, ZERO_UUID } from '../../protocol/schema.ts'
import type { Cluster } from '../cluster.ts'
import type { Connection } from '../connection.ts'
import { asKafkaError, brokerError, type KafkaError } from '../errors.ts'
import { backoffMs } from '../retry.ts'
import { FetchSession, FINAL_EPOCH, type WantedPartition } from './fetch-session.ts'
import type { ResolvedSettings } from './options.ts'
import type { PartitionState } from './partition-state.ts'

export type FetchAnswer = Infer<typeof FetchResponse>
export type PartitionAnswer = FetchAnswer['responses'][number]['partitions'][number]

/** What a partition was asked under: an answer is of use only while that is still so. */
export interface Asked<V, K> {
  readonly state: PartitionState<V, K>
  readonly fetchVersion: number
  readonly fetchOffset: number
}

export interface FetchOwner<V, K> {
  /** What may be fetched from this broker now, in the order in which it should get room in the answer. */
  wanted(nodeId: number): { readonly partitions: PartitionState<V, K>[]; readonly held: boolean }
  /** So much memory for an answer, or 0. */
  reserve(bytes: number): number
  unreserve(bytes: number): void
  take(nodeId: number, asked: Asked<V, K>, answer: PartitionAnswer): void
  /** Where leaders are, as an answer says (KIP-951). */
  takeEndpoints(answer: FetchAnswer): void
  /** The broker cannot be reached, or refuses the fetch as a whole. */
  failed(nodeId: number, error: KafkaError): void
}

/** From this version on, Fetch names topics by id. */
const FIRST_FETCH_BY_ID = 13
/**
 * The first long poll while partitions wait for memory: they shall not wait for others that have nothing to say. Doubled each time, so
 * that a slow handler does not make the client ask all the time; what it has waiting lasts the longer.
 */
const SHORT_WAIT_MS = 20
/** Beyond that any long poll is shorter. */
const HELD_DOUBLINGS_MAX = 20
const CLOSE_SESSION_MS = 1_000
/** The next request begins a new session. */
const SESSION_ERRORS = new Set<number>([
  ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
  ErrorCode.INVALID_FETCH_SESSION_EPOCH,
  ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
])

export class BrokerFetcher<V, K> {
  readonly nodeId: number
  private readonly cluster: Cluster
  private readonly settings: ResolvedSettings
  private readonly owner: FetchOwner<V, K>
  private session = new FetchSession()
  private connection: Connection | null = null
  private wakeUp: (() => void) | null = null
  private woken = false
  private stopped = false
  private failures = 0
  /** Long polls in a row during which partitions waited for memory. */
  private heldPolls = 0
  private byIds = false
  private readonly ended: Promise<void>

  constructor(nodeId: number, cluster: Cluster, settings: ResolvedSettings, owner: FetchOwner<V, K>) {
    this.nodeId = nodeId
    this.cluster = cluster
    this.settings = settings
    this.owner = owner
    this.ended = this.run()
  }

  /** There may be something to do. */
  wake(): void {
    this.woken = true
    this.wakeUp?.()
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.wake()
    const { connection } = this
    if (connection !== null && connection.closedBy === null && connection.inFlight === 0) {
      await this.endSession(connection)
    }
    // A long poll that is under way fails with it.
    await connection?.close()
    await this.ended
  }

  private async run(): Promise<void> {
    // Not before the owner has kept this object.
    await Promise.resolve()
    while (!this.stopped) {
      this.woken = false
      const { partitions, held } = this.owner.wanted(this.nodeId)
      const reserved = partitions.length === 0 ? 0 : this.owner.reserve(this.settings.fetch.maxBytes)
      if (reserved === 0) {
        await this.idle(Number.POSITIVE_INFINITY)
        continue
      }
      try {
        await this.fetch(partitions, reserved, held)
        this.failures = 0
      } catch (error) {
        if (this.stopped) break
        const failure = asKafkaError(error, 'ERR_BAD_RESPONSE', `fetch from broker ${this.nodeId}`)
        this.session.failed()
        this.failures += 1
        this.owner.failed(this.nodeId, failure)
        await this.idle(backoffMs(this.cluster.retry, this.failures - 1))
      } finally {
        this.owner.unreserve(reserved)
      }
    }
  }

  /** Until woken, or for this long where waking must not shorten it. */
  private async idle(ms: number): Promise<void> {
    if (Number.isFinite(ms)) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.wakeUp = () => {
          if (!this.stopped) return
          clearTimeout(timer)
          resolve()
        }
      })
    } else if (!this.woken && !this.stopped) {
      await new Promise<void>((resolve) => {
        this.wakeUp = resolve
      })
    }
    this.wakeUp = null
  }

  private async connect(): Promise<Connection> {
    if (this.connection !== null && this.connection.closedBy === null) return this.connection
    const connection = await this.cluster.ownConnection(this.nodeId)
    this.session = new FetchSession()
    this.connection = connection
    if (this.stopped) await connection.close()
    return connection
  }

  private async fetch(partitions: readonly PartitionState<V, K>[], maxBytes: number, held: boolean): Promise<void> {
    const connection = await this.connect()
    const { fetch, readCommitted, rack } = this.settings
    const byIds = this.speaksIds(connection, partitions)
    if (byIds !== this.byIds) {
      this.byIds = byIds
      this.session.failed()
    }
    const asked = new Map<string, Asked<V, K>>()
    const wanted = partitions.map((state) => this.want(state, byIds, asked))
    const { sessionId, sessionEpoch, named, forgotten } = this.session.next(wanted)
    const maxWaitMs = held ? Math.min(SHORT_WAIT_MS * 2 ** this.heldPolls, fetch.maxWaitMs) : fetch.maxWaitMs
    this.heldPolls = held ? Math.min(this.heldPolls + 1, HELD_DOUBLINGS_MAX) : 0
    const answer = await connection.send(
      FetchRequest,
      FetchResponse,
      {
        maxWaitMs,
        minBytes: fetch.minBytes,
        maxBytes,
        isolationLevel: readCommitted ? 1 : 0,
        sessionId,
        sessionEpoch,
        topics: inTopics(named, byIds),
        forgottenTopicsData: inTopics(forgotten, byIds).map(({ partitions: rows, ...topic }) => {
          return { ...topic, partitions: rows.map(({ partition }) => partition) }
        }),
        rackId: rack ?? '',
      },
      { timeoutMs: maxWaitMs + this.cluster.timeoutMs, ...(byIds ? {} : { maxVersion: FIRST_FETCH_BY_ID - 1 }) },
    )
    if (this.stopped) return
    this.takeAnswer(answer, asked, byIds)
  }

  private speaksIds(connection: Connection, partitions: readonly PartitionState<V, K>[]): boolean {
    if (connection.versionFor(FetchRequest) < FIRST_FETCH_BY_ID) return false
    return partitions.every(({ topic }) => (this.cluster.knownTopic(topic)?.topicId ?? ZERO_UUID) !== ZERO_UUID)
  }

  private want(state: PartitionState<V, K>, byIds: boolean, asked: Map<string, Asked<V, K>>): WantedPartition {
    const topic = byIds ? this.cluster.knownTopic(state.topic)!.topicId : state.topic
    const { partition, fetchVersion, fetchOffset } = state
    asked.set(`${topic}:${partition}`, { state, fetchVersion, fetchOffset })
    return {
      topic,
      partition,
      fetchOffset,
      currentLeaderEpoch: state.leaderEpoch,
      logStartOffset: -1,
      maxBytes: this.settings.fetch.maxBytesPerPartition,
    }
  }

  private takeAnswer(answer: FetchAnswer, asked: ReadonlyMap<string, Asked<V, K>>, byIds: boolean): void {
    if (!this.session.answered(answer.errorCode, answer.sessionId)) {
      if (SESSION_ERRORS.has(answer.errorCode)) return
      throw brokerError(answer.errorCode, `fetch from broker ${this.nodeId}`)
    }
    this.owner.takeEndpoints(answer)
    for (const topic of answer.responses) {
      const name = byIds ? topic.topicId : topic.topic
      for (const row of topic.partitions) {
        const partition = asked.get(`${name}:${row.partitionIndex}`)
        // Of a session that was asked for less since: nobody waits for it.
        if (partition !== undefined) this.owner.take(this.nodeId, partition, row)
      }
    }
  }

  /** Sets the broker's memory of the session free; it would be forgotten anyway. */
  private async endSession(connection: Connection): Promise<void> {
    if (this.session.id === 0) return
    const request = {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 0,
      isolationLevel: 0,
      sessionId: this.session.id,
      sessionEpoch: FINAL_EPOCH,
      topics: [],
      forgottenTopicsData: [],
    }
    const options = { timeoutMs: CLOSE_SESSION_MS, ...(this.byIds ? {} : { maxVersion: FIRST_FETCH_BY_ID - 1 }) }
    await connection.send(FetchRequest, FetchResponse, request, options).catch(() => undefined)
  }
}

interface TopicRow {
  readonly topic?: string
  readonly topicId?: string
  readonly partitions: {
    readonly partition: number
    readonly fetchOffset: number
    readonly currentLeaderEpoch: number
    readonly partitionMaxBytes: number
  }[]
}

function inTopics(rows: readonly Partial<WantedPartition>[], byIds: boolean): TopicRow[] {
  const topics = new Map<string, TopicRow>()
  for (const { topic = '', partition = -1, fetchOffset = -1, currentLeaderEpoch = -1, maxBytes = 0 } of rows) {
    let row = topics.get(topic)
    if (row === undefined) {
      row = { ...(byIds ? { topicId: topic } : { topic }), partitions: [] }
      topics.set(topic, row)
    }
    row.partitions.push({ partition, fetchOffset, currentLeaderEpoch, partitionMaxBytes: maxBytes })
  }
  return [...topics.values()]
}
