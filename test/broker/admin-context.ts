/** A broker reduced to what the admin handlers reach: metadata over a store in memory, everybody allowed. */
import type { Api, ApiCall, BrokerContext, RequestContext } from '../../src/broker/api.ts'
import { Quotas } from '../../src/broker/quotas.ts'
import { BrokerConfig } from '../../src/metadata/broker-config.ts'
import { LeveledLogger } from '../../src/metadata/log-level.ts'
import { type Metadata, openMetadata } from '../../src/metadata/metadata.ts'
import type { MetadataStore } from '../../src/metadata/store.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { brokerKey, encodeValue } from '../../src/metadata/values.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { silentLogger } from '../../src/storage/logger.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'

export interface AdminBroker extends Metadata {
  readonly store: MetadataStore
  readonly config: BrokerConfig
  /** Runs a handler as the dispatcher would. */
  ask(api: Api, version: number, request: unknown, denied?: Denied): Promise<unknown>
}

/** Whether an operation on a resource is refused. */
export type Denied = (operation: string, resource: string, name: string) => boolean

export interface AdminBrokerOptions {
  readonly properties?: Readonly<Record<string, string>>
  readonly defaults?: ReadonlyMap<string, string>
  readonly brokers?: readonly number[]
  readonly store?: MetadataStore
}

export async function adminBroker(options: AdminBrokerOptions = {}): Promise<AdminBroker> {
  const clock = new ManualClock()
  const store = options.store ?? new MemoryMetadataStore({ clock })
  const properties = new Map(Object.entries(options.properties ?? {}))
  const config = new BrokerConfig({ properties, ...(options.defaults && { defaults: options.defaults }) })
  const logger = new LeveledLogger(silentLogger, 'ERROR')
  const random = new SeededRandom(1)
  const metadata = await openMetadata({ store, config, nodeId: 1, random, logger })
  for (const id of options.brokers ?? [1]) {
    const value = { host: 'localhost', port: 9092, rack: null, incarnation: random.uuid() }
    await store.transact({ puts: [{ key: brokerKey(id), value: encodeValue(value) }] })
  }
  const quotas = new Quotas({ clientQuotas: metadata.clientQuotas, config, clock })
  const broker = { nodeId: 1, config, quotas, ...metadata } as unknown as BrokerContext
  const ask: AdminBroker['ask'] = (api, apiVersion, request, denied) => {
    const allowed: RequestContext['allowed'] = (...question) => !(denied?.(...question) ?? false)
    return new Promise((reply, fail) => {
      api.run({ broker, apiVersion, allowed, reply, fail } as unknown as ApiCall, request)
    })
  }
  return { ...metadata, store, config, ask }
}
