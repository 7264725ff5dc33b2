/** Metadata over a store in memory, for tests of what works on it. */
import { BrokerConfig } from '../../src/metadata/broker-config.ts'
import { type Metadata, openMetadata } from '../../src/metadata/metadata.ts'
import type { MetadataStore } from '../../src/metadata/store.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import type { NewTopic } from '../../src/metadata/topics.ts'
import { brokerKey, encodeValue } from '../../src/metadata/values.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { silentLogger } from '../../src/storage/logger.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'

export interface TestMetadata extends Metadata {
  readonly store: MetadataStore
  readonly config: BrokerConfig
}

export interface TestMetadataOptions {
  readonly store?: MetadataStore
  readonly nodeId?: number
  readonly properties?: Readonly<Record<string, string>>
  readonly brokers?: readonly number[]
  readonly seed?: number
}

export async function testMetadata(options: TestMetadataOptions = {}): Promise<TestMetadata> {
  const store = options.store ?? new MemoryMetadataStore({ clock: new ManualClock() })
  const config = new BrokerConfig({ properties: new Map(Object.entries(options.properties ?? {})) })
  const random = new SeededRandom(options.seed ?? 1)
  const metadata = await openMetadata({ store, config, nodeId: options.nodeId ?? 1, random, logger: silentLogger })
  for (const id of options.brokers ?? [1]) {
    const value = { host: 'localhost', port: 9090 + id, rack: null, incarnation: random.uuid() }
    await store.transact({ puts: [{ key: brokerKey(id), value: encodeValue(value) }] })
  }
  return { ...metadata, store, config }
}

/** One partition and one replica unless said otherwise. */
export function newTopic(name: string, given: Partial<NewTopic> = {}): NewTopic {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...given }
}

/** A store in which, when told, another process gets in between before the next transaction. */
export function withInterference(
  store: MetadataStore,
): MetadataStore & { interfere(act: () => Promise<unknown>): void } {
  let next: (() => Promise<unknown>) | null = null
  return {
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    watch: (prefix, from, listener) => store.watch(prefix, from, listener),
    grantLease: (ttlMs) => store.grantLease(ttlMs),
    keepAlive: (lease) => store.keepAlive(lease),
    revokeLease: (lease) => store.revokeLease(lease),
    close: () => store.close(),
    async transact(transaction) {
      const act = next
      next = null
      await act?.()
      return store.transact(transaction)
    },
    interfere(act) {
      next = act
    },
  }
}
