/**
 * Tells a coordinator which partitions of its internal topic this broker leads, as the metadata image changes: `load` for each new
 * leadership (a later epoch is a new one), `unload` when it ends. Built by the coordinators' services.
 */
import type { ImageChange, MetadataImage, TopicImage } from '../metadata/image.ts'

export interface PartitionCoordinator {
  load(partition: number): void
  unload(partition: number): void
}

export interface LedPartitionsOptions {
  readonly nodeId: number
  readonly image: MetadataImage
  readonly topic: string
  readonly coordinator: PartitionCoordinator
}

export class LedPartitions {
  readonly #options: LedPartitionsOptions
  readonly #stopFollowing: () => void
  /** Leader epoch under which each partition was loaded. */
  readonly #loaded = new Map<number, number>()

  constructor(options: LedPartitionsOptions) {
    this.#options = options
    const { image, topic } = options
    this.#followLeadership(image.topic(topic))
    this.#stopFollowing = image.onChange((change) => this.#follow(change))
  }

  close(): void {
    this.#stopFollowing()
  }

  #follow(change: ImageChange): void {
    const { topic: name } = this.#options
    if (change.deleted.some((topic) => topic.name === name)) this.#followLeadership(undefined)
    for (const topic of [...change.created, ...change.changed]) if (topic.name === name) this.#followLeadership(topic)
  }

  #followLeadership(topic: TopicImage | undefined): void {
    const { nodeId, coordinator } = this.#options
    const led = new Map<number, number>()
    for (const { index, leader, leaderEpoch } of topic?.partitions ?? [])
      if (leader === nodeId) led.set(index, leaderEpoch)
    for (const index of [...this.#loaded.keys()]) {
      if (led.has(index)) continue
      coordinator.unload(index)
      this.#loaded.delete(index)
    }
    for (const [index, leaderEpoch] of led) {
      if (this.#loaded.get(index) === leaderEpoch) continue
      this.#loaded.set(index, leaderEpoch)
      coordinator.load(index)
    }
  }
}
