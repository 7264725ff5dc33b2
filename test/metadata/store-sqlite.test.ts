import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MetadataStoreError, type StoreChanges } from '../../src/metadata/store.ts'
import { METADATA_FILE, SqliteMetadataStore, type SqliteStoreOptions } from '../../src/metadata/store-sqlite.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { silentLogger } from '../../src/storage/logger.ts'
import { ManualTime } from './manual-time.ts'
import { storeContract } from './store-contract.ts'

let directory = ''
let path = ''
let clock = new ManualClock()
let timers = new ManualTime(clock)

function prepare(): void {
  directory = mkdtempSync(join(tmpdir(), 'samsa-metadata-'))
  path = join(directory, METADATA_FILE)
  clock = new ManualClock()
  timers = new ManualTime(clock)
}

function open(options: Partial<SqliteStoreOptions> = {}): SqliteMetadataStore {
  return new SqliteMetadataStore({ path, clock, timers, logger: silentLogger, ...options })
}

/** A process that may mount a small disk for itself, where the system lets it. */
const IN_OWN_MOUNTS = ['unshare', '--user', '--map-root-user', '--mount']
const canMount =
  Bun.which('unshare') !== null &&
  Bun.spawnSync([...IN_OWN_MOUNTS, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stderr: 'ignore' }).success

const value = (text: string): Uint8Array => new TextEncoder().encode(text)

storeContract('sqlite store', () => {
  prepare()
  const store = open()
  return {
    store,
    advance: (ms) => timers.advance(ms),
    dispose() {
      store.close()
      rmSync(directory, { recursive: true })
    },
  }
})

describe('a file that one process has to itself', () => {
  beforeEach(prepare)
  afterEach(() => rmSync(directory, { recursive: true }))

  test('nothing is looked for, and a lease lasts as long as the process', async () => {
    const store = open({ exclusive: true })
    const lease = await store.grantLease(1000)
    await store.transact({ puts: [{ key: 'alive', value: value('1'), lease }] })
    expect(timers.advance(60_000)).toBeUndefined()
    expect(await store.keepAlive(lease)).toBe(true)
    expect((await store.get('alive'))?.revision).toBe(1)
    await store.revokeLease(lease)
    expect(await store.get('alive')).toBeNull()
    expect(await store.keepAlive(lease)).toBe(false)
    store.close()
  })

  test('what an earlier process held ends when the file is opened; the rest is there', async () => {
    const first = open({ exclusive: true })
    const lease = await first.grantLease(1000)
    await first.transact({
      puts: [
        { key: 'held', value: value('1'), lease },
        { key: 'kept', value: value('2') },
      ],
    })
    first.close()
    const second = open({ exclusive: true })
    expect(await second.get('held')).toBeNull()
    expect((await second.get('kept'))?.revision).toBe(1)
    second.close()
  })

  test('keeps room in file and log, and does not take more at every start', async () => {
    const lengths: number[] = []
    for (let start = 0; start < 3; start++) {
      const store = open({ exclusive: true })
      timers.advance(10_000)
      lengths.push(statSync(path).size)
      const logged = statSync(`${path}-wal`).size
      expect(logged).toBeGreaterThan(256 * 1024)
      for (let index = 0; index < 10; index++)
        await store.transact({ puts: [{ key: `key ${index}`, value: value('x') }] })
      expect(statSync(`${path}-wal`).size).toBe(logged)
      store.close()
    }
    expect(lengths[0]).toBeGreaterThan(256 * 1024)
    expect(lengths[2]).toBe(lengths[1]!)
  })

  test.skipIf(!canMount)('on a full disk everything can still be deleted', () => {
    const script = join(import.meta.dir, 'full-disk-process.ts')
    const command = 'mount -t tmpfs -o size=8m tmpfs "$1" && exec "$2" "$3" "$1"'
    const { stdout } = Bun.spawnSync([...IN_OWN_MOUNTS, 'sh', '-c', command, 'sh', directory, process.execPath, script])
    expect(stdout.toString()).toBe('0 left\n')
  })

  test('others have their turn between two writes of one who writes thousands', async () => {
    const store = open({ exclusive: true })
    let turns = 0
    let isWriting = true
    const count = (): void => {
      turns++
      if (isWriting) setImmediate(count)
    }
    setImmediate(count)
    for (let index = 0; index < 20; index++)
      await store.transact({ puts: [{ key: `key ${index}`, value: value('x') }] })
    isWriting = false
    expect(turns).toBeGreaterThanOrEqual(19)
    store.close()
  })

  test('nobody else gets in', () => {
    const store = open({ exclusive: true })
    const other = new Database(path)
    expect(() => other.query('SELECT * FROM entries').all()).toThrow('locked')
    other.close()
    store.close()
  })
})

describe('one file', () => {
  beforeEach(prepare)
  afterEach(() => rmSync(directory, { recursive: true }))

  test('what was written is there after closing and opening again, with revisions going on', async () => {
    const first = open()
    await first.transact({ puts: [{ key: 'a', value: value('1') }] })
    await first.transact({ deletes: ['a'], puts: [{ key: 'b', value: value('2') }] })
    first.close()
    const second = open()
    expect(await second.get('a')).toBeNull()
    expect((await second.get('b'))?.revision).toBe(2)
    expect(await second.transact({ puts: [{ key: 'c', value: value('3') }] })).toEqual({ ok: true, revision: 3 })
    second.close()
  })

  test('the file is in write-ahead mode, so that other processes may read while one writes', () => {
    const store = open()
    const database = new Database(path)
    expect(database.query('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    database.close()
    store.close()
  })

  test('a copy of the files taken at any moment, as after a kill, holds every answered transaction', async () => {
    const store = open()
    await store.transact({ puts: [{ key: 'a', value: value('1') }] })
    const copy = join(directory, 'copy.db')
    for (const suffix of ['', '-wal']) await Bun.write(`${copy}${suffix}`, Bun.file(`${path}${suffix}`))
    const revived = open({ path: copy })
    expect((await revived.get('a'))?.revision).toBe(1)
    revived.close()
    store.close()
  })

  test('a file of another program is refused', () => {
    const database = new Database(path, { create: true })
    database.run('CREATE TABLE theirs (x)')
    database.run('PRAGMA user_version = 1')
    database.close()
    expect(() => open()).toThrow('is not a metadata file of Samsa')
  })

  test('a file of a newer release is refused', () => {
    open().close()
    const database = new Database(path)
    database.run('PRAGMA user_version = 99')
    database.close()
    expect(() => open()).toThrow('written by a newer one')
  })

  test('a damaged file is refused with its name', () => {
    writeFileSync(path, 'this is no database at all, not even a short one'.repeat(50))
    expect(() => open()).toThrow(MetadataStoreError)
    expect(() => open()).toThrow(path)
  })
})

describe('two processes with one file', () => {
  beforeEach(prepare)
  afterEach(() => rmSync(directory, { recursive: true }))

  test('the other one sees a change at its next look', async () => {
    const ours = open({ pollIntervalMs: 100 })
    // Its own timers: nobody polls for it but the test.
    const theirs = open({ timers: new ManualTime(clock) })
    const batches: StoreChanges[] = []
    ours.watch('', 0, (changes) => batches.push(changes))
    await theirs.transact({ puts: [{ key: 'a', value: value('1') }] })
    expect(batches).toEqual([])
    timers.advance(100)
    expect(batches.map(({ revision }) => revision)).toEqual([1])
    timers.advance(1000)
    expect(batches).toHaveLength(1)
    ours.close()
    theirs.close()
  })

  test('a refused transaction brings what stood in its way', async () => {
    const ours = open()
    const theirs = open({ timers: new ManualTime(clock) })
    const batches: StoreChanges[] = []
    ours.watch('', 0, (changes) => batches.push(changes))
    await theirs.transact({ puts: [{ key: 'a', value: value('1') }] })
    const result = await ours.transact({
      checks: [{ key: 'a', revision: null }],
      puts: [{ key: 'a', value: value('2') }],
    })
    expect(result).toEqual({ ok: false, key: 'a' })
    expect(batches.map(({ changes }) => changes.map(({ key }) => key))).toEqual([['a']])
    ours.close()
    theirs.close()
  })

  test('own and foreign changes come in the order of their revisions', async () => {
    const ours = open()
    const theirs = open({ timers: new ManualTime(clock) })
    const revisions: number[] = []
    ours.watch('', 0, ({ changes }) => revisions.push(...changes.map(({ revision }) => revision)))
    for (const [index, store] of [theirs, ours, theirs, theirs, ours].entries()) {
      await store.transact({ puts: [{ key: `k${index}`, value: value('x') }] })
    }
    expect(revisions).toEqual([1, 2, 3, 4, 5])
    ours.close()
    theirs.close()
  })

  test('one process ends the lease that another one let run out', async () => {
    const theirs = open({ timers: new ManualTime(clock) })
    const lease = await theirs.grantLease(1000)
    await theirs.transact({ puts: [{ key: 'alive', value: value('x'), lease }] })
    theirs.close()
    const ours = open()
    const gone: string[] = []
    ours.watch('', 1, ({ changes }) => gone.push(...changes.map(({ key }) => key)))
    timers.advance(1500)
    expect(gone).toEqual(['alive'])
    ours.close()
  })

  test('who was away for longer than deletions are remembered gets the whole listing', async () => {
    const store = open({ keptRevisions: 10 })
    await store.transact({
      puts: [
        { key: 'early', value: value('x') },
        { key: 'stays', value: value('x') },
      ],
    })
    await store.transact({ deletes: ['early'] })
    for (let count = 0; count < 20; count++)
      await store.transact({ puts: [{ key: 'busy', value: value(String(count)) }] })
    const batches: StoreChanges[] = []
    store.watch('', 1, (changes) => batches.push(changes))
    expect(batches).toHaveLength(1)
    expect(batches[0]?.reset).toBe(true)
    expect(batches[0]?.changes.map(({ key }) => key)).toEqual(['busy', 'stays'])
    store.close()
  })
})
