/**
 * The topics that a run makes on one target. All have names of this run alone, and all are deleted at the end, also after
 * Ctrl-C: nothing of the user's is touched, nothing stays.
 */

import { createTopics, deleteTopics } from '../../client/admin/topics.ts'
import { Cluster } from '../../client/cluster.ts'
import { CLIENT_ID } from './frames.ts'
import { TOPICS_PER_REQUEST_MAX } from './limits.ts'
import type { Address, Target } from './target.ts'

export interface TopicShape {
  readonly name: string
  readonly partitions: number
}

/** Who leads each partition of a topic, by index. */
export type Leaders = readonly Address[]

/** Ten thousand partitions take a while to make, and to delete. */
const TIMEOUT_MS = 240_000

export class BenchTopics {
  private readonly target: Target
  private readonly existing = new Set<string>()
  private cluster: Cluster | null = null

  constructor(target: Target) {
    this.target = target
  }

  /** Resolves when every partition has a leader that takes records. */
  async create(topics: readonly TopicShape[]): Promise<Map<string, Leaders>> {
    if (this.target.kind === 'machine') return new Map(topics.map((topic) => [topic.name, this.everywhere(topic)]))
    const cluster = await this.connected()
    for (let at = 0; at < topics.length; at += TOPICS_PER_REQUEST_MAX) {
      const some = topics.slice(at, at + TOPICS_PER_REQUEST_MAX)
      for (const { name } of some) this.existing.add(name)
      // Files go soon after the topic does: the rounds of a comparison write more than a disk may hold.
      const configs = [{ key: 'file.delete.delay.ms', value: '1000' }]
      const outcomes = await createTopics(
        cluster,
        some.map(({ name, partitions }) => ({ name, partitions, replicationFactor: 1, configs })),
      )
      for (const { error } of outcomes) if (error !== null) throw error
    }
    const leaders = new Map<string, Leaders>()
    for (const topic of topics) leaders.set(topic.name, await this.leadersOf(cluster, topic))
    return leaders
  }

  async delete(names: readonly string[]): Promise<void> {
    const ours = names.filter((name) => this.existing.has(name))
    if (ours.length === 0) return
    const cluster = await this.connected()
    for (let at = 0; at < ours.length; at += TOPICS_PER_REQUEST_MAX) {
      const some = ours.slice(at, at + TOPICS_PER_REQUEST_MAX)
      await deleteTopics(cluster, some)
      for (const name of some) this.existing.delete(name)
    }
  }

  deleteAll(): Promise<void> {
    return this.delete([...this.existing])
  }

  /** Deletes what is left. Rejects if the broker has gone: then its topics stay. */
  async close(options: { keepTopics: boolean }): Promise<void> {
    try {
      if (!options.keepTopics) await this.deleteAll()
    } finally {
      await this.cluster?.close()
      this.cluster = null
    }
  }

  private everywhere({ partitions }: TopicShape): Leaders {
    return Array.from({ length: partitions }, () => this.target.address)
  }

  private async connected(): Promise<Cluster> {
    const bootstrap = [this.target.address]
    this.cluster ??= await Cluster.connect({ bootstrap, clientId: CLIENT_ID, timeoutMs: TIMEOUT_MS })
    return this.cluster
  }

  private async leadersOf(cluster: Cluster, topic: TopicShape): Promise<Leaders> {
    const deadlineMs = performance.now() + TIMEOUT_MS
    for (;;) {
      const { brokers, topics } = await cluster.metadata([topic.name])
      const partitions = topics[0]?.errorCode === 0 ? topics[0].partitions : []
      const led = partitions.filter(({ errorCode, leaderId }) => errorCode === 0 && leaderId >= 0)
      if (led.length === topic.partitions) {
        // The only broker is where we were told it is, whatever it advertises (a port mapped by a container).
        if (brokers.length === 1) return this.everywhere(topic)
        const addresses = new Map(brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
        const inOrder = led.toSorted((a, b) => a.partitionIndex - b.partitionIndex)
        return inOrder.map(({ leaderId }) => addresses.get(leaderId) ?? this.target.address)
      }
      if (performance.now() > deadlineMs) throw new Error(`topic ${topic.name} has no leaders after ${TIMEOUT_MS} ms`)
      await Bun.sleep(20)
    }
  }
}
