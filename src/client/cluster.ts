/**
 * The brokers behind a bootstrap address: who they are, who leads what, and one connection to each of them. Shared by
 * the producer, the consumer and the admin calls; whoever made it closes it.
 *
 * What must hold: nothing here assumes that there is one broker. A connection that ended is replaced at its next use,
 * after a wait that grows while its address refuses. What is known of a partition's leader never goes back to an older
 * leader epoch: answers of brokers that lag behind are not believed. Every way back to the cluster includes the bootstrap
 * addresses, so a client whose known brokers have all been replaced finds the new ones (KIP-899); a broker may also ask
 * for that (KIP-1102).
 */
import { ErrorCode, isRetriable } from '../protocol/errors.ts'
import { MetadataRequest, MetadataResponse } from '../protocol/messages/03-metadata.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../protocol/messages/10-find-coordinator.ts'
import { type Infer, ZERO_UUID } from '../protocol/schema.ts'
import { formatHostPort, type HostPort } from './address.ts'
import { unlessAborted } from './call.ts'
import { Connection, type RequestObserver, type SecurityOptions } from './connection.ts'
import { brokerError, isConnectionLoss, KafkaError } from './errors.ts'
import { backoffMs, type RetryPolicy, retrying, retryPolicy, sleep } from './retry.ts'

export interface ClusterOptions extends SecurityOptions {
  readonly bootstrap: readonly HostPort[]
  /** How brokers name this client in logs, quotas and metrics. Default `samsa`. */
  readonly clientId?: string
  /** For connections and requests, and for what waits for a leader or a coordinator, milliseconds. Default 30,000. */
  readonly timeoutMs?: number
  /** For a connection to come up, milliseconds, where that is to be another time than `timeoutMs`. */
  readonly connectTimeoutMs?: number
  /** After this time what is known of a topic is asked anew at its next use, milliseconds. Default 300,000. */
  readonly metadataMaxAgeMs?: number
  /** Pauses between attempts. Default 100 to 1,000 ms. */
  readonly retry?: Partial<RetryPolicy>
  /** Told after every request. */
  readonly observer?: RequestObserver
}

export type Metadata = Infer<typeof MetadataResponse>
export type TopicMetadata = Metadata['topics'][number]
export type PartitionMetadata = TopicMetadata['partitions'][number]

export interface TopicOptions {
  /** Let the broker create the topic, if it is configured to. */
  readonly create?: boolean
  /** How long it may stay unknown after a broker was asked to create it, milliseconds. Default 5,000. */
  readonly creationWaitMs?: number
  readonly signal?: AbortSignal | undefined
}

export type CoordinatorKind = 'group' | 'transaction'

const CREATION_WAIT_MS = 5_000
/** Of `topic` calls of one turn. */
const TOPICS_PER_REQUEST = 1_000
const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_METADATA_MAX_AGE_MS = 300_000
const RECONNECT: RetryPolicy = { backoffMs: 50, backoffMaxMs: 1_000 }

const COORDINATOR_KEY_TYPES = { group: 0, transaction: 1 } as const
/** From this version on, FindCoordinator asks for several keys; before, the one answer lies at the top. */
const FIRST_BATCHED_COORDINATOR = 4

interface CachedTopic {
  readonly metadata: TopicMetadata
  readonly readMs: number
}

interface Refusals {
  count: number
  notBeforeMs: number
}

export class Cluster {
  readonly timeoutMs: number
  readonly clientId: string
  readonly retry: RetryPolicy
  private readonly options: ClusterOptions
  private readonly addresses = new Map<number, HostPort>()
  private readonly connections = new Map<number, Promise<Connection>>()
  private readonly refusals = new Map<string, Refusals>()
  private readonly topics = new Map<string, CachedTopic>()
  private readonly topicNames = new Map<string, string>()
  private seed: Connection | null = null
  private seeding: Promise<Connection> | null = null
  /** Where nobody answered in time: other addresses are tried before it. */
  private silent: string | null = null
  private closed = false
  /** Ends what is still connecting. */
  private readonly ending = new AbortController()
  /** Grows with everything that is learnt about topics. */
  generation = 0
  private asking = new Map<boolean, { readonly names: Set<string>; readonly answer: Promise<Metadata> }>()
  private updates: { readonly names: Set<string>; readonly done: Promise<void> } | null = null

  /** Connects at the first use; `connect` does so at once. */
  constructor(options: ClusterOptions) {
    this.options = options
    this.clientId = options.clientId ?? 'samsa'
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    this.retry = retryPolicy(options.retry)
  }

  /** Resolves when one of the bootstrap brokers answered. */
  static async connect(options: ClusterOptions, signal?: AbortSignal): Promise<Cluster> {
    const cluster = new Cluster(options)
    try {
      await unlessAborted(cluster.any(), signal, 'connect')
    } catch (error) {
      await cluster.close()
      throw error
    }
    return cluster
  }

  /** A connection to some broker: for what every broker can answer. */
  async any(): Promise<Connection> {
    if (this.seed !== null && this.seed.closedBy === null) return this.seed
    this.seeding ??= this.findSeed().finally(() => {
      this.seeding = null
    })
    return this.seeding
  }

  /** The connection that all requests to this broker share. */
  async broker(nodeId: number): Promise<Connection> {
    const address = this.addressOf(nodeId)
    const known = this.connections.get(nodeId)
    if (known !== undefined) {
      const connection = await known
      const same = connection.host === address.host && connection.port === address.port
      if (connection.closedBy === null && same) return connection
      // Somebody else may have begun to replace it while we waited.
      if (this.connections.get(nodeId) !== known) return this.broker(nodeId)
    }
    const opening = this.open(address)
    this.connections.set(nodeId, opening)
    opening.catch(() => {
      if (this.connections.get(nodeId) === opening) this.connections.delete(nodeId)
    })
    return opening
  }

  /** A connection of the caller's own, so that its long polls delay nobody else. The caller closes it. */
  async ownConnection(nodeId: number): Promise<Connection> {
    return this.open(this.addressOf(nodeId))
  }

  /** The broker that changes topics: the controller, where the metadata name one. */
  async controller(): Promise<Connection> {
    const { controllerId } = await this.metadata([])
    return this.addresses.has(controllerId) ? this.broker(controllerId) : this.any()
  }

  /** Null asks for all topics. What comes is remembered. A broker that fails is replaced by another one, once round. */
  async metadata(topics: readonly string[] | null, options: TopicOptions = {}): Promise<Metadata> {
    return this.askAnyone(async (connection) => {
      const answer = await connection.send(
        MetadataRequest,
        MetadataResponse,
        {
          topics: topics === null ? null : topics.map((name) => ({ name })),
          allowAutoTopicCreation: options.create ?? false,
        },
        { timeoutMs: this.timeoutMs, signal: options.signal },
      )
      if (answer.errorCode === ErrorCode.REBOOTSTRAP_REQUIRED) {
        this.forgetBrokers()
        throw brokerError(answer.errorCode, 'ask for metadata')
      }
      for (const { nodeId, host, port } of answer.brokers) this.addresses.set(nodeId, { host, port })
      return { ...answer, topics: answer.topics.map((topic) => this.remember(topic)) }
    })
  }

  /**
   * One topic with a leader for each of its partitions, asked anew. A topic that was just created may take a moment; one
   * that does not exist is an error at once.
   */
  async topic(name: string, options: TopicOptions = {}): Promise<TopicMetadata> {
    const { creationWaitMs = CREATION_WAIT_MS } = options
    const startMs = performance.now()
    const deadlineMs = startMs + this.timeoutMs
    for (let attempt = 0; ; attempt++) {
      const topic = await this.askTogether(name, options)
      if (topic === undefined) throw new KafkaError('ERR_BAD_RESPONSE', `no metadata for topic '${name}'`)
      const unknown = topic.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      if (unknown && options.create !== true) {
        throw brokerError(topic.errorCode, `topic '${name}'`, 'it does not exist')
      }
      const errorCode = topic.errorCode || topic.partitions.find((partition) => partition.leaderId < 0)?.errorCode || 0
      if (errorCode === 0) return topic
      const untilMs = unknown ? Math.min(deadlineMs, startMs + creationWaitMs) : deadlineMs
      if (!isRetriable(errorCode) || performance.now() > untilMs) throw brokerError(errorCode, `topic '${name}'`)
      await sleep(backoffMs(this.retry, attempt), options.signal)
    }
  }

  /** One request for all topics that are asked for in this turn: programs with many begin with all of them at once. */
  private async askTogether(
    name: string,
    { create = false, signal }: TopicOptions,
  ): Promise<TopicMetadata | undefined> {
    let asking = this.asking.get(create)
    if (asking === undefined || asking.names.size >= TOPICS_PER_REQUEST) {
      const names = new Set<string>()
      const answer = Promise.resolve().then(() => {
        if (this.asking.get(create)?.names === names) this.asking.delete(create)
        return this.metadata([...names], { create })
      })
      asking = { names, answer }
      this.asking.set(create, asking)
    }
    asking.names.add(name)
    const { answer } = asking
    const { topics } = await unlessAborted(answer, signal, `ask for topic '${name}'`)
    return topics.find((topic) => topic.name === name)
  }

  /** What is known of a topic, whatever its age; undefined before its first `topic` or `metadata`. */
  knownTopic(name: string): TopicMetadata | undefined {
    return this.topics.get(name)?.metadata
  }

  /** True where nothing is known of the topic, or what is known has reached `metadataMaxAgeMs`. */
  isStale(name: string): boolean {
    const cached = this.topics.get(name)
    const maxAgeMs = this.options.metadataMaxAgeMs ?? DEFAULT_METADATA_MAX_AGE_MS
    return cached === undefined || performance.now() - cached.readMs >= maxAgeMs
  }

  /** The name of a topic that is known by its id. */
  topicName(topicId: string): string | undefined {
    return this.topicNames.get(topicId)
  }

  partition(topic: string, partition: number): PartitionMetadata | undefined {
    const partitions = this.topics.get(topic)?.metadata.partitions
    const row = partitions?.[partition]
    // Nearly always in order and without gaps.
    return row?.partitionIndex === partition ? row : partitions?.find((each) => each.partitionIndex === partition)
  }

  /**
   * Asks anew about these topics, together with everybody else who wants to know something in this turn. Resolves when
   * the answer is in; rejects when nobody answers.
   */
  update(names: Iterable<string>): Promise<void> {
    if (this.updates === null) {
      const gathered = new Set<string>()
      const done = Promise.resolve().then(async () => {
        this.updates = null
        await this.metadata([...gathered])
      })
      this.updates = { names: gathered, done }
    }
    for (const name of names) this.updates.names.add(name)
    return this.updates.done
  }

  /** A broker named the leader itself (KIP-951). Older epochs than the known one are not believed. */
  noteLeader(topic: string, leader: { partition: number; leaderId: number; leaderEpoch: number }): void {
    const row = this.partition(topic, leader.partition)
    if (row === undefined || leader.leaderId < 0 || leader.leaderEpoch <= row.leaderEpoch) return
    row.leaderId = leader.leaderId
    row.leaderEpoch = leader.leaderEpoch
  }

  /** Where brokers are, as answers about new leaders tell it (KIP-951). */
  noteBrokers(endpoints: readonly { nodeId: number; host: string; port: number }[]): void {
    for (const { nodeId, host, port } of endpoints) this.addresses.set(nodeId, { host, port })
  }

  /**
   * The broker that coordinates this group, or this transactional id. Asked anew at each call: keep the connection while
   * it serves, call again after NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE or a lost connection.
   */
  coordinator(kind: CoordinatorKind, key: string, signal?: AbortSignal): Promise<Connection> {
    return this.withCoordinator(kind, key, (nodeId) => this.broker(nodeId), signal)
  }

  /** The same on a connection of the caller's own: a member of a classic group waits there for the others to join. */
  ownCoordinator(kind: CoordinatorKind, key: string, signal?: AbortSignal): Promise<Connection> {
    return this.withCoordinator(kind, key, (nodeId) => this.ownConnection(nodeId), signal)
  }

  private withCoordinator(
    kind: CoordinatorKind,
    key: string,
    connect: (nodeId: number) => Promise<Connection>,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const attempt = async (connection: Connection): Promise<Connection> => {
      const version = connection.versionFor(FindCoordinatorRequest)
      const keys = version >= FIRST_BATCHED_COORDINATOR ? { coordinatorKeys: [key] } : { key }
      const keyType = COORDINATOR_KEY_TYPES[kind]
      const asked = version >= 1 ? { ...keys, keyType } : keys
      const answer = await connection.send(FindCoordinatorRequest, FindCoordinatorResponse, asked, { signal })
      const row = answer.coordinators[0] ?? answer
      if (row.errorCode !== 0) {
        throw brokerError(row.errorCode, `find the coordinator of ${kind} '${key}'`, row.errorMessage)
      }
      this.addresses.set(row.nodeId, { host: row.host, port: row.port })
      return connect(row.nodeId)
    }
    return retrying(this.timeoutMs, () => this.askAnyone(attempt), {
      policy: this.retry,
      signal,
      mayRetry: (error) => (error.errorCode === 0 ? error.code === 'ERR_CONNECTION_CLOSED' : error.retriable),
    })
  }

  groupCoordinator(groupId: string): Promise<Connection> {
    return this.coordinator('group', groupId)
  }

  async close(): Promise<void> {
    this.closed = true
    this.ending.abort(new KafkaError('ERR_CLOSED', 'this client is closed'))
    const opening = [...this.connections.values(), this.seeding].map((promise) => promise?.catch(() => null))
    const open = new Set([this.seed, ...(await Promise.all(opening))])
    this.connections.clear()
    await Promise.all([...open].map((connection) => connection?.close()))
  }

  /** Whose address `host:port` is; -1 where the metadata did not say. */
  nodeIdAt(address: string): number {
    for (const [nodeId, known] of this.addresses) if (formatHostPort(known) === address) return nodeId
    return -1
  }

  private addressOf(nodeId: number): HostPort {
    const address = this.addresses.get(nodeId)
    if (address === undefined) {
      throw new KafkaError('ERR_CONNECT', `broker ${nodeId} is not in the cluster's metadata`)
    }
    return address
  }

  private async findSeed(): Promise<Connection> {
    const failures: string[] = []
    let cause: unknown
    const tried = new Set<string>()
    const known = [...this.options.bootstrap, ...this.addresses.values()]
    const isSilent = (address: HostPort): number => (formatHostPort(address) === this.silent ? 1 : 0)
    for (const address of known.toSorted((one, other) => isSilent(one) - isSilent(other))) {
      const text = formatHostPort(address)
      if (tried.has(text)) continue
      tried.add(text)
      try {
        this.seed = await this.open(address)
        return this.seed
      } catch (error) {
        if (!(error instanceof KafkaError) || !isConnectionLoss(error) || this.closed) throw error
        cause = error
        failures.push(error.message)
      }
    }
    throw new KafkaError('ERR_CONNECT', failures.join('; ') || 'no broker address given', { cause })
  }

  /** Runs against some broker, and once more against the next one if that connection is lost or has to be left. */
  private async askAnyone<T>(ask: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.any()
    try {
      return await ask(connection)
    } catch (error) {
      // A broker whose connection is still there answered, and was only asked about another one.
      const hangs = error instanceof KafkaError && error.code === 'ERR_TIMEOUT' && connection.closedBy !== null
      if (hangs) this.silent = connection.address
      const leave = error instanceof KafkaError && error.errorCode === ErrorCode.REBOOTSTRAP_REQUIRED
      if (!leave && (!isConnectionLoss(error) || connection.closedBy === null || this.closed)) throw error
      return ask(await this.any())
    }
  }

  private forgetBrokers(): void {
    const left = new KafkaError('ERR_CONNECTION_CLOSED', 'the broker asked the client to begin with its bootstrap list')
    this.seed?.destroy(left)
    this.seed = null
    this.addresses.clear()
    for (const opening of this.connections.values()) {
      opening.then((connection) => connection.destroy(left)).catch(() => undefined)
    }
    this.connections.clear()
  }

  /** Keeps a topic, and answers it with what is known better already. */
  private remember(topic: TopicMetadata): TopicMetadata {
    const { name } = topic
    if (name === null) return topic
    this.generation += 1
    if (topic.errorCode !== 0) {
      const gone = topic.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      if (gone) this.topics.delete(name)
      return topic
    }
    const before = this.topics.get(name)?.metadata
    if (before !== undefined && before.topicId === topic.topicId) {
      const rows = new Map(before.partitions.map((row) => [row.partitionIndex, row]))
      for (const [index, row] of topic.partitions.entries()) {
        const known = rows.get(row.partitionIndex)
        if (known !== undefined && known.leaderEpoch > row.leaderEpoch) topic.partitions[index] = known
      }
    }
    topic.partitions.sort((a, b) => a.partitionIndex - b.partitionIndex)
    if (topic.topicId !== ZERO_UUID) this.topicNames.set(topic.topicId, name)
    this.topics.set(name, { metadata: topic, readMs: performance.now() })
    return topic
  }

  private async open(address: HostPort): Promise<Connection> {
    const text = formatHostPort(address)
    const refusals = this.refusals.get(text)
    if (refusals !== undefined) {
      const waitMs = refusals.notBeforeMs - performance.now()
      if (waitMs > 0) await sleep(waitMs, this.ending.signal).catch(() => undefined)
    }
    if (this.closed) throw new KafkaError('ERR_CLOSED', `no connection to ${text}: this client is closed`)
    const { tls, sasl, observer, connectTimeoutMs } = this.options
    const { host, port } = address
    try {
      const connection = await Connection.connect({
        host,
        port,
        clientId: this.clientId,
        timeoutMs: this.timeoutMs,
        connectTimeoutMs,
        ...(tls === undefined ? {} : { tls }),
        ...(sasl === undefined ? {} : { sasl }),
        observer,
        signal: this.ending.signal,
      })
      this.refusals.delete(text)
      if (!this.closed) return connection
      await connection.close()
    } catch (error) {
      if (this.closed) throw new KafkaError('ERR_CLOSED', `no connection to ${text}: this client is closed`)
      const count = (refusals?.count ?? 0) + 1
      this.refusals.set(text, { count, notBeforeMs: performance.now() + backoffMs(RECONNECT, count - 1) })
      throw error
    }
    throw new KafkaError('ERR_CLOSED', `no connection to ${text}: this client is closed`)
  }
}
