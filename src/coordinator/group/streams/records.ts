/**
 * The records of streams groups in `__consumer_offsets`, as Kafka writes and reads them: keys in the classic encoding, values in the
 * flexible one, version 0. `../records.ts` hands the types 17 and 19 to 23 on to here. 18 was given up before it was ever released.
 */
import { decode, encode } from '../../../protocol/codec.ts'
import { ProtocolError } from '../../../protocol/errors.ts'
import { Reader } from '../../../protocol/reader.ts'
import {
  array,
  data,
  type Infer,
  type Input,
  int8,
  int16,
  int32,
  int64,
  type MessageSchema,
  string,
  struct,
  uint16,
} from '../../../protocol/schema.ts'
import { Writer } from '../../../protocol/writer.ts'
import { type FieldReader, FieldWriter } from '../bytes.ts'
import type { MemberState } from '../consumer/member.ts'
import type { TargetEpoch } from '../consumer/records.ts'
import type { StreamsMemberDescription, StreamsMemberProgress } from './member.ts'
import { type HeldTaskSet, listedTasks, type Tasks, taskSetOfList } from './tasks.ts'
import type { Topology } from './topology.ts'

export interface StreamsGroupEpoch {
  readonly epoch: number
  readonly metadataHash: bigint
  /** Of the topology whose topics were all there and as they must be; -1: they were not. */
  readonly validatedTopologyEpoch: number
  /** What the assignor was told at that epoch. */
  readonly assignmentConfigs: ReadonlyMap<string, string>
}

/** A null value is a tombstone. */
export type StreamsRecord =
  | { readonly type: 'streams-group'; readonly group: string; readonly value: StreamsGroupEpoch | null }
  | {
      readonly type: 'streams-member'
      readonly group: string
      readonly memberId: string
      readonly value: StreamsMemberDescription | null
    }
  | { readonly type: 'streams-target-epoch'; readonly group: string; readonly value: TargetEpoch | null }
  | { readonly type: 'streams-target'; readonly group: string; readonly memberId: string; readonly value: Tasks | null }
  | {
      readonly type: 'streams-progress'
      readonly group: string
      readonly memberId: string
      readonly value: StreamsMemberProgress | null
    }
  | { readonly type: 'streams-topology'; readonly group: string; readonly value: Topology | null }

const KEY_TYPES: Readonly<Record<StreamsRecord['type'], number>> = {
  'streams-group': 17,
  'streams-member': 19,
  'streams-target-epoch': 20,
  'streams-target': 21,
  'streams-progress': 22,
  'streams-topology': 23,
}

const TYPES = new Map(Object.entries(KEY_TYPES).map(([type, key]) => [key, type as StreamsRecord['type']]))

const VALUE_VERSION = 0
const INT16_BYTES = 2
const INT32_BYTES = 4
const INT64_BYTES = 8
const VERSIONS = { versions: '0', flexible: '0+' } as const

const KeyValue = { key: string(), value: string() }
const TaskIds = { subtopologyId: string(), partitions: array(int32) }
const HeldTaskIds = { ...TaskIds, assignmentEpochs: array(int32, { nullable: true, default: null, tag: 0 }) }
const TopicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(KeyValue),
}

/** What comes behind epoch and metadata hash. The hash has all of its 64 bits, which no number has. */
const GroupTags = data(
  { name: 'StreamsGroupMetadataValue', ...VERSIONS },
  {
    validatedTopologyEpoch: int32({ default: -1, tag: 0 }),
    lastAssignmentConfigs: array(KeyValue, { nullable: true, default: null, tag: 1 }),
  },
)

export const StreamsGroupMemberMetadataValue = data(
  { name: 'StreamsGroupMemberMetadataValue', ...VERSIONS },
  {
    instanceId: string({ nullable: true }),
    rackId: string({ nullable: true }),
    clientId: string(),
    clientHost: string(),
    rebalanceTimeoutMs: int32({ default: -1 }),
    topologyEpoch: int32(),
    processId: string(),
    userEndpoint: struct({ host: string(), port: uint16() }, { nullable: true, default: null }),
    clientTags: array(KeyValue),
  },
)

export const StreamsGroupTargetAssignmentMetadataValue = data(
  { name: 'StreamsGroupTargetAssignmentMetadataValue', ...VERSIONS },
  { assignmentEpoch: int32(), assignmentTimestamp: int64({ default: 0, tag: 0 }) },
)

export const StreamsGroupTargetAssignmentMemberValue = data(
  { name: 'StreamsGroupTargetAssignmentMemberValue', ...VERSIONS },
  { activeTasks: array(TaskIds), standbyTasks: array(TaskIds), warmupTasks: array(TaskIds) },
)

export const StreamsGroupCurrentMemberAssignmentValue = data(
  { name: 'StreamsGroupCurrentMemberAssignmentValue', ...VERSIONS },
  {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    activeTasks: array(HeldTaskIds),
    standbyTasks: array(HeldTaskIds),
    warmupTasks: array(HeldTaskIds),
    activeTasksPendingRevocation: array(HeldTaskIds),
    standbyTasksPendingRevocation: array(HeldTaskIds),
    warmupTasksPendingRevocation: array(HeldTaskIds),
  },
)

export const StreamsGroupTopologyValue = data(
  { name: 'StreamsGroupTopologyValue', ...VERSIONS },
  {
    epoch: int32(),
    subtopologies: array({
      subtopologyId: string(),
      sourceTopics: array(string),
      sourceTopicRegex: array(string),
      stateChangelogTopics: array(TopicInfo),
      repartitionSinkTopics: array(string),
      repartitionSourceTopics: array(TopicInfo),
      copartitionGroups: array({
        sourceTopics: array(int16),
        sourceTopicRegex: array(int16),
        repartitionSourceTopics: array(int16),
      }),
    }),
  },
)

/** Other numbers than those of consumer groups. */
const STATE_CODES: Readonly<Record<MemberState, number>> = { stable: 1, unrevoked: 2, unreleased: 3, unknown: 127 }
const STATES = new Map(Object.entries(STATE_CODES).map(([state, code]) => [code, state as MemberState]))

export function isStreamsKey(keyType: number): boolean {
  return TYPES.has(keyType)
}

export function isStreamsRecord(record: { readonly type: string }): record is StreamsRecord {
  return Object.hasOwn(KEY_TYPES, record.type)
}

export function encodeStreamsKey(record: StreamsRecord): Buffer {
  const groupBytes = Buffer.byteLength(record.group)
  const memberId = 'memberId' in record ? record.memberId : null
  const memberBytes = memberId === null ? 0 : Buffer.byteLength(memberId)
  const writer = new FieldWriter(2 * INT16_BYTES + groupBytes + (memberId === null ? 0 : INT16_BYTES + memberBytes))
  writer.int16(KEY_TYPES[record.type])
  writer.string(record.group, groupBytes)
  if (memberId !== null) writer.string(memberId, memberBytes)
  return writer.finish()
}

const SLAB_BYTES = 16 * 1024

function encoded<S extends MessageSchema>(schema: S, value: Input<S>): Buffer {
  const writer = new Writer(SLAB_BYTES)
  writer.int16(VALUE_VERSION)
  encode(schema, writer, value, VALUE_VERSION)
  return Buffer.concat(writer.finish())
}

export function encodeStreamsValue(record: StreamsRecord): Buffer | null {
  if (record.value === null) return null
  switch (record.type) {
    case 'streams-group':
      return encodeGroup(record.value)
    case 'streams-member':
      return encoded(StreamsGroupMemberMetadataValue, {
        ...record.value,
        clientTags: keyValues(record.value.clientTags),
      })
    case 'streams-target-epoch': {
      const { assignmentEpoch, assignedAtMs } = record.value
      return encoded(StreamsGroupTargetAssignmentMetadataValue, { assignmentEpoch, assignmentTimestamp: assignedAtMs })
    }
    case 'streams-target': {
      const { active, standby, warmup } = record.value
      return encoded(StreamsGroupTargetAssignmentMemberValue, {
        activeTasks: listedTasks(active),
        standbyTasks: listedTasks(standby),
        warmupTasks: listedTasks(warmup),
      })
    }
    case 'streams-progress':
      return encodeProgress(record.value)
    case 'streams-topology':
      return encoded(StreamsGroupTopologyValue, record.value)
  }
}

function keyValues(map: ReadonlyMap<string, string>): { readonly key: string; readonly value: string }[] {
  return Array.from(map, ([key, value]) => ({ key, value }))
}

function encodeGroup(value: StreamsGroupEpoch): Buffer {
  const writer = new Writer(SLAB_BYTES)
  writer.int16(VALUE_VERSION)
  writer.int32(value.epoch)
  const hash = Buffer.alloc(INT64_BYTES)
  hash.writeBigUInt64BE(value.metadataHash)
  writer.raw(hash)
  const { validatedTopologyEpoch, assignmentConfigs } = value
  const tags = { validatedTopologyEpoch, lastAssignmentConfigs: keyValues(assignmentConfigs) }
  encode(GroupTags, writer, tags, VALUE_VERSION)
  return Buffer.concat(writer.finish())
}

function encodeProgress(value: StreamsMemberProgress): Buffer {
  const { assigned, pendingRevocation } = value
  return encoded(StreamsGroupCurrentMemberAssignmentValue, {
    memberEpoch: value.memberEpoch,
    previousMemberEpoch: value.previousMemberEpoch,
    state: STATE_CODES[value.state],
    activeTasks: listedWithEpochs(assigned.active),
    standbyTasks: listedTasks(assigned.standby),
    warmupTasks: listedTasks(assigned.warmup),
    activeTasksPendingRevocation: listedWithEpochs(pendingRevocation.active),
    standbyTasksPendingRevocation: listedTasks(pendingRevocation.standby),
    warmupTasksPendingRevocation: listedTasks(pendingRevocation.warmup),
  })
}

function listedWithEpochs(set: HeldTaskSet) {
  return listedTasks(set).map((listed) => {
    const epochs = set.get(listed.subtopologyId)!
    return { ...listed, assignmentEpochs: listed.partitions.map((partition) => epochs.get(partition)!) }
  })
}

/** The record with this key type; a text is the reason why it cannot be read. Throws MalformedRecord on a key that is none. */
export function decodeStreamsRecord(keyType: number, key: FieldReader, value: Buffer | null): StreamsRecord | string {
  const type = TYPES.get(keyType)!
  const group = key.string()
  const version = value === null ? VALUE_VERSION : value.length < INT16_BYTES ? -1 : value.readInt16BE(0)
  if (version !== VALUE_VERSION) return `${type} of unknown version ${version}`
  const body = value === null ? null : value.subarray(INT16_BYTES)
  try {
    switch (type) {
      case 'streams-group':
        return { type, group, value: body === null ? null : decodeGroup(body) }
      case 'streams-target-epoch':
        return { type, group, value: body === null ? null : decodeTargetEpoch(body) }
      case 'streams-topology':
        return { type, group, value: body === null ? null : decoded(StreamsGroupTopologyValue, body) }
      case 'streams-member':
        return { type, group, memberId: key.string(), value: body === null ? null : decodeMember(body) }
      case 'streams-target':
        return { type, group, memberId: key.string(), value: body === null ? null : decodeTarget(body) }
      case 'streams-progress':
        return { type, group, memberId: key.string(), value: body === null ? null : decodeProgress(body) }
    }
  } catch (error) {
    if (error instanceof ProtocolError) return `malformed: ${error.message}`
    throw error
  }
}

function decoded<S extends MessageSchema>(schema: S, body: Buffer): Infer<S> {
  return decode(schema, new Reader([body]), VALUE_VERSION)
}

function mapOf(listed: readonly { readonly key: string; readonly value: string }[]): Map<string, string> {
  return new Map(listed.map(({ key, value }) => [key, value]))
}

const HASH_AT = INT32_BYTES
const TAGS_AT = HASH_AT + INT64_BYTES

function decodeGroup(body: Buffer): StreamsGroupEpoch | null {
  if (body.length < TAGS_AT) throw new ProtocolError(`a group of ${body.length} bytes`)
  const { validatedTopologyEpoch, lastAssignmentConfigs } = decoded(GroupTags, body.subarray(TAGS_AT))
  return {
    epoch: body.readInt32BE(0),
    metadataHash: body.readBigUInt64BE(HASH_AT),
    validatedTopologyEpoch,
    assignmentConfigs: mapOf(lastAssignmentConfigs ?? []),
  }
}

function decodeTargetEpoch(body: Buffer): TargetEpoch {
  const { assignmentEpoch, assignmentTimestamp } = decoded(StreamsGroupTargetAssignmentMetadataValue, body)
  return { assignmentEpoch, assignedAtMs: assignmentTimestamp }
}

function decodeMember(body: Buffer): StreamsMemberDescription {
  const { clientTags, ...rest } = decoded(StreamsGroupMemberMetadataValue, body)
  return { ...rest, clientTags: mapOf(clientTags) }
}

function decodeTarget(body: Buffer): Tasks {
  const { activeTasks, standbyTasks, warmupTasks } = decoded(StreamsGroupTargetAssignmentMemberValue, body)
  return {
    active: taskSetOfList(activeTasks),
    standby: taskSetOfList(standbyTasks),
    warmup: taskSetOfList(warmupTasks),
  }
}

type DecodedProgress = Infer<typeof StreamsGroupCurrentMemberAssignmentValue>

function decodeProgress(body: Buffer): StreamsMemberProgress {
  const value = decoded(StreamsGroupCurrentMemberAssignmentValue, body)
  const { memberEpoch, previousMemberEpoch } = value
  return {
    memberEpoch,
    previousMemberEpoch,
    state: STATES.get(value.state) ?? 'unknown',
    assigned: {
      active: heldOfList(value.activeTasks, memberEpoch),
      standby: taskSetOfList(value.standbyTasks),
      warmup: taskSetOfList(value.warmupTasks),
    },
    pendingRevocation: {
      active: heldOfList(value.activeTasksPendingRevocation, memberEpoch),
      standby: taskSetOfList(value.standbyTasksPendingRevocation),
      warmup: taskSetOfList(value.warmupTasksPendingRevocation),
    },
  }
}

/** Brokers before 4.3 did not write epochs of tasks: the member's counts. */
function heldOfList(listed: DecodedProgress['activeTasks'], memberEpoch: number): HeldTaskSet {
  return new Map(
    listed.map(({ subtopologyId, partitions, assignmentEpochs }) => {
      const epochs = assignmentEpochs?.length === partitions.length ? assignmentEpochs : null
      return [subtopologyId, new Map(partitions.map((partition, index) => [partition, epochs?.[index] ?? memberEpoch]))]
    }),
  )
}
