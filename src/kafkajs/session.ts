/**
 * One membership of a kafkajs consumer in its group, from `run` to `stop` or to a crash: reads by the client's consumer, calls
 * the program's handlers, and keeps kafkajs' rules about what is resolved, committed and tried again.
 *
 * What must hold: the messages of a batch that were not resolved are read again, beginning with the first of them; what is
 * committed is at most what is resolved. While a rebalance waits for a handler, the handler learns of it from `heartbeat`,
 * and handlers of single messages are not called again.
 */
import type { Cluster } from '../client/cluster.ts'
import type { RequestDetails } from '../client/connection.ts'
import {
  Consumer as ClientConsumer,
  type GroupMembership,
  type MessageBatch,
  type StartingPoint,
} from '../client/consumer/index.ts'
import type { KafkaError } from '../client/errors.ts'
import { EARLIEST_TIMESTAMP as EARLIEST_OFFSET, LATEST_TIMESTAMP as LATEST_OFFSET } from '../client/offsets.ts'
import { ApiKey } from '../protocol/api-keys.ts'
import { kafkajsAssignor } from './assigner.ts'
import { FetchedBatch } from './batch.ts'
import { KafkaJSError, KafkaJSProtocolError } from './errors.ts'
import { type Events, consumerEvents as events } from './events.ts'
import type { Logger } from './logger.ts'
import { PausedPartitions } from './pauses.ts'
import { type Progress, ResolvedOffsets } from './resolved-offsets.ts'
import { mayRetry, Pauses, type ResolvedRetry, TIMER_MS_MAX } from './retry.ts'
import { failureOf, translated } from './translate.ts'
import type { ConsumerConfig, ConsumerRunConfig, Offsets, TopicPartition, TopicPartitions } from './types.ts'

export interface SessionOptions {
  readonly groupId: string
  readonly config: ConsumerConfig
  readonly run: ConsumerRunConfig
  /** Topics with where to begin in them. */
  readonly topics: ReadonlyMap<string, { readonly fromBeginning: boolean }>
  readonly retry: ResolvedRetry
  readonly committed: ConstructorParameters<typeof ResolvedOffsets>[0]
  readonly listeners: Events
  readonly log: Logger
  /** Nothing more is handled; whoever made the session decides what comes next. */
  crashed(error: Error): void
}

const MIB = 1024 * 1024
/** kafkajs' defaults. */
const DEFAULTS = {
  sessionTimeout: 30_000,
  rebalanceTimeout: 60_000,
  heartbeatInterval: 3_000,
  maxBytesPerPartition: MIB,
  minBytes: 1,
  maxBytes: 10 * MIB,
  maxWaitTimeInMs: 5_000,
  metadataMaxAge: 300_000,
}
const REBALANCING_TYPES: ReadonlySet<unknown> = new Set([
  'REBALANCE_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
  'ILLEGAL_GENERATION',
])
const REBALANCE_IN_PROGRESS = 27

/** What a program's handler threw, on its way through the client. */
class HandlerFailure extends Error {
  readonly failure: unknown

  constructor(failure: unknown) {
    super('a handler failed')
    this.failure = failure
  }
}

function isRebalancing(error: unknown): boolean {
  return REBALANCING_TYPES.has((error as { type?: unknown } | null)?.type)
}

/** A batch in a handler's hands. */
interface Work {
  readonly batch: FetchedBatch
  readonly progress: Progress
}

export class Session {
  isRunning = true
  private readonly options: SessionOptions
  private readonly paused = new PausedPartitions()
  private readonly offsets: ResolvedOffsets
  private readonly seeks = new Map<string, TopicPartition & { readonly offset: number }>()
  /** What handlers are working on, by partition. */
  private readonly inHand = new Map<string, Work>()
  private readonly stopped = new AbortController()
  private readonly joinedFirst = Promise.withResolvers<void>()
  private client: ClientConsumer | null = null
  private cluster: Cluster | null = null
  private pauses: Pauses
  private isRebalancing = true
  private hasJoined = false
  private joinStartMs = performance.now()
  private lastCommitMs = Date.now()

  constructor(options: SessionOptions) {
    this.options = options
    this.offsets = new ResolvedOffsets(options.committed)
    this.pauses = new Pauses(options.retry)
  }

  /** Resolves when this consumer is a member of its group, or has crashed. */
  async start(cluster: Cluster): Promise<void> {
    this.cluster = cluster
    const client = this.makeClient(cluster)
    this.client = client
    const reading = this.consume(client)
    await client.subscribe([...this.options.topics.keys()])
    await Promise.race([this.joinedFirst.promise, reading])
  }

  /** Waits for the handlers that are under way, and leaves the group. */
  async stop(): Promise<void> {
    this.isRunning = false
    this.stopped.abort()
    await this.client?.close()
  }

  seek(where: TopicPartition & { readonly offset: number }): void {
    const key = keyOf(where)
    this.seeks.set(key, where)
    // A handler that has messages of it in hand is left to end first.
    if (this.isAssigned(where) && !this.inHand.has(key)) this.applySeek(where)
  }

  pause(selection: Parameters<PausedPartitions['pause']>[0]): void {
    this.paused.pause(selection)
    this.applyPauses(this.assigned())
  }

  resume(selection: Parameters<PausedPartitions['resume']>[0]): void {
    this.paused.resume(selection)
    this.applyPauses(this.assigned())
  }

  pausedPartitions(): TopicPartitions[] {
    return byTopic(this.assigned().filter((each) => this.paused.has(each)))
  }

  async commit(offsets?: Offsets & { readonly metadata?: ReadonlyMap<string, string> }): Promise<void> {
    const { client } = this
    this.passMarkers()
    const topics = offsets?.topics ?? this.offsets.uncommitted()
    if (client !== null && topics.length > 0) {
      const rows = topics.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => {
          const metadata = offsets?.metadata?.get(keyOf({ topic, partition }))
          return { topic, partition, offset: Number(offset), ...(metadata === undefined ? {} : { metadata }) }
        }),
      )
      await client.commit(rows).catch((error: unknown) => {
        throw failureOf(error)
      })
      this.offsets.noteCommit(topics)
      this.emit(events.COMMIT_OFFSETS, { ...this.identity(), topics })
    }
    this.lastCommitMs = Date.now()
  }

  /** What the connections tell: kafkajs has events of its own for two kinds of requests. */
  requested(apiKey: number, elapsedMs: number, error: KafkaError | null, { address }: RequestDetails): void {
    if (error !== null) return
    if (apiKey === ApiKey.Heartbeat) this.emit(events.HEARTBEAT, this.identity())
    if (apiKey !== ApiKey.Fetch) return
    const duration = Math.round(elapsedMs)
    const nodeId = this.cluster?.nodeIdAt(address) ?? -1
    this.options.listeners.emit(events.FETCH_START, { nodeId }, Date.now() - duration)
    this.emit(events.FETCH, { numberOfBatches: 0, duration, nodeId })
  }

  private makeClient(cluster: Cluster): ClientConsumer {
    const { groupId, topics } = this.options
    const config = { ...DEFAULTS, ...withoutUndefined(this.options.config) }
    return new ClientConsumer({
      cluster,
      groupId,
      groupProtocol: 'classic',
      assignors: [kafkajsAssignor],
      sessionTimeoutMs: config.sessionTimeout,
      // The client insists on two heartbeats in a session; kafkajs on more than one.
      heartbeatIntervalMs: Math.min(config.heartbeatInterval, Math.floor(config.sessionTimeout / 2)),
      rebalanceTimeoutMs: config.rebalanceTimeout,
      minBytes: config.minBytes,
      maxBytes: config.maxBytes,
      maxBytesPerPartition: config.maxBytesPerPartition,
      maxWaitMs: config.maxWaitTimeInMs,
      offsetReset: (topic) => (topics.get(topic)?.fromBeginning === true ? 'earliest' : 'latest'),
      commit: 'manual',
      readCommitted: config.readUncommitted !== true,
      topicsRefreshMs: config.metadataMaxAge,
      allowAutoTopicCreation: config.allowAutoTopicCreation !== false,
      closeTimeoutMs: TIMER_MS_MAX,
      ...(config.rackId === undefined || config.rackId === '' ? {} : { rack: config.rackId }),
      onWarning: (error) => this.options.log.warn(error.message, { groupId }),
      rebalance: {
        begun: () => this.rebalanceBegun(),
        joined: (member) => this.joined(member),
        assigned: (partitions) => this.received(partitions),
        revoked: (partitions) => this.givenUp(partitions),
        lost: (partitions) => this.forget(partitions),
      },
    })
  }

  /** Reads until stopped; after a failure as often as kafkajs would, then it is a crash. */
  private async consume(client: ClientConsumer): Promise<void> {
    const { partitionsConsumedConcurrently: concurrency = 1 } = this.options.run
    while (this.isRunning) {
      try {
        await client.run({ concurrency, eachBatch: (batch) => this.handle(batch) })
      } catch (error) {
        const crash = this.crashOf(error)
        if (crash !== null && this.isRunning) {
          this.options.crashed(crash)
          return
        }
        await this.waited(this.pauses.take())
      }
    }
  }

  /** Null: there will be another attempt. */
  private crashOf(error: unknown): Error | null {
    const { retries, initialRetryTime } = this.options.retry
    if (!(error instanceof HandlerFailure)) return translated(error, { retries, retryTime: initialRetryTime })
    const { failure } = error
    if (failure instanceof KafkaJSError && failure.name === 'KafkaJSNotImplemented') return failure
    return this.pauses.isOver || !mayRetry(failure) ? this.pauses.giveUp(failure) : null
  }

  private async handle(fetched: MessageBatch<Buffer, Buffer>): Promise<void> {
    if (!this.isRunning) return
    const batch = new FetchedBatch(fetched)
    const { topic, partition, startOffset, nextOffset } = batch
    const work = { batch, progress: this.offsets.began(topic, partition, startOffset, nextOffset) }
    this.inHand.set(keyOf(batch), work)
    try {
      await this.process(work)
    } catch (error) {
      // The new generation begins where this one ends: nothing has failed.
      if (!isRebalancing(error)) throw new HandlerFailure(error)
    } finally {
      this.settle(work)
    }
  }

  private async process(work: Work): Promise<void> {
    const { batch } = work
    const { eachMessage, eachBatch } = this.options.run
    const startMs = Date.now()
    const payload = {
      topic: batch.topic,
      partition: batch.partition,
      highWatermark: batch.highWatermark,
      offsetLag: batch.offsetLag(),
      offsetLagLow: batch.offsetLagLow(),
      batchSize: batch.messages.length,
      firstOffset: batch.firstOffset(),
      lastOffset: batch.lastOffset(),
    }
    this.emit(events.START_BATCH_PROCESS, payload)
    if (typeof eachMessage === 'function') await this.processMessages(work, eachMessage)
    else if (typeof eachBatch === 'function') await this.processBatch(work, eachBatch)
    this.emit(events.END_BATCH_PROCESS, { ...payload, duration: Date.now() - startMs })
    await this.autoCommit()
  }

  private async processMessages(work: Work, eachMessage: NonNullable<ConsumerRunConfig['eachMessage']>): Promise<void> {
    const { batch, progress } = work
    const { topic, partition, messages } = batch
    const heartbeat = (): Promise<void> => this.heartbeat(work)
    const pause = (): (() => void) => this.pauseOne(batch)
    for (const [index, message] of messages.entries()) {
      if (!this.isRunning || this.isStale(work)) return
      try {
        await eachMessage({ topic, partition, message, heartbeat, pause })
      } catch (error) {
        await this.handlerFailed('eachMessage', batch, message.offset, error)
      }
      const isLast = index === messages.length - 1
      progress.resolved = isLast ? batch.nextOffset : Number(message.offset) + 1
      if (this.isRebalancing || !progress.isCurrent) await this.heartbeat(work)
      if (this.options.run.autoCommit !== false && this.isCommitDue) await this.commit()
      if (this.paused.has(batch)) return
    }
  }

  private async processBatch(work: Work, eachBatch: NonNullable<ConsumerRunConfig['eachBatch']>): Promise<void> {
    const { batch, progress } = work
    const last = batch.messages.at(-1)?.offset
    try {
      await eachBatch({
        batch,
        // After the last message there may be markers of transactions, which a program cannot resolve.
        resolveOffset: (offset) => {
          progress.resolved = Number(offset) === Number(last) ? batch.nextOffset : Number(offset) + 1
        },
        heartbeat: () => this.heartbeat(work),
        pause: () => this.pauseOne(batch),
        commitOffsetsIfNecessary: (offsets) => (offsets ? this.commit(offsets) : this.commitIfNecessary()),
        uncommittedOffsets: () => ({ topics: this.offsets.uncommitted() }),
        isRunning: () => this.isRunning,
        isStale: () => this.isStale(work),
      })
    } catch (error) {
      await this.handlerFailed('eachBatch', batch, batch.firstOffset(), error)
    }
    if (this.options.run.eachBatchAutoResolve !== false) progress.resolved = batch.nextOffset
  }

  /** What was resolved before is committed, and the error goes on. */
  private async handlerFailed(
    handler: string,
    at: TopicPartition,
    offset: string | null,
    error: unknown,
  ): Promise<never> {
    if (!(error instanceof KafkaJSError)) {
      const stack = error instanceof Error ? error.stack : undefined
      const { topic, partition } = at
      this.options.log.error(`Error when calling ${handler}`, { topic, partition, offset, stack, error })
    }
    await this.autoCommit()
    throw error
  }

  /** Heartbeats are sent beside the handlers; what is left to say is that it is time to come to an end. */
  private async heartbeat({ progress }: Work): Promise<void> {
    if (!this.isRunning || (!this.isRebalancing && progress.isCurrent)) return
    await this.autoCommit()
    const reason = Object.assign(new Error('The group is rebalancing, so a rejoin is needed'), {
      type: 'REBALANCE_IN_PROGRESS',
      code: REBALANCE_IN_PROGRESS,
      retriable: false,
    })
    throw new KafkaJSProtocolError(reason)
  }

  /** The handler is through: what it did not resolve is read again, unless it is to be read elsewhere. */
  private settle(work: Work): void {
    const { batch, progress } = work
    const key = keyOf(batch)
    // The partition was lost and came back, and another handler is at work on it: what is to be done is left to that one.
    if (this.inHand.get(key) !== work) return
    this.inHand.delete(key)
    if (!this.isAssigned(batch)) return
    const seek = this.seeks.get(key)
    if (seek !== undefined) {
      this.applySeek(seek)
      return
    }
    const { topic, partition } = batch
    if (!progress.isCurrent) return
    const resolved = progress.resolved ?? batch.startOffset
    if (resolved !== batch.nextOffset) this.client?.seek({ topic, partition, offset: resolved })
  }

  /** Its messages are not to be handled any more: reading goes on elsewhere, or the partition was lost meanwhile. */
  private isStale({ batch, progress }: Work): boolean {
    return this.seeks.has(keyOf(batch)) || !progress.isCurrent
  }

  private applySeek({ topic, partition, offset }: TopicPartition & { readonly offset: number }): void {
    this.seeks.delete(keyOf({ topic, partition }))
    this.client?.seek({ topic, partition, offset: pointOf(offset) })
    this.offsets.forget(topic, partition)
    // As in kafkajs: the group is to remember it, even if nothing is read from there.
    if (this.options.run.autoCommit === false || offset < 0) return
    const { groupId, log } = this.options
    this.client?.commit([{ topic, partition, offset }]).catch((error: KafkaError) => {
      log.warn(`Could not commit the offset of a seek: ${error.message}`, { groupId, topic, partition, offset })
    })
  }

  private pauseOne({ topic, partition }: TopicPartition): () => void {
    const selection = [{ topic, partitions: [partition] }]
    this.pause(selection)
    return () => this.resume(selection)
  }

  private applyPauses(partitions: readonly TopicPartition[]): void {
    const isPaused = (each: TopicPartition): boolean => this.paused.has(each) || !this.options.topics.has(each.topic)
    this.client?.pause(partitions.filter(isPaused))
    this.client?.resume(partitions.filter((each) => !isPaused(each)))
  }

  private rebalanceBegun(): void {
    if (this.hasJoined && !this.isRebalancing) {
      const { groupId, memberId } = this.identity()
      this.options.log.warn('The group is rebalancing, re-joining', { groupId, memberId })
      this.emit(events.REBALANCING, { groupId, memberId })
    }
    this.isRebalancing = true
    this.joinStartMs = performance.now()
  }

  private joined({ memberId, leaderId, assignor }: GroupMembership): void {
    const { groupId, log } = this.options
    this.isRebalancing = false
    this.hasJoined = true
    this.pauses = new Pauses(this.options.retry)
    const payload = {
      groupId,
      memberId,
      leaderId,
      isLeader: leaderId === memberId,
      memberAssignment: Object.fromEntries(
        byTopic(this.assigned()).map(({ topic, partitions }) => [topic, partitions]),
      ),
      groupProtocol: assignor,
      duration: Math.round(performance.now() - this.joinStartMs),
    }
    this.emit(events.GROUP_JOIN, payload)
    log.info('Consumer has joined the group', payload)
    this.joinedFirst.resolve()
  }

  private received(partitions: readonly TopicPartition[]): void {
    this.applyPauses(partitions)
    for (const each of partitions) {
      const seek = this.seeks.get(keyOf(each))
      if (seek !== undefined) this.applySeek(seek)
    }
    const topicsSubscribed = [...this.options.topics.keys()]
    const assignedTopics = [...new Set(partitions.map(({ topic }) => topic))]
    const topicsNotSubscribed = assignedTopics.filter((topic) => !this.options.topics.has(topic))
    if (topicsNotSubscribed.length === 0) return
    const { groupId, memberId, groupGenerationId: generationId } = this.identity()
    const payload = { groupId, generationId, memberId, assignedTopics, topicsSubscribed, topicsNotSubscribed }
    this.emit(events.RECEIVED_UNSUBSCRIBED_TOPICS, payload)
    this.options.log.warn('Consumer group received unsubscribed topics', payload)
  }

  private async givenUp(partitions: readonly TopicPartition[]): Promise<void> {
    try {
      await this.autoCommit()
    } catch (error) {
      this.options.log.warn(`Could not commit before giving partitions up: ${String(error)}`)
    }
    this.forget(partitions)
  }

  private forget(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) this.offsets.forget(topic, partition)
  }

  private async autoCommit(): Promise<void> {
    if (this.options.run.autoCommit !== false) await this.commit()
  }

  private async commitIfNecessary(): Promise<void> {
    if (this.isCommitDue) await this.commit()
  }

  private get isCommitDue(): boolean {
    const { autoCommitInterval = null, autoCommitThreshold = null } = this.options.run
    if (autoCommitInterval !== null && Date.now() >= this.lastCommitMs + autoCommitInterval) return true
    return autoCommitThreshold !== null && this.offsets.count() >= autoCommitThreshold
  }

  /** Records that programs do not see (markers, aborted ones) are passed by the client without a batch. */
  private passMarkers(): void {
    for (const { topic, partition, offset } of this.client?.processed() ?? []) {
      if (!this.inHand.has(keyOf({ topic, partition }))) this.offsets.passed(topic, partition, offset)
    }
  }

  /** Those of topics that are subscribed to. */
  private assigned(): TopicPartition[] {
    return (this.client?.assignment() ?? []).filter(({ topic }) => this.options.topics.has(topic))
  }

  private isAssigned({ topic, partition }: TopicPartition): boolean {
    return this.assigned().some((each) => each.topic === topic && each.partition === partition)
  }

  private identity(): { groupId: string; memberId: string; groupGenerationId: number } {
    const member = this.client?.member
    const { groupId } = this.options
    return { groupId, memberId: member?.memberId ?? '', groupGenerationId: member?.generation ?? -1 }
  }

  private emit(name: string, payload: unknown): void {
    this.options.listeners.emit(name, payload)
  }

  /** The pause, or less if the session is stopped meanwhile. */
  private waited(ms: number): Promise<void> {
    const { signal } = this.stopped
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const ended = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', ended)
        resolve()
      }
      const timer = setTimeout(ended, Math.min(ms, TIMER_MS_MAX))
      signal.addEventListener('abort', ended)
    })
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`
}

function pointOf(offset: number): StartingPoint {
  if (offset === EARLIEST_OFFSET) return 'earliest'
  return offset === LATEST_OFFSET ? 'latest' : offset
}

function byTopic(partitions: readonly TopicPartition[]): TopicPartitions[] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, rows]) => ({
    topic,
    partitions: rows.map(({ partition }) => partition).sort((one, other) => one - other),
  }))
}

/** Defaults hold for what is there without a value, too. */
function withoutUndefined<T extends object>(given: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(entries) as { [Key in keyof T]: Exclude<T[Key], undefined> }
}
