import { describe, expect, test } from 'bun:test'
import { ClientQuotas, type EntityPart } from '../../src/metadata/client-quotas.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'

const store = (): MemoryMetadataStore => new MemoryMetadataStore({ clock: new ManualClock() })

function entity(parts: Record<string, string | null>): EntityPart[] {
  return Object.entries(parts).map(([entityType, entityName]) => ({ entityType, entityName }))
}

async function set(
  quotas: ClientQuotas,
  parts: Record<string, string | null>,
  rate: number | null,
): Promise<ErrorCode> {
  const key = 'ip' in parts ? 'connection_creation_rate' : 'producer_byte_rate'
  const ops = [{ key, value: rate ?? 0, remove: rate === null }]
  const [result] = await quotas.alter([{ entity: entity(parts), ops }], false)
  return result!.errorCode
}

describe('which quota counts for a client', () => {
  /** From the most to the least specific, as Kafka documents it. */
  const LEVELS: Record<string, string | null>[] = [
    { user: 'alice', 'client-id': 'app' },
    { user: 'alice', 'client-id': null },
    { user: 'alice' },
    { user: null, 'client-id': 'app' },
    { user: null, 'client-id': null },
    { user: null },
    { 'client-id': 'app' },
    { 'client-id': null },
  ]

  for (const [index, level] of LEVELS.entries()) {
    test(`${JSON.stringify(level)} beats whatever is less specific`, async () => {
      const quotas = await ClientQuotas.load(store())
      for (const [at, each] of LEVELS.entries()) if (at >= index) await set(quotas, each, at + 1)
      expect(quotas.limitOf('producer_byte_rate', 'alice', 'app')?.limit).toBe(index + 1)
    })
  }

  test('everybody under a default has a count of his own, all clients of one user share his', async () => {
    const quotas = await ClientQuotas.load(store())
    await set(quotas, { user: null }, 10)
    const bucket = (user: string, client: string): string | undefined =>
      quotas.limitOf('producer_byte_rate', user, client)?.bucket
    expect(bucket('alice', 'a')).toBe(bucket('alice', 'b')!)
    expect(bucket('alice', 'a')).not.toBe(bucket('bob', 'a')!)
  })

  test('names that look like markers are only names', async () => {
    const quotas = await ClientQuotas.load(store())
    await set(quotas, { user: '*' }, 10)
    expect(quotas.limitOf('producer_byte_rate', 'alice', '')).toBeNull()
    expect(quotas.limitOf('producer_byte_rate', '*', '')?.limit).toBe(10)
  })

  test('an address beats the default of addresses', async () => {
    const quotas = await ClientQuotas.load(store())
    await set(quotas, { ip: null }, 5)
    await set(quotas, { ip: '10.0.0.1' }, 7)
    expect(quotas.connectionRate('10.0.0.1')).toBe(7)
    expect(quotas.connectionRate('10.0.0.2')).toBe(5)
  })
})

describe('changing quotas', () => {
  test('are there after a restart; removing the last value removes the entity', async () => {
    const backing = store()
    const quotas = await ClientQuotas.load(backing)
    await set(quotas, { user: 'alice' }, 10)
    const again = await ClientQuotas.load(backing)
    expect(again.limitOf('producer_byte_rate', 'alice', 'x')?.limit).toBe(10)
    expect(again.has('producer_byte_rate')).toBe(true)
    await set(quotas, { user: 'alice' }, null)
    expect(again.has('producer_byte_rate')).toBe(false)
    expect(again.describe([], false)).toEqual({ ok: true, entries: [] })
  })

  test('host names are refused: only addresses are counted', async () => {
    const quotas = await ClientQuotas.load(store())
    expect(await set(quotas, { ip: 'localhost' }, 5)).toBe(ErrorCode.INVALID_REQUEST)
  })

  test('a value that is no number is refused', async () => {
    const quotas = await ClientQuotas.load(store())
    expect(await set(quotas, { user: 'alice' }, Number.NaN)).toBe(ErrorCode.INVALID_REQUEST)
  })
})

test('the quotas of one request are one write, and one that is refused costs the others nothing', async () => {
  const backing = store()
  const quotas = await ClientQuotas.load(backing)
  await set(quotas, { user: 'gone' }, 7)
  const { revision } = await backing.list('')
  const change = (parts: Record<string, string | null>, key = 'producer_byte_rate', remove = false) => ({
    entity: entity(parts),
    ops: [{ key, value: 5, remove }],
  })
  const results = await quotas.alter(
    [
      change({ user: 'a' }),
      change({ user: 'b' }, 'no_such_rate'),
      change({ user: 'gone' }, 'producer_byte_rate', true),
      change({ user: 'a', 'client-id': 'x' }),
    ],
    false,
  )
  expect(results.map(({ errorCode }) => errorCode)).toEqual([
    ErrorCode.NONE,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.NONE,
    ErrorCode.NONE,
  ])
  expect(quotas.limitOf('producer_byte_rate', 'a', 'x')?.limit).toBe(5)
  expect(quotas.limitOf('producer_byte_rate', 'gone', 'x')).toBeNull()
  expect((await backing.list('')).revision).toBe(revision + 1)
})
