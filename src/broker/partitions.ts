/**
 * All partitions that this broker knows, kept up by the metadata image: a created topic gets its logs here, a deleted one
 * loses them. Handlers look partitions up by name or by topic id.
 *
 * What must hold: the image changes first, then this, then the committing request is answered, so that a client that was
 * told about a topic finds its partitions.
 */
import type { Log } from '../log/log.ts'
import type { LogManager } from '../log/log-manager.ts'
import type { ImageChange, MetadataImage, TopicImage } from '../metadata/image.ts'
import type { Logger } from '../storage/logger.ts'
import { Partition } from './partition.ts'

export interface PartitionsOptions {
  readonly nodeId: number
  readonly image: MetadataImage
  readonly logs: LogManager
  readonly logger: Logger
}

export class Partitions {
  readonly #nodeId: number
  readonly #logs: LogManager
  readonly #logger: Logger
  readonly #byName = new Map<string, Partition[]>()
  readonly #byId = new Map<string, Partition[]>()
  readonly #stopFollowing: () => void

  constructor(options: PartitionsOptions) {
    this.#nodeId = options.nodeId
    this.#logs = options.logs
    this.#logger = options.logger
    for (const topic of options.image.topics()) this.#update(topic, { isNew: false })
    this.#setStraysAside(options.image)
    this.#stopFollowing = options.image.onChange((change) => this.#follow(change))
    options.logs.onFolderFailed(({ logs }) => this.#logsFailed(logs))
  }

  get(topic: string, index: number): Partition | undefined {
    return this.#byName.get(topic)?.[index]
  }

  byId(topicId: string, index: number): Partition | undefined {
    return this.#byId.get(topicId)?.[index]
  }

  /** The topic's partitions by index, or undefined if there is no such topic. */
  ofTopic(topic: string): readonly Partition[] | undefined {
    return this.#byName.get(topic)
  }

  *all(): Generator<Partition> {
    for (const partitions of this.#byName.values()) yield* partitions
  }

  /** The broker stops: whoever waits on a partition looks again, and finds that waiting is over. */
  wakeAll(): void {
    for (const partition of this.all()) partition.wake()
  }

  /** Settings of these topics (null: of all) may differ now. */
  updateConfigs(topics: readonly string[] | null): void {
    for (const topic of topics ?? this.#byName.keys()) {
      if (this.#byName.has(topic)) this.#logs.updateConfig(topic)
    }
  }

  /** The folder that these logs lie in has failed; the partitions answer KAFKA_STORAGE_ERROR until the next start. */
  #logsFailed(logs: readonly Log[]): void {
    for (const log of logs) {
      const partition = this.get(log.topic, log.partition)
      if (partition?.log === log) partition.logFailed()
    }
  }

  close(): void {
    this.#stopFollowing()
  }

  #follow(change: ImageChange): void {
    for (const topic of change.deleted) this.#delete(topic)
    for (const topic of change.created) this.#update(topic, { isNew: true })
    for (const topic of change.changed) this.#update(topic, { isNew: true })
  }

  /** A partition that is not new may have its log in a data folder that is offline. */
  #update(topic: TopicImage, { isNew }: { isNew: boolean }): void {
    let partitions = this.#byName.get(topic.name)
    if (partitions === undefined) {
      partitions = []
      this.#byName.set(topic.name, partitions)
      this.#byId.set(topic.topicId, partitions)
    }
    for (const image of topic.partitions) {
      const existing = partitions[image.index]
      if (existing !== undefined) {
        existing.update(image)
        continue
      }
      const partition = new Partition(this.#nodeId, topic, image)
      partitions[image.index] = partition
      if (image.replicas.includes(this.#nodeId)) this.#openLog(partition, isNew)
    }
  }

  /** A log that cannot be opened makes this one partition unavailable, nothing else. */
  #openLog(partition: Partition, isNew: boolean): void {
    const { topic, topicId, index } = partition
    try {
      // An existing log of this topic id is opened, one of another id set aside.
      partition.attachLog(this.#logs.create({ topic, topicId, partition: index, isNew }))
    } catch (error) {
      this.#logger.error('partition is unavailable: its log cannot be opened', { topic, partition: index, error })
    }
  }

  #delete(topic: TopicImage): void {
    const partitions = this.#byName.get(topic.name) ?? []
    this.#byName.delete(topic.name)
    this.#byId.delete(topic.topicId)
    for (const partition of partitions) {
      partition.detachLog()
      this.#logs.delete(partition.topic, partition.index)
    }
  }

  /**
   * Logs of topics that the metadata does not know: a deletion was cut short, or the folder comes from elsewhere. Nothing of theirs is
   * removed, which also means that retention must not see them.
   */
  #setStraysAside(image: MetadataImage): void {
    for (const { topic, partition } of [...this.#logs.all()]) {
      if (image.topic(topic)?.partitions[partition] !== undefined) continue
      try {
        this.#logs.setAside(topic, partition)
      } catch (error) {
        this.#logger.error('the log of an unknown topic cannot be set aside', { topic, partition, error })
      }
    }
  }
}
