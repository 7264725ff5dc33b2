/**
 * Sets up what share groups need beside the group coordinator: the share coordinator with its log and its shards, which come and go with
 * the partitions of `__share_group_state` that this broker leads, the persister that everybody reaches it by, and the partitions that share
 * groups read here. Built by the server, before the groups.
 */
import { SHARE_STATE_TOPIC, type ShareCoordinatorConfig } from '../coordinator/share-state/config.ts'
import { ShareCoordinator } from '../coordinator/share-state/coordinator.ts'
import type { ShareServices } from '../coordinator/share-state-keeper.ts'
import type { BrokerConfig } from '../metadata/broker-config.ts'
import type { ImageChange, MetadataImage } from '../metadata/image.ts'
import type { Topics } from '../metadata/topics.ts'
import type { Clock } from '../storage/clock.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import { CoordinatorTopicLog } from './coordinator-topic-log.ts'
import { LedPartitions } from './led-partitions.ts'
import type { Partitions } from './partitions.ts'
import { LocalSharePersister } from './share/persister.ts'
import { ShareSettings } from './share/settings.ts'
import { SharedPartitions } from './share/shared-partitions.ts'

export interface ShareServiceOptions {
  readonly nodeId: number
  readonly config: BrokerConfig
  readonly image: MetadataImage
  readonly topics: Topics
  /** Follows the image already: its listeners run before the ones of here. */
  readonly partitions: Partitions
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
}

export class ShareService {
  readonly coordinator: ShareCoordinator
  readonly persister: LocalSharePersister
  /** What the group coordinator needs. */
  readonly shareServices: ShareServices
  readonly settings: ShareSettings
  readonly sharedPartitions: SharedPartitions
  readonly #ledPartitions: LedPartitions
  readonly #stopFollowing: () => void

  constructor(options: ShareServiceOptions) {
    const { nodeId, config, image, topics, partitions, clock, timers, logger } = options
    this.coordinator = new ShareCoordinator({
      config: coordinatorConfig(config),
      log: new CoordinatorTopicLog(partitions, SHARE_STATE_TOPIC),
      partitionCount: (topic) => image.topic(topic)?.partitions.length,
      hasPartition: ({ topicId, partition }) => image.topicById(topicId)?.partitions[partition] !== undefined,
      hasTopic: (topicId) => image.topicById(topicId) !== undefined,
      clock,
      timers,
      logger,
    })
    this.persister = new LocalSharePersister({ coordinator: this.coordinator, image, topics, clock, timers, logger })
    this.settings = new ShareSettings(config, image)
    this.sharedPartitions = new SharedPartitions({
      sessionsMax: config.number('group.share.max.share.sessions'),
      persister: this.persister,
      settings: this.settings,
      clock,
      timers,
      logger,
    })
    this.shareServices = {
      persister: this.persister,
      latestOffset: (topic, index) => partitions.get(topic, index)?.log?.highWatermark ?? null,
      forgetDeliveries: (key) => this.sharedPartitions.forget(key),
    }
    this.#stopFollowing = image.onChange((change) => this.#follow(change))
    this.#ledPartitions = new LedPartitions({ nodeId, image, topic: SHARE_STATE_TOPIC, coordinator: this.coordinator })
  }

  close(): void {
    this.#stopFollowing()
    this.sharedPartitions.close()
    this.persister.close()
    this.#ledPartitions.close()
    this.coordinator.close()
  }

  #follow({ deleted }: ImageChange): void {
    for (const { topicId } of deleted) this.coordinator.topicDeleted(topicId)
  }
}

function coordinatorConfig(config: BrokerConfig): ShareCoordinatorConfig {
  return {
    updatesPerSnapshot: config.number('share.coordinator.snapshot.update.records.per.snapshot'),
    coldSnapshotIntervalMs: config.number('share.coordinator.cold.partition.snapshot.interval.ms'),
    pruneIntervalMs: config.number('share.coordinator.state.topic.prune.interval.ms'),
    topicPartitions: config.number('share.coordinator.state.topic.num.partitions'),
  }
}
