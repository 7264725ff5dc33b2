/**
 * The records of consumer groups in `__consumer_offsets`, as Kafka writes and reads them: keys in the classic encoding, values in
 * the flexible one, version 0. `../records.ts` hands the types 3 to 8 and 16 on to here.
 */
import { Writer } from '../../../protocol/writer.ts'
import { type FieldReader, FieldWriter, MalformedRecord } from '../bytes.ts'
import type { HeldPartitions, PartitionSet } from './assignment.ts'
import type { ResolvedRegex } from './group.ts'
import type { ClassicMembership, MemberProgress, MemberState, MemberSubscription } from './member.ts'

export interface GroupEpoch {
  readonly epoch: number
  readonly metadataHash: bigint
}

export interface TargetEpoch {
  readonly assignmentEpoch: number
  readonly assignedAtMs: number
}

/** A null value is a tombstone. */
export type ConsumerRecord =
  | { readonly type: 'consumer-group'; readonly group: string; readonly value: GroupEpoch | null }
  /** Brokers before 4.1 wrote topics here; newer ones take the record away. */
  | { readonly type: 'consumer-topics'; readonly group: string; readonly value: 'present' | null }
  | {
      readonly type: 'consumer-member'
      readonly group: string
      readonly memberId: string
      readonly value: MemberSubscription | null
    }
  | { readonly type: 'consumer-target-epoch'; readonly group: string; readonly value: TargetEpoch | null }
  | {
      readonly type: 'consumer-target'
      readonly group: string
      readonly memberId: string
      readonly value: PartitionSet | null
    }
  | {
      readonly type: 'consumer-progress'
      readonly group: string
      readonly memberId: string
      readonly value: MemberProgress | null
    }
  | {
      readonly type: 'consumer-regex'
      readonly group: string
      readonly regex: string
      readonly value: ResolvedRegex | null
    }

const KEY_TYPES: Readonly<Record<ConsumerRecord['type'], number>> = {
  'consumer-group': 3,
  'consumer-topics': 4,
  'consumer-member': 5,
  'consumer-target-epoch': 6,
  'consumer-target': 7,
  'consumer-progress': 8,
  'consumer-regex': 16,
}

const TYPES = new Map(Object.entries(KEY_TYPES).map(([type, key]) => [key, type as ConsumerRecord['type']]))

const VALUE_VERSION = 0
const INT64_BYTES = 8
const TOPIC_BYTES_MIN = 18

const STATE_CODES: Readonly<Record<MemberState, number>> = { stable: 0, unrevoked: 1, unreleased: 2, unknown: 127 }
const STATES = new Map(Object.entries(STATE_CODES).map(([state, code]) => [code, state as MemberState]))

export function isConsumerKey(keyType: number): boolean {
  return TYPES.has(keyType)
}

export function isConsumerRecord(record: { readonly type: string }): record is ConsumerRecord {
  return Object.hasOwn(KEY_TYPES, record.type)
}

/** The part of the key behind the group. */
function keyDetail(record: ConsumerRecord): string | null {
  if ('memberId' in record) return record.memberId
  return 'regex' in record ? record.regex : null
}

export function encodeConsumerKey(record: ConsumerRecord): Buffer {
  const groupBytes = Buffer.byteLength(record.group)
  const detail = keyDetail(record)
  const detailBytes = detail === null ? 0 : Buffer.byteLength(detail)
  const writer = new FieldWriter(4 + groupBytes + (detail === null ? 0 : 2 + detailBytes))
  writer.int16(KEY_TYPES[record.type])
  writer.string(record.group, groupBytes)
  if (detail !== null) writer.string(detail, detailBytes)
  return writer.finish()
}

const SLAB_BYTES = 16 * 1024

export function encodeConsumerValue(record: ConsumerRecord): Buffer | null {
  if (record.value === null || record.type === 'consumer-topics') return null
  const writer = new Writer(SLAB_BYTES)
  writer.int16(VALUE_VERSION)
  switch (record.type) {
    case 'consumer-group':
      writer.int32(record.value.epoch)
      writeHash(writer, record.value.metadataHash)
      break
    case 'consumer-member':
      writeSubscription(writer, record.value)
      break
    case 'consumer-target-epoch':
      writer.int32(record.value.assignmentEpoch)
      writeTimestamp(writer, record.value.assignedAtMs)
      break
    case 'consumer-target':
      writeTarget(writer, record.value)
      break
    case 'consumer-progress':
      writeProgress(writer, record.value)
      break
    case 'consumer-regex':
      writeNames(writer, record.value.topics)
      writer.int64(record.value.version)
      writer.int64(record.value.timestampMs)
      writer.unsignedVarint(0)
      break
  }
  return Buffer.concat(writer.finish())
}

function writeHash(writer: Writer, hash: bigint): void {
  if (hash === 0n) {
    writer.unsignedVarint(0)
    return
  }
  const bytes = Buffer.alloc(INT64_BYTES)
  bytes.writeBigUInt64BE(hash)
  writer.unsignedVarint(1)
  const begin = writer.beginTaggedField(0)
  writer.raw(bytes)
  writer.endTaggedField(begin)
}

function writeTimestamp(writer: Writer, timestampMs: number): void {
  if (timestampMs === 0) {
    writer.unsignedVarint(0)
    return
  }
  writer.unsignedVarint(1)
  const begin = writer.beginTaggedField(0)
  writer.int64(timestampMs)
  writer.endTaggedField(begin)
}

function writeNames(writer: Writer, names: readonly string[]): void {
  writer.compactArrayLength(names.length)
  for (const name of names) writer.compactString(name)
}

function writeSubscription(writer: Writer, value: MemberSubscription): void {
  writer.compactNullableString(value.instanceId)
  writer.compactNullableString(value.rackId)
  writer.compactString(value.clientId)
  writer.compactString(value.clientHost)
  writeNames(writer, value.topicNames)
  writer.compactNullableString(value.topicRegex)
  writer.int32(value.rebalanceTimeoutMs)
  writer.compactNullableString(value.serverAssignor)
  // The field is there even if it is null.
  writer.unsignedVarint(1)
  const begin = writer.beginTaggedField(0)
  writeClassic(writer, value.classic)
  writer.endTaggedField(begin)
}

function writeClassic(writer: Writer, classic: ClassicMembership | null): void {
  writer.unsignedVarint(classic === null ? 0 : 1)
  if (classic === null) return
  writer.int32(classic.sessionTimeoutMs)
  writer.compactArrayLength(classic.protocols.length)
  for (const { name, metadata } of classic.protocols) {
    writer.compactString(name)
    writer.compactBytes(metadata)
    writer.unsignedVarint(0)
  }
  writer.unsignedVarint(0)
}

function writeTarget(writer: Writer, target: PartitionSet): void {
  writer.compactArrayLength(target.size)
  for (const [topicId, partitions] of target) {
    writer.uuid(topicId)
    writer.compactArrayLength(partitions.size)
    for (const partition of partitions) writer.int32(partition)
    writer.unsignedVarint(0)
  }
  writer.unsignedVarint(0)
}

function writeProgress(writer: Writer, value: MemberProgress): void {
  writer.int32(value.memberEpoch)
  writer.int32(value.previousMemberEpoch)
  writer.int8(STATE_CODES[value.state])
  writeHeld(writer, value.assigned)
  writeHeld(writer, value.pendingRevocation)
  writer.unsignedVarint(0)
}

function writeHeld(writer: Writer, held: HeldPartitions): void {
  writer.compactArrayLength(held.size)
  for (const [topicId, partitions] of held) {
    writer.uuid(topicId)
    writer.compactArrayLength(partitions.size)
    for (const partition of partitions.keys()) writer.int32(partition)
    writer.unsignedVarint(1)
    const begin = writer.beginTaggedField(0)
    writer.compactArrayLength(partitions.size)
    for (const epoch of partitions.values()) writer.int32(epoch)
    writer.endTaggedField(begin)
  }
}

/** The record with this key type; a text is the reason why it cannot be read. Throws MalformedRecord. */
export function decodeConsumerRecord(
  keyType: number,
  key: FieldReader,
  value: FieldReader | null,
): ConsumerRecord | string {
  const type = TYPES.get(keyType)!
  const group = key.string()
  const version = value === null ? VALUE_VERSION : value.int16()
  if (version !== VALUE_VERSION) return `${type} of unknown version ${version}`
  switch (type) {
    case 'consumer-group':
      return { type, group, value: value === null ? null : readGroupEpoch(value) }
    case 'consumer-topics':
      return { type, group, value: value === null ? null : 'present' }
    case 'consumer-member':
      return { type, group, memberId: key.string(), value: value === null ? null : readSubscription(value) }
    case 'consumer-target-epoch':
      return { type, group, value: value === null ? null : readTargetEpoch(value) }
    case 'consumer-target':
      return { type, group, memberId: key.string(), value: value === null ? null : readTarget(value) }
    case 'consumer-progress':
      return { type, group, memberId: key.string(), value: value === null ? null : readProgress(value) }
    case 'consumer-regex':
      return { type, group, regex: key.string(), value: value === null ? null : readRegex(value) }
  }
}

function readArray<Element>(reader: FieldReader, bytesEach: number, read: () => Element): Element[] {
  const count = reader.count(reader.uvarint() - 1, bytesEach)
  return Array.from({ length: count }, read)
}

function readGroupEpoch(reader: FieldReader): GroupEpoch {
  const epoch = reader.int32()
  let metadataHash = 0n
  reader.taggedFields((tag, field) => {
    if (tag === 0) metadataHash = field.raw(INT64_BYTES).readBigUInt64BE(0)
  })
  return { epoch, metadataHash }
}

function readTargetEpoch(reader: FieldReader): TargetEpoch {
  const assignmentEpoch = reader.int32()
  let assignedAtMs = 0
  reader.taggedFields((tag, field) => {
    if (tag === 0) assignedAtMs = field.int64()
  })
  return { assignmentEpoch, assignedAtMs }
}

function readSubscription(reader: FieldReader): MemberSubscription {
  const instanceId = reader.compactNullableString()
  const rackId = reader.compactNullableString()
  const clientId = reader.compactString()
  const clientHost = reader.compactString()
  const topicNames = readArray(reader, 1, () => reader.compactString())
  const topicRegex = reader.compactNullableString()
  const rebalanceTimeoutMs = reader.int32()
  const serverAssignor = reader.compactNullableString()
  let classic: ClassicMembership | null = null
  reader.taggedFields((tag, field) => {
    if (tag === 0) classic = readClassic(field)
  })
  const identity = { instanceId, rackId, clientId, clientHost }
  return { ...identity, topicNames, topicRegex, rebalanceTimeoutMs, serverAssignor, classic }
}

function readClassic(reader: FieldReader): ClassicMembership | null {
  if (reader.uvarint() === 0) return null
  const sessionTimeoutMs = reader.int32()
  const protocols = readArray(reader, 3, () => {
    const protocol = { name: reader.compactString(), metadata: reader.compactBytes() }
    reader.taggedFields(() => {})
    return protocol
  })
  reader.taggedFields(() => {})
  return { sessionTimeoutMs, protocols }
}

function readTarget(reader: FieldReader): PartitionSet {
  const target = new Map<string, ReadonlySet<number>>()
  readArray(reader, TOPIC_BYTES_MIN, () => {
    const topicId = reader.raw(16).toString('base64url')
    target.set(topicId, new Set(readArray(reader, 4, () => reader.int32())))
    reader.taggedFields(() => {})
  })
  return target
}

function readProgress(reader: FieldReader): MemberProgress {
  const memberEpoch = reader.int32()
  const previousMemberEpoch = reader.int32()
  const state = STATES.get(reader.raw(1).readInt8(0)) ?? 'unknown'
  const assigned = readHeld(reader, memberEpoch)
  const pendingRevocation = readHeld(reader, memberEpoch)
  return { memberEpoch, previousMemberEpoch, state, assigned, pendingRevocation }
}

/** Brokers before 4.3 did not write epochs of partitions: the member's counts. */
function readHeld(reader: FieldReader, memberEpoch: number): HeldPartitions {
  const held = new Map<string, ReadonlyMap<number, number>>()
  readArray(reader, TOPIC_BYTES_MIN, () => {
    const topicId = reader.raw(16).toString('base64url')
    const partitions = readArray(reader, 4, () => reader.int32())
    let epochs: number[] | null = null
    reader.taggedFields((tag, field) => {
      if (tag === 0) epochs = readEpochs(field, partitions.length)
    })
    held.set(topicId, new Map(partitions.map((partition, index) => [partition, epochs?.[index] ?? memberEpoch])))
  })
  return held
}

function readEpochs(reader: FieldReader, partitions: number): number[] | null {
  const length = reader.uvarint() - 1
  if (length === -1) return null
  if (length !== partitions) throw new MalformedRecord(`${length} epochs for ${partitions} partitions`)
  return Array.from({ length: reader.count(length, 4) }, () => reader.int32())
}

function readRegex(reader: FieldReader): ResolvedRegex {
  return {
    topics: readArray(reader, 1, () => reader.compactString()),
    version: reader.int64(),
    timestampMs: reader.int64(),
  }
}
