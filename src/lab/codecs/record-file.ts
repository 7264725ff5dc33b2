/**
 * Records out of a file's bytes: by line (or another delimiter), behind their length, or all of one size. What is left
 * over at the end of bytes that were cut off is no record.
 */
import type { RecordInput } from '../../records/batch.ts'
import { SAMPLE_START_MS } from './samples/draw.ts'

export const LENGTH_PREFIXES = ['u16be', 'u32be', 'u16le', 'u32le', 'varint'] as const
export type LengthPrefix = (typeof LENGTH_PREFIXES)[number]

export type Split =
  | { readonly kind: 'delimiter'; readonly delimiter: Buffer; readonly keySeparator: Buffer | null }
  | { readonly kind: 'prefix'; readonly prefix: LengthPrefix }
  | { readonly kind: 'fixed'; readonly recordBytes: number }

export interface FileBytes {
  readonly bytes: Buffer
  /** The file goes on after these bytes. */
  readonly cutOff: boolean
}

/** The records, or a sentence that says why the bytes cannot be split this way. */
export function splitRecords({ bytes, cutOff }: FileBytes, split: Split): RecordInput[] | string {
  switch (split.kind) {
    case 'delimiter':
      return byDelimiter(bytes, cutOff, split)
    case 'prefix':
      return byPrefix(bytes, cutOff, split.prefix)
    case 'fixed':
      return bySize(bytes, cutOff, split.recordBytes)
  }
}

/** Records of a file carry no time: one millisecond apart, as if a producer had sent them steadily. */
function record(key: Buffer | null, value: Buffer, index: number): RecordInput {
  return { timestamp: SAMPLE_START_MS + index, key, value }
}

function byDelimiter(bytes: Buffer, cutOff: boolean, split: Extract<Split, { kind: 'delimiter' }>): RecordInput[] {
  const { delimiter, keySeparator } = split
  const records: RecordInput[] = []
  let start = 0
  while (start < bytes.length) {
    const found = bytes.indexOf(delimiter, start)
    if (found < 0 && cutOff && records.length > 0) break
    const line = bytes.subarray(start, found < 0 ? bytes.length : found)
    const at = keySeparator === null ? -1 : line.indexOf(keySeparator)
    records.push(
      keySeparator === null || at < 0
        ? record(null, line, records.length)
        : record(line.subarray(0, at), line.subarray(at + keySeparator.length), records.length),
    )
    start = found < 0 ? bytes.length : found + delimiter.length
  }
  return records
}

function byPrefix(bytes: Buffer, cutOff: boolean, prefix: LengthPrefix): RecordInput[] | string {
  const records: RecordInput[] = []
  let position = 0
  while (position < bytes.length) {
    const length = readLength(bytes, position, prefix)
    const end = length === null ? Number.POSITIVE_INFINITY : length.end + length.value
    if (length === null || end > bytes.length) {
      if (cutOff && records.length > 0) break
      return `at byte ${position} stands no ${prefix} length with so many bytes behind it`
    }
    records.push(record(null, bytes.subarray(length.end, end), records.length))
    position = end
  }
  return records
}

function readLength(bytes: Buffer, at: number, prefix: LengthPrefix): { value: number; end: number } | null {
  if (prefix === 'varint') return readUnsignedVarint(bytes, at)
  const width = prefix.startsWith('u16') ? 2 : 4
  if (at + width > bytes.length) return null
  const value = prefix.endsWith('be') ? bytes.readUIntBE(at, width) : bytes.readUIntLE(at, width)
  return { value, end: at + width }
}

/** Seven bits per byte, low ones first, as protobuf delimits messages. */
function readUnsignedVarint(bytes: Buffer, at: number): { value: number; end: number } | null {
  let value = 0
  for (let index = 0; index < 5; index++) {
    const byte = bytes[at + index]
    if (byte === undefined) return null
    value += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { value, end: at + index + 1 }
  }
  return null
}

function bySize(bytes: Buffer, cutOff: boolean, recordBytes: number): RecordInput[] {
  const records: RecordInput[] = []
  for (let start = 0; start < bytes.length; start += recordBytes) {
    const value = bytes.subarray(start, start + recordBytes)
    if (value.length < recordBytes && cutOff && records.length > 0) break
    records.push(record(null, value, records.length))
  }
  return records
}
