/**
 * Control records: the markers that end a transaction, as written into data partitions. Each is the only record of a
 * control batch that carries the transaction's producer id and epoch.
 *
 * Other control types exist only in the metadata log of a KRaft cluster; `readControlType` answers their number.
 */
import { buildBatch, NONE, type Record, RecordError } from './batch.ts'

const CONTROL_ABORT = 0
const CONTROL_COMMIT = 1

const KEY_VERSION = 0
const KEY_BYTES = 4
const MARKER_VERSION = 0
const MARKER_VALUE_BYTES = 6

export interface EndTransactionMarker {
  type: 'commit' | 'abort'
  coordinatorEpoch: number
}

/** The type number in the key of a control record. Keys of later versions start the same way and are read as this one. */
export function readControlType(record: Pick<Record, 'key'>): number {
  if (record.key === null || record.key.length < KEY_BYTES) {
    throw new RecordError('invalid', 'control record without a readable key')
  }
  if (record.key.readInt16BE(0) < KEY_VERSION) {
    throw new RecordError('invalid', `control record key has version ${record.key.readInt16BE(0)}`)
  }
  return record.key.readInt16BE(2)
}

/** The end-transaction marker in a control record, or null if it is a control record of another type. */
export function readEndTransactionMarker(record: Pick<Record, 'key' | 'value'>): EndTransactionMarker | null {
  const type = readControlType(record)
  if (type !== CONTROL_ABORT && type !== CONTROL_COMMIT) return null
  if (record.value === null || record.value.length < MARKER_VALUE_BYTES) {
    throw new RecordError('invalid', 'end-transaction marker without a readable value')
  }
  if (record.value.readInt16BE(0) < MARKER_VERSION) {
    throw new RecordError('invalid', `end-transaction marker has version ${record.value.readInt16BE(0)}`)
  }
  return { type: type === CONTROL_COMMIT ? 'commit' : 'abort', coordinatorEpoch: record.value.readInt32BE(2) }
}

export interface EndTransactionBatchInput extends EndTransactionMarker {
  producerId: number
  producerEpoch: number
  timestamp: number
  baseOffset?: number
  leaderEpoch?: number
}

/** Build the control batch that ends a transaction in one partition. */
export function buildEndTransactionBatch(input: EndTransactionBatchInput): Buffer {
  const key = Buffer.alloc(KEY_BYTES)
  key.writeInt16BE(KEY_VERSION, 0)
  key.writeInt16BE(input.type === 'commit' ? CONTROL_COMMIT : CONTROL_ABORT, 2)
  const value = Buffer.alloc(MARKER_VALUE_BYTES)
  value.writeInt16BE(MARKER_VERSION, 0)
  value.writeInt32BE(input.coordinatorEpoch, 2)
  return buildBatch({
    baseOffset: input.baseOffset ?? 0,
    leaderEpoch: input.leaderEpoch ?? NONE,
    producerId: input.producerId,
    producerEpoch: input.producerEpoch,
    isTransactional: true,
    isControl: true,
    records: [{ timestamp: input.timestamp, key, value }],
  })
}
