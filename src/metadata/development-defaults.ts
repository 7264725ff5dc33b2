/**
 * The few defaults that differ from Kafka's, in one place: one broker cannot hold three replicas, and a test should not wait
 * three seconds for its first record. They count as given by the operator (source: static) wherever configs are
 * described, and the start-up lines print them. Why: docs/adr/0009-development-defaults.md.
 */
export const DEVELOPMENT_DEFAULTS: ReadonlyMap<string, string> = new Map([
  ['group.initial.rebalance.delay.ms', '0'],
  ['offsets.topic.replication.factor', '1'],
  ['share.coordinator.state.topic.min.isr', '1'],
  ['share.coordinator.state.topic.replication.factor', '1'],
  ['transaction.state.log.min.isr', '1'],
  ['transaction.state.log.replication.factor', '1'],
])
