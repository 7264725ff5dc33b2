/** `-e` in a group: where the partitions end that the group gives us, and whether we are there with all of them. */
import type { Consumer } from '../../client/consumer/consumer.ts'
import type { TopicPartition } from '../../client/consumer/topic-partition.ts'

const LOOK_EVERY_MS = 100

export class GroupEnd {
  private readonly ends = new Map<string, number>()
  private timer: ReturnType<typeof setInterval> | null = null

  /** Ends as of now: what is written later is not waited for. */
  async assigned(consumer: Consumer, partitions: readonly TopicPartition[]): Promise<void> {
    for (const { topic, partition, offset } of await consumer.endOffsets(partitions)) {
      this.ends.set(`${topic}-${partition}`, offset)
    }
  }

  /** Calls `reached` once when everything that is assigned has been read to its end. */
  watch(consumer: Consumer, reached: () => void): void {
    this.timer = setInterval(() => {
      const assigned = consumer.assignment()
      if (assigned.length === 0 || !assigned.every((each) => this.isAtEnd(consumer, each))) return
      this.stop()
      reached()
    }, LOOK_EVERY_MS)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  private isAtEnd(consumer: Consumer, { topic, partition }: TopicPartition): boolean {
    const end = this.ends.get(`${topic}-${partition}`)
    const position = consumer.position({ topic, partition })
    return end !== undefined && position !== null && position >= end
  }
}
