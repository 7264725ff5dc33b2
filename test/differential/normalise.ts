// Replaces what each broker makes up itself (ids, addresses, clocks, wording) so that two answers can be compared field by field.
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { readBatchHeader } from '../../src/records/batch.ts'
import type { DifferentialBroker } from './broker.ts'
import { NOW } from './produce-helpers.ts'

const GENERATED_ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[\w-]{22}$/

/** By these the rows of an answer are put in order, where their order means nothing. */
const ROW_KEYS = [
  ...[
    'name',
    'topic',
    'topicName',
    'topicId',
    'groupId',
    'key',
    'partition',
    'partitionIndex',
    'index',
    'resourceName',
  ],
  ...['transactionalId', 'apiKey', 'memberId', 'logDir', 'nodeId', 'brokerId'],
]
/** Rows under these fields keep their order, which means something. */
const ALWAYS_ORDERED = new Set(['synonyms', 'records', 'recordErrors'])

type Rule = (value: unknown, broker: DifferentialBroker) => unknown

const positive =
  (text: string): Rule =>
  (value) =>
    typeof value === 'number' && value > 0 ? text : value
const present =
  (text: string): Rule =>
  (value) =>
    typeof value === 'string' && value !== '' ? text : value
const counted =
  (kind: string): Rule =>
  (value, broker) =>
    typeof value === 'number' && value >= 0 ? broker.numbered(kind, value) : value

function generatedText(value: unknown, broker: DifferentialBroker): unknown {
  if (typeof value !== 'string') return value
  return broker.labels.get(value) ?? value.replace(GENERATED_ID, '<id>')
}

/** Wording is each broker's own; whether there is any is not. */
function message(value: unknown): unknown {
  return typeof value === 'string' && value !== '' && value !== 'NONE' ? '<text>' : value
}

const RULES: Record<string, Rule> = {
  host: present('<host>'),
  port: positive('<port>'),
  clusterId: present('<cluster>'),
  topicId: (value, broker) => (value === ZERO_UUID ? value : (broker.labels.get(value as string) ?? '<id>')),
  memberId: generatedText,
  leader: generatedText,
  producerId: counted('producer'),
  sessionId: (value, broker) => (value === 0 ? 0 : broker.numbered('session', value as number)),
  errorMessage: message,
  batchIndexErrorMessage: message,
  documentation: message,
  // A time that the test gave is compared, the broker's clock is not.
  logAppendTimeMs: (value) => (typeof value === 'number' && value > NOW + 30_000 ? '<append time>' : value),
  finalizedFeaturesEpoch: positive('<epoch>'),
  logDir: present('<directory>'),
  totalBytes: positive('<bytes>'),
  usableBytes: positive('<bytes>'),
}

export interface NormaliseOptions {
  ordered: boolean
}

export function normalise(value: unknown, broker: DifferentialBroker, options: NormaliseOptions, field = ''): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (field === 'records' && Array.isArray(value)) return batches(value as Uint8Array[], broker)
  if (Array.isArray(value)) {
    const rows = value.map((each) => normalise(each, broker, options))
    return options.ordered || ALWAYS_ORDERED.has(field) ? rows : sorted(rows)
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, normalise(each, broker, options, key)]))
  }
  const rule = RULES[field]
  return rule ? rule(value, broker) : value
}

function rowKey(row: unknown): string | null {
  if (typeof row !== 'object' || row === null) return null
  const parts = ROW_KEYS.filter((key) => key in row).map((key) => {
    const value = (row as Record<string, unknown>)[key]
    return typeof value === 'number' ? String(value).padStart(12, '0') : String(value)
  })
  return parts.length === 0 ? null : parts.join('\0')
}

function sorted(rows: unknown[]): unknown[] {
  const keyed = rows.map((row) => ({ row, key: rowKey(row) }))
  if (keyed.some(({ key }) => key === null)) return rows
  return keyed.sort((a, b) => ((a.key as string) < (b.key as string) ? -1 : 1)).map(({ row }) => row)
}

/** Whole batches with their header fields and payload as stored; the tail that a size limit cut is only measured. */
function batches(chunks: Uint8Array[], broker: DifferentialBroker): unknown {
  const bytes = Buffer.concat(chunks)
  const found: unknown[] = []
  let position = 0
  while (position + 12 <= bytes.length && position + 12 + bytes.readInt32BE(position + 8) <= bytes.length) {
    const header = readBatchHeader(bytes, position)
    const { crc: _, producerId, maxTimestamp, ...rest } = header
    const end = position + header.sizeBytes
    found.push({
      ...rest,
      maxTimestamp: (header.attributes & 8) === 0 ? maxTimestamp : '<append time>',
      producerId: producerId < 0 ? producerId : broker.numbered('producer', producerId),
      payload: bytes.toString('base64', position + 61, end),
    })
    position = end
  }
  return { batches: found, cutBytes: bytes.length - position }
}
