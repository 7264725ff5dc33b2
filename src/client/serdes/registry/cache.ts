/**
 * What was loaded stays, up to a number of entries and an age. What must hold: one load per key at a time, shared by all who ask; a load
 * that fails leaves nothing behind; a load that was under way when its key was deleted is not kept.
 */
export interface LoadingCacheOptions {
  /** The oldest entry goes when there are more. */
  readonly entriesMax: number
  /** Milliseconds after which an entry is loaded anew. Default: never. */
  readonly maxAgeMs?: number
  /** Milliseconds on any clock that only goes forward. */
  readonly now?: () => number
}

interface Entry<V> {
  readonly value: V
  readonly loadedMs: number
}

export class LoadingCache<K, V> {
  private readonly entries = new Map<K, Entry<V>>()
  private readonly loads = new Map<K, Promise<V>>()
  private readonly entriesMax: number
  private readonly maxAgeMs: number
  private readonly now: () => number

  constructor(options: LoadingCacheOptions) {
    this.entriesMax = options.entriesMax
    this.maxAgeMs = options.maxAgeMs ?? Number.POSITIVE_INFINITY
    this.now = options.now ?? (() => performance.now())
  }

  get size(): number {
    return this.entries.size
  }

  /** What is there and young enough, without waiting. */
  peek(key: K): V | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    if (this.maxAgeMs === Number.POSITIVE_INFINITY || this.now() - entry.loadedMs < this.maxAgeMs) return entry.value
    return undefined
  }

  /** What is there, or what `load` answers. */
  get(key: K, load: () => Promise<V>): Promise<V> {
    const known = this.peek(key)
    if (known !== undefined) return Promise.resolve(known)
    const underWay = this.loads.get(key)
    if (underWay !== undefined) return underWay
    const loading = Promise.resolve().then(load)
    this.loads.set(key, loading)
    loading.then(
      (value) => {
        if (this.loads.get(key) === loading) {
          this.loads.delete(key)
          this.set(key, value)
        }
      },
      () => {
        if (this.loads.get(key) === loading) this.loads.delete(key)
      },
    )
    return loading
  }

  set(key: K, value: V): void {
    this.entries.delete(key)
    this.entries.set(key, { value, loadedMs: this.now() })
    if (this.entries.size <= this.entriesMax) return
    for (const oldest of this.entries.keys()) {
      this.entries.delete(oldest)
      break
    }
  }

  /** Forgets the keys that match. */
  deleteWhere(matches: (key: K) => boolean): void {
    for (const key of [...this.entries.keys()]) if (matches(key)) this.entries.delete(key)
    for (const key of [...this.loads.keys()]) if (matches(key)) this.loads.delete(key)
  }
}
