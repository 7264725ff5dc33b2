/** What of the consumer is public. */
export { Consumer } from './consumer.ts'
export type {
  CallOptions,
  ConsumerOptions,
  GroupMembership,
  PartitionToRead,
  RebalanceListener,
  StartingPoint,
} from './consumer-options.ts'
export {
  DEAD_LETTER_HEADERS,
  type DeadLetterOptions,
  deadLetterUnreadable,
  type RetryOptions,
  type RetryTopic,
  type RetryTopicsOptions,
  withDeadLetter,
  withRetryTopics,
} from './dead-letter.ts'
export type { ConsumerSerdes, DeserializeErrorHandler, DeserializersFor } from './deserialize.ts'
export type { Assignments, Assignor, AssignorInput, GroupMember } from './group/assignors/assignor.ts'
export { cooperativeStickyAssignor } from './group/assignors/cooperative-sticky.ts'
export { rangeAssignor } from './group/assignors/range.ts'
export { roundRobinAssignor } from './group/assignors/round-robin.ts'
export type { CommittedPosition, OffsetToCommit } from './group-offsets.ts'
export { Message, type MessageHeader } from './message.ts'
export type { AssignorName, CommitMode, ConsumerSettings, FetchOptions, GroupOptions, OffsetReset } from './options.ts'
export type { BatchHandler, HandlerContext, MessageHandler, RunOptions } from './runner.ts'
export type { Acknowledgement } from './share/acknowledgements.ts'
export {
  type ShareBatch,
  type ShareBatchOptions,
  ShareConsumer,
  type ShareConsumerOptions,
  type ShareHandler,
  type ShareRunOptions,
} from './share/share-consumer.ts'
export type { BatchOptions, BatchStream, MessageBatch, MessageStream, StreamOptions } from './streams.ts'
export type { TopicPartition, TopicPartitions } from './topic-partition.ts'
