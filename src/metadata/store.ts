/**
 * The metadata store: ordered keys with revisions, changed only by compare-and-set transactions.
 *
 * It owns the durable cluster metadata (topics, configs, broker registrations, producer-id blocks). The image, the
 * topics and the configs read and write it; nobody else does. Implementations: store-sqlite.ts (one file, several processes of
 * one host), store-memory.ts. The interface is asynchronous and revision-based so that a networked store with the same
 * notions (revisions, transactions, watches, leases) can take their place.
 *
 * What must hold for every implementation (test/metadata/store-contract.ts judges it):
 * - a transaction applies entirely or not at all, and its effects survive the process before the promise resolves;
 * - each successful transaction that writes takes the next revision; every key it wrote carries that revision;
 * - watchers learn of changes in revision order, and of an own transaction before its promise resolves. A watcher
 *   may skip intermediate values of a key, never the latest one.
 */

export interface StoreEntry {
  readonly key: string
  readonly value: Uint8Array
  /** Revision of the transaction that last wrote this key. */
  readonly revision: number
}

export interface StoreCheck {
  readonly key: string
  /** The revision the key must have; null: the key must not exist. */
  readonly revision: number | null
}

export interface StorePut {
  readonly key: string
  readonly value: Uint8Array
  /** The key disappears when this lease ends. */
  readonly lease?: number
}

export interface StoreTransaction {
  readonly checks?: readonly StoreCheck[]
  readonly puts?: readonly StorePut[]
  readonly deletes?: readonly string[]
}

export type TransactResult =
  | { readonly ok: true; readonly revision: number }
  /** Nothing was written; `key` is the first check that did not hold (or names the lease that is gone). */
  | { readonly ok: false; readonly key: string }

export interface StoreChange {
  readonly key: string
  /** null: deleted */
  readonly value: Uint8Array | null
  readonly revision: number
}

export interface StoreChanges {
  readonly revision: number
  /** In revision order. With `reset`, every key that exists under the prefix: what is not listed is gone. */
  readonly changes: readonly StoreChange[]
  readonly reset: boolean
}

export type WatchListener = (changes: StoreChanges) => void

export interface StoreListing {
  readonly revision: number
  /** Sorted by key (bytewise in UTF-8). */
  readonly entries: readonly StoreEntry[]
}

export interface MetadataStore {
  get(key: string): Promise<StoreEntry | null>
  list(prefix: string): Promise<StoreListing>
  transact(transaction: StoreTransaction): Promise<TransactResult>
  /** Calls the listener for everything under `prefix` that changed after `fromRevision`. Returns the way to stop. */
  watch(prefix: string, fromRevision: number, listener: WatchListener): () => void
  /** A new lease that ends `ttlMs` from now unless kept alive. */
  grantLease(ttlMs: number): Promise<number>
  /** False: the lease is gone, and so are its keys. */
  keepAlive(lease: number): Promise<boolean>
  revokeLease(lease: number): Promise<void>
  close(): void
}

/** Thrown by a store that was closed, and for impossible transactions (the same key written twice). */
export class MetadataStoreError extends Error {
  override readonly name = 'MetadataStoreError'
}

/** A transaction that writes the same key twice has no meaning: a mistake of the caller. */
export function checkTransaction({ puts = [], deletes = [] }: StoreTransaction): void {
  const keys = new Set<string>()
  for (const key of [...puts.map((put) => put.key), ...deletes]) {
    if (keys.has(key)) throw new MetadataStoreError(`a transaction writes '${key}' twice`)
    keys.add(key)
  }
}
