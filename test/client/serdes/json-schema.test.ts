import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type JsonSchemaSerdeOptions, jsonSchemaSerde, SchemaRegistry, type Serde } from '../../../src/client/index.ts'
import { FakeRegistry } from '../../support/fake-registry.ts'
import { CONTEXT, failure, written } from './support.ts'

const ORDER = {
  title: 'Order',
  type: 'object',
  properties: { item: { type: 'string' }, count: { type: 'integer' }, at: { type: 'string', format: 'date-time' } },
  required: ['item'],
  additionalProperties: false,
}

let fake: FakeRegistry

beforeEach(() => {
  fake = new FakeRegistry()
})

afterEach(() => fake.stop())

function serde<T = unknown>(options: Omit<JsonSchemaSerdeOptions, 'registry'> = {}): Serde<T> {
  return jsonSchemaSerde<T>({
    registry: new SchemaRegistry({ url: fake.url, retries: 0, timeoutMs: 60_000 }),
    ...options,
  })
}

describe('values', () => {
  test('that do not fit are not written, and say where', async () => {
    const error = await failure(() => written(serde({ schema: ORDER }), { item: 'tea', count: 1.5 }))
    expect(error).toMatchObject({ code: 'ERR_VALIDATION', issues: [{ path: ['count'], message: 'must be integer' }] })
    expect(error.message).toBe('the value does not fit its JSON Schema: count: must be integer')
    expect((await failure(() => written(serde({ schema: ORDER }), {}))).issues[0]?.path).toEqual([])
  })

  test('are checked as they are written: dates are text, what is undefined is gone', async () => {
    const using = serde({ schema: ORDER })
    const bytes = await written(using, { item: 'tea', at: new Date(0), note: undefined })
    expect(bytes.subarray(5).toString()).toBe('{"item":"tea","at":"1970-01-01T00:00:00.000Z"}')
    expect(await using.deserialize(bytes, CONTEXT)).toEqual({ item: 'tea', at: '1970-01-01T00:00:00.000Z' })
    expect((await failure(() => written(using, { item: 'tea', at: 'noon' }))).message).toContain('format')
  })

  test('are checked when read: against the own schema, or the one they were written with', async () => {
    const loose = await written(serde({ schema: { type: 'object' } }), { item: 5 })
    expect(await serde().deserialize(loose, CONTEXT)).toEqual({ item: 5 })
    expect(await failure(() => serde({ schema: ORDER }).deserialize(loose, CONTEXT))).toMatchObject({
      code: 'ERR_VALIDATION',
      issues: [{ path: ['item'] }],
    })
    expect(await serde({ schema: ORDER, validate: false }).deserialize(loose, CONTEXT)).toEqual({ item: 5 })
    const strict = await written(serde({ schema: ORDER }), { item: 'tea' })
    const tampered = Buffer.concat([strict.subarray(0, 5), Buffer.from('{"item":7}')])
    expect((await failure(() => serde().deserialize(tampered, CONTEXT))).code).toBe('ERR_VALIDATION')
  })

  test('without JSON text, and text that is no JSON', async () => {
    const using = serde({ schema: {} })
    expect(() => written(using, undefined)).toThrow('no JSON text')
    const bytes = await written(using, 1)
    expect(() => using.deserialize(Buffer.concat([bytes.subarray(0, 5), Buffer.from('{"a":')]), CONTEXT)).toThrow()
  })
})

describe('integers that no number holds', () => {
  const schema = { type: 'object', properties: { n: { type: 'integer' } } }
  const text =
    '{"n":9007199254740993,"list":[1,-9223372036854775808],"f":0.12345678901234567890,"t":"12345678901234567"}'

  async function bytes(): Promise<Buffer> {
    return Buffer.concat([(await written(serde({ schema }), {})).subarray(0, 5), Buffer.from(text)])
  }

  test('are refused', async () => {
    const error = await failure(async () => serde().deserialize(await bytes(), CONTEXT))
    expect(error.code).toBe('ERR_SERIALIZATION')
    expect(error.message).toContain('does not fit into a number')
  })

  test('or read as BigInts, and written as the integers that they are', async () => {
    const using = serde({ schema, longs: 'bigint' })
    const value = { n: 2n ** 53n + 1n, list: [1, -(2n ** 63n)], f: 0.12345678901234568, t: '12345678901234567' }
    expect(await using.deserialize(await bytes(), CONTEXT)).toEqual(value)
    expect(await using.deserialize(await written(using, value), CONTEXT)).toEqual(value)
    expect((await written(using, { n: 5n })).subarray(5).toString()).toBe('{"n":5}')
  })
})

describe('schemas', () => {
  test.each([
    ['http://json-schema.org/draft-06/schema#', { const: 1 }, 2],
    ['http://json-schema.org/draft-07/schema', { if: { type: 'number' }, else: { minLength: 2 } }, 'x'],
    ['https://json-schema.org/draft/2019-09/schema', { dependentRequired: { a: ['b'] } }, { a: 1 }],
    ['https://json-schema.org/draft/2020-12/schema', { prefixItems: [{ type: 'string' }] }, [1]],
  ])('of %s', async ($schema, keywords, wrong) => {
    const error = await failure(() => written(serde({ schema: { $schema, ...keywords } }), wrong))
    expect(error.code).toBe('ERR_VALIDATION')
  })

  test('of drafts that are not known, or that are no schemas, are refused', async () => {
    const old = { $schema: 'http://json-schema.org/draft-04/schema#' }
    expect(await failure(() => written(serde({ schema: old }), 1))).toMatchObject({ code: 'ERR_SCHEMA_INVALID' })
    expect((await failure(() => written(serde({ schema: { type: 'nothing' } }), 1))).code).toBe('ERR_SCHEMA_INVALID')
    expect((await failure(() => written(serde({ schema: 'no JSON' }), 1))).code).toBe('ERR_SCHEMA_INVALID')
  })

  test('may have keywords of other programs, and titles that subjects are named after', async () => {
    const schema = { ...ORDER, javaType: 'shop.Order', properties: { item: { type: 'string', 'connect.index': 0 } } }
    await written(serde({ schema, subject: 'topic-record' }), { item: 'tea' })
    expect(await new SchemaRegistry({ url: fake.url }).subjects()).toEqual(['orders-Order'])
  })
})
