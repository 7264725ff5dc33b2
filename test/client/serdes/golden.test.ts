/** Bytes that Confluent's Python serializers wrote (golden/capture.ts) are read, and written alike. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { avroSerde, jsonSchemaSerde, protobufSerde, SchemaRegistry, type Serde } from '../../../src/client/index.ts'
import { parseJson } from '../../../src/client/serdes/json-numbers.ts'
import type { SchemaType } from '../../../src/client/serdes/registry/types.ts'
import { FakeRegistry } from '../../support/fake-registry.ts'

interface Case {
  readonly name: string
  readonly type: SchemaType
  readonly schema: string | object
  readonly value: unknown
  readonly field?: 'key' | 'value'
  readonly message?: string
  readonly longs?: 'bigint'
  readonly logicalTypes?: boolean
  readonly header?: boolean
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly schema: string | object }[]
}

interface Written {
  readonly name: string
  readonly bytes: string
  readonly headers: readonly (readonly [string, string])[]
}

function load<T>(file: string): T[] {
  return parseJson(readFileSync(join(import.meta.dir, 'golden', file), 'utf8'), 'bigint') as T[]
}

/** What cannot be said in JSON. Longs of a case with BigInts are BigInts, however small. */
function programValue(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(programValue)
  if (typeof json !== 'object' || json === null) return json
  const fields = json as Record<string, unknown>
  if ('$bytes' in fields) return Buffer.from(String(fields.$bytes), 'hex')
  if ('$decimal' in fields) return fields.$decimal
  const moment = fields.$date ?? fields.$day
  if (moment !== undefined) return new Date(Number(moment))
  return Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, programValue(each)]))
}

function text(schema: string | object): string {
  return typeof schema === 'string' ? schema : JSON.stringify(schema)
}

function serdeFor(each: Case, registry: SchemaRegistry): Serde<unknown> {
  const references = (each.references ?? []).map((one) => ({ ...one, schema: text(one.schema) }))
  const { message } = each
  const common = { registry, references, ...(each.longs === undefined ? {} : { longs: each.longs }) }
  if (each.type === 'JSON') return jsonSchemaSerde({ ...common, schema: each.schema })
  if (each.type === 'AVRO')
    return avroSerde({ ...common, schema: each.schema, logicalTypes: each.logicalTypes ?? false })
  return protobufSerde({ ...common, schema: text(each.schema), ...(message === undefined ? {} : { message }) })
}

/** Structures as they are, whatever kind of buffer holds their bytes, and integers whatever type holds them. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (typeof value === 'bigint' || typeof value === 'number') return String(value)
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, comparable(each)]))
}

const cases = load<Case>('cases.json')
const written = load<Written>('confluent.json')

test('every case has its bytes', () => {
  expect(written.map(({ name }) => name)).toEqual(cases.map(({ name }) => name))
})

describe.each(cases.map((each, index) => [each.name, each, written[index] as Written] as const))(
  '%s',
  (_name, each, golden) => {
    const field = each.field ?? 'value'
    const payload = Buffer.from(golden.bytes, 'hex')

    test('is written alike', async () => {
      await using fake = new FakeRegistry()
      const serde = serdeFor(each, new SchemaRegistry({ url: fake.url, timeoutMs: 60_000 }))
      const bytes = (await serde.serialize(programValue(each.value), { topic: 'golden', field })) as Buffer
      if (!each.header) expect(bytes.toString('hex')).toBe(golden.bytes)
      // With the id in front instead of in a header, and nothing between them that the header has not, too.
      else {
        const [, header = ''] = golden.headers[0] ?? []
        expect(bytes.toString('hex')).toBe(`0000000001${header.slice(34)}${golden.bytes}`)
      }
      // The second time nothing has to be waited for.
      const again = serde.serialize(programValue(each.value), { topic: 'golden', field })
      expect(Buffer.isBuffer(again) && again.equals(bytes)).toBe(true)
    })

    test('is read', async () => {
      await using fake = new FakeRegistry()
      const url = fake.url
      await serdeFor(each, new SchemaRegistry({ url, timeoutMs: 60_000 })).serialize(programValue(each.value), {
        topic: 'golden',
        field,
      })
      const headers = new Map(golden.headers.map(([name, hex]) => [name, Buffer.from(hex, 'hex')]))
      // The text of a Protobuf schema is ours; Confluent's client registers the descriptor.
      const { guid } = await new SchemaRegistry({ url, timeoutMs: 60_000 }).latestVersion(`golden-${field}`)
      for (const header of headers.values()) {
        const id = Buffer.from((guid as string).replaceAll('-', ''), 'hex')
        if (each.type === 'PROTOBUF') id.copy(header, 1)
        expect(header.subarray(1, 17)).toEqual(id)
      }
      const context = { topic: 'golden', field, header: (name: string) => headers.get(name) }
      const serde = serdeFor(each, new SchemaRegistry({ url, timeoutMs: 60_000 }))
      const value = await serde.deserialize(payload, context)
      expect(comparable(value)).toEqual(comparable(programValue(each.value)))
      expect(comparable(serde.deserialize(payload, context))).toEqual(comparable(value))
    })
  },
)
