/**
 * How configs are described: every property with its value, where it comes from, and the chain of values behind it. Pure functions
 * over the broker's settings and the stored maps; configs.ts calls them.
 */
import type { BrokerConfig, BrokerConfigLevel } from './broker-config.ts'
import type { ConfigDefinition } from './config-definitions/definition.ts'
import {
  BROKER_DEFINITIONS,
  CLIENT_METRICS_DEFINITIONS,
  DYNAMIC_ONLY_DEFINITIONS,
  GROUP_DEFINITIONS,
  TOPIC_DEFINITIONS,
} from './config-definitions/index.ts'
import { TOPIC_SYNONYMS } from './config-definitions/topic.ts'
import { parseConfigValue, WIRE_TYPES } from './config-values.ts'
import { effectiveTopicText } from './topic-settings.ts'

/** The protocol's numbers for where a value comes from. */
export const ConfigSource = {
  UNKNOWN: 0,
  TOPIC: 1,
  DYNAMIC_BROKER: 2,
  DYNAMIC_DEFAULT_BROKER: 3,
  STATIC_BROKER: 4,
  DEFAULT: 5,
  DYNAMIC_BROKER_LOGGER: 6,
  CLIENT_METRICS: 7,
  GROUP: 8,
} as const

export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

export interface DescribedConfig {
  readonly name: string
  /** null: unset, or sensitive */
  readonly value: string | null
  readonly readOnly: boolean
  readonly source: number
  readonly sensitive: boolean
  /** From the effective value down. */
  readonly synonyms: readonly ConfigSynonym[]
  /** The protocol's number; 0 for properties that no table knows. */
  readonly type: number
  readonly documentation: string | null
}

const LEVELS: readonly (readonly [BrokerConfigLevel, number])[] = [
  ['dynamic-broker', ConfigSource.DYNAMIC_BROKER],
  ['dynamic-cluster', ConfigSource.DYNAMIC_DEFAULT_BROKER],
  ['static', ConfigSource.STATIC_BROKER],
  ['default', ConfigSource.DEFAULT],
]

/** Broker properties that say the same in several units, the finest first. */
const UNIT_SYNONYMS: readonly (readonly string[])[] = [
  ['log.roll.ms', 'log.roll.hours'],
  ['log.roll.jitter.ms', 'log.roll.jitter.hours'],
  ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'],
]

/** This one yields to the scheduler's setting, but not the other way round. */
const FLUSH_SYNONYMS: readonly string[] = ['log.flush.interval.ms', 'log.flush.scheduler.interval.ms']

function brokerSynonymNames(name: string): readonly string[] {
  if (name === FLUSH_SYNONYMS[0]) return FLUSH_SYNONYMS
  return UNIT_SYNONYMS.find((names) => names.includes(name)) ?? [name]
}

/**
 * All values behind a broker property: level by level, within a level name by name. What stands before the first
 * value under the property's own name belongs to another property, and is left out.
 */
function brokerChain(broker: BrokerConfig, name: string, sensitive: boolean): ConfigSynonym[] {
  const values = brokerSynonymNames(name).map((synonym) => ({ synonym, levels: broker.levels(synonym) }))
  const chain = LEVELS.flatMap(([level, source]) =>
    values.flatMap(({ synonym, levels }) =>
      levels
        .filter((entry) => entry.level === level)
        .map((entry) => ({ name: synonym, value: sensitive ? null : entry.value, source })),
    ),
  )
  const first = chain.findIndex((entry) => entry.name === name)
  return first === -1 ? [] : chain.slice(first)
}

function described(definition: ConfigDefinition, value: string | null, synonyms: ConfigSynonym[]): DescribedConfig {
  const sensitive = definition.type === 'password'
  return {
    name: definition.name,
    value: sensitive ? null : value,
    readOnly: definition.mode === 'read-only',
    source: synonyms[0]?.source ?? ConfigSource.DEFAULT,
    sensitive,
    synonyms,
    type: WIRE_TYPES[definition.type],
    documentation: definition.documentation,
  }
}

function canonical(definition: ConfigDefinition, text: string | null): string | null {
  const parsed = parseConfigValue(definition, text)
  return parsed.ok ? parsed.text : text
}

/** Every topic property, sorted by name. `own` is what is set on the topic. */
export function describeTopic(broker: BrokerConfig, own: ReadonlyMap<string, string>): DescribedConfig[] {
  return [...TOPIC_DEFINITIONS.values()]
    .filter(({ name, internal }) => !internal || own.has(name))
    .map((definition) => describeTopicConfig(broker, definition, own))
}

/** The same from the description of a topic that has nothing set, of which most entries hold for every topic. */
export function describeTopicFrom(
  unset: readonly DescribedConfig[],
  broker: BrokerConfig,
  own: ReadonlyMap<string, string>,
): DescribedConfig[] {
  if ([...own.keys()].some((name) => TOPIC_DEFINITIONS.get(name)?.internal !== false)) return describeTopic(broker, own)
  return unset.map((config) =>
    own.has(config.name) ? describeTopicConfig(broker, TOPIC_DEFINITIONS.get(config.name)!, own) : config,
  )
}

function describeTopicConfig(
  broker: BrokerConfig,
  definition: ConfigDefinition,
  own: ReadonlyMap<string, string>,
): DescribedConfig {
  const { name } = definition
  const value = canonical(
    definition,
    effectiveTopicText(name, own, (synonym) => broker.text(synonym)),
  )
  const brokerName = TOPIC_SYNONYMS[name]?.[0]?.name
  const synonyms = brokerName === undefined ? [] : brokerChain(broker, brokerName, false)
  if (own.has(name)) synonyms.unshift({ name, value, source: ConfigSource.TOPIC })
  return described(definition, value, synonyms)
}

function brokerDefinition(name: string): ConfigDefinition | undefined {
  return BROKER_DEFINITIONS.get(name) ?? DYNAMIC_ONLY_DEFINITIONS.get(name)
}

/** Every public broker property and whatever else was given, sorted by name. */
export function describeBroker(broker: BrokerConfig): DescribedConfig[] {
  const names = broker.givenNames()
  for (const definition of BROKER_DEFINITIONS.values()) if (!definition.internal) names.add(definition.name)
  return [...names].sort().map((name) => {
    const definition = brokerDefinition(name)
    if (definition === undefined) return unknownBrokerConfig(name, brokerChain(broker, name, true))
    return described(definition, broker.text(name), brokerChain(broker, name, definition.type === 'password'))
  })
}

/** The cluster-wide default: only what is set there. */
export function describeClusterDefault(values: ReadonlyMap<string, string>): DescribedConfig[] {
  const source = ConfigSource.DYNAMIC_DEFAULT_BROKER
  return [...values.keys()].sort().map((name) => {
    const definition = brokerDefinition(name)
    if (definition === undefined) return unknownBrokerConfig(name, [{ name, value: null, source }])
    const value = definition.type === 'password' ? null : (values.get(name) ?? null)
    return described(definition, value, [{ name, value, source }])
  })
}

/** A name that no table knows might hold a secret: its value is kept, and never shown. */
function unknownBrokerConfig(name: string, synonyms: ConfigSynonym[]): DescribedConfig {
  const source = synonyms[0]?.source ?? ConfigSource.DEFAULT
  return { name, value: null, readOnly: true, source, sensitive: true, synonyms, type: 0, documentation: null }
}

/** The broker property behind a group property; some have none. */
function groupBrokerSynonym(name: string): string | null {
  return BROKER_DEFINITIONS.has(`group.${name}`) ? `group.${name}` : null
}

export function effectiveGroupText(
  broker: BrokerConfig,
  definition: ConfigDefinition,
  own: ReadonlyMap<string, string>,
): string | null {
  const synonym = groupBrokerSynonym(definition.name)
  const fallback = synonym === null ? definition.defaultValue : broker.text(synonym)
  return canonical(definition, own.get(definition.name) ?? fallback)
}

/** Every property of a client metrics subscription, sorted by name. */
export function describeClientMetrics(own: ReadonlyMap<string, string>): DescribedConfig[] {
  return [...CLIENT_METRICS_DEFINITIONS.values()].map((definition) => {
    const { name, defaultValue } = definition
    const value = canonical(definition, own.get(name) ?? defaultValue)
    const synonyms = own.has(name) ? [{ name, value, source: ConfigSource.CLIENT_METRICS }] : []
    return described(definition, value, synonyms)
  })
}

/** Every group property, sorted by name. Any group has them, whether it exists or not. */
export function describeGroup(broker: BrokerConfig, own: ReadonlyMap<string, string>): DescribedConfig[] {
  return [...GROUP_DEFINITIONS.values()].map((definition) => {
    const { name, defaultValue } = definition
    const synonym = groupBrokerSynonym(name)
    const value = effectiveGroupText(broker, definition, own)
    const synonyms =
      synonym === null
        ? [{ name, value: defaultValue, source: ConfigSource.DEFAULT }]
        : brokerChain(broker, synonym, false)
    if (own.has(name)) synonyms.unshift({ name, value, source: ConfigSource.GROUP })
    return described(definition, value, synonyms)
  })
}
