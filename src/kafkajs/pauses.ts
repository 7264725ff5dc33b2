/**
 * Which partitions shall not be read, by topic or one by one. It is kept whether or not this member has them: a partition
 * that comes back later is still paused.
 */
import type { TopicPartition } from './types.ts'

interface TopicPauses {
  /** Of the whole topic but for the exceptions; or of the exceptions only. */
  all: boolean
  readonly exceptions: Set<number>
}

type Selection = readonly { readonly topic: string; readonly partitions?: readonly number[] }[]

export class PausedPartitions {
  private readonly topics = new Map<string, TopicPauses>()

  pause(selection: Selection): void {
    this.change(selection, true)
  }

  resume(selection: Selection): void {
    this.change(selection, false)
  }

  has({ topic, partition }: TopicPartition): boolean {
    const known = this.topics.get(topic)
    return known !== undefined && known.all !== known.exceptions.has(partition)
  }

  private change(selection: Selection, paused: boolean): void {
    for (const { topic, partitions } of selection) {
      const known = this.topics.get(topic) ?? { all: false, exceptions: new Set<number>() }
      this.topics.set(topic, known)
      if (partitions === undefined) {
        known.all = paused
        known.exceptions.clear()
        continue
      }
      for (const partition of partitions) {
        if (known.all === paused) known.exceptions.delete(partition)
        else known.exceptions.add(partition)
      }
    }
  }
}
