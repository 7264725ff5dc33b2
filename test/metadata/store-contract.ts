/** What every metadata store must do. Run by one test file per implementation. */
import { describe, expect, test } from 'bun:test'
import { type MetadataStore, MetadataStoreError, type StoreChanges } from '../../src/metadata/store.ts'

export interface StoreUnderTest {
  readonly store: MetadataStore
  /** Moves the clock, and lets happen what becomes due. */
  advance(ms: number): void
  dispose(): void
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array | null | undefined): string | null | undefined =>
  value === null || value === undefined ? value : new TextDecoder().decode(value)

/** Key, value and revision of every change, in the order told. */
function seen(batches: readonly StoreChanges[]): [string, string | null | undefined, number][] {
  return batches.flatMap(({ changes }) =>
    changes.map(({ key, value, revision }): [string, string | null | undefined, number] => [
      key,
      text(value),
      revision,
    ]),
  )
}

export function storeContract(name: string, open: () => StoreUnderTest): void {
  const withStore = (title: string, run: (under: StoreUnderTest) => Promise<void>): void => {
    test(title, async () => {
      const under = open()
      try {
        await run(under)
      } finally {
        under.dispose()
      }
    })
  }
  describe(`${name}: keys`, () => keyContract(withStore))
  describe(`${name}: transactions`, () => transactionContract(withStore))
  describe(`${name}: watches`, () => watchContract(withStore))
  describe(`${name}: leases`, () => leaseContract(withStore))
}

type WithStore = (title: string, run: (under: StoreUnderTest) => Promise<void>) => void

function keyContract(withStore: WithStore): void {
  withStore('a key that was never written does not exist', async ({ store }) => {
    expect(await store.get('a')).toBeNull()
    expect(await store.list('')).toEqual({ revision: 0, entries: [] })
  })

  withStore('a written key has its value and the revision of its transaction', async ({ store }) => {
    await store.transact({ puts: [{ key: 'a', value: bytes('1') }] })
    await store.transact({ puts: [{ key: 'b', value: bytes('2') }] })
    const a = await store.get('a')
    expect([text(a?.value), a?.revision]).toEqual(['1', 1])
    expect((await store.get('b'))?.revision).toBe(2)
  })

  withStore('an empty value is a value', async ({ store }) => {
    await store.transact({ puts: [{ key: 'a', value: new Uint8Array() }] })
    expect((await store.get('a'))?.value).toHaveLength(0)
    expect((await store.list('')).entries).toHaveLength(1)
  })

  withStore('what the caller does to its bytes later does not matter', async ({ store }) => {
    const value = bytes('before')
    await store.transact({ puts: [{ key: 'a', value }] })
    value.fill(0)
    expect(text((await store.get('a'))?.value)).toBe('before')
  })

  withStore('a listing has exactly the prefix, sorted by the bytes of the keys', async ({ store }) => {
    const keys = ['p/b', 'p/a', 'q/a', 'p', 'p/\u{1f600}', 'p/\uff5e', 'o/z', 'p0']
    await store.transact({ puts: keys.map((key) => ({ key, value: bytes(key) })) })
    const { revision, entries } = await store.list('p/')
    expect(revision).toBe(1)
    expect(entries.map(({ key }) => key)).toEqual(['p/a', 'p/b', 'p/\uff5e', 'p/\u{1f600}'])
  })

  withStore('a deleted key does not exist, and can be written again', async ({ store }) => {
    await store.transact({ puts: [{ key: 'a', value: bytes('1') }] })
    await store.transact({ deletes: ['a'] })
    expect(await store.get('a')).toBeNull()
    expect((await store.list('')).entries).toEqual([])
    await store.transact({ puts: [{ key: 'a', value: bytes('2') }] })
    expect((await store.get('a'))?.revision).toBe(3)
  })

  withStore('a closed store refuses everything', async ({ store }) => {
    store.close()
    expect(store.get('a')).rejects.toThrow(MetadataStoreError)
    expect(store.transact({})).rejects.toThrow(MetadataStoreError)
  })
}

function transactionContract(withStore: WithStore): void {
  withStore('all keys of a transaction get one revision', async ({ store }) => {
    const result = await store.transact({
      puts: [
        { key: 'a', value: bytes('1') },
        { key: 'b', value: bytes('2') },
      ],
    })
    expect(result).toEqual({ ok: true, revision: 1 })
    expect((await store.get('a'))?.revision).toBe(1)
    expect((await store.get('b'))?.revision).toBe(1)
  })

  withStore('a check of the revision lets one of two writers win', async ({ store }) => {
    await store.transact({ puts: [{ key: 'a', value: bytes('0') }] })
    const write = (value: string) =>
      store.transact({ checks: [{ key: 'a', revision: 1 }], puts: [{ key: 'a', value: bytes(value) }] })
    expect(await write('first')).toEqual({ ok: true, revision: 2 })
    expect(await write('second')).toEqual({ ok: false, key: 'a' })
    expect(text((await store.get('a'))?.value)).toBe('first')
  })

  withStore('a check for absence holds for keys never written and for deleted ones', async ({ store }) => {
    const create = () =>
      store.transact({ checks: [{ key: 'a', revision: null }], puts: [{ key: 'a', value: bytes('x') }] })
    expect((await create()).ok).toBe(true)
    expect(await create()).toEqual({ ok: false, key: 'a' })
    await store.transact({ deletes: ['a'] })
    expect((await create()).ok).toBe(true)
  })

  withStore('one check that fails keeps every write away', async ({ store }) => {
    await store.transact({ puts: [{ key: 'kept', value: bytes('1') }] })
    const result = await store.transact({
      checks: [
        { key: 'kept', revision: 1 },
        { key: 'missing', revision: 7 },
      ],
      puts: [{ key: 'new', value: bytes('2') }],
      deletes: ['kept'],
    })
    expect(result).toEqual({ ok: false, key: 'missing' })
    expect(await store.get('new')).toBeNull()
    expect((await store.get('kept'))?.revision).toBe(1)
    expect((await store.list('')).revision).toBe(1)
  })

  withStore('a transaction that changes nothing takes no revision', async ({ store }) => {
    await store.transact({ puts: [{ key: 'a', value: bytes('1') }] })
    expect(await store.transact({ checks: [{ key: 'a', revision: 1 }] })).toEqual({ ok: true, revision: 1 })
    expect(await store.transact({ deletes: ['never'] })).toEqual({ ok: true, revision: 1 })
  })

  withStore('writing a key twice is a mistake of the caller', async ({ store }) => {
    const put = { key: 'a', value: bytes('1') }
    expect(store.transact({ puts: [put, put] })).rejects.toThrow("writes 'a' twice")
    expect(store.transact({ puts: [put], deletes: ['a'] })).rejects.toThrow("writes 'a' twice")
    expect(await store.get('a')).toBeNull()
  })

  withStore('thousands of keys fit into one transaction', async ({ store }) => {
    const puts = Array.from({ length: 5000 }, (_, index) => ({ key: `k/${index}`, value: bytes(String(index)) }))
    expect(await store.transact({ puts })).toEqual({ ok: true, revision: 1 })
    expect((await store.list('k/')).entries).toHaveLength(5000)
  })
}

function watchContract(withStore: WithStore): void {
  withStore('a watch tells of changes before the transaction is answered', async ({ store }) => {
    const batches: StoreChanges[] = []
    store.watch('a/', 0, (changes) => batches.push(changes))
    const answered = store.transact({
      puts: [
        { key: 'a/1', value: bytes('x') },
        { key: 'b/1', value: bytes('y') },
      ],
    })
    await answered
    expect(seen(batches)).toEqual([['a/1', 'x', 1]])
    await store.transact({ deletes: ['a/1'] })
    expect(seen(batches).slice(1)).toEqual([['a/1', null, 2]])
    expect(batches.every(({ reset }) => !reset)).toBe(true)
  })

  withStore('a watch from an earlier revision begins with what changed since, in order', async ({ store }) => {
    for (const key of ['a', 'b', 'c']) await store.transact({ puts: [{ key, value: bytes(key) }] })
    await store.transact({ deletes: ['b'] })
    await store.transact({ puts: [{ key: 'a', value: bytes('again') }] })
    const batches: StoreChanges[] = []
    store.watch('', 1, (changes) => batches.push(changes))
    expect(seen(batches)).toEqual([
      ['c', 'c', 3],
      ['b', null, 4],
      ['a', 'again', 5],
    ])
    expect(batches.at(-1)?.revision).toBe(5)
  })

  withStore('a listing and a watch from its revision miss nothing', async ({ store }) => {
    await store.transact({ puts: [{ key: 'a', value: bytes('1') }] })
    const { revision } = await store.list('')
    const batches: StoreChanges[] = []
    store.watch('', revision, (changes) => batches.push(changes))
    expect(batches).toEqual([])
    await store.transact({ puts: [{ key: 'a', value: bytes('2') }] })
    expect(seen(batches)).toEqual([['a', '2', 2]])
  })

  withStore('a stopped watch hears nothing more', async ({ store }) => {
    let heard = 0
    const stop = store.watch('', 0, () => heard++)
    await store.transact({ puts: [{ key: 'a', value: bytes('1') }] })
    stop()
    await store.transact({ puts: [{ key: 'a', value: bytes('2') }] })
    expect(heard).toBe(1)
  })

  withStore('a listener may write; the others see its change once and in order', async ({ store }) => {
    const order: number[] = []
    store.watch('a', 0, ({ revision }) => {
      if (revision === 1) void store.transact({ puts: [{ key: 'ab', value: bytes('2') }] })
    })
    store.watch('', 0, ({ changes }) => order.push(...changes.map((change) => change.revision)))
    await store.transact({ puts: [{ key: 'a', value: bytes('1') }] })
    expect(order).toEqual([1, 2])
  })
}

function leaseContract(withStore: WithStore): void {
  const leased = async (store: MetadataStore, ttlMs: number): Promise<number> => {
    const lease = await store.grantLease(ttlMs)
    await store.transact({ puts: [{ key: 'alive', value: bytes('x'), lease }] })
    return lease
  }

  withStore('a key goes with its lease, and watchers hear of it', async ({ store, advance }) => {
    await leased(store, 1000)
    const batches: StoreChanges[] = []
    store.watch('', 1, (changes) => batches.push(changes))
    advance(900)
    expect(await store.get('alive')).not.toBeNull()
    advance(1000)
    expect(await store.get('alive')).toBeNull()
    expect(seen(batches)).toEqual([['alive', null, 2]])
  })

  withStore('a lease that is kept alive stands', async ({ store, advance }) => {
    const lease = await leased(store, 1000)
    for (let beat = 0; beat < 5; beat++) {
      advance(800)
      expect(await store.keepAlive(lease)).toBe(true)
    }
    expect(await store.get('alive')).not.toBeNull()
  })

  withStore('a lease that ended cannot be kept alive or used', async ({ store, advance }) => {
    const lease = await leased(store, 1000)
    advance(2000)
    expect(await store.keepAlive(lease)).toBe(false)
    expect(await store.transact({ puts: [{ key: 'other', value: bytes('x'), lease }] })).toEqual({
      ok: false,
      key: 'other',
    })
  })

  withStore('a revoked lease takes its keys at once', async ({ store }) => {
    const lease = await leased(store, 1000)
    await store.transact({ puts: [{ key: 'stays', value: bytes('x') }] })
    await store.revokeLease(lease)
    expect(await store.get('alive')).toBeNull()
    expect(await store.get('stays')).not.toBeNull()
    expect(await store.keepAlive(lease)).toBe(false)
  })

  withStore('a key that was written again belongs to its new lease only', async ({ store, advance }) => {
    await leased(store, 1000)
    const second = await store.grantLease(60_000)
    await store.transact({ puts: [{ key: 'alive', value: bytes('y'), lease: second }] })
    advance(2000)
    expect(text((await store.get('alive'))?.value)).toBe('y')
    await store.transact({ puts: [{ key: 'alive', value: bytes('z') }] })
    await store.revokeLease(second)
    expect(text((await store.get('alive'))?.value)).toBe('z')
  })
}
