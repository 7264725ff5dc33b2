/**
 * The records of share groups in `__consumer_offsets`, as Kafka writes and reads them: keys in the classic encoding, values in
 * the flexible one, version 0. `../records.ts` hands the types 10 to 15 on to here.
 */
import { decode, encode } from '../../../protocol/codec.ts'
import { ProtocolError } from '../../../protocol/errors.ts'
import { Reader } from '../../../protocol/reader.ts'
import {
  array,
  data,
  type Input,
  int8,
  int32,
  int64,
  type MessageSchema,
  string,
  uuid,
} from '../../../protocol/schema.ts'
import { Writer } from '../../../protocol/writer.ts'
import { type FieldReader, FieldWriter } from '../bytes.ts'
import type { PartitionSet } from '../consumer/assignment.ts'
import type { GroupEpoch, TargetEpoch } from '../consumer/records.ts'
import type { NamedTopicPartitions, ShareStates, TopicStates } from './initialization.ts'
import type { ShareProgress, ShareSubscription } from './member.ts'

/** A null value is a tombstone. */
export type ShareRecord =
  | {
      readonly type: 'share-member'
      readonly group: string
      readonly memberId: string
      readonly value: ShareSubscription | null
    }
  | { readonly type: 'share-group'; readonly group: string; readonly value: GroupEpoch | null }
  | { readonly type: 'share-target-epoch'; readonly group: string; readonly value: TargetEpoch | null }
  | {
      readonly type: 'share-target'
      readonly group: string
      readonly memberId: string
      readonly value: PartitionSet | null
    }
  | {
      readonly type: 'share-progress'
      readonly group: string
      readonly memberId: string
      readonly value: ShareProgress | null
    }
  | { readonly type: 'share-states'; readonly group: string; readonly value: ShareStates | null }

const KEY_TYPES: Readonly<Record<ShareRecord['type'], number>> = {
  'share-member': 10,
  'share-group': 11,
  'share-target-epoch': 12,
  'share-target': 13,
  'share-progress': 14,
  'share-states': 15,
}

const TYPES = new Map(Object.entries(KEY_TYPES).map(([type, key]) => [key, type as ShareRecord['type']]))

const VALUE_VERSION = 0
const SLAB_BYTES = 4 * 1024
/** Every member is stable: nobody has to wait for partitions. */
const STABLE = 0
const HALF_BITS = 32n
const HALF_MASK = 0xffffffffn

const VERSIONS = { versions: '0', flexible: '0+' } as const
const TOPIC = { topicId: uuid(), partitions: array(int32) }
const NAMED_TOPIC = { topicId: uuid(), topicName: string(), partitions: array(int32) }

const MemberValue = data(
  { name: 'ShareGroupMemberMetadataValue', ...VERSIONS },
  {
    rackId: string({ nullable: true }),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string),
  },
)
const GroupValue = data(
  { name: 'ShareGroupMetadataValue', ...VERSIONS },
  // One number of 64 bits that a JavaScript number cannot hold.
  { epoch: int32(), metadataHashHigh: int32(), metadataHashLow: int32() },
)
const TargetEpochValue = data(
  { name: 'ShareGroupTargetAssignmentMetadataValue', ...VERSIONS },
  { assignmentEpoch: int32(), assignmentTimestamp: int64({ tag: 0, tagged: '0+', default: 0, ignorable: true }) },
)
const TargetValue = data(
  { name: 'ShareGroupTargetAssignmentMemberValue', ...VERSIONS },
  { topicPartitions: array(TOPIC) },
)
const ProgressValue = data(
  { name: 'ShareGroupCurrentMemberAssignmentValue', ...VERSIONS },
  { memberEpoch: int32(), previousMemberEpoch: int32(), state: int8(), assignedPartitions: array(TOPIC) },
)
const StatesValue = data(
  { name: 'ShareGroupStatePartitionMetadataValue', ...VERSIONS },
  {
    initializingTopics: array(NAMED_TOPIC),
    initializedTopics: array(NAMED_TOPIC),
    deletingTopics: array({ topicId: uuid(), topicName: string() }),
  },
)

export function isShareKey(keyType: number): boolean {
  return TYPES.has(keyType)
}

export function isShareRecord(record: { readonly type: string }): record is ShareRecord {
  return Object.hasOwn(KEY_TYPES, record.type)
}

export function encodeShareKey(record: ShareRecord): Buffer {
  const groupBytes = Buffer.byteLength(record.group)
  const memberId = 'memberId' in record ? record.memberId : null
  const memberBytes = memberId === null ? 0 : Buffer.byteLength(memberId)
  const writer = new FieldWriter(4 + groupBytes + (memberId === null ? 0 : 2 + memberBytes))
  writer.int16(KEY_TYPES[record.type])
  writer.string(record.group, groupBytes)
  if (memberId !== null) writer.string(memberId, memberBytes)
  return writer.finish()
}

export function encodeShareValue(record: ShareRecord): Buffer | null {
  if (record.value === null) return null
  switch (record.type) {
    case 'share-member':
      return encodeValue(MemberValue, { ...record.value, subscribedTopicNames: [...record.value.topicNames] })
    case 'share-group': {
      const { epoch, metadataHash } = record.value
      const metadataHashHigh = Number(BigInt.asIntN(32, metadataHash >> HALF_BITS))
      const metadataHashLow = Number(BigInt.asIntN(32, metadataHash))
      return encodeValue(GroupValue, { epoch, metadataHashHigh, metadataHashLow })
    }
    case 'share-target-epoch': {
      const { assignmentEpoch, assignedAtMs } = record.value
      return encodeValue(TargetEpochValue, { assignmentEpoch, assignmentTimestamp: assignedAtMs })
    }
    case 'share-target':
      return encodeValue(TargetValue, { topicPartitions: listed(record.value) })
    case 'share-progress': {
      const { memberEpoch, previousMemberEpoch, assigned } = record.value
      const epochs = { memberEpoch, previousMemberEpoch, state: STABLE }
      return encodeValue(ProgressValue, { ...epochs, assignedPartitions: listed(assigned) })
    }
    case 'share-states': {
      const { initializing, initialized, deleting } = record.value
      return encodeValue(StatesValue, {
        initializingTopics: listedStates(initializing),
        initializedTopics: listedStates(initialized),
        deletingTopics: Array.from(deleting, ([topicId, topicName]) => ({ topicId, topicName })),
      })
    }
  }
}

function encodeValue<S extends MessageSchema>(schema: S, value: Input<S>): Buffer {
  const writer = new Writer(SLAB_BYTES)
  writer.int16(VALUE_VERSION)
  encode(schema, writer, value, VALUE_VERSION)
  return Buffer.concat(writer.finish())
}

function listed(set: PartitionSet) {
  return Array.from(set, ([topicId, partitions]) => ({ topicId, partitions: [...partitions] }))
}

function listedStates(states: TopicStates) {
  return Array.from(states, ([topicId, { name, partitions }]) => {
    return { topicId, topicName: name, partitions: [...partitions] }
  })
}

/** The record with this key type; a text is the reason why it cannot be read. Throws MalformedRecord. */
export function decodeShareRecord(keyType: number, key: FieldReader, value: Buffer | null): ShareRecord | string {
  const type = TYPES.get(keyType)!
  const group = key.string()
  const memberId = type === 'share-member' || type === 'share-target' || type === 'share-progress' ? key.string() : ''
  if (value === null) return { type, group, memberId, value: null } as ShareRecord
  const reader = new Reader([value])
  try {
    const version = reader.int16()
    if (version !== VALUE_VERSION) return `${type} of unknown version ${version}`
    return decodeValue({ type, group, memberId }, reader)
  } catch (error) {
    if (error instanceof ProtocolError) return `malformed: ${error.message}`
    throw error
  }
}

interface RecordName {
  readonly type: ShareRecord['type']
  readonly group: string
  readonly memberId: string
}

function decodeValue({ type, group, memberId }: RecordName, reader: Reader): ShareRecord {
  switch (type) {
    case 'share-member': {
      const { rackId, clientId, clientHost, subscribedTopicNames } = decode(MemberValue, reader, VALUE_VERSION)
      return { type, group, memberId, value: { rackId, clientId, clientHost, topicNames: subscribedTopicNames } }
    }
    case 'share-group': {
      const { epoch, metadataHashHigh, metadataHashLow } = decode(GroupValue, reader, VALUE_VERSION)
      const high = BigInt(metadataHashHigh) & HALF_MASK
      return {
        type,
        group,
        value: { epoch, metadataHash: (high << HALF_BITS) | (BigInt(metadataHashLow) & HALF_MASK) },
      }
    }
    case 'share-target-epoch': {
      const { assignmentEpoch, assignmentTimestamp } = decode(TargetEpochValue, reader, VALUE_VERSION)
      return { type, group, value: { assignmentEpoch, assignedAtMs: assignmentTimestamp } }
    }
    case 'share-target':
      return { type, group, memberId, value: setOf(decode(TargetValue, reader, VALUE_VERSION).topicPartitions) }
    case 'share-progress': {
      const { memberEpoch, previousMemberEpoch, assignedPartitions } = decode(ProgressValue, reader, VALUE_VERSION)
      return { type, group, memberId, value: { memberEpoch, previousMemberEpoch, assigned: setOf(assignedPartitions) } }
    }
    case 'share-states': {
      const { initializingTopics, initializedTopics, deletingTopics } = decode(StatesValue, reader, VALUE_VERSION)
      const initializing = statesOf(initializingTopics)
      const initialized = statesOf(initializedTopics)
      const deleting = new Map(deletingTopics.map(({ topicId, topicName }) => [topicId, topicName]))
      return { type, group, value: { initializing, initialized, deleting } }
    }
  }
}

function setOf(topics: readonly { readonly topicId: string; readonly partitions: readonly number[] }[]): PartitionSet {
  return new Map(topics.map(({ topicId, partitions }) => [topicId, new Set(partitions)]))
}

function statesOf(
  topics: readonly { readonly topicId: string; readonly topicName: string; readonly partitions: readonly number[] }[],
): TopicStates {
  return new Map(
    topics.map(({ topicId, topicName, partitions }): [string, NamedTopicPartitions] => {
      return [topicId, { name: topicName, partitions: new Set(partitions), askedAtMs: 0 }]
    }),
  )
}
