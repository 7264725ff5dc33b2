import { describe, expect, test } from 'bun:test'
import { type } from 'arktype'
import * as valibot from 'valibot'
import { z } from 'zod'
import { jsonSerde, type Serde, type StandardSchema, validated } from '../../../src/client/index.ts'
import { CONTEXT, failure } from './support.ts'

const zodSchema = z.object({ item: z.string(), count: z.number().int().min(1) })
const valibotSchema = valibot.object({
  item: valibot.string(),
  count: valibot.pipe(valibot.number(), valibot.integer(), valibot.minValue(1)),
})
const arkSchema = type({ item: 'string', count: 'number.integer >= 1' })

describe.each([
  ['zod', zodSchema],
  ['valibot', valibotSchema],
  ['arktype', arkSchema],
] as const)('%s', (_name, schema) => {
  const serde = validated(jsonSerde(), schema as StandardSchema<{ item: string; count: number }>)

  test('lets pass what fits, without a promise', () => {
    const bytes = serde.serialize({ item: 'tea', count: 2 }, CONTEXT)
    expect(bytes).toBe('{"item":"tea","count":2}')
    expect(serde.deserialize(Buffer.from(bytes as string), CONTEXT)).toEqual({ item: 'tea', count: 2 })
  })

  test('says what does not fit and where, in both directions', async () => {
    for (const action of [
      () => serde.serialize({ item: 'tea', count: 0 }, CONTEXT),
      () => serde.deserialize(Buffer.from('{"item":"tea","count":0}'), CONTEXT),
    ]) {
      const error = await failure(action)
      expect(error.code).toBe('ERR_VALIDATION')
      expect(error.issues.map(({ path }) => path)).toEqual([['count']])
      expect(error.message).toStartWith("the value of a record of 'orders' does not fit its schema: count: ")
      expect(error.message).toContain(error.issues[0]?.message ?? 'missing')
    }
  })
})

test('what is written is the value as it was given; the reader gets what the schema makes of it', async () => {
  const schema = z.object({ at: z.coerce.date(), count: z.number().default(7) })
  const serde = validated(jsonSerde(), schema)
  const bytes = (await serde.serialize({ at: new Date(0) }, CONTEXT)) as string
  expect(bytes).toBe('{"at":"1970-01-01T00:00:00.000Z"}')
  expect(await serde.deserialize(Buffer.from(bytes), CONTEXT)).toEqual({ at: new Date(0), count: 7 })
})

test('schemas and serdes that answer later are waited for', async () => {
  const schema = z.string().refine(async (text) => text !== 'bad')
  const later: Serde<string> = {
    serialize: async (value) => value,
    deserialize: async (bytes) => bytes.toString(),
  }
  for (const inner of [later, jsonSerde<string>()]) {
    const serde = validated(inner, schema)
    const bytes = Buffer.from((await serde.serialize('good', CONTEXT)) as string)
    expect(await serde.deserialize(bytes, CONTEXT)).toBe('good')
    expect((await failure(() => serde.serialize('bad', CONTEXT))).code).toBe('ERR_VALIDATION')
    const bad = Buffer.from((await inner.serialize('bad', CONTEXT)) as string)
    expect((await failure(() => serde.deserialize(bad, CONTEXT))).code).toBe('ERR_VALIDATION')
  }
  const plain = validated(later, z.literal('good'))
  expect((await failure(() => plain.deserialize(Buffer.from('bad'), CONTEXT))).code).toBe('ERR_VALIDATION')
})

test('any library of the standard will do; a step of a path may be an object', async () => {
  const schema: StandardSchema<number> = {
    '~standard': {
      version: 1,
      vendor: 'own',
      validate: (value) =>
        typeof value === 'number'
          ? { value }
          : { issues: [{ message: 'no', path: [{ key: 'a' }, 0, Symbol('s')] }, { message: 'never' }] },
    },
  }
  const error = await failure(() => validated(jsonSerde(), schema).serialize('x' as unknown as number, CONTEXT))
  expect(error.issues).toEqual([
    { message: 'no', path: ['a', '0', 'Symbol(s)'] },
    { message: 'never', path: [] },
  ])
})

test('a schema may be an object whose methods need it', async () => {
  const standard = {
    version: 1,
    vendor: 'own',
    lengthMin: 3,
    validate(value: unknown) {
      return String(value).length >= this.lengthMin ? { value } : { issues: [{ message: 'too short' }] }
    },
  } as const
  const serde = validated(jsonSerde<unknown>(), { '~standard': standard } as StandardSchema)
  expect(await serde.deserialize(Buffer.from('"long"'), CONTEXT)).toBe('long')
  expect((await failure(() => serde.serialize('x', CONTEXT))).issues).toEqual([{ path: [], message: 'too short' }])
})
