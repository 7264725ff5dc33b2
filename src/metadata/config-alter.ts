/**
 * What a change of dynamic configs leads to: operations on a map of texts, then the rules of the resource. Pure; configs.ts
 * stores the outcome. A resource's change is all or nothing.
 */
import { ErrorCode } from '../protocol/errors.ts'
import type { BrokerConfig } from './broker-config.ts'
import { refuseSubscription } from './client-metrics.ts'
import type { ConfigDefinition } from './config-definitions/definition.ts'
import {
  BROKER_DEFINITIONS,
  CLIENT_METRICS_DEFINITIONS,
  type DefinitionMap,
  DYNAMIC_ONLY_DEFINITIONS,
  GROUP_DEFINITIONS,
  TOPIC_DEFINITIONS,
} from './config-definitions/index.ts'
import { effectiveGroupText } from './config-describe.ts'
import { refusedValue } from './config-effects.ts'
import { parseConfigValue } from './config-values.ts'
import { refuseCordoned } from './cordoned-directories.ts'
import type { ConfigKind } from './image.ts'
import { effectiveTopicText } from './topic-settings.ts'

export const AlterOperation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const

export interface ConfigOperation {
  readonly name: string
  readonly operation: number
  readonly value: string | null
}

export interface ConfigError {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

export type AlterOutcome =
  | { readonly ok: true; readonly values: ReadonlyMap<string, string> }
  | ({ readonly ok: false } & ConfigError)

/** The resource to change: its kind, name ('' for the cluster-wide default of brokers) and what it has now. */
export interface AlterTarget {
  readonly kind: ConfigKind
  readonly name: string
  readonly current: ReadonlyMap<string, string>
  readonly broker: BrokerConfig
  /** Whether eligible leader replicas are on, which fixes where min.insync.replicas is set. */
  readonly elrEnabled: boolean
}

function refuse(errorCode: ErrorCode, errorMessage: string | null): { readonly ok: false } & ConfigError {
  return { ok: false, errorCode, errorMessage }
}

function definitionsFor(kind: ConfigKind): DefinitionMap {
  if (kind === 'topic') return TOPIC_DEFINITIONS
  if (kind === 'client-metrics') return CLIENT_METRICS_DEFINITIONS
  return kind === 'group' ? GROUP_DEFINITIONS : BROKER_DEFINITIONS
}

function definitionFor(kind: ConfigKind, name: string): ConfigDefinition | undefined {
  return definitionsFor(kind).get(name) ?? (kind === 'broker' ? DYNAMIC_ONLY_DEFINITIONS.get(name) : undefined)
}

/** IncrementalAlterConfigs of one resource. */
export function alterIncrementally(target: AlterTarget, operations: readonly ConfigOperation[]): AlterOutcome {
  const malformed = malformedOperations(operations)
  if (malformed !== null) return malformed
  const values = new Map(target.current)
  for (const operation of operations) {
    const failed = applyOperation(target, values, operation)
    if (failed !== null) return failed
  }
  return judgeChange(target, values)
}

/** The legacy request: what it does not mention is reset. */
export function replaceAll(
  target: AlterTarget,
  configs: readonly { readonly name: string; readonly value: string | null }[],
): AlterOutcome {
  const missing = configs.filter((config) => config.value === null).map((config) => config.name)
  if (missing.length > 0) {
    return refuse(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${missing.join(',')}`)
  }
  if (new Set(configs.map((config) => config.name)).size < configs.length) {
    return refuse(ErrorCode.INVALID_REQUEST, 'Error due to duplicate config keys')
  }
  const values = new Map(configs.map((config) => [config.name, config.value ?? '']))
  for (const [name, value] of values) {
    if (definitionFor(target.kind, name)?.type === 'list') values.set(name, listItems(value).join(','))
  }
  return judgeChange(target, values)
}

/** What no kind of resource accepts: a name twice, a value that is missing. */
export function malformedOperations(
  operations: readonly ConfigOperation[],
): ({ readonly ok: false } & ConfigError) | null {
  if (new Set(operations.map(({ name }) => name)).size < operations.length) {
    return refuse(ErrorCode.INVALID_REQUEST, 'Error due to duplicate config keys')
  }
  const missing = operations.filter((entry) => entry.operation !== AlterOperation.DELETE && entry.value === null)
  if (missing.length === 0) return null
  const names = missing.map(({ name }) => name).join(',')
  return refuse(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${names}`)
}

/** Changes `values`, or says why it cannot. */
function applyOperation(
  target: AlterTarget,
  values: Map<string, string>,
  { name, operation, value }: ConfigOperation,
): AlterOutcome | null {
  switch (operation) {
    case AlterOperation.SET:
      values.set(name, value ?? '')
      return null
    case AlterOperation.DELETE:
      values.delete(name)
      return null
    case AlterOperation.APPEND:
    case AlterOperation.SUBTRACT: {
      if (!isList(target.kind, name)) {
        return refuse(ErrorCode.INVALID_CONFIG, notAList(target.kind, name, operation))
      }
      const items = listItems(values.get(name) ?? effectiveText(target, name) ?? '')
      const given = listItems(value ?? '')
      const changed =
        operation === AlterOperation.APPEND
          ? [...items, ...given.filter((item) => !items.includes(item))]
          : items.filter((item) => !given.includes(item))
      values.set(name, changed.join(','))
      return null
    }
    default:
      return target.kind === 'broker'
        ? refuse(ErrorCode.INVALID_REQUEST, `Unknown operations type ${operation}`)
        : refuse(ErrorCode.UNKNOWN_SERVER_ERROR, null)
  }
}

/** Kafka's controller does not know the types of client metrics: their lists are only set whole. */
function isList(kind: ConfigKind, name: string): boolean {
  return kind !== 'client-metrics' && definitionFor(kind, name)?.type === 'list'
}

function notAList(kind: ConfigKind, name: string, operation: number): string {
  const verb = operation === AlterOperation.APPEND ? 'append' : 'subtract'
  return kind === 'broker'
    ? `Config value ${verb} is not allowed for config key: ${name}`
    : `Can't ${verb.toUpperCase()} to key ${name} because its type is not LIST.`
}

function listItems(text: string): string[] {
  return text.trim() === '' ? [] : text.trim().split(/\s*,\s*/)
}

/** What a list that is not set on the resource itself holds: the base of APPEND and SUBTRACT. */
function effectiveText({ kind, broker, current }: AlterTarget, name: string): string | null {
  if (kind === 'topic') return effectiveTopicText(name, current, (synonym) => broker.text(synonym))
  return kind === 'broker' ? broker.text(name) : null
}

function judgeChange(target: AlterTarget, values: ReadonlyMap<string, string>): AlterOutcome {
  switch (target.kind) {
    case 'topic':
      return judgeTopicConfigs(target.broker, values)
    case 'group':
      return judgeGroupConfigs(target.broker, values)
    case 'client-metrics':
      return judgeClientMetrics(values)
    case 'broker':
      return judgeBrokerConfigs(target, values)
  }
}

function invalidConfig(reason: string): AlterOutcome {
  return refuse(ErrorCode.INVALID_CONFIG, reason)
}

/** The first name that is unknown or whose value is impossible. */
function firstImpossible(definitions: DefinitionMap, values: ReadonlyMap<string, string>, kind: string): string | null {
  for (const [name, value] of values) {
    const definition = definitions.get(name)
    if (definition === undefined) return `Unknown ${kind} config name: ${name}`
    const parsed = parseConfigValue(definition, value)
    if (!parsed.ok) return parsed.reason
  }
  return null
}

const TIERED_STORAGE = 'remote.storage.enable'

/** What a topic may be given, at its creation and later. */
export function judgeTopicConfigs(broker: BrokerConfig, values: ReadonlyMap<string, string>): AlterOutcome {
  const impossible = firstImpossible(TOPIC_DEFINITIONS, values, 'topic')
  if (impossible !== null) return invalidConfig(impossible)
  for (const [name, value] of values) {
    // In Kafka's words below.
    const refusal = name === TIERED_STORAGE ? null : refusedValue('topic', name, value)
    if (refusal !== null) return invalidConfig(refusal)
  }
  const number = (name: string): number =>
    Number(effectiveTopicText(name, values, (synonym) => broker.text(synonym)) ?? Number.NaN)
  const shortest = number('min.compaction.lag.ms')
  const longest = number('max.compaction.lag.ms')
  if (shortest > longest) {
    return invalidConfig(
      `conflict topic config setting min.compaction.lag.ms (${shortest}) > max.compaction.lag.ms (${longest})`,
    )
  }
  if (values.get(TIERED_STORAGE)?.trim().toLowerCase() === 'true') {
    return invalidConfig(
      'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.',
    )
  }
  return { ok: true, values }
}

/** A group property and the broker properties that bound it. */
const GROUP_BOUNDS: readonly (readonly [name: string, min: string | null, max: string | null])[] = [
  [
    'consumer.heartbeat.interval.ms',
    'group.consumer.min.heartbeat.interval.ms',
    'group.consumer.max.heartbeat.interval.ms',
  ],
  ['consumer.session.timeout.ms', 'group.consumer.min.session.timeout.ms', 'group.consumer.max.session.timeout.ms'],
  [
    'consumer.assignment.interval.ms',
    'group.consumer.min.assignment.interval.ms',
    'group.consumer.max.assignment.interval.ms',
  ],
  ['share.heartbeat.interval.ms', 'group.share.min.heartbeat.interval.ms', 'group.share.max.heartbeat.interval.ms'],
  ['share.session.timeout.ms', 'group.share.min.session.timeout.ms', 'group.share.max.session.timeout.ms'],
  ['share.assignment.interval.ms', 'group.share.min.assignment.interval.ms', 'group.share.max.assignment.interval.ms'],
  [
    'share.record.lock.duration.ms',
    'group.share.min.record.lock.duration.ms',
    'group.share.max.record.lock.duration.ms',
  ],
  ['share.delivery.count.limit', 'group.share.min.delivery.count.limit', 'group.share.max.delivery.count.limit'],
  [
    'share.partition.max.record.locks',
    'group.share.min.partition.max.record.locks',
    'group.share.max.partition.max.record.locks',
  ],
  [
    'streams.heartbeat.interval.ms',
    'group.streams.min.heartbeat.interval.ms',
    'group.streams.max.heartbeat.interval.ms',
  ],
  ['streams.session.timeout.ms', 'group.streams.min.session.timeout.ms', 'group.streams.max.session.timeout.ms'],
  [
    'streams.assignment.interval.ms',
    'group.streams.min.assignment.interval.ms',
    'group.streams.max.assignment.interval.ms',
  ],
  ['streams.num.standby.replicas', null, 'group.streams.max.standby.replicas'],
]

function judgeGroupConfigs(broker: BrokerConfig, values: ReadonlyMap<string, string>): AlterOutcome {
  const impossible = firstImpossible(GROUP_DEFINITIONS, values, 'group')
  if (impossible !== null) return invalidConfig(impossible)
  const number = (name: string): number => Number(effectiveGroupText(broker, GROUP_DEFINITIONS.get(name)!, values))
  for (const [name, min, max] of GROUP_BOUNDS) {
    if (!values.has(name)) continue
    if (min !== null && number(name) < broker.number(min)) {
      return invalidConfig(`${name} must be greater than or equal to ${min}`)
    }
    if (max !== null && number(name) > broker.number(max)) {
      return invalidConfig(`${name} must be less than or equal to ${max}`)
    }
  }
  for (const kind of ['consumer', 'share', 'streams']) {
    const heartbeat = `${kind}.heartbeat.interval.ms`
    const session = `${kind}.session.timeout.ms`
    if (!values.has(heartbeat) && !values.has(session)) continue
    if (number(session) <= number(heartbeat)) return invalidConfig(`${session} must be greater than ${heartbeat}`)
  }
  return { ok: true, values }
}

function judgeClientMetrics(values: ReadonlyMap<string, string>): AlterOutcome {
  const unknown = [...values.keys()].find((name) => !CLIENT_METRICS_DEFINITIONS.has(name))
  if (unknown !== undefined) {
    return refuse(ErrorCode.INVALID_REQUEST, `Unknown client metrics configuration: ${unknown}`)
  }
  const impossible = firstImpossible(CLIENT_METRICS_DEFINITIONS, values, 'client metrics')
  if (impossible !== null) return invalidConfig(impossible)
  const refusal = refuseSubscription(values)
  return refusal === null ? { ok: true, values } : { ok: false, ...refusal }
}

const LISTENER_PREFIX = /^listener\.name\.[^.]+\./
/** These belong to one listener each: dynamically they need its prefix. */
const PREFIXED_ONLY = /^(ssl\.|sasl\.(jaas|login|kerberos|mechanism|enabled)|principal\.builder)/
/** Pools that may at most double or halve at a time. */
const THREAD_COUNTS: ReadonlySet<string> = new Set([
  'background.threads',
  'log.cleaner.threads',
  'num.io.threads',
  'num.network.threads',
  'num.recovery.threads.per.data.dir',
  'num.replica.fetchers',
])
/** Its cluster-wide value is part of the metadata from the first start, and counts for every broker alike. */
const CLUSTER_ONLY = 'min.insync.replicas'

function judgeBrokerConfigs(target: AlterTarget, values: ReadonlyMap<string, string>): AlterOutcome {
  const perBroker = target.name !== ''
  const { current } = target
  const given = [...values].filter(([name, value]) => current.get(name) !== value)
  const fixed = given.filter(([name]) => isReadOnly(name)).map(([name]) => name)
  if (fixed.length > 0) {
    return refuse(ErrorCode.INVALID_REQUEST, `Cannot update these configs dynamically: [${fixed.join(', ')}]`)
  }
  const unprefixed = given.filter(([name]) => PREFIXED_ONLY.test(name)).map(([name]) => name)
  if (unprefixed.length > 0) {
    return refuse(
      ErrorCode.INVALID_REQUEST,
      `These security configs can be dynamically updated only per-listener using the listener prefix: [${unprefixed.join(', ')}]`,
    )
  }
  const ownOnly = given.filter(([name]) => isPerBroker(name)).map(([name]) => name)
  if (!perBroker && ownOnly.length > 0) {
    return refuse(
      ErrorCode.INVALID_REQUEST,
      `Cannot update these configs at default cluster level, broker id must be specified: [${ownOnly.join(', ')}]`,
    )
  }
  const refused = judgeBrokerValues(target, given)
  if (refused !== null) return refused
  if (!target.elrEnabled) return { ok: true, values }
  if (!perBroker && current.has(CLUSTER_ONLY) && !values.has(CLUSTER_ONLY)) {
    return invalidConfig(`Cluster-level ${CLUSTER_ONLY} cannot be removed while ELR is enabled.`)
  }
  if (perBroker && values.has(CLUSTER_ONLY)) {
    return invalidConfig(`Broker-level ${CLUSTER_ONLY} cannot be altered while ELR is enabled.`)
  }
  return { ok: true, values }
}

function isReadOnly(name: string): boolean {
  return BROKER_DEFINITIONS.get(name)?.mode === 'read-only'
}

function isPerBroker(name: string): boolean {
  return LISTENER_PREFIX.test(name) || BROKER_DEFINITIONS.get(name)?.mode === 'per-broker'
}

function judgeBrokerValues(target: AlterTarget, given: readonly (readonly [string, string])[]): AlterOutcome | null {
  for (const [name, value] of given) {
    // A name that no table knows is somebody else's: kept as it is.
    const definition = definitionFor('broker', name)
    if (definition === undefined) continue
    const parsed = parseConfigValue(definition, value)
    if (!parsed.ok) return refuse(ErrorCode.INVALID_REQUEST, parsed.reason)
    const refusal = refusedValue('broker', name, value)
    if (refusal !== null) return invalidConfig(refusal)
    if (!THREAD_COUNTS.has(name) || typeof parsed.value !== 'number') continue
    const before = target.broker.number(name)
    if (parsed.value > before * 2 || parsed.value < Math.floor(before / 2)) {
      const limit = parsed.value > before ? 'at most double' : 'at least half'
      return refuse(
        ErrorCode.INVALID_REQUEST,
        `Invalid value ${parsed.value} for configuration ${name}: a dynamic change must be ${limit} the current value ${before}`,
      )
    }
  }
  const cordoned = given.find(([name]) => name === 'cordoned.log.dirs')?.[1] ?? ''
  const missing = refuseCordoned(target.broker, listItems(cordoned))
  if (missing !== null) return refuse(ErrorCode.INVALID_REQUEST, missing)
  const unusable = firstUnusable(target, new Map(given))
  return unusable === null ? null : refuse(ErrorCode.INVALID_REQUEST, unusable)
}

const CLEANER_THREADS = 'log.cleaner.threads'
const CLEANER_BUFFER = 'log.cleaner.dedupe.buffer.size'
const CLEANER_BYTES_PER_THREAD = 1024 * 1024

/** Values that are of their type and in their range, and yet no broker can run with them. */
function firstUnusable({ broker }: AlterTarget, given: ReadonlyMap<string, string>): string | null {
  if (Number(given.get('log.retention.ms') ?? -1) === 0) {
    return 'log.retention.ms must be unlimited (-1) or at least 1'
  }
  if (Number(given.get('max.connection.creation.rate') ?? 1) === 0) {
    return 'max.connection.creation.rate must be at least 1'
  }
  if (given.has(CLEANER_THREADS) || given.has(CLEANER_BUFFER)) {
    const number = (name: string): number => Number(given.get(name) ?? broker.number(name))
    const threads = number(CLEANER_THREADS)
    if (threads === 0 || number(CLEANER_BUFFER) / threads <= CLEANER_BYTES_PER_THREAD) {
      return `${CLEANER_BUFFER} must be more than 1 MiB for each of at least one cleaner thread`
    }
  }
  return null
}
