/** The limits and times of the share coordinator. The names behind them are Kafka's. */

export interface ShareCoordinatorConfig {
  /** share.coordinator.snapshot.update.records.per.snapshot */
  readonly updatesPerSnapshot: number
  /** share.coordinator.cold.partition.snapshot.interval.ms: a state that is not written to gets a snapshot all the same. */
  readonly coldSnapshotIntervalMs: number
  /** share.coordinator.state.topic.prune.interval.ms */
  readonly pruneIntervalMs: number
  /** share.coordinator.state.topic.num.partitions: used until the topic exists */
  readonly topicPartitions: number
}

export const SHARE_STATE_TOPIC = '__share_group_state'
