/**
 * Sets up the group coordinator for this broker: its settings, its log, and its shards, which come and go with the
 * partitions of `__consumer_offsets` that this broker leads. Built by the server.
 */
import {
  type ConsumerGroupSettings,
  type GroupCoordinatorConfig,
  type MigrationPolicy,
  OFFSETS_TOPIC,
  type StreamsGroupSettings,
} from '../coordinator/config.ts'
import { hashTopic } from '../coordinator/group/consumer/metadata-hash.ts'
import type { ClusterTopics } from '../coordinator/request-context.ts'
import { GroupCoordinator } from '../coordinator/runtime.ts'
import type { ShareServices } from '../coordinator/share-state-keeper.ts'
import type { BrokerConfig } from '../metadata/broker-config.ts'
import { CONSUMER_ASSIGNORS } from '../metadata/config-definitions/broker-groups.ts'
import type { ImageChange, MetadataImage, TopicImage } from '../metadata/image.ts'
import type { Clock } from '../storage/clock.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import type { Timers } from '../storage/timers.ts'
import { CoordinatorTopicLog } from './coordinator-topic-log.ts'
import { LedPartitions } from './led-partitions.ts'
import type { Partitions } from './partitions.ts'
import { compileTopicPattern } from './topic-patterns.ts'

export interface GroupServiceOptions {
  readonly nodeId: number
  readonly config: BrokerConfig
  readonly image: MetadataImage
  /** Follows the image already: its listeners run before the ones of here. */
  readonly partitions: Partitions
  readonly shareServices: ShareServices
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly logger: Logger
}

const MS_PER_MINUTE = 60_000

export class GroupService {
  readonly groups: GroupCoordinator
  readonly #topics: TopicsOfImage
  readonly #stopFollowing: () => void
  readonly #ledPartitions: LedPartitions

  constructor(options: GroupServiceOptions) {
    const { nodeId, config, image, partitions, shareServices, clock, timers, random, logger } = options
    this.#topics = new TopicsOfImage(image)
    this.groups = new GroupCoordinator({
      config: coordinatorConfig(config),
      log: new CoordinatorTopicLog(partitions, OFFSETS_TOPIC),
      metadata: this.#topics,
      compilePattern: compileTopicPattern,
      consumerSettings: (groupId) => groupSettings(config, image, 'consumer', groupId),
      shareSettings: (groupId) => groupSettings(config, image, 'share', groupId),
      streamsSettings: (groupId) => streamsSettings(config, image, groupId),
      shareServices,
      clock,
      timers,
      random,
      logger,
    })
    this.#stopFollowing = image.onChange((change) => this.#follow(change))
    this.#ledPartitions = new LedPartitions({ nodeId, image, topic: OFFSETS_TOPIC, coordinator: this.groups })
  }

  close(): void {
    this.#stopFollowing()
    this.#ledPartitions.close()
    this.groups.close()
  }

  #follow(change: ImageChange): void {
    this.#topics.follow(change)
    for (const { name, topicId } of change.deleted) {
      if (name !== OFFSETS_TOPIC) this.groups.topicDeleted(name, topicId)
    }
    const changed = [...change.created, ...change.deleted, ...change.changed]
    if (changed.length > 0) this.groups.topicsChanged(new Set(changed.map(({ name }) => name)))
  }
}

function coordinatorConfig(config: BrokerConfig): GroupCoordinatorConfig {
  return {
    initialRebalanceDelayMs: config.number('group.initial.rebalance.delay.ms'),
    sessionTimeoutMsMin: config.number('group.min.session.timeout.ms'),
    sessionTimeoutMsMax: config.number('group.max.session.timeout.ms'),
    membersMax: config.number('group.max.size'),
    offsetMetadataMax: config.number('offset.metadata.max.bytes'),
    offsetsRetentionMs: config.number('offsets.retention.minutes') * MS_PER_MINUTE,
    offsetsRetentionCheckIntervalMs: config.number('offsets.retention.check.interval.ms'),
    offsetsTopicPartitions: config.number('offsets.topic.num.partitions'),
    consumer: {
      membersMax: config.number('group.consumer.max.size'),
      assignors: config.list('group.consumer.assignors').map((name) => CONSUMER_ASSIGNORS[name] ?? name),
      migration: config.string('group.consumer.migration.policy').toLowerCase() as MigrationPolicy,
      regexRefreshIntervalMs: config.number('group.consumer.regex.refresh.interval.ms'),
    },
    share: {
      membersMax: config.number('group.share.max.size'),
      initializeRetryIntervalMs: config.number('group.share.initialize.retry.interval.ms'),
    },
    streams: { membersMax: config.number('group.streams.max.size') },
  }
}

/** What is set for the group, else for all of them. */
function settingsOf(config: BrokerConfig, image: MetadataImage, groupId: string): (name: string) => number {
  const { values } = image.config('group', groupId)
  return (name) => {
    const own = values.get(name)
    return own === undefined ? config.number(`group.${name}`) : Number(own)
  }
}

function streamsSettings(config: BrokerConfig, image: MetadataImage, groupId: string): StreamsGroupSettings {
  const setting = settingsOf(config, image, groupId)
  return {
    sessionTimeoutMs: setting('streams.session.timeout.ms'),
    heartbeatIntervalMs: setting('streams.heartbeat.interval.ms'),
    assignmentIntervalMs: setting('streams.assignment.interval.ms'),
    initialRebalanceDelayMs: setting('streams.initial.rebalance.delay.ms'),
    // A limit that was lowered since counts.
    standbyReplicas: Math.min(
      setting('streams.num.standby.replicas'),
      config.number('group.streams.max.standby.replicas'),
    ),
  }
}

function groupSettings(
  config: BrokerConfig,
  image: MetadataImage,
  type: 'consumer' | 'share',
  groupId: string,
): ConsumerGroupSettings {
  const setting = settingsOf(config, image, groupId)
  return {
    sessionTimeoutMs: setting(`${type}.session.timeout.ms`),
    heartbeatIntervalMs: setting(`${type}.heartbeat.interval.ms`),
    assignmentIntervalMs: setting(`${type}.assignment.interval.ms`),
  }
}

/** The image as groups see it. */
class TopicsOfImage implements ClusterTopics {
  readonly #image: MetadataImage
  #newestTopicVersion: number
  /** Topics are immutable: a change brings a new one. A change of racks is not seen by those that were looked at. */
  readonly #hashes = new WeakMap<TopicImage, bigint>()

  constructor(image: MetadataImage) {
    this.#image = image
    this.#newestTopicVersion = image.revision
  }

  follow({ created }: ImageChange): void {
    if (created.length > 0) this.#newestTopicVersion = this.#image.revision
  }

  get version(): number {
    return this.#image.revision
  }

  get newestTopicVersion(): number {
    return this.#newestTopicVersion
  }

  topicId(name: string): string | undefined {
    return this.#image.topic(name)?.topicId
  }

  topicName(topicId: string): string | undefined {
    return this.#image.topicById(topicId)?.name
  }

  partitionCount(name: string): number | undefined {
    return this.#image.topic(name)?.partitions.length
  }

  topicNames(): string[] {
    return this.#image.topics().map(({ name }) => name)
  }

  metadataHash(name: string): bigint | undefined {
    const topic = this.#image.topic(name)
    if (topic === undefined) return undefined
    let hash = this.#hashes.get(topic)
    if (hash === undefined) {
      hash = hashTopic({ topicId: topic.topicId, name, racks: topic.partitions.map((each) => this.#racks(each)) })
      this.#hashes.set(topic, hash)
    }
    return hash
  }

  #racks({ replicas }: TopicImage['partitions'][number]): string[] {
    return replicas.flatMap((id) => this.#image.broker(id)?.rack ?? [])
  }
}
