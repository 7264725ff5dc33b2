/**
 * The broker's own settings: what the operator gave (checked once, at start), what was set dynamically (followed through the
 * image), and the defaults. Everybody who needs a setting asks here, at the time of use, by Kafka's property name; who
 * has to act on a change listens.
 *
 * Order of precedence: dynamic for this broker, dynamic for the cluster, given at start, default.
 */

import type { ConfigDefinition } from './config-definitions/definition.ts'
import { BROKER_DEFINITIONS, DYNAMIC_ONLY_DEFINITIONS } from './config-definitions/index.ts'
import type { ConfigScalar } from './config-definitions/validators.ts'
import { refusedValue, warningFor } from './config-effects.ts'
import { brokenRelations, RELATED_CONFIGS } from './config-relations.ts'
import { parseConfigValue } from './config-values.ts'
import { refuseCordoned } from './cordoned-directories.ts'
import { DEVELOPMENT_DEFAULTS } from './development-defaults.ts'
import type { ImageChange, MetadataImage } from './image.ts'
import { refusedInternalTopics } from './internal-topics.ts'

/** The properties cannot be used. One line per problem: the key, the value, and what is allowed. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** Where a value comes from. */
export type BrokerConfigLevel = 'dynamic-broker' | 'dynamic-cluster' | 'static' | 'default'

export interface LeveledValue {
  readonly level: BrokerConfigLevel
  readonly value: string
}

export interface BrokerConfigOptions {
  /** As given on the command line, in the environment or in a file; already merged. */
  readonly properties: ReadonlyMap<string, string>
  /** Applied below `properties`; the development defaults unless told otherwise. */
  readonly defaults?: ReadonlyMap<string, string>
}

export type BrokerConfigListener = (names: ReadonlySet<string>) => void

const NONE: ReadonlyMap<string, string> = new Map()

/** Settings of single listeners carry this prefix; they belong to the listeners' security and are kept as they are. */
const LISTENER_PREFIX = 'listener.name.'

function definitionOf(name: string): ConfigDefinition | undefined {
  return BROKER_DEFINITIONS.get(name) ?? DYNAMIC_ONLY_DEFINITIONS.get(name)
}

export class BrokerConfig {
  readonly #static: ReadonlyMap<string, string>
  /** Parsed effective values; emptied when dynamic configs change. */
  readonly #effective = new Map<string, ConfigScalar>()
  readonly #listeners = new Set<BrokerConfigListener>()
  #dynamicBroker: ReadonlyMap<string, string> = NONE
  #dynamicCluster: ReadonlyMap<string, string> = NONE

  /** One line each: names that mean nothing here. */
  readonly warnings: readonly string[]

  /** Throws ConfigurationError. */
  constructor(options: BrokerConfigOptions) {
    const merged = new Map([...(options.defaults ?? DEVELOPMENT_DEFAULTS), ...options.properties])
    const { problems, warnings } = judge(merged)
    if (problems.length > 0) throw new ConfigurationError(problems)
    this.#static = merged
    this.warnings = warnings
    // Kafka's defaults fit each other: only what was given can break a relation.
    const touched = RELATED_CONFIGS.filter(({ lower, upper }) => merged.has(lower) || merged.has(upper))
    const broken = [...brokenRelations((name) => this.#value(name), touched), ...refusedInternalTopics(this, merged)]
    if (broken.length > 0) throw new ConfigurationError(broken)
    const cordoned = refuseCordoned(this, this.list('cordoned.log.dirs'))
    if (cordoned !== null) throw new ConfigurationError([cordoned])
  }

  /** From now on the dynamic configs of this broker and of the cluster count. */
  follow(image: MetadataImage, nodeId: number): () => void {
    const own = String(nodeId)
    const refresh = (): void => {
      const before = [this.#dynamicBroker, this.#dynamicCluster]
      this.#dynamicBroker = image.config('broker', own).values
      this.#dynamicCluster = image.config('broker', '').values
      const names = changedNames([...before, this.#dynamicBroker, this.#dynamicCluster])
      if (names.size === 0) return
      this.#effective.clear()
      for (const listener of this.#listeners) listener(names)
    }
    refresh()
    return image.onChange((change: ImageChange) => {
      if (change.configs.some(({ kind, name }) => kind === 'broker' && (name === '' || name === own))) refresh()
    })
  }

  /** The listener gets the names whose dynamic value was set, changed or removed. */
  onChange(listener: BrokerConfigListener): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** int, short, long (saturating at 2^53-1) and double properties that always have a value. */
  number(name: string): number {
    const value = this.numberOrNull(name)
    if (value === null) throw new Error(`configuration ${name} has no value`)
    return value
  }

  numberOrNull(name: string): number | null {
    const value = this.#value(name)
    if (value !== null && typeof value !== 'number') throw new Error(`configuration ${name} is not a number`)
    return value
  }

  boolean(name: string): boolean {
    const value = this.#value(name)
    if (typeof value !== 'boolean') throw new Error(`configuration ${name} is not a boolean`)
    return value
  }

  string(name: string): string {
    const value = this.stringOrNull(name)
    if (value === null) throw new Error(`configuration ${name} has no value`)
    return value
  }

  stringOrNull(name: string): string | null {
    const value = this.#value(name)
    if (value !== null && typeof value !== 'string') throw new Error(`configuration ${name} is not a string`)
    return value
  }

  /** Unset counts as empty. */
  list(name: string): readonly string[] {
    const value = this.#value(name) ?? []
    if (!Array.isArray(value)) throw new Error(`configuration ${name} is not a list`)
    return value
  }

  /** The effective value in its canonical spelling; null: unset. */
  text(name: string): string | null {
    const definition = definitionOf(name)
    if (definition === undefined) throw new Error(`there is no broker configuration ${name}`)
    return this.#effectiveParsed(definition).text
  }

  /** The values a property has, by precedence; the first one is effective. Unset defaults are left out. */
  levels(name: string): LeveledValue[] {
    const defaultValue = definitionOf(name)?.defaultValue ?? undefined
    const found: readonly (readonly [BrokerConfigLevel, string | undefined])[] = [
      ['dynamic-broker', this.#dynamicBroker.get(name)],
      ['dynamic-cluster', this.#dynamicCluster.get(name)],
      ['static', this.#static.get(name)],
      ['default', DYNAMIC_ONLY_DEFINITIONS.has(name) ? undefined : defaultValue],
    ]
    return found.flatMap(([level, value]) => (value === undefined ? [] : [{ level, value }]))
  }

  /** Every name that has a value of its own at some level, known or not. */
  givenNames(): Set<string> {
    return new Set([...this.#static.keys(), ...this.#dynamicCluster.keys(), ...this.#dynamicBroker.keys()])
  }

  #value(name: string): ConfigScalar {
    const cached = this.#effective.get(name)
    if (cached !== undefined) return cached
    const definition = definitionOf(name)
    if (definition === undefined) throw new Error(`there is no broker configuration ${name}`)
    const { value } = this.#effectiveParsed(definition)
    this.#effective.set(name, value)
    return value
  }

  /** A dynamic value that does not parse (stored by another release) is passed over: the level below it counts. */
  #effectiveParsed(definition: ConfigDefinition): { value: ConfigScalar; text: string | null } {
    for (const { value } of this.levels(definition.name)) {
      const parsed = parseConfigValue(definition, value)
      if (parsed.ok) return parsed
    }
    const fallback = parseConfigValue(definition, definition.defaultValue)
    return fallback.ok ? fallback : { value: null, text: null }
  }
}

function judge(properties: ReadonlyMap<string, string>): { problems: string[]; warnings: string[] } {
  const problems: string[] = []
  const warnings: string[] = []
  for (const [name, value] of properties) {
    const definition = BROKER_DEFINITIONS.get(name)
    const warning = warningFor(name)
    if (warning !== null) {
      warnings.push(`${name} is accepted but has no effect in Samsa: ${warning}`)
    } else if (DYNAMIC_ONLY_DEFINITIONS.has(name)) {
      warnings.push(`${name} can only be set while the broker runs (kafka-configs); it is ignored here`)
    } else if (definition === undefined && !name.startsWith(LISTENER_PREFIX)) {
      warnings.push(`${name} is not a known property; it has no effect`)
    }
    if (definition === undefined) continue
    const parsed = parseConfigValue(definition, value)
    const refusal = parsed.ok ? refusedValue('broker', name, value) : null
    if (!parsed.ok) problems.push(`${parsed.reason} (allowed: ${allowedValues(definition)})`)
    else if (refusal !== null) problems.push(refusal)
  }
  return { problems, warnings }
}

function allowedValues(definition: ConfigDefinition): string {
  return definition.validator === null ? definition.type : `${definition.type}, ${definition.validator.allowed}`
}

/** Names whose value differs between the maps of before (first half) and of now (second half). */
function changedNames(maps: readonly ReadonlyMap<string, string>[]): Set<string> {
  const half = maps.length / 2
  const changed = new Set<string>()
  for (let index = 0; index < half; index++) {
    const before = maps[index]!
    const now = maps[index + half]!
    for (const name of new Set([...before.keys(), ...now.keys()])) {
      if (before.get(name) !== now.get(name)) changed.add(name)
    }
  }
  return changed
}
