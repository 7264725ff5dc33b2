/** Records as text and JSON: anybody's by their bytes, those of the brokers' own logs by what they say. */
import { decodeRecord } from '../../coordinator/group/records.ts'
import { decodeShareState } from '../../coordinator/share-state/records.ts'
import { decodeTransaction } from '../../coordinator/txn/records.ts'
import { decodeQuorumRecord } from '../../metadata/kafka-log/control-records.ts'
import { decodeMetadataRecord } from '../../metadata/kafka-log/records.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import type { Record } from '../../records/batch.ts'
import { readControlType, readEndTransactionMarker } from '../../records/control.ts'
import { bytesAs } from '../record-format.ts'
import type { RecordKind } from './file-kinds.ts'
import { plain, shownBytes } from './item.ts'

/** What a record says. */
export interface Shown {
  readonly fields: { readonly [name: string]: unknown }
  readonly text: string
  /** Null: nothing is wrong with it. */
  readonly problem: string | null
}

export function showRecord(record: Record, kind: RecordKind, isControl: boolean): Shown {
  if (isControl) return showControl(record)
  switch (kind) {
    case 'records':
      return showBytes(record)
    case 'metadata':
      return showMetadata(record)
    case 'offsets':
      return showDecoded(record, decodeRecord(record.key, record.value))
    case 'transactions':
      return showDecoded(record, decodeTransaction(record.key, record.value))
    case 'share-state':
      return showDecoded(record, decodeShareState(record.key, record.value))
  }
}

function showBytes({ key, value, headers }: Record): Shown {
  const shownHeaders = headers.map((each) => `${JSON.stringify(each.key)}: ${shownBytes(each.value)}`)
  const fields = {
    ...bytesAs('key', key),
    ...bytesAs('value', value),
    headers: headers.map((each) => ({ key: each.key, ...bytesAs('value', each.value) })),
  }
  const tail = headers.length === 0 ? '' : ` headers {${shownHeaders.join(', ')}}`
  return { fields, text: `key ${shownBytes(key)} value ${shownBytes(value)}${tail}`, problem: null }
}

function showControl(record: Record): Shown {
  try {
    const marker = readEndTransactionMarker(record)
    if (marker !== null) {
      const text = `${marker.type} marker, coordinator epoch ${marker.coordinatorEpoch}`
      return { fields: { control: marker.type, coordinatorEpoch: marker.coordinatorEpoch }, text, problem: null }
    }
    const quorum = decodeQuorumRecord(record)
    const control = quorum?.type ?? `type ${readControlType(record)}`
    const data = plain(quorum?.fields ?? {})
    return { fields: { control, data }, text: `${control} ${JSON.stringify(data)}`, problem: null }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const isDamage = error instanceof ProtocolError || error.name === 'RecordError'
    if (!isDamage) throw error
    return { ...showBytes(record), problem: `control record cannot be read: ${error.message}` }
  }
}

function showMetadata(record: Record): Shown {
  const decoded = decodeMetadataRecord(record.value)
  if (decoded.kind === 'known') {
    const { type, version, fields } = decoded.record
    const data = plain(fields)
    return { fields: { type, version, data }, text: `${type} v${version} ${JSON.stringify(data)}`, problem: null }
  }
  const bytes = showBytes(record)
  const text = `${decoded.reason}: ${bytes.text}`
  return {
    fields: { ...bytes.fields, reason: decoded.reason },
    text,
    problem: decoded.kind === 'malformed' ? text : null,
  }
}

type DecodedOrSkipped = { readonly type: 'skipped'; readonly reason: string } | { readonly type: string }

function showDecoded(record: Record, decoded: DecodedOrSkipped): Shown {
  if (decoded.type === 'skipped' && 'reason' in decoded) {
    const bytes = showBytes(record)
    const text = `${decoded.reason}: ${bytes.text}`
    const isDamage = decoded.reason.startsWith('malformed')
    return { fields: { ...bytes.fields, reason: decoded.reason }, text, problem: isDamage ? text : null }
  }
  const { type, ...rest } = decoded
  const data = plain(rest)
  const isTombstone = record.value === null
  const text = `${type}${isTombstone ? ' tombstone' : ''} ${JSON.stringify(data)}`
  return { fields: { type, data }, text, problem: null }
}
