/**
 * Offsets committed within transactions that are still open: by producer, then by group, topic and partition. They become
 * commits when the producer's marker says so, and vanish when it says abort. Part of the durable state: only `replay.ts`
 * changes it.
 *
 * A plain commit of the same partition that comes after a pending one beats it, as it is later in the log; the partition is
 * unstable all the same until the transaction ends.
 */
import type { CommittedOffset } from '../state.ts'

export interface PendingOffset {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly value: CommittedOffset
  isSuperseded: boolean
}

type ByPartition = Map<number, PendingOffset>
type ByTopic = Map<string, ByPartition>
type ByGroup = Map<string, ByTopic>

export class PendingOffsets {
  readonly #byProducer = new Map<number, ByGroup>()

  store(producerId: number, offset: Omit<PendingOffset, 'isSuperseded'>): void {
    const groups: ByGroup = this.#byProducer.get(producerId) ?? new Map()
    const topics: ByTopic = groups.get(offset.group) ?? new Map()
    const partitions: ByPartition = topics.get(offset.topic) ?? new Map()
    partitions.set(offset.partition, { ...offset, isSuperseded: false })
    topics.set(offset.topic, partitions)
    groups.set(offset.group, topics)
    this.#byProducer.set(producerId, groups)
  }

  /** A plain commit of this partition came after whatever is pending for it. */
  supersede(group: string, topic: string, partition: number): void {
    for (const groups of this.#byProducer.values()) {
      const pending = groups.get(group)?.get(topic)?.get(partition)
      if (pending !== undefined) pending.isSuperseded = true
    }
  }

  /** The partition's commit was deleted, and what is pending goes with it. */
  remove(group: string, topic: string, partition: number): void {
    for (const [producerId, groups] of this.#byProducer) {
      const topics = groups.get(group)
      const partitions = topics?.get(topic)
      if (topics === undefined || partitions === undefined) continue
      partitions.delete(partition)
      if (partitions.size === 0) topics.delete(topic)
      if (topics.size === 0) groups.delete(group)
      if (groups.size === 0) this.#byProducer.delete(producerId)
    }
  }

  /** The producer's transaction ends: its offsets, of which there are none from now on. */
  take(producerId: number): PendingOffset[] {
    const groups = this.#byProducer.get(producerId)
    this.#byProducer.delete(producerId)
    const taken: PendingOffset[] = []
    for (const topics of groups?.values() ?? []) {
      for (const partitions of topics.values()) taken.push(...partitions.values())
    }
    return taken
  }

  has(group: string, topic: string, partition: number): boolean {
    for (const groups of this.#byProducer.values()) {
      if (groups.get(group)?.get(topic)?.has(partition) === true) return true
    }
    return false
  }

  hasGroup(group: string): boolean {
    for (const groups of this.#byProducer.values()) if (groups.has(group)) return true
    return false
  }

  /** Groups with anything pending. */
  groups(): Set<string> {
    const names = new Set<string>()
    for (const groups of this.#byProducer.values()) for (const name of groups.keys()) names.add(name)
    return names
  }

  /** What is pending for a group; a partition may come more than once. */
  *ofGroup(group: string): Generator<PendingOffset> {
    for (const groups of this.#byProducer.values()) {
      for (const partitions of groups.get(group)?.values() ?? []) yield* partitions.values()
    }
  }

  /** Everything pending in a topic, whatever the group. */
  *ofTopic(topic: string): Generator<PendingOffset> {
    for (const groups of this.#byProducer.values()) {
      for (const topics of groups.values()) yield* topics.get(topic)?.values() ?? []
    }
  }
}
