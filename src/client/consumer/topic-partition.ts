/** Partitions by name, and sets of them, as everything in the consumer exchanges them. */

export interface TopicPartition {
  /** The topic's name. */
  readonly topic: string
  /** The partition's number, from 0 on. */
  readonly partition: number
}

/** Some partitions of a topic. */
export interface TopicPartitions {
  /** The topic's name. */
  readonly topic: string
  /** Partition numbers. */
  readonly partitions: readonly number[]
}

/** `topic:partition`; a topic's name holds no colon. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}:${partition}`
}

export function compareNames(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}

export function comparePartitions(one: TopicPartition, other: TopicPartition): number {
  return compareNames(one.topic, other.topic) || one.partition - other.partition
}

/** A set of partitions that keeps no order; `toSorted` gives them by topic and number. */
export class PartitionSet {
  private readonly members = new Map<string, TopicPartition>()

  constructor(partitions: Iterable<TopicPartition> = []) {
    for (const each of partitions) this.add(each)
  }

  get size(): number {
    return this.members.size
  }

  add({ topic, partition }: TopicPartition): void {
    this.members.set(partitionKey(topic, partition), { topic, partition })
  }

  delete({ topic, partition }: TopicPartition): boolean {
    return this.members.delete(partitionKey(topic, partition))
  }

  has({ topic, partition }: TopicPartition): boolean {
    return this.members.has(partitionKey(topic, partition))
  }

  /** What is in here and not in there. */
  without(other: PartitionSet): TopicPartition[] {
    return this.toSorted().filter((each) => !other.has(each))
  }

  equals(other: PartitionSet): boolean {
    return this.size === other.size && this.without(other).length === 0
  }

  toSorted(): TopicPartition[] {
    return [...this.members.values()].sort(comparePartitions)
  }
}

/** One row per topic, as messages want them. */
export function byTopic(partitions: Iterable<TopicPartition>): TopicPartitions[] {
  const rows = new Map<string, number[]>()
  for (const { topic, partition } of partitions) {
    const row = rows.get(topic)
    if (row === undefined) rows.set(topic, [partition])
    else row.push(partition)
  }
  return [...rows].map(([topic, numbers]) => ({ topic, partitions: numbers.sort((one, other) => one - other) }))
}

export function flatPartitions(rows: Iterable<TopicPartitions>): TopicPartition[] {
  return [...rows].flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
}
