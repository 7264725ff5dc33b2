/**
 * How `samsa consume` prints a record: kcat's format strings with rpk's modifiers, kcat's JSON envelope, or JSON of our own. Documented in
 * docs/cli.md.
 */
import { isUtf8 } from 'node:buffer'
import type { Message } from '../client/consumer/message.ts'
import { unescapeBytes } from './lines.ts'
import type { BufferedOutput } from './output.ts'
import { parseUnpack, type Unpacker } from './unpack.ts'

export interface PrintableRecord {
  readonly topic: string
  readonly partition: number
  readonly record: Pick<
    Message,
    'offset' | 'timestamp' | 'timestampType' | 'leaderEpoch' | 'key' | 'value' | 'headers'
  > & {
    /** What a schema says that key and value are; JSON shows it instead of their text. */
    readonly decoded?: { readonly key?: unknown; readonly value?: unknown }
  }
}

export type RecordPrinter = (output: BufferedOutput, printable: PrintableRecord) => void

export interface FormatOptions {
  /** Stands for keys and values that are null, or empty, as kcat's -Z has it. */
  readonly nullText?: string | undefined
  /** Instead of the bytes themselves. */
  readonly unpackKey?: Unpacker | undefined
  readonly unpackValue?: Unpacker | undefined
}

type Piece = (printable: PrintableRecord) => Uint8Array | string
type BytesOf = (printable: PrintableRecord) => Buffer | null
type NumberOf = (printable: PrintableRecord) => number

const EMPTY = Buffer.alloc(0)

const BYTES: Readonly<Record<string, BytesOf>> = {
  s: ({ record }) => record.value,
  v: ({ record }) => record.value,
  k: ({ record }) => record.key,
}

const NUMBERS: Readonly<Record<string, NumberOf>> = {
  S: ({ record }) => record.value?.length ?? -1,
  V: ({ record }) => record.value?.length ?? -1,
  K: ({ record }) => record.key?.length ?? -1,
  p: ({ partition }) => partition,
  o: ({ record }) => record.offset,
  T: ({ record }) => record.timestamp,
  e: ({ record }) => record.leaderEpoch,
  H: ({ record }) => record.headers.length,
}

const BYTES_MODIFIERS: Readonly<Record<string, (bytes: Buffer) => Uint8Array | string>> = {
  hex: (bytes) => bytes.toString('hex'),
  base64: (bytes) => bytes.toString('base64'),
  json: (bytes) => JSON.stringify(bytes.toString()),
}

const NUMBER_MODIFIERS: Readonly<Record<string, (number: number) => Uint8Array | string>> = {
  ascii: String,
  hex: (number) => number.toString(16),
  big64: (number) => inBytes(8, (bytes) => bytes.writeBigInt64BE(BigInt(number))),
  big32: (number) => inBytes(4, (bytes) => bytes.writeInt32BE(number | 0)),
  big16: (number) => inBytes(2, (bytes) => bytes.writeUInt16BE(number & 0xffff)),
  little64: (number) => inBytes(8, (bytes) => bytes.writeBigInt64LE(BigInt(number))),
  little32: (number) => inBytes(4, (bytes) => bytes.writeInt32LE(number | 0)),
  little16: (number) => inBytes(2, (bytes) => bytes.writeUInt16LE(number & 0xffff)),
  byte: (number) => inBytes(1, (bytes) => bytes.writeUInt8(number & 0xff)),
}

const TIME_MODIFIERS: Readonly<Record<string, (timestampMs: number) => string>> = {
  iso: isoTime,
  ms: String,
  s: (timestampMs) => String(Math.floor(timestampMs / 1000)),
}

/** What kcat has no such token for, so that an unknown modifier is a mistake and no text. */
const ONLY_HERE = new Set(['v', 'V', 'e', 'H', 'd', 'i'])
export const KNOWN_TOKENS = '%s %S %R %k %K %T %h %t %p %o %% %v %V %d %e %H %i'

function inBytes(size: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(size)
  write(bytes)
  return bytes
}

function isoTime(timestampMs: number): string {
  const isDate = timestampMs >= 0 && timestampMs <= 8.64e15
  return isDate ? new Date(timestampMs).toISOString() : String(timestampMs)
}

/** The printer, or a sentence that says what is wrong with the format. */
export function formatPrinter(format: string, options: FormatOptions = {}): RecordPrinter | string {
  const pieces: (Piece | Buffer)[] = []
  const literal = (text: string): void => {
    if (text !== '') pieces.push(unescapeBytes(text))
  }
  let from = 0
  for (;;) {
    const percent = format.indexOf('%', from)
    if (percent < 0) break
    literal(format.slice(from, percent))
    const token = format[percent + 1] ?? ''
    const braces = /^\{([^{}]*)\}/.exec(format.slice(percent + 2))
    const modified = braces === null ? null : pieceFor(token, braces[1] ?? '', options)
    if (typeof modified === 'string' && ONLY_HERE.has(token)) return `format '${format}': ${modified}`
    const isModified = modified !== null && typeof modified !== 'string'
    const piece = isModified ? modified : pieceFor(token, null, options)
    if (typeof piece === 'string') return `format '${format}': ${piece}`
    pieces.push(piece)
    from = percent + 2 + (isModified ? braces![0].length : 0)
  }
  literal(format.slice(from))
  return (output, printable) => {
    for (const piece of pieces) output.add(typeof piece === 'function' ? piece(printable) : piece)
  }
}

function pieceFor(token: string, modifier: string | null, options: FormatOptions): Piece | string {
  const bytesOf = BYTES[token]
  if (bytesOf !== undefined) return bytesPiece(token, bytesOf, modifier, options)
  const numberOf = NUMBERS[token]
  if (numberOf !== undefined) {
    const shown = NUMBER_MODIFIERS[modifier ?? 'ascii']
    return shown === undefined ? unknownModifier(token, modifier, NUMBER_MODIFIERS) : (each) => shown(numberOf(each))
  }
  if (token === 'd') {
    const shown = TIME_MODIFIERS[modifier ?? 'iso']
    if (shown === undefined) return unknownModifier(token, modifier, TIME_MODIFIERS)
    return ({ record }) => shown(record.timestamp)
  }
  if (modifier !== null) return `%${token} has no modifiers`
  switch (token) {
    case 't':
      return ({ topic }) => topic
    case 'R':
      return ({ record }) => NUMBER_MODIFIERS.big32!(record.value?.length ?? -1)
    case 'h':
      return ({ record }) => record.headers.map(({ key, value }) => `${key}=${value?.toString() ?? 'NULL'}`).join(',')
    case 'i': {
      let count = 0
      return () => String(++count)
    }
    case '%':
      return () => '%'
    default:
      return `there is no %${token}; known are ${KNOWN_TOKENS}`
  }
}

function bytesPiece(token: string, bytesOf: BytesOf, modifier: string | null, options: FormatOptions): Piece | string {
  const { nullText } = options
  const pack = /^unpack\[([^\]]*)\]$/.exec(modifier ?? '')
  const unpacker =
    pack === null ? (token === 'k' ? options.unpackKey : options.unpackValue) : parseUnpack(pack[1] ?? '')
  if (typeof unpacker === 'string') return unpacker
  const shown = pack !== null || modifier === null ? unpacker : BYTES_MODIFIERS[modifier]
  if (modifier !== null && shown === undefined) return unknownModifier(token, modifier, BYTES_MODIFIERS)
  return (printable) => {
    const bytes = bytesOf(printable) ?? EMPTY
    if (bytes.length === 0) return nullText ?? bytes
    return shown === undefined ? bytes : shown(bytes)
  }
}

function unknownModifier(token: string, modifier: string | null, known: Readonly<Record<string, unknown>>): string {
  const more = token === 'k' || token === 's' || token === 'v' ? ', unpack[...]' : ''
  return `%${token}{${modifier}}: known are ${Object.keys(known).join(', ')}${more}`
}

/** One object per line; its fields are stable. */
export const jsonPrinter: RecordPrinter = (output, { topic, partition, record }) => {
  const { offset, timestamp } = record
  const headers = record.headers.map(({ key, value }) => ({ key, ...bytesAs('value', value) }))
  const fields = { topic, partition, offset, timestamp, headers }
  output.add(
    `${JSON.stringify({ ...fields, ...fieldAs('key', record, 'key'), ...fieldAs('value', record, 'value') })}\n`,
  )
}

const KCAT_TIMESTAMP_TYPES = { CreateTime: 'create', LogAppendTime: 'logappend' } as const

/** kcat's -J. Bytes that are no text come in base64, under names of their own: in kcat they break the JSON. */
export function envelopePrinter(leaderOf: (topic: string, partition: number) => number): RecordPrinter {
  return (output, { topic, partition, record }) => {
    const { offset, timestamp: ts, timestampType } = record
    const tstype = ts < 0 ? 'unknown' : KCAT_TIMESTAMP_TYPES[timestampType]
    const headers = record.headers.flatMap(({ key, value }) => [key, value?.toString() ?? null])
    const envelope = {
      ...{ topic, partition, offset, tstype, ts, broker: leaderOf(topic, partition) },
      ...(headers.length === 0 ? {} : { headers }),
      ...fieldAs('key', record, 'key'),
      ...fieldAs('payload', record, 'value'),
    }
    output.add(`${JSON.stringify(envelope)}\n`)
  }
}

function fieldAs(name: string, record: PrintableRecord['record'], field: 'key' | 'value'): Record<string, unknown> {
  const { decoded = {} } = record
  return field in decoded ? { [name]: decoded[field] } : bytesAs(name, record[field])
}

/** Text as text; what is not valid UTF-8 in base64, under a name that says so. */
export function bytesAs(name: string, bytes: Buffer | null): { [name: string]: string | null } {
  if (bytes === null) return { [name]: null }
  return isUtf8(bytes) ? { [name]: bytes.toString() } : { [`${name}Base64`]: bytes.toString('base64') }
}
