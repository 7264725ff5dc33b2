/**
 * The metadata store of a broker without files, and of tests. Everything is gone with the object. Deleted keys stay as tombstones,
 * so that a watch may begin at any earlier revision.
 */
import type { Clock } from '../storage/clock.ts'
import {
  checkTransaction,
  type MetadataStore,
  MetadataStoreError,
  type StoreEntry,
  type StoreListing,
  type StoreTransaction,
  type TransactResult,
  type WatchListener,
} from './store.ts'

interface Row {
  /** null: deleted at `revision` */
  value: Uint8Array | null
  revision: number
  lease: number | null
}

interface Lease {
  readonly ttlMs: number
  expiresAtMs: number
}

interface Watcher {
  readonly prefix: string
  seenRevision: number
  readonly listener: WatchListener
}

export class MemoryMetadataStore implements MetadataStore {
  readonly #clock: Clock
  readonly #rows = new Map<string, Row>()
  readonly #leases = new Map<number, Lease>()
  readonly #watchers = new Set<Watcher>()
  #revision = 0
  #lastLease = 0
  #closed = false

  constructor(options: { clock: Clock }) {
    this.#clock = options.clock
  }

  async get(key: string): Promise<StoreEntry | null> {
    this.#beginOperation()
    const row = this.#rows.get(key)
    return row === undefined || row.value === null ? null : { key, value: row.value, revision: row.revision }
  }

  async list(prefix: string): Promise<StoreListing> {
    this.#beginOperation()
    const entries: StoreEntry[] = []
    for (const [key, { value, revision }] of this.#rows) {
      if (value !== null && key.startsWith(prefix)) entries.push({ key, value, revision })
    }
    entries.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
    return { revision: this.#revision, entries }
  }

  async transact(transaction: StoreTransaction): Promise<TransactResult> {
    this.#beginOperation()
    checkTransaction(transaction)
    for (const { key, revision } of transaction.checks ?? []) {
      if (this.#revisionOf(key) !== revision) return { ok: false, key }
    }
    for (const { key, lease } of transaction.puts ?? []) {
      if (lease !== undefined && !this.#leases.has(lease)) return { ok: false, key }
    }
    const deletes = (transaction.deletes ?? []).filter((key) => this.#revisionOf(key) !== null)
    const puts = transaction.puts ?? []
    if (puts.length + deletes.length === 0) return { ok: true, revision: this.#revision }
    this.#revision++
    for (const key of deletes) this.#write(key, null, null)
    for (const { key, value, lease } of puts) this.#write(key, value.slice(), lease ?? null)
    this.#notify()
    return { ok: true, revision: this.#revision }
  }

  watch(prefix: string, fromRevision: number, listener: WatchListener): () => void {
    this.#beginOperation()
    const watcher: Watcher = { prefix, seenRevision: fromRevision, listener }
    this.#watchers.add(watcher)
    this.#inform(watcher)
    return () => {
      this.#watchers.delete(watcher)
    }
  }

  async grantLease(ttlMs: number): Promise<number> {
    this.#beginOperation()
    const lease = ++this.#lastLease
    this.#leases.set(lease, { ttlMs, expiresAtMs: this.#clock.monotonic() + ttlMs })
    return lease
  }

  async keepAlive(lease: number): Promise<boolean> {
    this.#beginOperation()
    const held = this.#leases.get(lease)
    if (held === undefined) return false
    held.expiresAtMs = this.#clock.monotonic() + held.ttlMs
    return true
  }

  async revokeLease(lease: number): Promise<void> {
    this.#beginOperation()
    this.#endLeases([lease])
  }

  close(): void {
    this.#closed = true
    this.#watchers.clear()
  }

  /** Leases end with the first operation after their time: nobody else could see that they still stood. */
  #beginOperation(): void {
    if (this.#closed) throw new MetadataStoreError('the metadata store is closed')
    const now = this.#clock.monotonic()
    const ended = [...this.#leases].filter(([, { expiresAtMs }]) => expiresAtMs <= now).map(([lease]) => lease)
    if (ended.length > 0) this.#endLeases(ended)
  }

  #endLeases(leases: readonly number[]): void {
    for (const lease of leases) this.#leases.delete(lease)
    const keys = [...this.#rows].filter(([, { lease }]) => lease !== null && leases.includes(lease)).map(([key]) => key)
    if (keys.length === 0) return
    this.#revision++
    for (const key of keys) this.#write(key, null, null)
    this.#notify()
  }

  #revisionOf(key: string): number | null {
    const row = this.#rows.get(key)
    return row === undefined || row.value === null ? null : row.revision
  }

  #write(key: string, value: Uint8Array | null, lease: number | null): void {
    this.#rows.set(key, { value, revision: this.#revision, lease })
  }

  #notify(): void {
    for (const watcher of [...this.#watchers]) this.#inform(watcher)
  }

  #inform(watcher: Watcher): void {
    const from = watcher.seenRevision
    if (from >= this.#revision) return
    watcher.seenRevision = this.#revision
    const changes = [...this.#rows]
      .filter(([key, row]) => row.revision > from && key.startsWith(watcher.prefix))
      .map(([key, { value, revision }]) => ({ key, value, revision }))
      .sort((a, b) => a.revision - b.revision)
    if (changes.length > 0) watcher.listener({ revision: this.#revision, changes, reset: false })
  }
}
