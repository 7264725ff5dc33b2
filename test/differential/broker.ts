// One side of the comparison: a broker, the connections to it, and what earlier answers taught (ids that each broker makes itself).

import { Connection } from '../../src/client/connection.ts'
import { KafkaError } from '../../src/client/errors.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/02-list-offsets.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import type { BrokerTarget } from '../support/broker-target.ts'

const READY_TIMEOUT_MS = 60_000
const POLL_MS = 25
export const REQUEST_TIMEOUT_MS = 30_000

export interface TopicSettings {
  partitions?: number
  configs?: Record<string, string>
}

export class DifferentialBroker {
  readonly target: BrokerTarget
  /** Texts by which ids made by this broker are replaced, so that both brokers' answers read the same. */
  readonly labels = new Map<string, string>()
  /** What a case keeps for later ones: session ids, member ids, producer ids. */
  readonly memory = new Map<string, unknown>()
  readonly #connections = new Map<string, Promise<Connection>>()
  readonly #counts = new Map<string, number>()

  constructor(target: BrokerTarget) {
    this.target = target
  }

  /** The connection of that name, which is its client id too; a closed one is replaced. */
  async connection(name: string): Promise<Connection> {
    const open = await this.#connections.get(name)
    if (open !== undefined && open.closedBy === null) return open
    const { host, port } = this.target
    const made = Connection.connect({ host, port, clientId: name, timeoutMs: REQUEST_TIMEOUT_MS, negotiate: false })
    this.#connections.set(name, made)
    return made
  }

  /** The next request of that name gets a new connection. */
  dropConnection(name: string): void {
    const dropped = this.#connections.get(name)
    this.#connections.delete(name)
    void dropped?.then((connection) => connection.close())
  }

  async close(): Promise<void> {
    for (const connection of this.#connections.values()) await (await connection).close()
  }

  label(id: string, text: string): void {
    this.labels.set(id, text)
  }

  /** The same text for the same id, numbered by first appearance. */
  numbered(kind: string, id: string | number): string {
    const known = this.labels.get(`${kind}:${id}`)
    if (known !== undefined) return known
    const number = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, number)
    const text = `<${kind} ${number}>`
    this.labels.set(`${kind}:${id}`, text)
    return text
  }

  remember(name: string, value: unknown): void {
    this.memory.set(name, value)
  }

  recall<Value>(name: string): Value {
    if (!this.memory.has(name)) throw new Error(`nothing remembered as ${name}: the case that should has failed`)
    return this.memory.get(name) as Value
  }

  topicId(name: string): string {
    return this.recall(`topic id of ${name}`)
  }

  /** Creates a topic and waits until the broker itself knows it and has a leader for every partition. */
  async createTopic(name: string, settings: TopicSettings = {}): Promise<void> {
    const connection = await this.connection('setup')
    const { partitions = 1, configs = {} } = settings
    const answer = await connection.send(
      CreateTopicsRequest,
      CreateTopicsResponse,
      {
        topics: [
          {
            name,
            numPartitions: partitions,
            replicationFactor: 1,
            assignments: [],
            configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
          },
        ],
      },
      { version: 7 },
    )
    const created = answer.topics[0]
    if (created === undefined || created.errorCode !== 0) {
      throw new Error(`${this.target.kind} does not create ${name}: ${created?.errorCode} ${created?.errorMessage}`)
    }
    this.remember(`topic id of ${name}`, created.topicId)
    this.label(created.topicId, `<id of ${name}>`)
    // Metadata may name a leader that has not taken over yet; one that answers for offsets has.
    const wanted = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1 }))
    await this.until(`${name} is led`, async () => {
      const value = { replicaId: -1, topics: [{ name, partitions: wanted }] }
      const offsets = await connection.send(ListOffsetsRequest, ListOffsetsResponse, value, { version: 1 })
      return offsets.topics[0]?.partitions.every(({ errorCode }) => errorCode === 0) ?? false
    })
  }

  /** Polls until the condition holds: for what a broker does a moment after its answer. */
  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`${this.target.kind}: not in time: ${what}`)
      await Bun.sleep(POLL_MS)
    }
  }
}

export type Outcome = { answer: unknown } | { closed: true } | { unanswered: true } | { failed: string }

/** What became of a request: its answer, or how the broker refused to give one. */
export async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  try {
    return { answer: await work }
  } catch (error) {
    if (error instanceof KafkaError && error.code === 'ERR_CONNECTION_CLOSED') return { closed: true }
    if (error instanceof KafkaError && error.code === 'ERR_TIMEOUT') return { unanswered: true }
    return { failed: String(error) }
  }
}
