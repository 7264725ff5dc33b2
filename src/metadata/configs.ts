/**
 * Configs of topics, brokers, groups and the logger: described, changed, and put to effect. The admin handlers and Topics call it;
 * the log layer asks `logConfig` and listens for changes.
 *
 * What must hold: what is stored has passed the checks of config-alter.ts against the state it replaces (compare-and-set), and a stored
 * change is in effect, listeners included, before its request is answered.
 */
import { ErrorCode } from '../protocol/errors.ts'
import type { BrokerConfig } from './broker-config.ts'
import {
  AlterOperation,
  type AlterOutcome,
  type AlterTarget,
  alterIncrementally,
  type ConfigError,
  type ConfigOperation,
  judgeTopicConfigs,
  malformedOperations,
  replaceAll,
} from './config-alter.ts'
import { GROUP_DEFINITIONS } from './config-definitions/index.ts'
import type { ConfigScalar } from './config-definitions/validators.ts'
import {
  ConfigSource,
  type DescribedConfig,
  describeBroker,
  describeClientMetrics,
  describeClusterDefault,
  describeGroup,
  describeTopic,
  describeTopicFrom,
  effectiveGroupText,
} from './config-describe.ts'
import { parseConfigValue } from './config-values.ts'
import type { ConfigKind, ImageChange, MetadataImage } from './image.ts'
import { type LeveledLogger, LOGGER_LEVELS, ROOT_LOGGER } from './log-level.ts'
import type { MetadataStore, StoreTransaction } from './store.ts'
import { MetadataStoreError } from './store.ts'
import { invalidTopicName } from './topic-names.ts'
import { type TopicSettings, topicSettings } from './topic-settings.ts'
import {
  brokerConfigKey,
  type ConfigValue,
  clientMetricsConfigKey,
  encodeValue,
  groupConfigKey,
  topicConfigKey,
} from './values.ts'

export type { ConfigError, ConfigOperation } from './config-alter.ts'
export type { ConfigSynonym, DescribedConfig } from './config-describe.ts'

/** The protocol's numbers for kinds of resources. */
export const ResourceType = {
  TOPIC: 2,
  BROKER: 4,
  BROKER_LOGGER: 8,
  CLIENT_METRICS: 16,
  GROUP: 32,
} as const

export interface ConfigResource {
  readonly type: number
  readonly name: string
}

export interface DescribeResult extends ConfigError {
  readonly configs: readonly DescribedConfig[]
}

export interface IncrementalAlteration extends ConfigResource {
  readonly operations: readonly ConfigOperation[]
}

export interface LegacyAlteration extends ConfigResource {
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export interface AlterResult extends ConfigResource, ConfigError {}

/** Called with the topics whose settings may differ now; null: all of them. */
export type TopicSettingsListener = (topics: readonly string[] | null) => void

export interface ConfigsOptions {
  readonly store: MetadataStore
  readonly image: MetadataImage
  readonly broker: BrokerConfig
  readonly nodeId: number
  /** Without one there are no broker-logger configs to change. */
  readonly loggerLevel?: LeveledLogger
  readonly elrEnabled: () => boolean
}

/** What a change of one resource comes to, and what must be written for it; null: nothing. */
interface AlterPlan {
  readonly error: ConfigError
  readonly write: Required<StoreTransaction> | null
}

const NO_CONFIGS: ReadonlyMap<string, string> = new Map()
const OK: ConfigError = { errorCode: ErrorCode.NONE, errorMessage: null }
/** A change that keeps losing against others is given up; nobody changes the same resource that often. */
const MAX_ATTEMPTS = 20

function failed(errorCode: ErrorCode, errorMessage: string | null): ConfigError {
  return { errorCode, errorMessage }
}

function refused(errorMessage: string): ConfigError {
  return failed(ErrorCode.INVALID_REQUEST, errorMessage)
}

const INTEGER = /^[+-]?[0-9]+$/

/** Whether there are such resources. */
export function isResourceType(type: number): boolean {
  return Object.values<number>(ResourceType).includes(type)
}

function unsupportedReason(type: number): string {
  return `Unknown resource type ${type}`
}

export class Configs {
  readonly #store: MetadataStore
  readonly #image: MetadataImage
  readonly #broker: BrokerConfig
  readonly #nodeId: number
  readonly #loggerLevel: LeveledLogger | null
  readonly #elrEnabled: () => boolean
  readonly #settings = new Map<string, TopicSettings>()
  readonly #listeners = new Set<TopicSettingsListener>()
  /** Of a topic that has nothing set: what most topics are. */
  #defaultSettings: TopicSettings | null = null
  #defaultDescription: readonly DescribedConfig[] | null = null

  /** `broker` must follow the image already: its listeners then run before the ones of here. */
  constructor(options: ConfigsOptions) {
    this.#store = options.store
    this.#image = options.image
    this.#broker = options.broker
    this.#nodeId = options.nodeId
    this.#loggerLevel = options.loggerLevel ?? null
    this.#elrEnabled = options.elrEnabled
    this.#image.onChange((change) => this.#topicsChanged(change))
    this.#broker.onChange(() => {
      this.#settings.clear()
      this.#defaultSettings = null
      this.#defaultDescription = null
      this.#tell(null)
    })
  }

  /** The effective settings of a topic, or of one that has nothing set. The object stays the same until something changes. */
  logConfig(topic: string): TopicSettings {
    const own = this.#image.config('topic', topic).values
    if (own.size === 0) {
      this.#defaultSettings ??= this.#settingsOf(own)
      return this.#defaultSettings
    }
    let settings = this.#settings.get(topic)
    if (settings === undefined) {
      settings = this.#settingsOf(own)
      this.#settings.set(topic, settings)
    }
    return settings
  }

  onTopicSettingsChange(listener: TopicSettingsListener): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** The effective value of a group property, by the name it has for groups (`consumer.session.timeout.ms`). */
  groupValue(group: string, name: string): ConfigScalar {
    const definition = GROUP_DEFINITIONS.get(name)
    if (definition === undefined) throw new Error(`there is no group configuration ${name}`)
    const text = effectiveGroupText(this.#broker, definition, this.#image.config('group', group).values)
    const parsed = parseConfigValue(definition, text)
    return parsed.ok ? parsed.value : null
  }

  /**
   * All configs of a topic with these of its own, sorted by name: what CreateTopics answers. Its own ones are spelled as they
   * were given.
   */
  describeTopicConfigs(own: ReadonlyMap<string, string>): DescribedConfig[] {
    return describeTopic(this.#broker, own).map((config) => ({
      ...config,
      value: own.get(config.name) ?? config.value,
    }))
  }

  /** What a new topic may be given. null: these configs are fine. */
  refuseTopicConfigs(values: ReadonlyMap<string, string>): ConfigError | null {
    const outcome = judgeTopicConfigs(this.#broker, values)
    return outcome.ok ? null : failed(outcome.errorCode, outcome.errorMessage)
  }

  /** `keys` null or empty: all of them. Names that do not exist are left out. */
  describe({ type, name }: ConfigResource, keys: readonly string[] | null): DescribeResult {
    const result = this.#describeAll(type, name)
    if (keys === null || keys.length === 0) return result
    return { ...result, configs: result.configs.filter((config) => keys.includes(config.name)) }
  }

  async incrementalAlter(
    alterations: readonly IncrementalAlteration[],
    { validateOnly }: { validateOnly: boolean },
  ): Promise<AlterResult[]> {
    return this.#alterEach(alterations, validateOnly, (alteration) =>
      alteration.type === ResourceType.BROKER_LOGGER
        ? { error: this.#alterLogger(alteration, validateOnly), write: null }
        : this.#plan(alteration, (target) => alterIncrementally(target, alteration.operations)),
    )
  }

  /** The legacy request: replaces everything that is set on the resource. */
  async alter(
    alterations: readonly LegacyAlteration[],
    { validateOnly }: { validateOnly: boolean },
  ): Promise<AlterResult[]> {
    return this.#alterEach(alterations, validateOnly, (alteration) =>
      alteration.type === ResourceType.BROKER_LOGGER
        ? { error: refused(unsupportedReason(alteration.type)), write: null }
        : this.#plan(alteration, (target) => replaceAll(target, alteration.configs)),
    )
  }

  #settingsOf(own: ReadonlyMap<string, string>): TopicSettings {
    return topicSettings(own, (name) => this.#broker.text(name), this.#broker.number('producer.id.expiration.ms'))
  }

  #topicsChanged(change: ImageChange): void {
    const names = change.configs.filter(({ kind }) => kind === 'topic').map(({ name }) => name)
    for (const { name } of change.deleted) this.#settings.delete(name)
    if (names.length === 0) return
    for (const name of names) this.#settings.delete(name)
    this.#tell(names)
  }

  #tell(topics: readonly string[] | null): void {
    for (const listener of this.#listeners) listener(topics)
  }

  #describeTopic(own: ReadonlyMap<string, string>): DescribedConfig[] {
    this.#defaultDescription ??= describeTopic(this.#broker, NO_CONFIGS)
    return describeTopicFrom(this.#defaultDescription, this.#broker, own)
  }

  #describeAll(type: number, name: string): DescribeResult {
    const refusal = this.#refuseDescription(type, name)
    if (refusal !== null) return { ...refusal, configs: [] }
    return { ...OK, configs: this.#describeKnown(type, name) }
  }

  #describeKnown(type: number, name: string): DescribedConfig[] {
    switch (type) {
      case ResourceType.TOPIC:
        return this.#describeTopic(this.#image.config('topic', name).values)
      case ResourceType.GROUP:
        return describeGroup(this.#broker, this.#image.config('group', name).values)
      case ResourceType.CLIENT_METRICS:
        return describeClientMetrics(this.#image.config('client-metrics', name).values)
      case ResourceType.BROKER_LOGGER:
        return this.#describeLogger()
      default:
        return name === ''
          ? describeClusterDefault(this.#image.config('broker', '').values)
          : describeBroker(this.#broker)
    }
  }

  #describeLogger(): DescribedConfig[] {
    if (this.#loggerLevel === null) return []
    return [
      {
        name: ROOT_LOGGER,
        value: this.#loggerLevel.level,
        readOnly: false,
        source: ConfigSource.DYNAMIC_BROKER_LOGGER,
        sensitive: false,
        synonyms: [],
        type: 0,
        documentation: '',
      },
    ]
  }

  /** Why this resource cannot be described; null: it can. */
  #refuseDescription(type: number, name: string): ConfigError | null {
    const isBroker = type === ResourceType.BROKER || type === ResourceType.BROKER_LOGGER
    if (type === ResourceType.TOPIC) {
      const reason = invalidTopicName(name)
      if (reason !== null) return failed(ErrorCode.INVALID_TOPIC_EXCEPTION, reason)
      return this.#image.topic(name) === undefined ? failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, null) : null
    }
    if (type === ResourceType.GROUP) return name === '' ? refused('Group name must not be empty') : null
    if (type === ResourceType.CLIENT_METRICS) {
      return name === '' ? refused('Client metrics subscription name must not be empty') : null
    }
    if (!isBroker) return refused(unsupportedReason(type))
    if (name === '') return type === ResourceType.BROKER ? null : refused('Broker id must not be empty')
    if (!INTEGER.test(name)) return refused(`Broker id must be an integer, but it is: ${name}`)
    if (Number(name) === this.#nodeId) return null
    const expected = type === ResourceType.BROKER ? `${this.#nodeId} or empty string,` : this.#nodeId
    return refused(`Unexpected broker id, expected ${expected} but received ${name}`)
  }

  /** Why this resource cannot be changed; null: it can. */
  #refuseAlteration(type: number, name: string): ConfigError | null {
    switch (type) {
      case ResourceType.TOPIC: {
        if (name === '') return refused('Default topic resources are not allowed.')
        const reason = invalidTopicName(name)
        if (reason !== null) return failed(ErrorCode.INVALID_TOPIC_EXCEPTION, reason)
        if (this.#image.topic(name) !== undefined) return null
        return failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${name}' does not exist.`)
      }
      case ResourceType.GROUP:
        return name === '' ? refused('Default group resources are not allowed.') : null
      case ResourceType.CLIENT_METRICS:
        return name === '' ? refused('Default client metrics resources are not allowed.') : null
      case ResourceType.BROKER:
      case ResourceType.BROKER_LOGGER:
        if (name === '' && type === ResourceType.BROKER) return null
        if (!INTEGER.test(name)) return refused(`Node id must be an integer, but it is: ${name}`)
        if (Number(name) === this.#nodeId) return null
        return refused(
          type === ResourceType.BROKER
            ? `Unexpected broker id, expected ${this.#nodeId}, but received ${name}`
            : `Unexpected node id. Expected ${this.#nodeId}, but received ${name}`,
        )
      default:
        return refused(unsupportedReason(type))
    }
  }

  /** Results in the order of the request. */
  async #alterEach<A extends ConfigResource>(
    alterations: readonly A[],
    validateOnly: boolean,
    planOne: (alteration: A) => AlterPlan,
  ): Promise<AlterResult[]> {
    const count = new Map<string, number>()
    const keyOf = ({ type, name }: ConfigResource): string => `${type}/${name}`
    for (const alteration of alterations) count.set(keyOf(alteration), (count.get(keyOf(alteration)) ?? 0) + 1)
    const results: AlterResult[] = []
    for (const together of writtenTogether(alterations)) {
      const planAll = (): AlterPlan[] =>
        together.map((alteration) =>
          (count.get(keyOf(alteration)) ?? 0) > 1
            ? { error: failed(ErrorCode.INVALID_REQUEST, 'Each resource must appear at most once.'), write: null }
            : this.#planAllowed(alteration, planOne),
        )
      const errors = await this.#untilWritten(planAll, validateOnly)
      for (const [index, { type, name }] of together.entries()) results.push({ type, name, ...(errors[index] ?? OK) })
    }
    return results
  }

  #planAllowed<A extends ConfigResource>(alteration: A, planOne: (alteration: A) => AlterPlan): AlterPlan {
    const error = this.#refuseAlteration(alteration.type, alteration.name)
    return error === null ? planOne(alteration) : { error, write: null }
  }

  /**
   * Plans and writes until nobody came between. A store that cannot write is an answer, not the end of the connection. Gives what each plan
   * came to.
   */
  async #untilWritten(planAll: () => AlterPlan[], validateOnly: boolean): Promise<ConfigError[]> {
    for (let attempt = 0; ; attempt++) {
      const plans = planAll()
      const writes = plans.flatMap(({ write }) => write ?? [])
      const unwritten = (failure: ConfigError) => plans.map(({ error, write }) => (write === null ? error : failure))
      if (validateOnly || writes.length === 0) return plans.map(({ error }) => error)
      if (attempt === MAX_ATTEMPTS) {
        return unwritten(failed(ErrorCode.REQUEST_TIMED_OUT, 'The configuration is being changed by others'))
      }
      try {
        if ((await this.#store.transact(merged(writes))).ok) return plans.map(({ error }) => error)
      } catch (error) {
        if (!(error instanceof MetadataStoreError)) throw error
        return unwritten(failed(ErrorCode.KAFKA_STORAGE_ERROR, error.message))
      }
    }
  }

  #plan({ type, name }: ConfigResource, change: (target: AlterTarget) => AlterOutcome): AlterPlan {
    const kind = kindOf(type)
    const storedName = kind === 'broker' && name !== '' ? String(this.#nodeId) : name
    const { values: current, revision } = this.#image.config(kind, storedName)
    const outcome = change({ kind, name: storedName, current, broker: this.#broker, elrEnabled: this.#elrEnabled() })
    if (!outcome.ok) return { error: failed(outcome.errorCode, outcome.errorMessage), write: null }
    const isSame = sameValues(current, outcome.values)
    return { error: OK, write: isSame ? null : this.#writeOf(kind, storedName, outcome.values, revision) }
  }

  /** Holds if the resource is still as it was read. */
  #writeOf(
    kind: ConfigKind,
    name: string,
    values: ReadonlyMap<string, string>,
    revision: number | null,
  ): Required<StoreTransaction> {
    const key = configKey(kind, name)
    const checks = [{ key, revision }]
    const topic = kind === 'topic' ? this.#image.topic(name) : undefined
    // Configs of a topic that is being deleted would be found by the next topic of that name.
    if (topic !== undefined) checks.push({ key: `topics/${name}`, revision: topic.revision })
    const value: ConfigValue = Object.fromEntries(values)
    return values.size === 0
      ? { checks, puts: [], deletes: [key] }
      : { checks, puts: [{ key, value: encodeValue(value) }], deletes: [] }
  }

  #alterLogger({ operations }: IncrementalAlteration, validateOnly: boolean): ConfigError {
    const malformed = malformedOperations(operations)
    if (malformed !== null) return malformed
    for (const operation of operations) {
      const refusal = this.#refuseLoggerChange(operation)
      if (refusal !== null) return refusal
    }
    if (!validateOnly) for (const { value } of operations) this.#loggerLevel?.setLevel(value)
    return OK
  }

  #refuseLoggerChange({ name, operation, value }: ConfigOperation): ConfigError | null {
    if (operation === AlterOperation.APPEND || operation === AlterOperation.SUBTRACT) {
      const verb = operation === AlterOperation.APPEND ? 'APPEND' : 'SUBTRACT'
      return refused(`${verb} operation is not allowed for the BROKER_LOGGER resource`)
    }
    if (operation !== AlterOperation.SET && operation !== AlterOperation.DELETE) {
      return failed(ErrorCode.UNKNOWN_SERVER_ERROR, null)
    }
    if (this.#loggerLevel === null || name !== ROOT_LOGGER) {
      return failed(ErrorCode.INVALID_CONFIG, `Logger ${name} does not exist!`)
    }
    if (operation === AlterOperation.DELETE) return refused('Removing the log level of the root logger is not allowed')
    if (value !== null && LOGGER_LEVELS.includes(value)) return null
    return failed(
      ErrorCode.INVALID_CONFIG,
      `Cannot set the log level of ${name} to ${value} as it is not a supported log level. Valid log levels are ${[...LOGGER_LEVELS].sort().join(', ')}`,
    )
  }
}

function kindOf(type: number): ConfigKind {
  if (type === ResourceType.TOPIC) return 'topic'
  if (type === ResourceType.CLIENT_METRICS) return 'client-metrics'
  return type === ResourceType.GROUP ? 'group' : 'broker'
}

function configKey(kind: ConfigKind, name: string): string {
  if (kind === 'topic') return topicConfigKey(name)
  if (kind === 'client-metrics') return clientMetricsConfigKey(name)
  return kind === 'group' ? groupConfigKey(name) : brokerConfigKey(name)
}

/**
 * Topics in a row are written together, which waits for the device once. Anything else is alone: what it changes may decide about what
 * follows, and a broker has several names.
 */
function writtenTogether<A extends ConfigResource>(alterations: readonly A[]): A[][] {
  const runs: A[][] = []
  for (const alteration of alterations) {
    const run = runs.at(-1)
    if (alteration.type === ResourceType.TOPIC && run?.[0]?.type === ResourceType.TOPIC) run.push(alteration)
    else runs.push([alteration])
  }
  return runs
}

function merged(writes: readonly Required<StoreTransaction>[]): StoreTransaction {
  return {
    checks: writes.flatMap(({ checks }) => checks),
    puts: writes.flatMap(({ puts }) => puts),
    deletes: writes.flatMap(({ deletes }) => deletes),
  }
}

function sameValues(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value)
}
