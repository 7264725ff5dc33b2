/** The public API: a broker inside your own process, and the client. */
export { EmbeddedBroker as Broker, type EmbeddedBrokerOptions as BrokerOptions } from './broker/embedded/broker.ts'
export type { Fault, InjectedFault } from './broker/embedded/faults.ts'
export type {
  AwaitRecordsOptions,
  ReadRecordsOptions,
  StoredRecord,
  TopicOptions,
  TopicView,
} from './broker/embedded/topic-view.ts'
export { BrokerStartError, type BrokerStartErrorCode } from './broker/start-error.ts'
export * from './client/index.ts'
export { type Logger, silentLogger } from './storage/logger.ts'
