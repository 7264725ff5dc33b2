/**
 * The records of `__share_group_state`, as Kafka writes and reads them: the key in the classic encoding (type, group, topic id,
 * partition), the value in the flexible one, version 0. A snapshot says everything of a share partition, an update what changed since; a
 * null value in place of a snapshot takes the state away.
 */
import { decode, encode } from '../../protocol/codec.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { Reader } from '../../protocol/reader.ts'
import { array, data, type Infer, int8, int16, int32, int64, string, uuid } from '../../protocol/schema.ts'
import { Writer } from '../../protocol/writer.ts'
import type { KeyValue } from '../group/records.ts'
import type { SharePartitionKey } from './persister.ts'

const KeyType = { SNAPSHOT: 0, UPDATE: 1 } as const
const VERSION = 0
const SLAB_BYTES = 4 * 1024

const Key = data(
  { name: 'ShareStateKey', versions: '0', flexible: 'none' },
  { groupId: string(), topicId: uuid(), partition: int32() },
)

const BATCH = { firstOffset: int64(), lastOffset: int64(), deliveryState: int8(), deliveryCount: int16() }
const DELIVERY_COMPLETE_COUNT = { tag: 0, tagged: '0+', default: -1 } as const

const SnapshotValue = data(
  { name: 'ShareSnapshotValue', versions: '0', flexible: '0+' },
  {
    snapshotEpoch: int32(),
    stateEpoch: int32(),
    leaderEpoch: int32(),
    startOffset: int64(),
    deliveryCompleteCount: int32(DELIVERY_COMPLETE_COUNT),
    createTimestamp: int64(),
    writeTimestamp: int64(),
    stateBatches: array(BATCH),
  },
)

const UpdateValue = data(
  { name: 'ShareUpdateValue', versions: '0', flexible: '0+' },
  {
    snapshotEpoch: int32(),
    leaderEpoch: int32(),
    startOffset: int64(),
    deliveryCompleteCount: int32(DELIVERY_COMPLETE_COUNT),
    stateBatches: array(BATCH),
  },
)

export type ShareSnapshot = Infer<typeof SnapshotValue>
export type ShareUpdate = Infer<typeof UpdateValue>

export type ShareStateRecord =
  | { readonly type: 'snapshot'; readonly key: SharePartitionKey; readonly value: ShareSnapshot | null }
  | { readonly type: 'update'; readonly key: SharePartitionKey; readonly value: ShareUpdate }

export interface SkippedShareState {
  readonly type: 'skipped'
  readonly reason: string
}

export function encodeShareState(record: ShareStateRecord): KeyValue {
  const writer = new Writer(SLAB_BYTES)
  writer.int16(KeyType[record.type === 'snapshot' ? 'SNAPSHOT' : 'UPDATE'])
  encode(Key, writer, record.key, VERSION)
  const key = Buffer.concat(writer.finish())
  if (record.value === null) return { key, value: null }
  writer.int16(VERSION)
  if (record.type === 'snapshot') encode(SnapshotValue, writer, record.value, VERSION)
  else encode(UpdateValue, writer, record.value, VERSION)
  return { key, value: Buffer.concat(writer.finish()) }
}

/** What a record of the log says. Never throws: one that cannot be read is skipped, and the reason goes to the log line. */
export function decodeShareState(key: Buffer | null, value: Buffer | null): ShareStateRecord | SkippedShareState {
  if (key === null) return { type: 'skipped', reason: 'no key' }
  try {
    const reader = new Reader([key])
    const type = reader.int16()
    if (type !== KeyType.SNAPSHOT && type !== KeyType.UPDATE) return { type: 'skipped', reason: `unknown type ${type}` }
    const named = decode(Key, reader, VERSION)
    if (value === null) {
      if (type === KeyType.SNAPSHOT) return { type: 'snapshot', key: named, value: null }
      return { type: 'skipped', reason: 'an update without value' }
    }
    reader.reset([value])
    const version = reader.int16()
    if (version !== VERSION) return { type: 'skipped', reason: `unknown version ${version}` }
    if (type === KeyType.SNAPSHOT)
      return { type: 'snapshot', key: named, value: decode(SnapshotValue, reader, VERSION) }
    return { type: 'update', key: named, value: decode(UpdateValue, reader, VERSION) }
  } catch (error) {
    if (error instanceof ProtocolError) return { type: 'skipped', reason: `malformed: ${error.message}` }
    throw error
  }
}
