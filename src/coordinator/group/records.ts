/**
 * The records of `__consumer_offsets`, as Kafka writes and reads them: key = int16 type and fields, value = int16 version
 * and fields, null value = tombstone. Written here: offset commits (version 4, or 1 with an expiry of their own) and classic
 * group metadata (version 3); those of the newer protocols in the `records.ts` of their folders. What belongs to other group protocols the loader passes over,
 * and it stays in the log.
 */
import { ZERO_UUID } from '../../protocol/schema.ts'
import { FieldReader, FieldWriter, MalformedRecord, uvarintBytes } from './bytes.ts'
import {
  type ConsumerRecord,
  decodeConsumerRecord,
  encodeConsumerKey,
  encodeConsumerValue,
  isConsumerKey,
  isConsumerRecord,
} from './consumer/records.ts'
import {
  decodeShareRecord,
  encodeShareKey,
  encodeShareValue,
  isShareKey,
  isShareRecord,
  type ShareRecord,
} from './share/records.ts'
import type { CommittedOffset, GroupMetadata, MemberMetadata } from './state.ts'
import {
  decodeStreamsRecord,
  encodeStreamsKey,
  encodeStreamsValue,
  isStreamsKey,
  isStreamsRecord,
  type StreamsRecord,
} from './streams/records.ts'

export type GroupRecord =
  | {
      readonly type: 'offset-commit'
      readonly group: string
      readonly topic: string
      readonly partition: number
      readonly value: CommittedOffset | null
    }
  | { readonly type: 'group-metadata'; readonly group: string; readonly value: GroupMetadata | null }
  | ConsumerRecord
  | ShareRecord
  | StreamsRecord

export interface SkippedRecord {
  readonly type: 'skipped'
  readonly reason: string
}

export interface KeyValue {
  readonly key: Buffer
  readonly value: Buffer | null
}

const KeyType = { LEGACY_OFFSET_COMMIT: 0, OFFSET_COMMIT: 1, GROUP_METADATA: 2 } as const

const OFFSET_COMMIT_VERSION = 4
const OFFSET_COMMIT_WITH_EXPIRY_VERSION = 1
const GROUP_METADATA_VERSION = 3
const UUID_BYTES = 16

export function encodeRecord(record: GroupRecord): KeyValue {
  if (isConsumerRecord(record)) return { key: encodeConsumerKey(record), value: encodeConsumerValue(record) }
  if (isShareRecord(record)) return { key: encodeShareKey(record), value: encodeShareValue(record) }
  if (isStreamsRecord(record)) return { key: encodeStreamsKey(record), value: encodeStreamsValue(record) }
  if (record.type === 'group-metadata') {
    const groupBytes = Buffer.byteLength(record.group)
    const key = new FieldWriter(4 + groupBytes)
    key.int16(KeyType.GROUP_METADATA)
    key.string(record.group, groupBytes)
    return { key: key.finish(), value: record.value === null ? null : encodeGroupMetadata(record.value) }
  }
  const groupBytes = Buffer.byteLength(record.group)
  const topicBytes = Buffer.byteLength(record.topic)
  const key = new FieldWriter(10 + groupBytes + topicBytes)
  key.int16(KeyType.OFFSET_COMMIT)
  key.string(record.group, groupBytes)
  key.string(record.topic, topicBytes)
  key.int32(record.partition)
  return { key: key.finish(), value: record.value === null ? null : encodeOffsetCommit(record.value) }
}

function encodeOffsetCommit(value: CommittedOffset): Buffer {
  const metadataBytes = Buffer.byteLength(value.metadata)
  if (value.expireTimestampMs !== null) {
    const writer = new FieldWriter(28 + metadataBytes)
    writer.int16(OFFSET_COMMIT_WITH_EXPIRY_VERSION)
    writer.int64(value.offset)
    writer.string(value.metadata, metadataBytes)
    writer.int64(value.commitTimestampMs)
    writer.int64(value.expireTimestampMs)
    return writer.finish()
  }
  const hasTopicId = value.topicId !== ZERO_UUID
  const tagBytes = hasTopicId ? 3 + UUID_BYTES : 1
  const writer = new FieldWriter(22 + uvarintBytes(metadataBytes + 1) + metadataBytes + tagBytes)
  writer.int16(OFFSET_COMMIT_VERSION)
  writer.int64(value.offset)
  writer.int32(value.leaderEpoch)
  writer.compactString(value.metadata, metadataBytes)
  writer.int64(value.commitTimestampMs)
  writer.uvarint(hasTopicId ? 1 : 0)
  if (hasTopicId) {
    writer.uvarint(0)
    writer.uvarint(UUID_BYTES)
    writer.raw(Buffer.from(value.topicId, 'base64url'))
  }
  return writer.finish()
}

/** Bytes of the value that would be written. */
export function groupMetadataBytes(value: GroupMetadata): number {
  let bytes = 2 + stringBytes(value.protocolType) + 4 + stringBytes(value.protocol) + stringBytes(value.leader) + 8 + 4
  for (const member of value.members) bytes += memberBytes(member)
  return bytes
}

function memberBytes(member: MemberMetadata): number {
  const strings =
    stringBytes(member.memberId) +
    stringBytes(member.groupInstanceId) +
    stringBytes(member.clientId) +
    stringBytes(member.clientHost)
  return strings + 8 + 4 + member.subscription.length + 4 + member.assignment.length
}

function stringBytes(value: string | null): number {
  return 2 + (value === null ? 0 : Buffer.byteLength(value))
}

function encodeGroupMetadata(value: GroupMetadata): Buffer {
  const writer = new FieldWriter(groupMetadataBytes(value))
  writer.int16(GROUP_METADATA_VERSION)
  writer.nullableString(value.protocolType)
  writer.int32(value.generation)
  writer.nullableString(value.protocol)
  writer.nullableString(value.leader)
  writer.int64(value.stateTimestampMs)
  writer.int32(value.members.length)
  for (const member of value.members) {
    writer.nullableString(member.memberId)
    writer.nullableString(member.groupInstanceId)
    writer.nullableString(member.clientId)
    writer.nullableString(member.clientHost)
    writer.int32(member.rebalanceTimeoutMs)
    writer.int32(member.sessionTimeoutMs)
    writer.bytes(member.subscription)
    writer.bytes(member.assignment)
  }
  return writer.finish()
}

/** What a record of the log says. Never throws: a record that cannot be read is skipped, and the reason goes to the log line. */
export function decodeRecord(key: Buffer | null, value: Buffer | null): GroupRecord | SkippedRecord {
  if (key === null) return { type: 'skipped', reason: 'no key' }
  try {
    const reader = new FieldReader(key)
    const type = reader.int16()
    switch (type) {
      case KeyType.LEGACY_OFFSET_COMMIT:
      case KeyType.OFFSET_COMMIT: {
        const [group, topic, partition] = [reader.string(), reader.string(), reader.int32()]
        const decoded = value === null ? null : decodeOffsetCommit(value)
        if (typeof decoded === 'string') return { type: 'skipped', reason: decoded }
        return { type: 'offset-commit', group, topic, partition, value: decoded }
      }
      case KeyType.GROUP_METADATA: {
        const group = reader.string()
        const decoded = value === null ? null : decodeGroupMetadata(value)
        if (typeof decoded === 'string') return { type: 'skipped', reason: decoded }
        return { type: 'group-metadata', group, value: decoded }
      }
      default: {
        const decoded = decodeProtocolRecord(type, reader, value)
        return typeof decoded === 'string' ? { type: 'skipped', reason: decoded } : decoded
      }
    }
  } catch (error) {
    if (error instanceof MalformedRecord) return { type: 'skipped', reason: `malformed: ${error.message}` }
    throw error
  }
}

/** Of the new group protocols. */
function decodeProtocolRecord(type: number, key: FieldReader, value: Buffer | null): GroupRecord | string {
  if (isConsumerKey(type)) return decodeConsumerRecord(type, key, value === null ? null : new FieldReader(value))
  if (isShareKey(type)) return decodeShareRecord(type, key, value)
  if (isStreamsKey(type)) return decodeStreamsRecord(type, key, value)
  return `record type ${type} belongs to another group protocol`
}

function decodeOffsetCommit(value: Buffer): CommittedOffset | string {
  const reader = new FieldReader(value)
  const version = reader.int16()
  if (version < 0 || version > OFFSET_COMMIT_VERSION) return `offset commit of unknown version ${version}`
  const flexible = version >= 4
  const offset = reader.int64()
  const leaderEpoch = version >= 3 ? reader.int32() : -1
  const metadata = flexible ? reader.compactString() : reader.string()
  const commitTimestampMs = reader.int64()
  const expireTimestampMs = version === 1 ? reader.int64() : -1
  let topicId: string = ZERO_UUID
  if (flexible) {
    reader.taggedFields((tag, field) => {
      if (tag === 0) topicId = field.raw(UUID_BYTES).toString('base64url')
    })
  }
  return {
    offset,
    leaderEpoch,
    metadata,
    commitTimestampMs,
    expireTimestampMs: expireTimestampMs === -1 ? null : expireTimestampMs,
    topicId,
  }
}

const MEMBER_BYTES_MIN = 16

function decodeGroupMetadata(value: Buffer): GroupMetadata | string {
  const reader = new FieldReader(value)
  const version = reader.int16()
  if (version < 0 || version > 4) return `group metadata of unknown version ${version}`
  const flexible = version >= 4
  const protocolType = flexible ? reader.compactString() : reader.string()
  const generation = reader.int32()
  const protocol = flexible ? reader.compactNullableString() : reader.nullableString()
  const leader = flexible ? reader.compactNullableString() : reader.nullableString()
  const stateTimestampMs = version >= 2 ? reader.int64() : -1
  const count = reader.count(flexible ? reader.uvarint() - 1 : reader.int32(), MEMBER_BYTES_MIN)
  const members: MemberMetadata[] = []
  for (let index = 0; index < count; index++) members.push(decodeMember(reader, version))
  return { protocolType, generation, protocol, leader, stateTimestampMs, members }
}

function decodeMember(reader: FieldReader, version: number): MemberMetadata {
  const flexible = version >= 4
  const memberId = flexible ? reader.compactString() : reader.string()
  let groupInstanceId: string | null = null
  if (version >= 3) groupInstanceId = flexible ? reader.compactNullableString() : reader.nullableString()
  const clientId = flexible ? reader.compactString() : reader.string()
  const clientHost = flexible ? reader.compactString() : reader.string()
  const rebalanceTimeout = version >= 1 ? reader.int32() : -1
  const sessionTimeoutMs = reader.int32()
  const subscription = flexible ? reader.compactBytes() : reader.bytes()
  const assignment = flexible ? reader.compactBytes() : reader.bytes()
  if (flexible) reader.taggedFields(() => {})
  return {
    memberId,
    groupInstanceId,
    clientId,
    clientHost,
    // Version 0 knew one timeout only.
    rebalanceTimeoutMs: rebalanceTimeout === -1 ? sessionTimeoutMs : rebalanceTimeout,
    sessionTimeoutMs,
    subscription,
    assignment,
  }
}
