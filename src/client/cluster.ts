/**
 * The brokers behind a bootstrap address: who they are, who leads what, and one connection to each of them. Shared by
 * the producer, the consumer and the admin calls; whoever made it closes it.
 *
 * What must hold: nothing here assumes that there is one broker. A connection that ended is replaced at its next use.
 */
import { ErrorCode, isRetriable } from '../protocol/errors.ts'
import { MetadataRequest, MetadataResponse } from '../protocol/messages/03-metadata.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../protocol/messages/10-find-coordinator.ts'
import type { Infer } from '../protocol/schema.ts'
import { formatHostPort, type HostPort } from './address.ts'
import { Connection } from './connection.ts'
import { brokerError, ClientError } from './errors.ts'
import { RETRY_BACKOFF_MS, retrying } from './retry.ts'

export interface ClusterOptions {
  readonly bootstrap: readonly HostPort[]
  readonly clientId?: string
  readonly timeoutMs?: number
}

export type Metadata = Infer<typeof MetadataResponse>
export type TopicMetadata = Metadata['topics'][number]

/** How long a topic may stay unknown after a broker was asked to create it. */
const CREATION_WAIT_MS = 5_000
const DEFAULT_TIMEOUT_MS = 30_000

const GROUP_COORDINATOR = 0
/** From this version on, FindCoordinator asks for several keys; before, the one answer lies at the top. */
const FIRST_BATCHED_COORDINATOR = 4

export class Cluster {
  readonly timeoutMs: number
  readonly clientId: string
  private readonly bootstrap: readonly HostPort[]
  private readonly addresses = new Map<number, HostPort>()
  private readonly connections = new Map<number, Promise<Connection>>()
  private seed: Connection | null = null
  private closed = false

  private constructor(options: ClusterOptions) {
    this.bootstrap = options.bootstrap
    this.clientId = options.clientId ?? 'samsa'
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  }

  /** Resolves when one of the bootstrap brokers answered. */
  static async connect(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options)
    await cluster.any()
    return cluster
  }

  /** A connection to some broker: for what every broker can answer. */
  async any(): Promise<Connection> {
    if (this.seed !== null && this.seed.closedBy === null) return this.seed
    const failures: string[] = []
    let cause: unknown
    for (const address of [...this.bootstrap, ...this.addresses.values()]) {
      try {
        this.seed = await this.open(address)
        return this.seed
      } catch (error) {
        if (error instanceof ClientError && error.code !== 'CONNECT_FAILED') throw error
        cause = error
        failures.push(error instanceof Error ? error.message : String(error))
      }
    }
    throw new ClientError('CONNECT_FAILED', failures.join('; '), { cause })
  }

  async broker(nodeId: number): Promise<Connection> {
    const known = this.connections.get(nodeId)
    if (known !== undefined) {
      const connection = await known
      if (connection.closedBy === null) return connection
    }
    const address = this.addresses.get(nodeId)
    if (address === undefined) {
      throw new ClientError('CONNECT_FAILED', `broker ${nodeId} is not in the cluster's metadata`)
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
    const address = this.addresses.get(nodeId)
    if (address === undefined) {
      throw new ClientError('CONNECT_FAILED', `broker ${nodeId} is not in the cluster's metadata`)
    }
    return this.open(address)
  }

  /** The broker that changes topics: the controller, where the metadata name one. */
  async controller(): Promise<Connection> {
    const { controllerId } = await this.metadata([])
    return this.addresses.has(controllerId) ? this.broker(controllerId) : this.any()
  }

  /** Null asks for all topics. */
  async metadata(topics: readonly string[] | null, options: { create?: boolean } = {}): Promise<Metadata> {
    const connection = await this.any()
    const answer = await connection.send(
      MetadataRequest,
      MetadataResponse,
      {
        topics: topics === null ? null : topics.map((name) => ({ name })),
        allowAutoTopicCreation: options.create ?? false,
      },
      { timeoutMs: this.timeoutMs },
    )
    for (const { nodeId, host, port } of answer.brokers) this.addresses.set(nodeId, { host, port })
    return answer
  }

  /**
   * One topic with a leader for each of its partitions. A topic that was just created may take a moment; one that does
   * not exist is an error at once.
   */
  async topic(name: string, options: { create?: boolean } = {}): Promise<TopicMetadata> {
    const startMs = performance.now()
    const deadlineMs = startMs + this.timeoutMs
    for (;;) {
      const topic = (await this.metadata([name], options)).topics[0]
      if (topic === undefined) throw new ClientError('BAD_RESPONSE', `no metadata for topic '${name}'`)
      const unknown = topic.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      if (unknown && options.create !== true) {
        throw brokerError(topic.errorCode, `topic '${name}'`, 'it does not exist')
      }
      const errorCode = topic.errorCode || topic.partitions.find((partition) => partition.leaderId < 0)?.errorCode || 0
      if (errorCode === 0) return topic
      const untilMs = unknown ? Math.min(deadlineMs, startMs + CREATION_WAIT_MS) : deadlineMs
      if (!isRetriable(errorCode) || performance.now() > untilMs) throw brokerError(errorCode, `topic '${name}'`)
      await Bun.sleep(RETRY_BACKOFF_MS)
    }
  }

  groupCoordinator(groupId: string): Promise<Connection> {
    return retrying(this.timeoutMs, async () => {
      const connection = await this.any()
      const version = connection.versionFor(FindCoordinatorRequest)
      const keys = version >= FIRST_BATCHED_COORDINATOR ? { coordinatorKeys: [groupId] } : { key: groupId }
      const answer = await connection.send(FindCoordinatorRequest, FindCoordinatorResponse, {
        ...keys,
        keyType: GROUP_COORDINATOR,
      })
      const row = answer.coordinators[0] ?? answer
      if (row.errorCode !== 0) {
        throw brokerError(row.errorCode, `find the coordinator of group '${groupId}'`, row.errorMessage)
      }
      this.addresses.set(row.nodeId, { host: row.host, port: row.port })
      return this.broker(row.nodeId)
    })
  }

  async close(): Promise<void> {
    this.closed = true
    const opening = [...this.connections.values()].map((promise) => promise.catch(() => null))
    const open = [this.seed, ...(await Promise.all(opening))]
    this.connections.clear()
    await Promise.all(open.map((connection) => connection?.close()))
  }

  private async open(address: HostPort): Promise<Connection> {
    if (this.closed) throw new ClientError('CONNECTION_CLOSED', `no connection to ${formatHostPort(address)}: closed`)
    const { host, port } = address
    return Connection.connect({ host, port, clientId: this.clientId, timeoutMs: this.timeoutMs })
  }
}
