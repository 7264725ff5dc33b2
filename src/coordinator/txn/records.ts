/**
 * The records of `__transaction_state`, as Kafka writes and reads them: key = int16 version 0 and the transactional id, value =
 * int16 version and fields, null value = the id is forgotten. Version 1 from level 1 of transaction.version on, version 0 before.
 */
import { FieldReader, FieldWriter, MalformedRecord, uvarintBytes } from '../group/bytes.ts'
import type { KeyValue } from '../group/records.ts'
import { NO_PARTITIONS, NONE, STATUS_NAMES, type Transaction, type TransactionPartitions } from './state.ts'

export type TransactionRecord =
  | { readonly type: 'transaction'; readonly transactionalId: string; readonly value: Transaction | null }
  | { readonly type: 'skipped'; readonly reason: string }

const KEY_VERSION = 0
const VALUE_VERSION = 1
const Tag = { PREVIOUS_PRODUCER_ID: 0, NEXT_PRODUCER_ID: 1, CLIENT_VERSION: 2 } as const

/** Version 0 of the value is for clusters whose level of transaction.version is 0: older brokers read nothing else. */
export function encodeTransaction(
  transactionalId: string,
  value: Transaction | null,
  version: 0 | 1 = VALUE_VERSION,
): KeyValue {
  const idBytes = Buffer.byteLength(transactionalId)
  const encode = version === 0 ? encodeOldValue : encodeValue
  const key = new FieldWriter(4 + idBytes)
  key.int16(KEY_VERSION)
  key.string(transactionalId, idBytes)
  return { key: key.finish(), value: value === null ? null : encode(value) }
}

interface TaggedField {
  readonly tag: number
  readonly bytes: 2 | 8
  readonly value: number
}

/** Only what differs from the default is written. */
function taggedFields({ previousProducerId, nextProducerId, clientVersion }: Transaction): TaggedField[] {
  const fields: TaggedField[] = []
  if (previousProducerId !== NONE) fields.push({ tag: Tag.PREVIOUS_PRODUCER_ID, bytes: 8, value: previousProducerId })
  if (nextProducerId !== NONE) fields.push({ tag: Tag.NEXT_PRODUCER_ID, bytes: 8, value: nextProducerId })
  if (clientVersion !== 0) fields.push({ tag: Tag.CLIENT_VERSION, bytes: 2, value: clientVersion })
  return fields
}

function encodeValue(value: Transaction): Buffer {
  const partitions = value.status === 'Empty' ? null : value.partitions
  const tagged = taggedFields(value)
  const taggedBytes = tagged.reduce((sum, { bytes }) => sum + 2 + bytes, 1)
  const writer = new FieldWriter(2 + 8 + 2 + 4 + 1 + partitionsBytes(partitions) + 8 + 8 + taggedBytes)
  writer.int16(VALUE_VERSION)
  writer.int64(value.producerId)
  writer.int16(value.producerEpoch)
  writer.int32(value.timeoutMs)
  writer.int8(STATUS_NAMES.indexOf(value.status))
  writePartitions(writer, partitions)
  writer.int64(value.lastUpdateMs)
  writer.int64(value.startMs)
  writer.uvarint(tagged.length)
  for (const { tag, bytes, value: tagValue } of tagged) {
    writer.uvarint(tag)
    writer.uvarint(bytes)
    if (bytes === 8) writer.int64(tagValue)
    else writer.int16(tagValue)
  }
  return writer.finish()
}

function encodeOldValue(value: Transaction): Buffer {
  const topics =
    value.status === 'Empty' ? null : Array.from(value.partitions, ([topic, indexes]) => ({ topic, indexes }))
  const topicBytes = (topics ?? []).reduce(
    (sum, { topic, indexes }) => sum + 6 + Buffer.byteLength(topic) + 4 * indexes.length,
    0,
  )
  const writer = new FieldWriter(2 + 8 + 2 + 4 + 1 + 4 + topicBytes + 8 + 8)
  writer.int16(0)
  writer.int64(value.producerId)
  writer.int16(value.producerEpoch)
  writer.int32(value.timeoutMs)
  writer.int8(STATUS_NAMES.indexOf(value.status))
  writer.int32(topics === null ? -1 : topics.length)
  for (const { topic, indexes } of topics ?? []) {
    writer.string(topic, Buffer.byteLength(topic))
    writer.int32(indexes.length)
    for (const index of indexes) writer.int32(index)
  }
  writer.int64(value.lastUpdateMs)
  writer.int64(value.startMs)
  return writer.finish()
}

function partitionsBytes(partitions: TransactionPartitions | null): number {
  if (partitions === null) return 1
  let bytes = uvarintBytes(partitions.size + 1)
  for (const [topic, indexes] of partitions) {
    const topicBytes = Buffer.byteLength(topic)
    bytes += uvarintBytes(topicBytes + 1) + topicBytes + uvarintBytes(indexes.length + 1) + 4 * indexes.length + 1
  }
  return bytes
}

function writePartitions(writer: FieldWriter, partitions: TransactionPartitions | null): void {
  if (partitions === null) {
    writer.uvarint(0)
    return
  }
  writer.uvarint(partitions.size + 1)
  for (const [topic, indexes] of partitions) {
    writer.compactString(topic, Buffer.byteLength(topic))
    writer.uvarint(indexes.length + 1)
    for (const index of indexes) writer.int32(index)
    writer.uvarint(0)
  }
}

/** Never throws: a record that cannot be read is skipped, and the reason goes to the log line. */
export function decodeTransaction(key: Buffer | null, value: Buffer | null): TransactionRecord {
  if (key === null) return { type: 'skipped', reason: 'no key' }
  try {
    const reader = new FieldReader(key)
    const keyVersion = reader.int16()
    if (keyVersion !== KEY_VERSION) return { type: 'skipped', reason: `key of unknown version ${keyVersion}` }
    const transactionalId = reader.string()
    if (value === null) return { type: 'transaction', transactionalId, value: null }
    return decodeValue(transactionalId, new FieldReader(value))
  } catch (error) {
    if (error instanceof MalformedRecord) return { type: 'skipped', reason: `malformed: ${error.message}` }
    throw error
  }
}

function decodeValue(transactionalId: string, reader: FieldReader): TransactionRecord {
  const version = reader.int16()
  if (version < 0 || version > VALUE_VERSION) return { type: 'skipped', reason: `value of unknown version ${version}` }
  const producerId = reader.int64()
  const producerEpoch = reader.int16()
  const timeoutMs = reader.int32()
  const statusNumber = reader.int8()
  const status = STATUS_NAMES[statusNumber]
  if (status === undefined || status === 'PrepareEpochFence') {
    return { type: 'skipped', reason: `unknown status ${statusNumber}` }
  }
  const partitions = readPartitions(reader, version)
  const lastUpdateMs = reader.int64()
  const startMs = reader.int64()
  let [previousProducerId, nextProducerId, clientVersion] = [NONE, NONE, 0]
  if (version >= 1) {
    reader.taggedFields((tag, field) => {
      if (tag === Tag.PREVIOUS_PRODUCER_ID) previousProducerId = field.int64()
      else if (tag === Tag.NEXT_PRODUCER_ID) nextProducerId = field.int64()
      else if (tag === Tag.CLIENT_VERSION) clientVersion = field.int16()
    })
  }
  // Dead: on its way out. The tombstone comes next, and without it there is nothing that anybody could go on with.
  if (status === 'Dead') return { type: 'transaction', transactionalId, value: null }
  const identity = { transactionalId, producerId, previousProducerId, nextProducerId, producerEpoch }
  const times = { timeoutMs, lastUpdateMs, startMs }
  const decoded = { ...identity, ...times, lastProducerEpoch: NONE, status, partitions, clientVersion }
  return { type: 'transaction', transactionalId, value: decoded }
}

const TOPIC_BYTES_MIN = 3

function readPartitions(reader: FieldReader, version: number): TransactionPartitions {
  const flexible = version >= 1
  const topics = flexible ? reader.uvarint() - 1 : reader.int32()
  if (topics <= 0) return NO_PARTITIONS
  const partitions = new Map<string, number[]>()
  for (let left = reader.count(topics, TOPIC_BYTES_MIN); left > 0; left--) {
    const topic = flexible ? reader.compactString() : reader.string()
    const count = reader.count(flexible ? reader.uvarint() - 1 : reader.int32(), 4)
    partitions.set(
      topic,
      Array.from({ length: count }, () => reader.int32()),
    )
    if (flexible) reader.taggedFields(() => {})
  }
  return partitions
}
