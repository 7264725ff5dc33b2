import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { SchemaRegistry, type SchemaRegistryOptions } from '../../../src/client/index.ts'
import { FakeRegistry } from '../../support/fake-registry.ts'
import { failure } from './support.ts'

const ORDER = JSON.stringify({ type: 'record', name: 'shop.Order', fields: [{ name: 'item', type: 'string' }] })
const ORDER_2 = JSON.stringify({
  type: 'record',
  name: 'shop.Order',
  fields: [
    { name: 'item', type: 'string' },
    { name: 'count', type: 'int', default: 1 },
  ],
})
const NO_ORDER = JSON.stringify({ type: 'record', name: 'shop.Order', fields: [{ name: 'price', type: 'int' }] })
/** A port that is nobody's. */
const NOBODY = 'http://127.0.0.1:1'
/** Waits are short, and no answer is late. */
const CALM = { retry: { backoffMs: 1, backoffMaxMs: 2 }, timeoutMs: 60_000 }

let fake: FakeRegistry

beforeEach(() => {
  fake = new FakeRegistry()
})

afterEach(() => fake.stop())

function client(options: Partial<SchemaRegistryOptions> = {}): SchemaRegistry {
  return new SchemaRegistry({ url: fake.url, ...CALM, ...options })
}

describe('schemas', () => {
  test('are registered, found again by id, by GUID and by text, and asked for once', async () => {
    const registry = client()
    const { id, guid, version } = await registry.register('orders-value', { schema: ORDER })
    expect({ id, version }).toEqual({ id: 1, version: 1 })
    expect(await registry.register('orders-value', { schema: ORDER })).toEqual({ id, guid, version })
    const byId = await Promise.all([registry.schemaById(id), registry.schemaById(id)])
    expect(byId[0]).toEqual({ id, guid, schema: ORDER, schemaType: 'AVRO', references: [] })
    expect(await registry.schemaById(id)).toBe(byId[1])
    expect(await registry.schemaByGuid(guid as string)).toEqual(byId[0])
    expect(await registry.lookup('orders-value', { schema: ORDER })).toMatchObject({
      subject: 'orders-value',
      version: 1,
    })
    await registry.lookup('orders-value', { schema: ORDER })
    expect(fake.requests).toEqual([
      'POST /subjects/orders-value/versions',
      'GET /schemas/ids/1',
      `GET /schemas/guids/${guid}`,
      'POST /subjects/orders-value',
    ])
  })

  test('may stand under names that have to be escaped', async () => {
    const registry = client()
    await registry.register(':.ctx:a/b c', { schema: ORDER })
    expect(await registry.subjects()).toEqual([':.ctx:a/b c'])
    expect(fake.requests[0]).toBe('POST /subjects/%3A.ctx%3Aa%2Fb%20c/versions')
  })

  test('a new version is the latest one at once for whoever registered it, and later for others', async () => {
    const registry = client()
    const other = client({ latestMaxAgeMs: 0 })
    await registry.register('s', { schema: ORDER })
    expect((await registry.latestVersion('s')).version).toBe(1)
    await other.register('s', { schema: ORDER_2 })
    expect((await registry.latestVersion('s')).version).toBe(1)
    await registry.register('s', { schema: ORDER_2 })
    expect((await registry.latestVersion('s')).version).toBe(2)
    expect((await other.latestVersion('s')).version).toBe(2)
  })

  test('are resolved with what they refer to, each once, what is needed first', async () => {
    const registry = client()
    const schemaType = 'PROTOBUF'
    await registry.register('money', { schema: 'money', schemaType })
    const money = { name: 'money.proto', subject: 'money', version: 1 }
    await registry.register('item', { schema: 'item', schemaType, references: [money] })
    const item = { name: 'item.proto', subject: 'item', version: 1 }
    const { id } = await registry.register('order', { schema: 'order', schemaType, references: [item, money] })
    const fresh = client()
    expect(await fresh.resolve(await fresh.schemaById(id))).toEqual({
      schema: 'order',
      schemaType,
      dependencies: [
        { name: 'money.proto', schema: 'money' },
        { name: 'item.proto', schema: 'item' },
      ],
    })
  })

  test('of a registry that answers an id alone', async () => {
    await using terse = new FakeRegistry({ terse: true })
    const registry = client({ url: terse.url })
    expect(await registry.register('s', { schema: ORDER })).toEqual({ id: 1, guid: null, version: null })
  })
})

describe('administration', () => {
  test('lists, deletes, and deletes for good', async () => {
    const registry = client()
    const { id } = await registry.register('a', { schema: ORDER })
    await registry.register('a', { schema: ORDER_2 })
    await registry.register('b', { schema: ORDER })
    expect(await registry.subjects({ prefix: 'b' })).toEqual(['b'])
    expect(await registry.versions('a')).toEqual([1, 2])
    expect(await registry.subjectsOf(id)).toEqual([
      { subject: 'a', version: 1 },
      { subject: 'b', version: 1 },
    ])
    expect(await registry.schemaTypes()).toContain('PROTOBUF')
    expect(await registry.deleteVersion('a', 'latest')).toBe(2)
    expect(await registry.versions('a')).toEqual([1])
    expect(await registry.versions('a', { deleted: true })).toEqual([1, 2])
    expect(await failure(() => registry.deleteSubject('b', { permanent: true }))).toMatchObject({ registryCode: 40405 })
    expect(await registry.deleteSubject('b')).toEqual([1])
    expect(await registry.deleteSubject('b', { permanent: true })).toEqual([1])
    expect(await registry.subjects({ deleted: true })).toEqual(['a'])
    // What was cached of it is gone, too.
    expect(await registry.register('b', { schema: ORDER })).toMatchObject({ id, version: 1 })
  })

  test('compatibility is checked and enforced by level', async () => {
    const registry = client()
    await registry.register('s', { schema: ORDER })
    expect(await registry.checkCompatibility('s', { schema: ORDER_2 })).toEqual({ compatible: true, messages: [] })
    const answer = await registry.checkCompatibility('s', { schema: NO_ORDER }, { version: 'all' })
    expect(answer.compatible).toBe(false)
    expect(answer.messages.join()).toContain('price')
    const error = await failure(() => registry.register('s', { schema: NO_ORDER }))
    expect(error).toMatchObject({ code: 'ERR_SCHEMA_INCOMPATIBLE', registryCode: 409, retriable: false })
    await registry.setCompatibilityLevel('s', 'NONE')
    expect(await registry.compatibilityLevel('s')).toBe('NONE')
    expect((await registry.register('s', { schema: NO_ORDER })).version).toBe(2)
    await registry.resetCompatibilityLevel('s')
    expect(await registry.compatibilityLevel('s')).toBe('BACKWARD')
    await registry.setCompatibilityLevel(null, 'FULL')
    expect(await registry.compatibilityLevel()).toBe('FULL')
  })

  test('modes are read and set', async () => {
    const registry = client()
    expect(await registry.mode()).toBe('READWRITE')
    await registry.setMode('s', 'IMPORT', { force: true })
    expect(await registry.mode('s')).toBe('IMPORT')
    expect(fake.requests).toContain('PUT /mode/s?force=true')
    await registry.resetMode('s')
    expect(await registry.mode('s')).toBe('READWRITE')
    await registry.setMode(null, 'READONLY')
    expect(await registry.mode()).toBe('READONLY')
  })
})

describe('refusals', () => {
  test('have a code for programs, the number of the registry, and say what was attempted', async () => {
    const registry = client()
    const unknown = await failure(() => registry.schemaById(99))
    expect(unknown).toMatchObject({ code: 'ERR_SCHEMA_NOT_FOUND', registryCode: 40403, retriable: false })
    expect(unknown.message).toBe(`read schema 99 at ${fake.url}: Schema 99 not found (40403)`)
    expect(await failure(() => registry.latestVersion('none'))).toMatchObject({ registryCode: 40401 })
    await registry.register('s', { schema: ORDER })
    expect(await failure(() => registry.version('s', 9))).toMatchObject({
      code: 'ERR_SCHEMA_NOT_FOUND',
      registryCode: 40402,
    })
    const invalid = await failure(() => registry.register('s', { schema: '{"type":"nothing"}' }))
    expect(invalid).toMatchObject({ code: 'ERR_SCHEMA_INVALID', registryCode: 42201 })
    const level = await failure(() => registry.setCompatibilityLevel('s', 'SOMETIMES' as 'NONE'))
    expect(level).toMatchObject({ code: 'ERR_REGISTRY', registryCode: 42203 })
  })

  test('are not repeated and not kept', async () => {
    const registry = client()
    await failure(() => registry.schemaById(1))
    expect(fake.requests).toHaveLength(1)
    await client().register('s', { schema: ORDER })
    expect((await registry.schemaById(1)).schema).toBe(ORDER)
  })

  test('an address without a registry is no missing schema', async () => {
    const error = await failure(() => client({ url: `${fake.url}/wrong/` }).schemaById(1))
    expect(error).toMatchObject({ code: 'ERR_REGISTRY', registryCode: 404 })
    fake.failNext(() => new Response('<html>hello</html>'))
    expect(await failure(() => client().schemaById(1))).toMatchObject({ code: 'ERR_BAD_RESPONSE' })
    fake.failNext(() => Response.json({ unexpected: true }))
    const shapeless = await failure(() => client().schemaById(1))
    expect(shapeless.message).toBe("read schema 1: the schema registry's answer has no proper 'schema'")
  })

  test('an answer without end is not read to its end', async () => {
    let sent = 0
    const chunk = new Uint8Array(1024 * 1024)
    const endless = (): Response =>
      new Response(
        new ReadableStream({
          pull: (controller) => {
            sent++
            controller.enqueue(chunk)
          },
        }),
      )
    const registry = client({ fetch: async () => endless() })
    expect((await failure(() => registry.schemaById(1))).message).toContain('the answer has more than')
    expect(sent).toBeLessThan(30)
  })

  test('options that make no sense', () => {
    for (const url of ['', 'nonsense', 'ftp://host', []]) {
      expect(() => client({ url })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
    }
    expect(() => client({ cacheMax: 0 })).toThrow('cacheMax')
    expect(() => client({ url: 'ftp://user:secret@host' })).toThrow("'ftp://host' is no http")
    expect(() => client({ url: 'user:secret@:host' })).toThrow("':host' is no http")
  })
})

describe('what passes by itself', () => {
  test('is tried again', async () => {
    await client().register('s', { schema: ORDER })
    fake.failNext(
      () => new Response('busy', { status: 503 }),
      () =>
        Response.json({ error_code: 42901, message: 'slow down' }, { status: 429, headers: { 'retry-after': '0' } }),
    )
    expect((await client().schemaById(1)).schema).toBe(ORDER)
    expect(fake.requests.filter((each) => each === 'GET /schemas/ids/1')).toHaveLength(3)
  })

  test('ends as retriable when all attempts are used up', async () => {
    fake.failNext(
      ...Array.from({ length: 3 }, () => () => Response.json({ error_code: 50001, message: 'store' }, { status: 500 })),
    )
    const error = await failure(() => client({ retries: 2 }).schemaById(1))
    expect(error).toMatchObject({ code: 'ERR_REGISTRY_UNAVAILABLE', registryCode: 50001, retriable: true })
    expect(fake.requests).toHaveLength(3)
  })

  test('a registry that is down is unavailable', async () => {
    const error = await failure(() => client({ url: NOBODY, retries: 1 }).schemaById(1))
    expect(error).toMatchObject({ code: 'ERR_REGISTRY_UNAVAILABLE', registryCode: 0, retriable: true })
    expect(error.message).toContain(NOBODY)
  })

  test('another address is asked when one does not answer, and first the next time', async () => {
    await client().register('s', { schema: ORDER })
    const asked: string[] = []
    const registry = client({
      url: `${NOBODY}, ${fake.url}`,
      retries: 0,
      fetch: (url, init) => {
        asked.push(new URL(url).origin)
        return fetch(url, init)
      },
    })
    expect((await registry.schemaById(1)).id).toBe(1)
    expect((await registry.latestVersion('s')).version).toBe(1)
    expect(asked).toEqual([NOBODY, fake.url, fake.url])
  })

  test('no answer in time is no answer', async () => {
    const gate = Promise.withResolvers<Response>()
    fake.failNext(() => gate.promise)
    const error = await failure(() => client({ timeoutMs: 50, retries: 0 }).schemaById(1))
    expect(error.code).toBe('ERR_REGISTRY_UNAVAILABLE')
    expect(error.message).toContain('no answer within 50 ms')
    gate.resolve(new Response())
  })
})

describe('a signal', () => {
  test('ends the waiting of the one who gave it, not of others', async () => {
    await client().register('s', { schema: ORDER })
    const gate = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    fake.failNext(async () => {
      asked.resolve()
      await gate.promise
      return Response.json({ schema: ORDER })
    })
    const registry = client()
    const stop = new AbortController()
    const given = registry.schemaById(1, { signal: stop.signal })
    const other = registry.schemaById(1)
    await asked.promise
    stop.abort('enough')
    expect(await failure(() => given)).toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' })
    gate.resolve()
    expect((await other).schema).toBe(ORDER)
  })

  test('ends a request that belongs to one alone', async () => {
    const gate = Promise.withResolvers<Response>()
    const asked = Promise.withResolvers<void>()
    fake.failNext(() => {
      asked.resolve()
      return gate.promise
    })
    const stop = new AbortController()
    const listing = client().subjects({ signal: stop.signal })
    await asked.promise
    stop.abort()
    expect((await failure(() => listing)).code).toBe('ERR_ABORTED')
    gate.resolve(new Response())
    expect((await failure(() => client().subjects({ signal: stop.signal }))).code).toBe('ERR_ABORTED')
  })
})

describe('credentials', () => {
  const basic = `Basic ${Buffer.from('user:p@ss').toString('base64')}`

  test('go along as name and password, from options or from the address', async () => {
    await using guarded = new FakeRegistry({ authorization: basic })
    const auth = { username: 'user', password: 'p@ss' }
    expect(await client({ url: guarded.url, auth }).subjects()).toEqual([])
    expect(await client({ url: guarded.url.replace('//', '//user:p%40ss@') }).subjects()).toEqual([])
    const error = await failure(() => client({ url: guarded.url }).subjects())
    expect(error).toMatchObject({ code: 'ERR_AUTHENTICATION', registryCode: 40101, retriable: false })
  })

  test('go along as tokens, a function being asked for each request', async () => {
    await using guarded = new FakeRegistry({ authorization: 'Bearer t2' })
    const tokens = ['t1', 't2']
    const registry = client({ url: guarded.url, auth: { token: async () => tokens.shift() as string } })
    expect((await failure(() => registry.subjects())).code).toBe('ERR_AUTHENTICATION')
    expect(await registry.subjects()).toEqual([])
    const failing = client({ auth: { token: () => Promise.reject(new Error('no login')) } })
    expect(await failure(() => failing.subjects())).toMatchObject({ code: 'ERR_AUTHENTICATION' })
  })
})

describe('what never ends', () => {
  const never = new Promise<never>(() => {})
  const half = new Response(new ReadableStream({ start: (body) => body.enqueue(Buffer.from('{')) }))
  test.each<[string, Partial<SchemaRegistryOptions>]>([
    ['a token', { auth: { token: () => never } }],
    ['a request that does not listen to its signal', { fetch: () => never }],
    ['an answer', { fetch: async () => half }],
  ])('%s is given up after the time for an attempt', async (_what, options) => {
    const { code, message } = await failure(() => client({ timeoutMs: 20, retries: 0, ...options }).schemaById(1))
    expect(code).toBe('ERR_REGISTRY_UNAVAILABLE')
    expect(message).toContain('no answer within 20 ms')
  })
})

test('a password in the address may have a percent sign that stands for itself', async () => {
  const sent: unknown[] = []
  const capture = async (_url: string, { headers }: RequestInit): Promise<Response> => {
    sent.push((headers as Record<string, string>).authorization)
    return new Response('[]')
  }
  await client({ url: 'http://me:100%25@127.0.0.1', fetch: capture }).subjects()
  await client({ url: 'http://me:100%@127.0.0.1', fetch: capture }).subjects()
  const expected = `Basic ${Buffer.from('me:100%').toString('base64')}`
  expect(sent).toEqual([expected, expected])
})
