/**
 * The records of Kafka's metadata log (`__cluster_metadata`, KRaft): one declaration for each, all versions in one. Kafka's own
 * definitions judge them (test/metadata/kafka-log/records.test.ts).
 *
 * A record's value is a frame: unsigned varints for the frame's version, the record's number and its version, then the fields.
 * What must hold: a record that this release does not know, or not in this version, is told apart from a damaged one, since
 * nobody may pass over it: it could be what creates a topic.
 */
import { decode } from '../../protocol/codec.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { Reader } from '../../protocol/reader.ts'
import {
  array,
  bool,
  bytes,
  data,
  type Fields,
  float64,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  type MessageSchema,
  string,
  uint16,
  uuid,
} from '../../protocol/schema.ts'

interface Declared<F extends Fields> {
  /** The number in the frame. */
  readonly number: number
  readonly schema: MessageSchema<F>
}

function record<const F extends Fields>(number: number, name: string, versions: string, fields: F): Declared<F> {
  return { number, schema: data({ name, versions, flexible: '0+' }, fields) }
}

const ENDPOINTS = { name: string(), host: string(), port: uint16(), securityProtocol: int16() }
const SUPPORTED_FEATURES = { name: string(), minSupportedVersion: int16(), maxSupportedVersion: int16() }
/** A replica list of a change: null leaves it as it is. */
const unchanged = { nullable: true, default: null } as const

export const METADATA_RECORDS = {
  RegisterBroker: record(0, 'RegisterBrokerRecord', '0-4', {
    brokerId: int32(),
    isMigratingZkBroker: bool('2+', { default: false }),
    incarnationId: uuid(),
    brokerEpoch: int64(),
    endPoints: array(ENDPOINTS),
    features: array(SUPPORTED_FEATURES),
    rack: string({ nullable: true }),
    fenced: bool({ default: true }),
    inControlledShutdown: bool('1+', { default: false }),
    logDirs: array(uuid, '3+', { tag: 0 }),
    cordonedLogDirs: array(uuid, '4+', { tag: 1, nullable: '4+', default: null }),
  }),
  UnregisterBroker: record(1, 'UnregisterBrokerRecord', '0', { brokerId: int32(), brokerEpoch: int64() }),
  Topic: record(2, 'TopicRecord', '0', { name: string(), topicId: uuid() }),
  Partition: record(3, 'PartitionRecord', '0-2', {
    partitionId: int32({ default: -1 }),
    topicId: uuid(),
    replicas: array(int32),
    isr: array(int32),
    removingReplicas: array(int32),
    addingReplicas: array(int32),
    leader: int32({ default: -1 }),
    leaderRecoveryState: int8({ tag: 0, default: 0 }),
    leaderEpoch: int32({ default: -1 }),
    partitionEpoch: int32({ default: -1 }),
    directories: array(uuid, '1+'),
    eligibleLeaderReplicas: array(int32, '2+', { tag: 1, ...unchanged }),
    lastKnownElr: array(int32, '2+', { tag: 2, ...unchanged }),
  }),
  Config: record(4, 'ConfigRecord', '0', {
    resourceType: int8(),
    resourceName: string(),
    name: string(),
    value: string({ nullable: true }),
  }),
  PartitionChange: record(5, 'PartitionChangeRecord', '0-2', {
    partitionId: int32({ default: -1 }),
    topicId: uuid(),
    isr: array(int32, { tag: 0, ...unchanged }),
    leader: int32({ tag: 1, default: -2 }),
    replicas: array(int32, { tag: 2, ...unchanged }),
    removingReplicas: array(int32, { tag: 3, ...unchanged }),
    addingReplicas: array(int32, { tag: 4, ...unchanged }),
    leaderRecoveryState: int8({ tag: 5, default: -1 }),
    directories: array(uuid, '1+', { tag: 8, ...unchanged }),
    eligibleLeaderReplicas: array(int32, '2+', { tag: 6, ...unchanged }),
    lastKnownElr: array(int32, '2+', { tag: 7, ...unchanged }),
  }),
  FenceBroker: record(7, 'FenceBrokerRecord', '0', { id: int32(), epoch: int64() }),
  UnfenceBroker: record(8, 'UnfenceBrokerRecord', '0', { id: int32(), epoch: int64() }),
  RemoveTopic: record(9, 'RemoveTopicRecord', '0', { topicId: uuid() }),
  DelegationToken: record(10, 'DelegationTokenRecord', '0', {
    owner: string(),
    requester: string(),
    renewers: array(string),
    issueTimestamp: int64(),
    maxTimestamp: int64(),
    expirationTimestamp: int64(),
    tokenId: string(),
  }),
  UserScramCredential: record(11, 'UserScramCredentialRecord', '0', {
    name: string(),
    mechanism: int8(),
    salt: bytes(),
    storedKey: bytes(),
    serverKey: bytes(),
    iterations: int32(),
  }),
  FeatureLevel: record(12, 'FeatureLevelRecord', '0', { name: string(), featureLevel: int16() }),
  ClientQuota: record(14, 'ClientQuotaRecord', '0', {
    entity: array({ entityType: string(), entityName: string({ nullable: true }) }),
    key: string(),
    value: float64(),
    remove: bool(),
  }),
  ProducerIds: record(15, 'ProducerIdsRecord', '0', {
    brokerId: int32(),
    brokerEpoch: int64({ default: -1 }),
    nextProducerId: int64(),
  }),
  BrokerRegistrationChange: record(17, 'BrokerRegistrationChangeRecord', '0-3', {
    brokerId: int32(),
    brokerEpoch: int64(),
    fenced: int8({ tag: 0 }),
    inControlledShutdown: int8('1+', { tag: 1 }),
    logDirs: array(uuid, '2+', { tag: 2 }),
    cordonedLogDirs: array(uuid, '3+', { tag: 3, nullable: '3+', default: null }),
  }),
  AccessControlEntry: record(18, 'AccessControlEntryRecord', '0', {
    id: uuid(),
    resourceType: int8(),
    resourceName: string(),
    patternType: int8(),
    principal: string(),
    host: string(),
    operation: int8(),
    permissionType: int8(),
  }),
  RemoveAccessControlEntry: record(19, 'RemoveAccessControlEntryRecord', '0', { id: uuid() }),
  NoOp: record(20, 'NoOpRecord', '0', {}),
  ZkMigrationState: record(21, 'ZkMigrationStateRecord', '0', { zkMigrationState: int8() }),
  RemoveUserScramCredential: record(22, 'RemoveUserScramCredentialRecord', '0', { name: string(), mechanism: int8() }),
  BeginTransaction: record(23, 'BeginTransactionRecord', '0', { name: string({ tag: 0, ...unchanged }) }),
  EndTransaction: record(24, 'EndTransactionRecord', '0', {}),
  AbortTransaction: record(25, 'AbortTransactionRecord', '0', { reason: string({ tag: 0, ...unchanged }) }),
  RemoveDelegationToken: record(26, 'RemoveDelegationTokenRecord', '0', { tokenId: string() }),
  RegisterController: record(27, 'RegisterControllerRecord', '0', {
    controllerId: int32(),
    incarnationId: uuid(),
    zkMigrationReady: bool(),
    endPoints: array(ENDPOINTS),
    features: array(SUPPORTED_FEATURES),
  }),
  ClearElr: record(28, 'ClearElrRecord', '0', { topicName: string() }),
}

type Declarations = typeof METADATA_RECORDS
type RecordType = keyof Declarations

export type FieldsOf<T extends RecordType> = Infer<Declarations[T]['schema']>

export type MetadataRecord = {
  [T in RecordType]: { readonly type: T; readonly version: number; readonly fields: FieldsOf<T> }
}[RecordType]

const BY_NUMBER: ReadonlyMap<number, RecordType> = new Map(
  Object.entries(METADATA_RECORDS).map(([type, { number }]) => [number, type as RecordType]),
)

const FRAME_VERSION = 1

export type DecodedMetadataRecord =
  | { readonly kind: 'known'; readonly record: MetadataRecord }
  /** Of a later release, or of a part of Kafka that ends up here. */
  | { readonly kind: 'unknown'; readonly number: number; readonly version: number; readonly reason: string }
  | { readonly kind: 'malformed'; readonly reason: string }

/** What the value of a data record in the metadata log says. */
export function decodeMetadataRecord(value: Buffer | null): DecodedMetadataRecord {
  if (value === null) return { kind: 'malformed', reason: 'no value' }
  try {
    const reader = new Reader([value])
    const frame = reader.unsignedVarint()
    if (frame !== FRAME_VERSION) return { kind: 'malformed', reason: `frame version ${frame}` }
    const number = reader.unsignedVarint()
    const version = reader.unsignedVarint()
    const type = BY_NUMBER.get(number)
    if (type === undefined) return { kind: 'unknown', number, version, reason: `unknown record type ${number}` }
    const { schema } = METADATA_RECORDS[type]
    if (version > schema.versions.max) {
      const reason = `${type} record of version ${version}; up to ${schema.versions.max} are known`
      return { kind: 'unknown', number, version, reason }
    }
    const fields = decode(schema as MessageSchema, reader, version)
    if (reader.remaining > 0)
      return { kind: 'malformed', reason: `${type} record with ${reader.remaining} bytes too many` }
    return { kind: 'known', record: { type, version, fields } as MetadataRecord }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { kind: 'malformed', reason: error.message }
  }
}
