/**
 * The control records of Kafka's metadata log and its snapshots. They say nothing about topics, only who led the quorum, who votes in
 * it, and where a snapshot begins and ends.
 */
import { decode } from '../../protocol/codec.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { Reader } from '../../protocol/reader.ts'
import {
  array,
  data,
  type Infer,
  int16,
  int32,
  int64,
  type MessageSchema,
  string,
  struct,
  uint16,
  uuid,
} from '../../protocol/schema.ts'
import type { Record } from '../../records/batch.ts'
import { readControlType } from '../../records/control.ts'

const VOTER = { voterId: int32(), voterDirectoryId: uuid('1+') }
const flexible = '0+'

export const CONTROL_RECORDS = {
  LeaderChange: data(
    { name: 'LeaderChangeMessage', versions: '0-1', flexible },
    { version: int16(), leaderId: int32(), voters: array(VOTER), grantingVoters: array(VOTER) },
  ),
  SnapshotHeader: data(
    { name: 'SnapshotHeaderRecord', versions: '0', flexible },
    { version: int16(), lastContainedLogTimestamp: int64() },
  ),
  SnapshotFooter: data({ name: 'SnapshotFooterRecord', versions: '0', flexible }, { version: int16() }),
  KRaftVersion: data(
    { name: 'KRaftVersionRecord', versions: '0', flexible },
    { version: int16(), kRaftVersion: int16() },
  ),
  KRaftVoters: data(
    { name: 'VotersRecord', versions: '0', flexible },
    {
      version: int16(),
      voters: array({
        voterId: int32(),
        voterDirectoryId: uuid(),
        endpoints: array({ name: string(), host: string(), port: uint16() }),
        kRaftVersionFeature: struct({ minSupportedVersion: int16(), maxSupportedVersion: int16() }),
      }),
    },
  ),
}

type Declarations = typeof CONTROL_RECORDS
type ControlType = keyof Declarations

/** By the number in the key; 0 and 1 end transactions of producers, which the metadata log has none of. */
const TYPES: ReadonlyMap<number, ControlType> = new Map([
  [2, 'LeaderChange'],
  [3, 'SnapshotHeader'],
  [4, 'SnapshotFooter'],
  [5, 'KRaftVersion'],
  [6, 'KRaftVoters'],
])

export type QuorumRecord = {
  [T in ControlType]: { readonly type: T; readonly fields: Infer<Declarations[T]> }
}[ControlType]

/** What a control record says; null: it is of another type. Throws a ProtocolError or RecordError if it is damaged. */
export function decodeQuorumRecord({ key, value }: Pick<Record, 'key' | 'value'>): QuorumRecord | null {
  const type = TYPES.get(readControlType({ key }))
  if (type === undefined) return null
  if (value === null || value.length < 2) throw new ProtocolError(`${type} record without a value`)
  const schema: MessageSchema = CONTROL_RECORDS[type]
  // The version is the first field, and written as what it is.
  const version = Math.min(value.readInt16BE(0), schema.versions.max)
  return { type, fields: decode(schema, new Reader([value]), version) } as QuorumRecord
}
