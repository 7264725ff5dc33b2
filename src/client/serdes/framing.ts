/**
 * How a record says which schema it was written with: a zero byte and the schema's id (four bytes, big-endian) before the payload; or,
 * since Confluent 8.0, a header with a one byte and the schema's GUID (sixteen bytes), and the payload as it is. With Protobuf the path to
 * the message type follows the identifier, wherever that stands: the number of steps, then a step for each level, as zigzag varints.
 * The first message of a file, the path [0], is written as a single zero.
 */
import { KafkaError } from '../errors.ts'
import type { SerdeContext } from './serde.ts'

const MAGIC_ID = 0
const MAGIC_GUID = 1
const ID_END = 5
const GUID_END = 17
const HEADER_NAMES = { key: '__key_schema_id', value: '__value_schema_id' } as const
/** Levels of nested message types. */
const PATH_MAX = 100
const VARINT_BYTES_MAX = 5

/** What a record says of its schema, and where its payload is. */
export interface Framed {
  /** A number, or a GUID. */
  readonly schema: number | string
  /** To the message type; null without Protobuf. */
  readonly path: readonly number[] | null
  readonly payload: Buffer
}

/** The header, if there is one, goes before what the payload begins with. */
export function readFrame(bytes: Buffer, context: SerdeContext, withPath: boolean): Framed {
  const header = context.header?.(HEADER_NAMES[context.field])
  if (header === undefined || header === null) return readIdentifier(bytes, bytes, context.field, withPath)
  const identifier = Buffer.from(header.buffer, header.byteOffset, header.byteLength)
  return readIdentifier(identifier, bytes, context.field, withPath)
}

/** `payload` is what the identifier stands in, or all of the record if it came in a header. */
function readIdentifier(identifier: Buffer, payload: Buffer, field: string, withPath: boolean): Framed {
  const magic = identifier[0]
  if (magic !== MAGIC_ID && magic !== MAGIC_GUID) {
    const found = magic === undefined ? 'it is empty' : `it begins with ${magic}`
    throw new KafkaError(
      'ERR_SERIALIZATION',
      `the ${field} was not written with a schema registry: ${found}, not with 0`,
    )
  }
  const end = magic === MAGIC_ID ? ID_END : GUID_END
  if (identifier.length < end) {
    const message = `the ${field} was not written with a schema registry: ${identifier.length} bytes hold no schema id`
    throw new KafkaError('ERR_SERIALIZATION', message)
  }
  const schema = magic === MAGIC_ID ? identifier.readUInt32BE(1) : guidAt(identifier, 1)
  if (!withPath) return { schema, path: null, payload: identifier === payload ? payload.subarray(end) : payload }
  const path = readPath(identifier, end)
  return { schema, path: path.steps, payload: identifier === payload ? payload.subarray(path.end) : payload }
}

function guidAt(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

const FIRST_MESSAGE: readonly number[] = Object.freeze([0])

function readPath(bytes: Buffer, at: number): { readonly steps: readonly number[]; readonly end: number } {
  const count = readZigzag(bytes, at)
  if (count.value === 0) return { steps: FIRST_MESSAGE, end: count.end }
  if (count.value < 0 || count.value > PATH_MAX) throw malformedPath()
  const steps: number[] = []
  let { end } = count
  for (let index = 0; index < count.value; index++) {
    const step = readZigzag(bytes, end)
    if (step.value < 0) throw malformedPath()
    steps.push(step.value)
    end = step.end
  }
  return { steps, end }
}

function readZigzag(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let raw = 0
  for (let length = 0; length < VARINT_BYTES_MAX; length++) {
    const byte = bytes[at + length]
    if (byte === undefined) break
    raw |= (byte & 0x7f) << (7 * length)
    if (byte < 0x80) return { value: (raw >>> 1) ^ -(raw & 1), end: at + length + 1 }
  }
  throw malformedPath()
}

function malformedPath(): KafkaError {
  return new KafkaError('ERR_SERIALIZATION', 'the path to the message type behind the schema id is malformed')
}

/** What stands before the payload; `path` with Protobuf only. */
export function frameOf(id: number, path: readonly number[] | null): Buffer {
  const bytes = [MAGIC_ID, id >>> 24, (id >>> 16) & 0xff, (id >>> 8) & 0xff, id & 0xff]
  if (path !== null) {
    if (path.length === 1 && path[0] === 0) bytes.push(0)
    else for (const value of [path.length, ...path]) pushZigzag(bytes, value)
  }
  return Buffer.from(bytes)
}

function pushZigzag(bytes: number[], value: number): void {
  let rest = value * 2
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  bytes.push(rest)
}
