/**
 * kafkajs' consumer: what a program calls, checked as kafkajs checks it. The work between `run` and `stop` is a session's
 * (session.ts); a session that crashed is replaced by a new one after a pause, if the error is one that may pass.
 */
import type { Cluster } from '../client/cluster.ts'
import { EARLIEST_TIMESTAMP as EARLIEST_OFFSET, LATEST_TIMESTAMP as LATEST_OFFSET } from '../client/offsets.ts'
import { describeGroups } from './admin-groups.ts'
import { PartitionAssigners } from './assigner.ts'
import { KafkaJSNonRetriableError, KafkaJSNotImplemented } from './errors.ts'
import { consumerEvents, type Events } from './events.ts'
import type { ClusterLink } from './link.ts'
import type { Logger } from './logger.ts'
import type { ResolvedOffsets } from './resolved-offsets.ts'
import { TIMER_MS_MAX } from './retry.ts'
import { Session } from './session.ts'
import { failureOf, translated } from './translate.ts'
import type {
  Consumer,
  ConsumerConfig,
  ConsumerRunConfig,
  ConsumerSubscribeTopic,
  ConsumerSubscribeTopics,
  GroupDescription,
  Offsets,
  TopicPartitionOffset,
  TopicPartitionOffsetAndMetadata,
  TopicPartitions,
} from './types.ts'

const DEFAULT_SESSION_TIMEOUT_MS = 30_000
const DEFAULT_HEARTBEAT_INTERVAL_MS = 3_000
const INTEGER = /^-?\d+$/
const NOT_RUNNING = 'Consumer group was not initialized, consumer#run must be called first'

type Selection = readonly { readonly topic: string; readonly partitions?: number[] }[]

export class KafkaConsumer implements Consumer {
  readonly events = consumerEvents
  readonly on: Consumer['on']
  private readonly link: ClusterLink
  private readonly config: ConsumerConfig
  private readonly listeners: Events
  private readonly log: Logger
  private readonly committed: ConstructorParameters<typeof ResolvedOffsets>[0]
  private readonly topics = new Map<string, { fromBeginning: boolean }>()
  private session: Session | null = null
  private stopping: Promise<void> | null = null
  private restartTimer: ReturnType<typeof setTimeout> | undefined
  /** Counts what the program has asked for: a restart after a crash is void when it has stopped or run the consumer since. */
  private wishes = 0

  constructor(
    link: (observed: (...event: Parameters<Session['requested']>) => void) => ClusterLink,
    config: ConsumerConfig,
    listeners: Events,
    log: Logger,
    committed: KafkaConsumer['committed'],
  ) {
    checkConfig(config)
    this.link = link((...event) => this.session?.requested(...event))
    this.config = config
    this.listeners = listeners
    this.log = log
    this.committed = committed
    this.on = (name, listener) => listeners.on(name, listener)
  }

  async connect(): Promise<void> {
    await this.link.connect()
    this.listeners.emit(consumerEvents.CONNECT)
  }

  disconnect(): Promise<void> {
    this.wishes += 1
    return this.shutDown()
  }

  private async shutDown(): Promise<void> {
    try {
      await this.ended()
      await this.link.disconnect()
      this.listeners.emit(consumerEvents.DISCONNECT)
    } catch (error) {
      this.log.error(`Caught error when disconnecting the consumer: ${String(error)}`, { groupId: this.groupId })
      throw error
    }
  }

  stop(): Promise<void> {
    this.wishes += 1
    return this.ended()
  }

  private ended(): Promise<void> {
    this.stopping ??= this.endSession().finally(() => {
      this.stopping = null
    })
    return this.stopping
  }

  async subscribe(subscription: ConsumerSubscribeTopics | ConsumerSubscribeTopic): Promise<void> {
    const { topic, topics, fromBeginning = false } = subscription as ConsumerSubscribeTopics & ConsumerSubscribeTopic
    if (this.session !== null) throw refused('Cannot subscribe to topic while consumer is running')
    if (!topic && !topics) throw refused('Missing required argument "topics"')
    if (topics !== undefined && topics !== null && !Array.isArray(topics)) {
      throw refused('Argument "topics" must be an array')
    }
    const wanted = topics ?? [topic]
    for (const each of wanted) {
      if (typeof each === 'string' || each instanceof RegExp) continue
      const message = `Invalid topic ${each} (${typeof each}), the topic name has to be a String or a RegExp`
      throw refused(message)
    }
    const cluster = await this.link.connect()
    const names = await this.namesOf(cluster, wanted)
    const create = this.config.allowAutoTopicCreation !== false
    for (const name of names) await this.attempt(() => cluster.topic(name, { create }))
    for (const name of names) this.topics.set(name, { fromBeginning })
  }

  async run(run: ConsumerRunConfig = {}): Promise<void> {
    if (this.session !== null) {
      this.log.warn('consumer#run was called, but the consumer is already running', { groupId: this.groupId })
      return
    }
    this.wishes += 1
    clearTimeout(this.restartTimer)
    await this.begin(run)
  }

  async commitOffsets(topicPartitions: TopicPartitionOffsetAndMetadata[] = []): Promise<void> {
    for (const row of topicPartitions) {
      checkPlace(row)
      const offset = offsetOf(row.offset)
      if (offset < 0) throw refused('Offset must not be a negative number')
      const { metadata = null } = row
      if (metadata !== null && typeof metadata !== 'string') {
        throw refused(`Invalid offset metadata, expected string or null, received ${metadata}`)
      }
    }
    const session = this.needSession()
    if (!session.isRunning) return
    const topics: Offsets['topics'] = [...Map.groupBy(topicPartitions, ({ topic }) => topic)].map(([topic, rows]) => ({
      topic,
      partitions: rows.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
    }))
    const metadata = new Map(
      topicPartitions.flatMap(({ topic, partition, metadata: text }): [string, string][] =>
        typeof text === 'string' ? [[`${topic}:${partition}`, text]] : [],
      ),
    )
    if (topics.length > 0) await this.attempt(() => session.commit({ topics, metadata }))
  }

  seek({ topic, partition, offset }: TopicPartitionOffset): void {
    checkPlace({ topic, partition })
    const point = offsetOf(offset)
    if (point < 0 && point !== EARLIEST_OFFSET && point !== LATEST_OFFSET) {
      throw refused('Offset must not be a negative number')
    }
    this.needSession().seek({ topic, partition, offset: point })
  }

  async describeGroup(): Promise<GroupDescription> {
    const cluster = await this.link.connect()
    const { groups } = await this.attempt(() => describeGroups(cluster, [this.groupId]))
    return groups[0]!
  }

  pause(topicPartitions: Selection = []): void {
    checkSelection(topicPartitions, 'pause')
    const session = this.needSession()
    this.log.info(`Pausing fetching from ${topicPartitions.length} topics`, { topicPartitions })
    session.pause(topicPartitions)
  }

  paused(): TopicPartitions[] {
    return this.session?.pausedPartitions() ?? []
  }

  resume(topicPartitions: Selection = []): void {
    checkSelection(topicPartitions, 'resume')
    const session = this.needSession()
    this.log.info(`Resuming fetching from ${topicPartitions.length} topics`, { topicPartitions })
    session.resume(topicPartitions)
  }

  logger(): Logger {
    return this.log
  }

  private get groupId(): string {
    return this.config.groupId
  }

  private async begin(run: ConsumerRunConfig): Promise<void> {
    this.log.info('Starting', { groupId: this.groupId })
    // There at once: `seek` and `pause` may follow `run` without waiting for it.
    const session = new Session({
      groupId: this.groupId,
      config: this.config,
      run,
      topics: this.topics,
      retry: this.link.retry,
      committed: this.committed,
      listeners: this.listeners,
      log: this.log,
      crashed: (error) => void this.crashed(session, run, error),
    })
    this.session = session
    try {
      const cluster = await this.link.connect()
      if (this.session !== session) return
      this.listeners.emit(consumerEvents.CONNECT)
      await session.start(cluster)
    } catch (error) {
      await this.crashed(session, run, this.failed(error))
    }
  }

  private async endSession(): Promise<void> {
    clearTimeout(this.restartTimer)
    const { session } = this
    if (session !== null) {
      try {
        await session.stop()
      } finally {
        this.session = null
      }
      this.listeners.emit(consumerEvents.STOP)
    }
    this.log.info('Stopped', { groupId: this.groupId })
  }

  /** What kafkajs does: everything is let go, the event is told, and where it may help it all begins again after a pause. */
  private async crashed(session: Session, run: ConsumerRunConfig, error: Error): Promise<void> {
    if (this.session !== session || this.stopping !== null) return
    const { wishes } = this
    const { groupId } = this
    const { retryCount, retryTime } = error as { retryCount?: number; retryTime?: number }
    this.log.error(`Crash: ${error.name}: ${error.message}`, { groupId, retryCount, stack: error.stack })
    await this.shutDown().catch((reason: unknown) => this.log.error(String(reason), { groupId }))
    const restart = await this.shouldRestart(error)
    this.listeners.emit(consumerEvents.CRASH, { error, groupId, restart })
    if (!restart || this.wishes !== wishes) return
    const pauseMs = retryTime ?? this.link.retry.initialRetryTime
    this.log.error(`Restarting the consumer in ${pauseMs}ms`, { retryCount, retryTime: pauseMs, groupId })
    this.restartTimer = setTimeout(() => void this.begin(run), Math.min(pauseMs, TIMER_MS_MAX))
  }

  private async shouldRestart(error: Error): Promise<boolean> {
    const mayPass = error.name === 'KafkaJSNumberOfRetriesExceeded' || isRetriable(originOf(error))
    const { restartOnFailure } = this.config.retry ?? {}
    if (!mayPass || restartOnFailure === undefined) return mayPass
    try {
      return await restartOnFailure(error)
    } catch (reason) {
      this.log.error(`restartOnFailure failed, so the consumer is restarted: ${String(reason)}`, {
        groupId: this.groupId,
      })
      return true
    }
  }

  private async namesOf(cluster: Cluster, wanted: readonly (string | RegExp)[]): Promise<string[]> {
    const expressions = wanted.filter((each) => each instanceof RegExp)
    const all = expressions.length === 0 ? [] : (await this.attempt(() => cluster.metadata(null))).topics
    const names = all.flatMap(({ name }) => name ?? [])
    // What matches now: as in kafkajs, later topics are not looked for.
    return [
      ...new Set(
        wanted.flatMap((each) =>
          typeof each === 'string' ? [each] : names.filter((name) => new RegExp(each.source, each.flags).test(name)),
        ),
      ),
    ]
  }

  /** The client has waited for what passes by itself. */
  private async attempt<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      throw failureOf(error)
    }
  }

  private failed(error: unknown): Error {
    const { retries, initialRetryTime } = this.link.retry
    return translated(error, { retries, retryTime: initialRetryTime })
  }

  private needSession(): Session {
    if (this.session === null) throw refused(NOT_RUNNING)
    return this.session
  }
}

function checkConfig({ groupId, sessionTimeout, heartbeatInterval, partitionAssigners }: ConsumerConfig): void {
  if (!groupId) throw refused('Consumer groupId must be a non-empty string.')
  const heartbeatMs = heartbeatInterval ?? DEFAULT_HEARTBEAT_INTERVAL_MS
  const sessionMs = sessionTimeout ?? DEFAULT_SESSION_TIMEOUT_MS
  if (heartbeatMs >= sessionMs) {
    throw refused(`Consumer heartbeatInterval (${heartbeatMs}) must be lower than sessionTimeout (${sessionMs})`)
  }
  if (partitionAssigners?.some((assigner) => assigner !== PartitionAssigners.roundRobin) === true) {
    throw new KafkaJSNotImplemented(
      "partitionAssigners: only PartitionAssigners.roundRobin; an assignor of your own is an option of Samsa's consumer",
    )
  }
}

function checkPlace({ topic, partition }: { readonly topic: string; readonly partition: number }): void {
  if (!topic) throw refused(`Invalid topic ${topic}`)
  if (Number.isNaN(Number(partition))) throw refused(`Invalid partition, expected a number received ${partition}`)
}

function offsetOf(offset: string): number {
  if (!INTEGER.test(String(offset))) throw refused(`Invalid offset, expected a long received ${offset}`)
  return Number(offset)
}

function checkSelection(selection: Selection, verb: string): void {
  for (const each of selection) {
    if (!each?.topic) throw refused(`Invalid topic ${each?.topic ?? each}`)
    const { partitions } = each
    if (partitions === undefined) continue
    if (!Array.isArray(partitions) || partitions.some((partition) => Number.isNaN(Number(partition)))) {
      throw refused(`Array of valid partitions required to ${verb} specific partitions instead of ${partitions}`)
    }
  }
}

function originOf(error: unknown): unknown {
  const { cause } = error as { cause?: unknown }
  return cause === undefined || cause === null ? error : originOf(cause)
}

function isRetriable(error: unknown): boolean {
  return (error as { retriable?: unknown }).retriable === true
}

function refused(message: string): KafkaJSNonRetriableError {
  return new KafkaJSNonRetriableError(message)
}
