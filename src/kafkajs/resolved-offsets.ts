/**
 * How far a consumer has come, as kafkajs keeps it: an offset is resolved when its message is done with, and committed when
 * the group knows it. What one Kafka object's consumers and transactions have committed for a group is kept together, so that
 * a consumer does not commit again what a transaction has committed for it.
 */
import type { TopicOffsets } from './types.ts'

/** Of a partition, since it was assigned or since the last seek. */
export interface Progress {
  /** False: the partition was given up since then, or moved. What a handler still says about it counts for nothing. */
  isCurrent: boolean
  /** Where reading began. */
  readonly from: number
  /** The next offset to read; null until a message is done with. */
  resolved: number | null
  /** Where the last batch ended. */
  end: number
}

/** By topic and partition. */
class ByPartition<T> {
  private readonly topics = new Map<string, Map<number, T>>()

  get(topic: string, partition: number): T | undefined {
    return this.topics.get(topic)?.get(partition)
  }

  set(topic: string, partition: number, value: T): void {
    const partitions = this.topics.get(topic) ?? new Map<number, T>()
    this.topics.set(topic, partitions)
    partitions.set(partition, value)
  }

  delete(topic: string, partition: number): void {
    this.topics.get(topic)?.delete(partition)
  }

  *entries(): Generator<[topic: string, partition: number, value: T]> {
    for (const [topic, partitions] of this.topics) {
      for (const [partition, value] of partitions) yield [topic, partition, value]
    }
  }
}

/** Of all groups of one Kafka object. */
export class CommittedOffsets {
  private readonly groups = new Map<string, ByPartition<number>>()

  of(groupId: string): ByPartition<number> {
    const known = this.groups.get(groupId) ?? new ByPartition<number>()
    this.groups.set(groupId, known)
    return known
  }
}

export class ResolvedOffsets {
  private readonly committed: ByPartition<number>
  private readonly progress = new ByPartition<Progress>()

  constructor(committed: ByPartition<number>) {
    this.committed = committed
  }

  /** A batch is about to be handled: how far its partition has come. */
  began(topic: string, partition: number, from: number, end: number): Progress {
    const known = this.progress.get(topic, partition) ?? { isCurrent: true, from, resolved: null, end }
    known.end = end
    this.progress.set(topic, partition, known)
    return known
  }

  /** Beyond a batch that is done with there were only records that applications do not see, up to here. */
  passed(topic: string, partition: number, nextOffset: number): void {
    const known = this.progress.get(topic, partition)
    if (known === undefined || known.resolved !== known.end || nextOffset <= known.end) return
    known.resolved = nextOffset
    known.end = nextOffset
  }

  forget(topic: string, partition: number): void {
    const known = this.progress.get(topic, partition)
    if (known !== undefined) known.isCurrent = false
    this.progress.delete(topic, partition)
    this.committed.delete(topic, partition)
  }

  noteCommit(topics: readonly TopicOffsets[]): void {
    for (const { topic, partitions } of topics) {
      for (const { partition, offset } of partitions) this.committed.set(topic, partition, Number(offset))
    }
  }

  /** What is resolved and not committed. */
  uncommitted(): TopicOffsets[] {
    const topics = new Map<string, TopicOffsets>()
    for (const [topic, partition, { resolved }] of this.progress.entries()) {
      if (resolved === null || resolved === this.committed.get(topic, partition)) continue
      const row = topics.get(topic) ?? { topic, partitions: [] }
      topics.set(topic, row)
      row.partitions.push({ partition, offset: String(resolved) })
    }
    return [...topics.values()]
  }

  /** Messages that are resolved and not committed. */
  count(): number {
    let sum = 0
    for (const [topic, partition, { from, resolved }] of this.progress.entries()) {
      if (resolved !== null) sum += Math.max(0, resolved - (this.committed.get(topic, partition) ?? from))
    }
    return sum
  }
}
