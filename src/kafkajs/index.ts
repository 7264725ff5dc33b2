/**
 * `samsa/kafkajs`: the API of kafkajs 2 over Samsa's client, so that a program written for kafkajs runs with another import.
 * docs/migration-from-kafkajs.md says what differs, and how to go on to the client itself.
 */
import { AssignerProtocol, PartitionAssigners } from './assigner.ts'
import * as constants from './constants.ts'
import * as errors from './errors.ts'
import { Kafka } from './kafka.ts'
import { Partitioners } from './partitioners.ts'

export * from './constants.ts'
export * from './errors.ts'
export type {
  AdminEvents,
  ConnectEvent,
  ConsumerEvents,
  DisconnectEvent,
  InstrumentationEvent,
  ProducerEvents,
  RemoveInstrumentationEventListener,
  RequestEvent,
  RequestQueueSizeEvent,
  RequestTimeoutEvent,
} from './events.ts'
export type { LogEntry, Logger, LoggerEntryContent, logCreator } from './logger.ts'
export type { RetryOptions } from './retry.ts'
export type * from './types.ts'
export { AssignerProtocol, Kafka, PartitionAssigners, Partitioners }

/** All of it, for `import kafkajs from` and for programs that came from CommonJS. */
export default { Kafka, PartitionAssigners, AssignerProtocol, Partitioners, ...constants, ...errors }
