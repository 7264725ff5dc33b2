/**
 * The embedded metadata store: one SQLite file in the data folder, in WAL mode with synchronous=FULL, so that a
 * transaction has reached the device before it is answered. Several processes of one host may have the file open: each
 * looks a few times per second whether another one wrote (PRAGMA data_version) and then catches up.
 *
 * A key's row keeps only its latest value and the revision that wrote it; a deleted key stays as a row without a value until
 * nobody can need it any more. A watcher that is further behind than that gets the whole listing (`reset`).
 */
import { Database, type Statement } from 'bun:sqlite'
import type { Clock } from '../storage/clock.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import {
  checkTransaction,
  type MetadataStore,
  MetadataStoreError,
  type StoreChange,
  type StoreEntry,
  type StoreListing,
  type StoreTransaction,
  type TransactResult,
  type WatchListener,
} from './store.ts'

export const METADATA_FILE = 'samsa-metadata.db'

export interface SqliteStoreOptions {
  readonly path: string
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
  /**
   * Nobody else opens the file: the caller holds a lock that says so. Then there is nothing to look for, and a lease lasts as long as
   * the process; those of earlier processes end at once. Looking is not free: on a busy disk it can wait tens of milliseconds.
   */
  readonly exclusive?: boolean
  /** How often to look for what other processes wrote, and for leases that ended. */
  readonly pollIntervalMs?: number
  /** For how many revisions a deleted key is remembered. */
  readonly keptRevisions?: number
}

const DEFAULT_POLL_INTERVAL_MS = 250
const DEFAULT_KEPT_REVISIONS = 10_000
/** Forgetting deleted keys costs a scan: not at every transaction. */
const FORGET_EVERY_REVISIONS = 1000
const BUSY_TIMEOUT_MS = 5000
/**
 * Free pages in the file, and frames in its write-ahead log: what a full disk still has for changes. The one that counts is the deletion of
 * a topic, the way out.
 */
const RESERVED_BYTES = 256 * 1024
/** Not while a broker starts: it costs a few syncs. */
const RESERVE_DELAY_MS = 1000
const SCHEMA_VERSION = 1
/** 'Sams' in ASCII: tells our file from any other SQLite database. */
const APPLICATION_ID = 0x53616d73

const SCHEMA = `
  CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB, revision INTEGER NOT NULL, lease INTEGER);
  CREATE INDEX entries_by_revision ON entries (revision);
  CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
  CREATE TABLE leases (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL);
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
  INSERT INTO counters VALUES ('revision', 0), ('forgotten', 0);
`

/** Sorts after every key with the prefix: no key has this character. */
const AFTER_ALL_KEYS = '\u{10ffff}'

interface EntryRow {
  key: string
  value: Uint8Array | null
  revision: number
}

interface Watcher {
  readonly prefix: string
  seenRevision: number
  readonly listener: WatchListener
}

export class SqliteMetadataStore implements MetadataStore {
  readonly #database: Database
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #logger: Logger
  readonly #pollIntervalMs: number
  readonly #keptRevisions: number
  readonly #exclusive: boolean
  readonly #timerName: string
  readonly #watchers = new Set<Watcher>()
  readonly #statements: ReturnType<typeof prepareStatements>
  #dataVersion = 0
  #closed = false

  constructor(options: SqliteStoreOptions) {
    this.#clock = options.clock
    this.#timers = options.timers
    this.#logger = options.logger
    this.#pollIntervalMs = options.pollIntervalMs ?? DEFAULT_POLL_INTERVAL_MS
    this.#keptRevisions = options.keptRevisions ?? DEFAULT_KEPT_REVISIONS
    this.#timerName = `metadata/poll/${options.path}`
    this.#exclusive = options.exclusive ?? false
    this.#database = openDatabase(options.path, this.#exclusive)
    this.#statements = prepareStatements(this.#database)
    this.#dataVersion = this.#readDataVersion()
    if (this.#exclusive) {
      this.#operation(() => this.#endLeases(Number.MAX_SAFE_INTEGER))
      this.#timers.schedule(this.#timerName, this.#clock.now() + RESERVE_DELAY_MS, () => this.#reserve())
    } else this.#schedulePoll()
  }

  async get(key: string): Promise<StoreEntry | null> {
    return this.#operation(() => {
      const row = this.#statements.get.get(key)
      return row === null || row.value === null ? null : { key, value: row.value, revision: row.revision }
    })
  }

  async list(prefix: string): Promise<StoreListing> {
    return this.#operation(() => this.#listing(prefix))
  }

  async transact(transaction: StoreTransaction): Promise<TransactResult> {
    checkTransaction(transaction)
    const result = this.#operation(() => {
      const applied = this.#inTransaction(() => this.#apply(transaction))
      // Also after a refusal: whoever tries again then sees what stood in the way.
      this.#catchUp()
      return applied
    })
    // It waited for the device. Who writes thousands, one after the other, must not keep everybody else waiting for all of them.
    await new Promise<void>((resolve) => this.#timers.endOfTurn(resolve))
    return result
  }

  watch(prefix: string, fromRevision: number, listener: WatchListener): () => void {
    const watcher: Watcher = { prefix, seenRevision: fromRevision, listener }
    this.#operation(() => {
      this.#watchers.add(watcher)
      this.#catchUp()
    })
    return () => {
      this.#watchers.delete(watcher)
    }
  }

  async grantLease(ttlMs: number): Promise<number> {
    return this.#operation(() => {
      const { lastInsertRowid } = this.#statements.addLease.run(ttlMs, this.#clock.now() + ttlMs)
      return Number(lastInsertRowid)
    })
  }

  async keepAlive(lease: number): Promise<boolean> {
    return this.#operation(() => {
      if (this.#exclusive) return this.#statements.lease.get(lease) !== null
      this.#endLeases(this.#clock.now())
      // Being alive is news, not data: it need not survive a power failure, so it does not wait for the device.
      this.#database.run('PRAGMA synchronous = NORMAL')
      try {
        return this.#statements.renewLease.run(this.#clock.now(), lease).changes > 0
      } finally {
        this.#database.run('PRAGMA synchronous = FULL')
      }
    })
  }

  async revokeLease(lease: number): Promise<void> {
    this.#operation(() => {
      this.#inTransaction(() => this.#endLease(lease))
      this.#catchUp()
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timers.cancel(this.#timerName)
    this.#watchers.clear()
    for (const statement of Object.values(this.#statements)) statement.finalize()
    this.#database.close()
  }

  /** SQLite's failures (disk full, lock not to be had, damaged file) become errors of the store, with their reason. */
  #operation<T>(run: () => T): T {
    if (this.#closed) throw new MetadataStoreError('the metadata store is closed')
    try {
      return this.#withRoom(run)
    } catch (cause) {
      if (!(cause instanceof Error) || cause.name !== 'SQLiteError') throw cause
      throw new MetadataStoreError(`metadata file ${this.#database.filename}: ${cause.message}`, { cause })
    }
  }

  /** On a full disk the write-ahead log cannot grow, but it can begin anew in the place that it has. A change that fails leaves nothing. */
  #withRoom<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_FULL')) throw error
      this.#restartWal()
      return run()
    }
  }

  #restartWal(): void {
    this.#database.run('PRAGMA wal_checkpoint(RESTART)')
  }

  /** Makes file and log as long as they shall be at least. What the file has free is used again, so it grows once only. */
  #reserve(): void {
    try {
      this.#inTransaction(() => {
        this.#database.run(`CREATE TABLE reserve AS SELECT zeroblob(${RESERVED_BYTES})`)
        this.#database.run('DROP TABLE reserve')
      })
      this.#restartWal()
    } catch (error) {
      this.#logger.warn('no room could be kept for changes of metadata on a full disk', { error })
    }
  }

  #inTransaction<T>(run: () => T): T {
    this.#database.run('BEGIN IMMEDIATE')
    try {
      const result = run()
      this.#database.run('COMMIT')
      return result
    } catch (error) {
      if (this.#database.inTransaction) this.#database.run('ROLLBACK')
      throw error
    }
  }

  #apply({ checks = [], puts = [], deletes = [] }: StoreTransaction): TransactResult {
    for (const { key, revision } of checks) if (this.#revisionOf(key) !== revision) return { ok: false, key }
    for (const { key, lease } of puts) {
      if (lease !== undefined && this.#statements.lease.get(lease) === null) return { ok: false, key }
    }
    const gone = deletes.filter((key) => this.#revisionOf(key) !== null)
    if (puts.length + gone.length === 0) return { ok: true, revision: this.#counter('revision') }
    const revision = this.#nextRevision()
    for (const key of gone) this.#statements.put.run(key, null, revision, null)
    for (const { key, value, lease } of puts) this.#statements.put.run(key, value, revision, lease ?? null)
    return { ok: true, revision }
  }

  #revisionOf(key: string): number | null {
    const row = this.#statements.get.get(key)
    return row === null || row.value === null ? null : row.revision
  }

  #counter(name: 'revision' | 'forgotten'): number {
    return this.#statements.counter.get(name)!.value
  }

  #nextRevision(): number {
    const revision = this.#counter('revision') + 1
    this.#statements.setCounter.run(revision, 'revision')
    const forget = revision - this.#keptRevisions
    const every = Math.min(FORGET_EVERY_REVISIONS, this.#keptRevisions)
    if (revision % every === 0 && forget > 0) this.#forgetDeleted(forget)
    return revision
  }

  #forgetDeleted(upTo: number): void {
    this.#statements.forget.run(upTo)
    this.#statements.setCounter.run(upTo, 'forgotten')
  }

  #listing(prefix: string): StoreListing {
    // One read transaction: the revision belongs to exactly these rows.
    this.#database.run('BEGIN')
    try {
      const entries = this.#statements.list.all(prefix, prefix + AFTER_ALL_KEYS) as StoreEntry[]
      return { revision: this.#counter('revision'), entries }
    } finally {
      this.#database.run('COMMIT')
    }
  }

  /** Tells every watcher what it has not seen yet. */
  #catchUp(): void {
    for (const watcher of [...this.#watchers]) this.#inform(watcher)
  }

  #inform(watcher: Watcher): void {
    const from = watcher.seenRevision
    const revision = this.#counter('revision')
    if (from >= revision) return
    if (from < this.#counter('forgotten')) {
      const { entries, revision: listed } = this.#listing(watcher.prefix)
      watcher.seenRevision = listed
      watcher.listener({ revision: listed, changes: entries, reset: true })
      return
    }
    const { prefix } = watcher
    const rows: StoreChange[] = this.#statements.changes.all(from, revision, prefix, prefix + AFTER_ALL_KEYS)
    watcher.seenRevision = revision
    if (rows.length > 0) watcher.listener({ revision, changes: rows, reset: false })
  }

  #schedulePoll(): void {
    this.#timers.schedule(this.#timerName, this.#clock.now() + this.#pollIntervalMs, () => this.#poll())
  }

  #poll(): void {
    try {
      this.#operation(() => this.#lookAround())
    } catch (error) {
      // A disk that is full or a lock that is held too long: the next look may fare better.
      if (!(error instanceof MetadataStoreError)) throw error
      this.#logger.warn('the metadata file could not be looked at', { error })
    } finally {
      if (!this.#closed) this.#schedulePoll()
    }
  }

  #lookAround(): void {
    this.#endLeases(this.#clock.now())
    const version = this.#readDataVersion()
    if (version === this.#dataVersion) return
    this.#catchUp()
    this.#dataVersion = version
  }

  #readDataVersion(): number {
    return this.#statements.dataVersion.get()!.data_version
  }

  /** Ends what expires up to the time. */
  #endLeases(untilMs: number): void {
    if (this.#statements.endedLeases.all(untilMs).length === 0) return
    this.#inTransaction(() => {
      // Looked up again under the lock: another process may have been faster, or the holder woke up.
      for (const { id } of this.#statements.endedLeases.all(untilMs)) this.#endLease(id)
    })
    this.#catchUp()
  }

  #endLease(lease: number): void {
    this.#statements.removeLease.run(lease)
    const keys = this.#statements.leasedKeys.all(lease)
    if (keys.length === 0) return
    const revision = this.#nextRevision()
    for (const { key } of keys) this.#statements.put.run(key, null, revision, null)
  }
}

function openDatabase(path: string, exclusive: boolean): Database {
  const database = new Database(path, { create: true, strict: true })
  try {
    database.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    // Set before the first access, this keeps the index of the write-ahead log in our memory instead of a shared file.
    if (exclusive) database.run('PRAGMA locking_mode = EXCLUSIVE')
    database.run('PRAGMA journal_mode = WAL')
    database.run('PRAGMA synchronous = FULL')
    database.run('BEGIN IMMEDIATE')
    prepareSchema(database, path)
    database.run('COMMIT')
    return database
  } catch (cause) {
    database.close()
    if (cause instanceof MetadataStoreError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MetadataStoreError(`metadata file ${path} cannot be opened: ${reason}`, { cause })
  }
}

function prepareSchema(database: Database, path: string): void {
  const { user_version: version } = database.query<{ user_version: number }, []>('PRAGMA user_version').get()!
  if (version === 0) {
    database.run(SCHEMA)
    database.run(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    database.run(`PRAGMA application_id = ${APPLICATION_ID}`)
    return
  }
  const { application_id: application } = database.query<{ application_id: number }, []>('PRAGMA application_id').get()!
  if (application !== APPLICATION_ID) throw new MetadataStoreError(`${path} is not a metadata file of Samsa`)
  if (version > SCHEMA_VERSION) {
    throw new MetadataStoreError(
      `metadata file ${path} has layout ${version}, this release knows ${SCHEMA_VERSION}: it was written by a newer one`,
    )
  }
}

function prepareStatements(database: Database) {
  return {
    get: database.prepare<EntryRow, [string]>('SELECT key, value, revision FROM entries WHERE key = ?'),
    list: database.prepare<EntryRow, [string, string]>(
      'SELECT key, value, revision FROM entries WHERE key >= ? AND key < ? AND value IS NOT NULL ORDER BY key',
    ),
    changes: database.prepare<EntryRow, [number, number, string, string]>(
      `SELECT key, value, revision FROM entries
       WHERE revision > ? AND revision <= ? AND key >= ? AND key < ? ORDER BY revision, key`,
    ),
    put: database.prepare<null, [string, Uint8Array | null, number, number | null]>(
      'INSERT OR REPLACE INTO entries (key, value, revision, lease) VALUES (?, ?, ?, ?)',
    ),
    forget: database.prepare<null, [number]>('DELETE FROM entries WHERE value IS NULL AND revision <= ?'),
    counter: database.prepare<{ value: number }, [string]>('SELECT value FROM counters WHERE name = ?'),
    setCounter: database.prepare<null, [number, string]>('UPDATE counters SET value = ? WHERE name = ?'),
    lease: database.prepare<{ id: number }, [number]>('SELECT id FROM leases WHERE id = ?'),
    addLease: database.prepare<null, [number, number]>('INSERT INTO leases (ttl_ms, expires_at_ms) VALUES (?, ?)'),
    renewLease: database.prepare<null, [number, number]>('UPDATE leases SET expires_at_ms = ? + ttl_ms WHERE id = ?'),
    removeLease: database.prepare<null, [number]>('DELETE FROM leases WHERE id = ?'),
    endedLeases: database.prepare<{ id: number }, [number]>('SELECT id FROM leases WHERE expires_at_ms <= ?'),
    leasedKeys: database.prepare<{ key: string }, [number]>('SELECT key FROM entries WHERE lease = ?'),
    dataVersion: database.prepare<{ data_version: number }, []>('PRAGMA data_version'),
  } satisfies Record<string, Statement>
}
