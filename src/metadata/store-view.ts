/**
 * What the store holds under one prefix, decoded and kept in memory: the small kinds of metadata that need no more than that
 * (features, quotas, credentials). Topics, brokers and configs are in image.ts.
 *
 * What must hold: as of the image, a change that this process committed is visible, and its listeners have run, before the
 * committing promise resolves.
 */
import type { MetadataStore, StoreChanges } from './store.ts'
import { decodeValue } from './values.ts'

export interface ViewEntry<Value> {
  readonly value: Value
  /** Store revision, for compare-and-set. */
  readonly revision: number
}

export class StoreView<Value> {
  readonly #prefix: string
  readonly #entries = new Map<string, ViewEntry<Value>>()
  readonly #listeners = new Set<() => void>()
  #stopWatching: (() => void) | null = null

  private constructor(prefix: string) {
    this.#prefix = prefix
  }

  static async load<Value>(store: MetadataStore, prefix: string): Promise<StoreView<Value>> {
    const view = new StoreView<Value>(prefix)
    const { revision, entries } = await store.list(prefix)
    view.#apply({ revision, changes: entries, reset: true })
    view.#stopWatching = store.watch(prefix, revision, (changes) => view.#apply(changes))
    return view
  }

  /** By the name behind the prefix. Shared: do not change it. */
  get entries(): ReadonlyMap<string, ViewEntry<Value>> {
    return this.#entries
  }

  get(name: string): ViewEntry<Value> | undefined {
    return this.#entries.get(name)
  }

  /** Listeners run synchronously, once per batch of changes. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  close(): void {
    this.#stopWatching?.()
    this.#stopWatching = null
    this.#listeners.clear()
  }

  #apply({ changes, reset }: StoreChanges): void {
    if (reset) this.#entries.clear()
    for (const { key, value, revision } of changes) {
      const name = key.slice(this.#prefix.length)
      if (value === null) this.#entries.delete(name)
      else this.#entries.set(name, { value: decodeValue<Value>(key, value), revision })
    }
    for (const listener of this.#listeners) listener()
  }
}
