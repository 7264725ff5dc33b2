/**
 * One life of the simulated broker: the real broker without its listener, over a disk, clock, timers and a metadata store that the simulation
 * holds in its hands. Nothing of a process that died is heard of any more.
 */
import type { BrokerContext } from '../../src/broker/api.ts'
import type { Closer } from '../../src/broker/open-data.ts'
import { openServices } from '../../src/broker/server.ts'
import type { MetadataStore } from '../../src/metadata/store.ts'
import type { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import type { ManualClock } from '../../src/storage/clock-manual.ts'
import type { MemoryDisk } from '../../src/storage/disk-memory.ts'
import type { LogFields, Logger } from '../../src/storage/logger.ts'
import type { SeededRandom } from '../../src/storage/random-seeded.ts'
import { ManualTimers } from '../../src/storage/timers-manual.ts'
import { ProcessDisk } from './process-disk.ts'

export interface ProcessOptions {
  readonly clock: ManualClock
  readonly memory: MemoryDisk
  readonly store: MemoryMetadataStore
  readonly random: SeededRandom
  readonly durability: 'os' | 'fsync'
  readonly settings: ReadonlyMap<string, string>
  readonly directWriteBytesMin: number
  readonly log: (line: string) => void
}

export class SimProcess {
  readonly disk: ProcessDisk
  readonly timers: ManualTimers
  /** Null until the broker serves. */
  context: BrokerContext | null = null
  /** Why it did not start. */
  failure: unknown = null
  isOver = false
  readonly #options: ProcessOptions
  readonly #closers: Closer[] = []
  readonly #unwatch = new Set<() => void>()

  constructor(options: ProcessOptions) {
    this.#options = options
    this.disk = new ProcessDisk(options.memory, options.random)
    this.timers = new ManualTimers(options.clock)
  }

  get isDead(): boolean {
    return this.disk.isDead
  }

  async start(): Promise<void> {
    const { clock, random, durability, settings, directWriteBytesMin } = this.#options
    const options = {
      listen: { host: 'sim', port: 9092 },
      advertise: { host: 'sim', port: 9092 },
      dataDirectory: '/data',
      storage: 'disk',
      durability,
      nodeId: 1,
      config: settings,
      logger: this.#logger(),
      directWriteBytesMin,
      environment: { clock, timers: this.timers, random, disk: this.disk },
      openMetadataStore: () => this.#openStore(),
    } as const
    try {
      const { context } = await openServices(options, this.#closers, () => 9092)
      if (!this.isDead) this.context = context
    } catch (error) {
      if (this.isDead) return
      this.failure = error
      for (const close of [...this.#closers].reverse()) await close()
    }
  }

  async stopCleanly(): Promise<void> {
    this.context?.fetchWaits.stop()
    this.context?.groups.stopWaiting()
    for (const close of [...this.#closers].reverse()) await close()
  }

  die(): void {
    this.disk.die()
    for (const stop of this.#unwatch) stop()
  }

  /** The store outlives the process, whose own view of it does not. */
  #openStore(): MetadataStore {
    const { store } = this.#options
    const alive = <Args extends readonly unknown[], T>(call: (...args: Args) => Promise<T>) => {
      return async (...args: Args): Promise<T> => {
        if (this.isDead) return new Promise(() => {})
        const result = await call(...args)
        return this.isDead ? new Promise(() => {}) : result
      }
    }
    return {
      get: alive((key: string) => store.get(key)),
      list: alive((prefix: string) => store.list(prefix)),
      transact: alive((transaction: Parameters<MetadataStore['transact']>[0]) => store.transact(transaction)),
      grantLease: alive((ttlMs: number) => store.grantLease(ttlMs)),
      keepAlive: alive((lease: number) => store.keepAlive(lease)),
      revokeLease: alive((lease: number) => store.revokeLease(lease)),
      watch: (prefix, fromRevision, listener) => {
        const stop = store.watch(prefix, fromRevision, (changes) => {
          if (!this.isDead) listener(changes)
        })
        this.#unwatch.add(stop)
        return stop
      },
      close: () => {
        for (const stop of this.#unwatch) stop()
      },
    }
  }

  #logger(): Logger {
    const write = (level: string) => (message: string, fields?: LogFields) => {
      if (!this.isDead) this.#options.log(`${level}: ${message} ${fields === undefined ? '' : Bun.inspect(fields)}`)
    }
    return { debug: () => {}, info: write('info'), warn: write('warn'), error: write('error') }
  }
}
