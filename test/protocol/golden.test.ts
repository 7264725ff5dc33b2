// Messages recorded from real clients and a real broker (test/support/golden), with what Kafka's own parsers read in
// them. They judge the codec: every field must come out as Kafka reads it, and writing it again must give Kafka's bytes.

import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decode, encode } from '../../src/protocol/codec.ts'
import { decodeResponse, writeRequest, writeResponse } from '../../src/protocol/frame.ts'
import { MESSAGES } from '../../src/protocol/messages/index.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { decodeRequestHeader } from '../../src/protocol/request-header.ts'
import { type Field, type Fields, type FieldType, includes, type MessageSchema } from '../../src/protocol/schema.ts'
import { Writer } from '../../src/protocol/writer.ts'

interface Golden {
  readonly type: 'request' | 'response'
  readonly version: number
  /** The frame without its size: header and body. */
  readonly hex: string
  /** What Kafka writes for the same content, where that differs from what the client sent. */
  readonly rewritten?: string
  readonly header: { readonly correlationId: number; readonly clientId?: string | null }
  readonly body: Record<string, unknown>
}

const FOLDER = join(import.meta.dir, '../golden')

function readGolden(file: string): Golden[] {
  return JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))
}

/** The form in which Kafka prints a decoded value: byte strings in base64, no fields that the version lacks. */
function printed(value: unknown, type: FieldType, version: number): unknown {
  if (value === null) return null
  switch (type.kind) {
    case 'array':
      return (value as unknown[]).map((element) => printed(element, type.element, version))
    case 'struct':
      return printedStruct(value as Record<string, unknown>, type.fields, version)
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('base64')
    case 'records':
      // Kafka prints every record set as empty; that the bytes are the right ones shows when they are written again.
      return ''
    default:
      return value
  }
}

function printedStruct(value: Record<string, unknown>, fields: Fields, version: number): Record<string, unknown> {
  const present = Object.entries(fields).filter(([, field]) => isPresent(field, version))
  return Object.fromEntries(present.map(([name, field]) => [name, printed(value[name], field.type, version)]))
}

function isPresent(field: Field, version: number): boolean {
  return field.versions === null || includes(field.versions, version)
}

/** Kafka prints a tagged field only when it is not the default: fill in what it left out. */
function completed(value: unknown, type: FieldType, version: number): unknown {
  if (value === null) return null
  if (type.kind === 'array') return (value as unknown[]).map((element) => completed(element, type.element, version))
  if (type.kind === 'struct') return completedStruct(value as Record<string, unknown>, type.fields, version)
  return value
}

function completedStruct(value: Record<string, unknown>, fields: Fields, version: number): Record<string, unknown> {
  const present = Object.entries(fields).filter(([, field]) => isPresent(field, version))
  const complete: Record<string, unknown> = { ...value }
  for (const [name, field] of present) {
    const left = value[name] === undefined && includes(field.tagged, version)
    complete[name] = left ? defaultOf(field, version) : completed(value[name], field.type, version)
  }
  return complete
}

function defaultOf(field: Field, version: number): unknown {
  if (field.default !== undefined) return field.default
  if (field.type.kind === 'array') return []
  if (field.type.kind === 'string') return ''
  if (field.type.kind === 'bool') return false
  if (field.type.kind === 'uuid') return 'A'.repeat(22)
  if (field.type.kind === 'struct') {
    const members = Object.entries(field.type.fields).filter(([, member]) => isPresent(member, version))
    return Object.fromEntries(members.map(([name, member]) => [name, defaultOf(member, version)]))
  }
  return 0
}

interface Read {
  readonly value: Record<string, unknown>
  readonly correlationId: number
  readonly clientId: string | null
}

function read(schema: MessageSchema, version: number, payload: Buffer[]): Read {
  const reader = new Reader(payload)
  let result: Read
  if (schema.type === 'request') {
    const header = decodeRequestHeader(reader)
    expect([header.apiKey, header.apiVersion]).toEqual([schema.key, version])
    result = { ...header, value: decode(schema, reader, version) }
  } else {
    const correlationId = reader.int32()
    result = { value: decodeResponse(schema, version, reader), correlationId, clientId: null }
  }
  expect(reader.remaining).toBe(0)
  return result
}

function written(schema: MessageSchema, version: number, { value, correlationId, clientId }: Read): string {
  const writer = new Writer()
  if (schema.type === 'request') writeRequest(writer, schema, version, correlationId, clientId, value)
  else writeResponse(writer, schema, version, correlationId, value)
  const frame = Buffer.concat(writer.finish())
  expect(frame.readInt32BE(0)).toBe(frame.length - 4)
  return frame.subarray(4).toString('hex')
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))

describe('recorded messages', () => {
  test('cover enough keys and versions in both directions', () => {
    const pairs = files.flatMap((file) => readGolden(file).map((each) => `${file} ${each.type} ${each.version}`))
    expect(pairs.filter((each) => each.includes('request')).length).toBeGreaterThan(100)
    expect(pairs.filter((each) => each.includes('response')).length).toBeGreaterThan(100)
  })

  for (const file of files) {
    const pair = MESSAGES.get(Number(file.slice(0, file.indexOf('-'))))!
    for (const golden of readGolden(file)) {
      const schema = golden.type === 'request' ? pair.request : pair.response
      const { version } = golden
      const payload = Buffer.from(golden.hex, 'hex')

      test(`${schema.name} v${version} reads as Kafka reads it`, () => {
        const message = read(schema, version, [payload])
        expect(message.correlationId).toBe(golden.header.correlationId)
        if (schema.type === 'request') expect(message.clientId).toBe(golden.header.clientId ?? null)
        expect(printedStruct(message.value, schema.fields, version)).toEqual(
          completedStruct(golden.body, schema.fields, version),
        )
      })

      test(`${schema.name} v${version} is written as Kafka writes it`, () => {
        expect(written(schema, version, read(schema, version, [payload]))).toBe(golden.rewritten ?? golden.hex)
      })

      test(`${schema.name} v${version} reads the same from many chunks`, () => {
        const chunks: Buffer[] = []
        for (let at = 0; at < payload.length; at += 3) chunks.push(payload.subarray(at, at + 3))
        const whole = read(schema, version, [payload])
        const piecewise = read(schema, version, chunks)
        expect(printedStruct(piecewise.value, schema.fields, version)).toEqual(
          printedStruct(whole.value, schema.fields, version),
        )
      })

      test(`${schema.name} v${version} cut short anywhere is a protocol error or complete before the cut`, () => {
        for (let length = 0; length < payload.length; length += 1 + Math.floor(payload.length / 200)) {
          expect(() => read(schema, version, [payload.subarray(0, length)])).toThrow()
        }
      })
    }
  }

  test('the encoder adds the header only through the frame functions', () => {
    const schema = MESSAGES.get(18)!.response
    const writer = new Writer()
    encode(schema, writer, { errorCode: 35, apiKeys: [] }, 0)
    expect(Buffer.concat(writer.finish()).toString('hex')).toBe('002300000000')
  })
})
