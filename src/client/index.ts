/** What of the client is public. It runs on Bun and on Node 22 or later; nothing here needs a broker in the same process. */
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
