/**
 * The in-memory view of the cluster metadata. Everything on the request path reads it; only the store's watch changes it.
 *
 * What must hold: the image shows the store as of one revision; a change that this process committed is visible, and its listeners
 * have run, before the committing promise resolves. Topic and partition objects are immutable: a change brings new ones, so
 * holding one is holding a snapshot.
 */
import type { MetadataStore, StoreChange, StoreChanges } from './store.ts'
import type { BrokerValue, ConfigValue, TopicValue } from './values.ts'
import {
  BROKER_CONFIGS_PREFIX,
  BROKERS_PREFIX,
  CLIENT_METRICS_CONFIGS_PREFIX,
  decodeValue,
  GROUP_CONFIGS_PREFIX,
  TOPIC_CONFIGS_PREFIX,
  TOPICS_PREFIX,
} from './values.ts'

export interface PartitionImage {
  readonly index: number
  readonly leader: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export interface TopicImage {
  readonly name: string
  readonly topicId: string
  readonly internal: boolean
  readonly partitions: readonly PartitionImage[]
  /** What was set on the topic itself, not the effective values. */
  readonly configs: ReadonlyMap<string, string>
  /** Store revision of the topic's record, for compare-and-set. */
  readonly revision: number
}

export interface BrokerImage {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
  readonly incarnation: string
  /** Grows with every registration. */
  readonly epoch: number
}

export interface ConfigImage {
  readonly values: ReadonlyMap<string, string>
  /** null: nothing is stored. */
  readonly revision: number | null
}

export type ConfigKind = 'topic' | 'broker' | 'group' | 'client-metrics'

export interface ChangedConfig {
  readonly kind: ConfigKind
  /** Name of a topic, group or client metrics subscription, broker id; '' is the cluster-wide default of brokers. */
  readonly name: string
}

/** A topic that was deleted and created again between two looks is in both `deleted` and `created`. */
export interface ImageChange {
  readonly created: readonly TopicImage[]
  readonly deleted: readonly TopicImage[]
  /** New state of topics whose partitions or own configs changed. */
  readonly changed: readonly TopicImage[]
  readonly configs: readonly ChangedConfig[]
  readonly brokersChanged: boolean
}

export type ImageListener = (change: ImageChange) => void

const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
])

export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name)
}

const NO_CONFIGS: ReadonlyMap<string, string> = new Map()
const NO_CONFIG: ConfigImage = { values: NO_CONFIGS, revision: null }

const CONFIG_PREFIXES: readonly (readonly [string, ConfigKind])[] = [
  [TOPIC_CONFIGS_PREFIX, 'topic'],
  [BROKER_CONFIGS_PREFIX, 'broker'],
  [GROUP_CONFIGS_PREFIX, 'group'],
  [CLIENT_METRICS_CONFIGS_PREFIX, 'client-metrics'],
]

/** What one batch of store changes touched, before it becomes an ImageChange. */
interface Touched {
  /** Topic name -> state before the batch. */
  readonly topics: Map<string, TopicImage | undefined>
  readonly configs: ChangedConfig[]
  brokers: boolean
}

export class MetadataImage {
  #revision = 0
  #topicsByName = new Map<string, TopicImage>()
  #topicsById = new Map<string, TopicImage>()
  /** Bare names without `.` and `_` variants -> the name that exists. */
  #namesByCollisionForm = new Map<string, string>()
  #sortedTopics: readonly TopicImage[] | null = null
  #brokersById = new Map<number, BrokerImage>()
  #sortedBrokers: readonly BrokerImage[] | null = null
  readonly #configs: Readonly<Record<ConfigKind, Map<string, ConfigImage>>> = {
    topic: new Map(),
    broker: new Map(),
    group: new Map(),
    'client-metrics': new Map(),
  }
  readonly #listeners = new Set<ImageListener>()
  #stopWatching: (() => void) | null = null

  /** Reads the whole store and follows it from there. */
  static async load(store: MetadataStore): Promise<MetadataImage> {
    const image = new MetadataImage()
    const { revision, entries } = await store.list('')
    image.#apply({ revision, changes: entries, reset: true })
    image.#stopWatching = store.watch('', revision, (changes) => image.#apply(changes))
    return image
  }

  get revision(): number {
    return this.#revision
  }

  topic(name: string): TopicImage | undefined {
    return this.#topicsByName.get(name)
  }

  topicById(topicId: string): TopicImage | undefined {
    return this.#topicsById.get(topicId)
  }

  /** Sorted by name. The array is shared: do not change it. */
  topics(): readonly TopicImage[] {
    this.#sortedTopics ??= [...this.#topicsByName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    return this.#sortedTopics
  }

  /** The existing topic whose name equals this one when `.` and `_` are the same character. */
  collidingTopic(name: string): string | undefined {
    return this.#namesByCollisionForm.get(collisionForm(name))
  }

  /** Live brokers, sorted by id. */
  brokers(): readonly BrokerImage[] {
    this.#sortedBrokers ??= [...this.#brokersById.values()].sort((a, b) => a.id - b.id)
    return this.#sortedBrokers
  }

  broker(id: number): BrokerImage | undefined {
    return this.#brokersById.get(id)
  }

  /** Dynamic configs as stored. Kind 'broker' with name '' is the cluster-wide default. */
  config(kind: ConfigKind, name: string): ConfigImage {
    return this.#configs[kind].get(name) ?? NO_CONFIG
  }

  /** Names that have dynamic configs, sorted. */
  configuredNames(kind: ConfigKind): string[] {
    return [...this.#configs[kind].keys()].sort()
  }

  /** Listeners run synchronously, in the order they were added. */
  onChange(listener: ImageListener): () => void {
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

  #apply(batch: StoreChanges): void {
    if (batch.revision < this.#revision) return
    const touched: Touched = { topics: new Map(), configs: [], brokers: false }
    for (const change of batch.reset ? this.#withVanished(batch.changes) : batch.changes)
      this.#applyOne(change, touched)
    this.#revision = batch.revision
    this.#notify(touched)
  }

  /** A reset lists what exists: whatever else the image knows was deleted. */
  #withVanished(changes: readonly StoreChange[]): StoreChange[] {
    const listed = new Set(changes.map((change) => change.key))
    const vanished: StoreChange[] = []
    const expect = (key: string): void => {
      if (!listed.has(key)) vanished.push({ key, value: null, revision: this.#revision })
    }
    for (const name of this.#topicsByName.keys()) expect(TOPICS_PREFIX + name)
    for (const id of this.#brokersById.keys()) expect(BROKERS_PREFIX + id)
    for (const [prefix, kind] of CONFIG_PREFIXES) {
      for (const name of this.#configs[kind].keys()) expect(prefix + name)
    }
    return [...vanished, ...changes]
  }

  #applyOne(change: StoreChange, touched: Touched): void {
    const { key } = change
    if (key.startsWith(TOPICS_PREFIX)) {
      this.#applyTopic(key.slice(TOPICS_PREFIX.length), change, touched)
    } else if (key.startsWith(BROKERS_PREFIX)) {
      this.#applyBroker(Number(key.slice(BROKERS_PREFIX.length)), change)
      touched.brokers = true
    } else {
      for (const [prefix, kind] of CONFIG_PREFIXES) {
        if (key.startsWith(prefix)) this.#applyConfig(kind, key.slice(prefix.length), change, touched)
      }
    }
  }

  #applyTopic(name: string, change: StoreChange, touched: Touched): void {
    const before = this.#topicsByName.get(name)
    if (!touched.topics.has(name)) touched.topics.set(name, before)
    if (before !== undefined) this.#topicsById.delete(before.topicId)
    if (change.value === null) {
      this.#topicsByName.delete(name)
      if (this.collidingTopic(name) === name) this.#namesByCollisionForm.delete(collisionForm(name))
      return
    }
    const { topicId, partitions } = decodeValue<TopicValue>(change.key, change.value)
    this.#replaceTopic({
      name,
      topicId,
      internal: isInternalTopic(name),
      partitions: partitions.map((partition, index) => ({ index, ...partition })),
      configs: this.config('topic', name).values,
      revision: change.revision,
    })
    this.#namesByCollisionForm.set(collisionForm(name), name)
  }

  #replaceTopic(topic: TopicImage): void {
    this.#topicsByName.set(topic.name, topic)
    this.#topicsById.set(topic.topicId, topic)
  }

  #applyBroker(id: number, change: StoreChange): void {
    this.#sortedBrokers = null
    if (change.value === null) {
      this.#brokersById.delete(id)
      return
    }
    const { host, port, rack, incarnation } = decodeValue<BrokerValue>(change.key, change.value)
    this.#brokersById.set(id, { id, host, port, rack, incarnation, epoch: change.revision })
  }

  #applyConfig(kind: ConfigKind, name: string, change: StoreChange, touched: Touched): void {
    if (change.value === null) {
      this.#configs[kind].delete(name)
    } else {
      const values = new Map(Object.entries(decodeValue<ConfigValue>(change.key, change.value)))
      this.#configs[kind].set(name, { values, revision: change.revision })
    }
    touched.configs.push({ kind, name })
    if (kind !== 'topic') return
    // The topic's record may come later in the same batch; then it picks the configs up by itself.
    const topic = this.#topicsByName.get(name)
    if (topic === undefined) return
    if (!touched.topics.has(name)) touched.topics.set(name, topic)
    this.#replaceTopic({ ...topic, configs: this.config('topic', name).values })
  }

  #notify(touched: Touched): void {
    const created: TopicImage[] = []
    const deleted: TopicImage[] = []
    const changed: TopicImage[] = []
    for (const [name, before] of touched.topics) {
      const after = this.#topicsByName.get(name)
      if (before === after) continue
      if (before !== undefined && before.topicId === after?.topicId) {
        changed.push(after)
        continue
      }
      if (before !== undefined) deleted.push(before)
      if (after !== undefined) created.push(after)
    }
    if (touched.topics.size > 0) this.#sortedTopics = null
    const { configs, brokers: brokersChanged } = touched
    if (created.length + deleted.length + changed.length + configs.length === 0 && !brokersChanged) return
    for (const listener of this.#listeners) listener({ created, deleted, changed, configs, brokersChanged })
  }
}

function collisionForm(name: string): string {
  return name.replaceAll('.', '_')
}
