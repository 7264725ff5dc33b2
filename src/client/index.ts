/** What of the client is public. It runs on Bun and on Node 22 or later; nothing here needs a broker in the same process. */
export type { Acl, AclFilter, AclOperation, AclPatternType, AclPermission, AclResourceType } from './admin/acls.ts'
export { Admin, type AdminOptions, type TopicToCreate } from './admin/admin.ts'
export type {
  ClusterDescription,
  Feature,
  FeatureUpdate,
  LogDirectory,
  OngoingReassignment,
  PartitionOutcome,
  QuorumDescription,
  QuorumReplica,
  Reassignment,
  ReplicaMove,
} from './admin/cluster-state.ts'
export type {
  ConfigChange,
  ConfigEntry,
  ConfigResource,
  ConfigResourceType,
  ConfigSource,
  DescribeConfigsOptions,
  DescribedResource,
  ResourceChanges,
} from './admin/configs.ts'
export type { MemberToRemove, NewOffset } from './admin/group-changes.ts'
export type {
  CommittedOffset,
  DescribedMember,
  GroupDescription,
  ListedGroup,
  PartitionsOfTopic,
} from './admin/groups.ts'
export type { Outcome } from './admin/outcome.ts'
export type { ClientQuota, QuotaChange, QuotaEntity, QuotaFilter, QuotaName } from './admin/quotas.ts'
export type { DeletedRecords, RecordsBefore } from './admin/records.ts'
export type { ShareOffset } from './admin/share-groups.ts'
export type { DelegationToken, NewToken, Principal } from './admin/tokens.ts'
export type { NewTopic, PartitionCount, PartitionDescription, TopicDescription, TopicOutcome } from './admin/topics.ts'
export type {
  ActiveProducer,
  ListedTransaction,
  ListTransactionsFilter,
  TransactionDescription,
  TransactionToAbort,
} from './admin/transactions.ts'
export type { CredentialChange, ScramMechanism, UserCredentials } from './admin/users.ts'
export type { CallOptions } from './call.ts'
export * from './consumer/index.ts'
export { KafkaError, type KafkaErrorCode, type ValidationIssue } from './errors.ts'
export type {
  BatchEvent,
  ClientHooks,
  OutgoingRecord,
  RecordSettled,
  RequestEvent,
  RetryEvent,
} from './observe/hooks.ts'
export { type ClientMetrics, clientMetrics, type HistogramSnapshot } from './observe/metrics.ts'
export {
  type OpenTelemetry,
  openTelemetry,
  type ProcessOptions,
  type TelemetryApi,
  type TelemetrySpan,
  type TracedMessage,
} from './observe/opentelemetry.ts'
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
export { type AvroSerdeOptions, avroSerde } from './serdes/avro.ts'
export type { AvroConverter } from './serdes/avro-logical.ts'
export { bytesSerde, jsonSerde, stringSerde } from './serdes/basic.ts'
export { type JsonSchemaSerdeOptions, jsonSchemaSerde } from './serdes/json-schema.ts'
export { type MsgpackOptions, msgpackSerde } from './serdes/msgpack.ts'
export { type ProtobufCodec, type ProtobufSerdeOptions, protobufSerde } from './serdes/protobuf.ts'
export type { FetchFunction } from './serdes/registry/http.ts'
export {
  type DeleteOptions,
  type ListOptions,
  type NormalizeOptions,
  type RegistryCallOptions,
  SchemaRegistry,
  type SchemaRegistryOptions,
} from './serdes/registry/schema-registry.ts'
export type * from './serdes/registry/types.ts'
export type { SchemaDependency, SchemaSerdeOptions } from './serdes/schema-serde.ts'
export type { Bytes, Deserializer, Serde, SerdeContext, SerdePair, Serializer } from './serdes/serde.ts'
export type { SubjectContext, SubjectNameStrategy } from './serdes/subjects.ts'
export {
  type SchemaInputOf,
  type SchemaOutputOf,
  type StandardIssue,
  type StandardResult,
  type StandardSchema,
  type ValidatedSerde,
  validated,
} from './serdes/validated.ts'
export type { TlsOptions } from './transport/transport.ts'
