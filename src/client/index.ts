/** What of the client is public. It runs on Bun and on Node 22 or later; nothing here needs a broker in the same process. */
export type * from './admin/acls.ts'
export { Admin, type AdminOptions, type TopicToCreate } from './admin/admin.ts'
export type * from './admin/cluster-state.ts'
export type * from './admin/configs.ts'
export type * from './admin/group-changes.ts'
export type * from './admin/groups.ts'
export type { Outcome } from './admin/outcome.ts'
export type * from './admin/quotas.ts'
export type * from './admin/records.ts'
export type * from './admin/share-groups.ts'
export type * from './admin/tokens.ts'
export type * from './admin/topics.ts'
export type * from './admin/transactions.ts'
export type * from './admin/users.ts'
export * from './consumer/index.ts'
export { KafkaError, type KafkaErrorCode } from './errors.ts'
export type {
  BatchEvent,
  ClientHooks,
  OutgoingRecord,
  RequestEvent,
  RetryEvent,
} from './observe/hooks.ts'
export { type ClientMetrics, clientMetrics, type HistogramSnapshot } from './observe/metrics.ts'
export {
  EARLIEST_TIMESTAMP,
  type FoundOffset,
  type IsolationOptions,
  LATEST_TIMESTAMP,
  type OffsetQuery,
} from './offsets.ts'
export type { Acks, ProducerOptions } from './producer/options.ts'
export type { CustomPartitioner, Partitioner, PartitionerInput } from './producer/partitioners.ts'
export { Producer, type SendOptions, type Transaction } from './producer/producer.ts'
export type { HeadersInput, HeaderValue, ProducerRecord, RecordMetadata } from './producer/record.ts'
export type { GroupMetadata, TransactionOffset } from './producer/transactions.ts'
export type { RetryPolicy } from './retry.ts'
export type { OAuthBearerOptions, PlainOptions, SaslOptions, ScramOptions } from './sasl.ts'
export { bytesSerde, jsonSerde, stringSerde } from './serdes/basic.ts'
export { type MsgpackOptions, msgpackSerde } from './serdes/msgpack.ts'
export type { Bytes, Deserializer, Serde, SerdeContext, SerdePair, Serializer } from './serdes/serde.ts'
export type { TlsOptions } from './transport/transport.ts'
