/**
 * What a configuration property is: its name, type, default and what is allowed. The tables in this folder are made of
 * these; configs.ts and broker-config.ts judge every value by them. Names, types and defaults are Kafka's
 * (test/metadata/config-definitions compares them with the answers of a Kafka broker).
 */
import type { Validator } from './validators.ts'

export type ConfigType = 'boolean' | 'string' | 'int' | 'short' | 'long' | 'double' | 'list' | 'class' | 'password'

/** `read-only` needs a restart, `per-broker` cannot be set for the whole cluster, `cluster-wide` can be both. */
export type UpdateMode = 'read-only' | 'per-broker' | 'cluster-wide'

export type Importance = 'high' | 'medium' | 'low'

export interface ConfigDefinition {
  readonly name: string
  readonly type: ConfigType
  /** In text form; null: unset unless given. */
  readonly defaultValue: string | null
  readonly validator: Validator | null
  readonly mode: UpdateMode
  readonly importance: Importance
  /** Settable, never described. */
  readonly internal: boolean
  readonly documentation: string | null
}

/** A row of a table, with the columns that most rows share left out. */
export interface DefinitionRow {
  readonly type: ConfigType
  readonly default: string | null
  readonly valid?: Validator
  /** Default: read-only in the broker's tables; topics and groups have nothing that is. */
  readonly mode?: UpdateMode
  /** Default: medium. */
  readonly importance?: Importance
  readonly documentation?: string
}

export type DefinitionTable = Readonly<Record<string, DefinitionRow>>

export interface TableOptions {
  readonly internal?: boolean
  /** For rows that do not say. */
  readonly mode?: UpdateMode
}

export function definitionsOf(
  table: DefinitionTable,
  { internal = false, mode = 'read-only' }: TableOptions = {},
): ConfigDefinition[] {
  return Object.entries(table).map(([name, row]) => ({
    name,
    type: row.type,
    defaultValue: row.default,
    validator: row.valid ?? null,
    mode: row.mode ?? mode,
    importance: row.importance ?? 'medium',
    internal,
    documentation: row.documentation ?? null,
  }))
}
