/** Settings of topics, brokers, groups, client metrics and the brokers' loggers: read, changed one by one, listed. */
import { DescribeConfigsRequest, DescribeConfigsResponse } from '../../protocol/messages/32-describe-configs.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../protocol/messages/44-incremental-alter-configs.ts'
import {
  ListConfigResourcesRequest,
  ListConfigResourcesResponse,
} from '../../protocol/messages/74-list-config-resources.ts'
import type { Cluster } from '../cluster.ts'
import type { Connection } from '../connection.ts'
import { errorOf, type Outcome, throwIfFailed } from './outcome.ts'

const RESOURCE_TYPES = { topic: 2, broker: 4, 'broker-logger': 8, 'client-metrics': 16, group: 32 } as const
const OPERATIONS = { set: 0, delete: 1, append: 2, subtract: 3 } as const
const DEFAULT_SOURCE = 5
const SOURCES: ReadonlyMap<number, ConfigSource> = new Map([
  [1, 'topic'],
  [2, 'broker'],
  [3, 'cluster'],
  [4, 'static'],
  [DEFAULT_SOURCE, 'default'],
  [6, 'broker-logger'],
  [7, 'client-metrics'],
  [8, 'group'],
] as const)

/** What has settings. */
export type ConfigResourceType = keyof typeof RESOURCE_TYPES

/** `name` of a broker is its node id; '' stands for the default of all brokers. */
export interface ConfigResource {
  /** What kind of thing has the settings. */
  readonly type: ConfigResourceType
  /** Its name: that of the topic or group, the broker's node id, the subscription of client metrics. */
  readonly name: string
}

/** Where a value comes from: `cluster` is the dynamic default of all brokers, `static` the broker's own file. */
export type ConfigSource =
  | 'topic'
  | 'broker'
  | 'cluster'
  | 'static'
  | 'default'
  | 'broker-logger'
  | 'client-metrics'
  | 'group'
  | 'unknown'

/** One setting with its value, and where that comes from. */
export interface ConfigEntry {
  /** Kafka's name of the setting. */
  readonly name: string
  /** Null where the broker does not show it. */
  readonly value: string | null
  /** The level whose value counts. */
  readonly source: ConfigSource
  /** Nobody has set it. */
  readonly isDefault: boolean
  /** It can be set in the broker's file only. */
  readonly isReadOnly: boolean
  /** A password or the like: `value` is null. */
  readonly isSensitive: boolean
  /** Every level that has a value, the one that counts first; empty unless asked for. */
  readonly synonyms: readonly { readonly name: string; readonly value: string | null; readonly source: ConfigSource }[]
  /** Null unless asked for. */
  readonly documentation: string | null
}

/** What to tell of each setting. */
export interface DescribeConfigsOptions {
  /** Only these; all unless given. */
  readonly keys?: readonly string[]
  /** Also every level that has a value; false unless given. */
  readonly synonyms?: boolean
  /** Also the broker's explanation; false unless given. */
  readonly documentation?: boolean
}

/** A resource with its settings. */
export interface DescribedResource extends ConfigResource {
  /** Sorted by name. */
  readonly configs: readonly ConfigEntry[]
}

/** A change of one setting. */
export interface ConfigChange {
  /** Kafka's name of the setting. */
  readonly name: string
  /** `append` and `subtract` change the members of a list. */
  readonly operation: keyof typeof OPERATIONS
  /** Not with `delete`. */
  readonly value?: string
}

/** The changes of one resource: all are made, or none. */
export interface ResourceChanges extends ConfigResource {
  /** In any order, each setting once. */
  readonly changes: readonly ConfigChange[]
}

/** In the order asked. Throws for the first resource that cannot be described. */
export async function describeConfigs(
  cluster: Cluster,
  resources: readonly ConfigResource[],
  options: DescribeConfigsOptions = {},
): Promise<DescribedResource[]> {
  const described = await Promise.all(
    (await byBroker(cluster, resources)).map(([connection, mine]) => describeAt(connection, mine, options)),
  )
  const rows = described.flat()
  return resources.map((resource) => rows.find(({ type, name }) => type === resource.type && name === resource.name)!)
}

async function describeAt(
  connection: Connection,
  resources: readonly ConfigResource[],
  options: DescribeConfigsOptions,
): Promise<DescribedResource[]> {
  const answer = await connection.send(DescribeConfigsRequest, DescribeConfigsResponse, {
    resources: resources.map(({ type, name }) => ({
      resourceType: RESOURCE_TYPES[type],
      resourceName: name,
      configurationKeys: options.keys ?? null,
    })),
    includeSynonyms: options.synonyms ?? false,
    includeDocumentation: options.documentation ?? false,
  })
  return resources.map(({ type, name }) => {
    const row = answer.results.find((each) => each.resourceType === RESOURCE_TYPES[type] && each.resourceName === name)
    throwIfFailed(row, `describe the configuration of ${type} '${name}'`)
    const configs = row!.configs.map((config) => ({
      name: config.name,
      value: config.value,
      source: sourceOf(config.configSource),
      isDefault: config.configSource === DEFAULT_SOURCE,
      isReadOnly: config.readOnly,
      isSensitive: config.isSensitive,
      synonyms: config.synonyms.map((synonym) => ({ ...synonym, source: sourceOf(synonym.source) })),
      documentation: config.documentation,
    }))
    return { type, name, configs: configs.sort((a, b) => (a.name < b.name ? -1 : 1)) }
  })
}

function sourceOf(source: number): ConfigSource {
  return SOURCES.get(source) ?? 'unknown'
}

/** One outcome per resource: all changes of a resource are made, or none. */
export async function alterConfigs(
  cluster: Cluster,
  resources: readonly ResourceChanges[],
  options: { readonly validateOnly?: boolean } = {},
): Promise<(ConfigResource & Outcome)[]> {
  const altered = await Promise.all(
    (await byBroker(cluster, resources)).map(async ([connection, mine]) => {
      const answer = await connection.send(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, {
        resources: mine.map(({ type, name, changes }) => ({
          resourceType: RESOURCE_TYPES[type],
          resourceName: name,
          configs: changes.map((change) => ({
            name: change.name,
            configOperation: OPERATIONS[change.operation],
            value: change.value ?? null,
          })),
        })),
        validateOnly: options.validateOnly ?? false,
      })
      return answer.responses
    }),
  )
  const rows = altered.flat()
  return resources.map(({ type, name }) => {
    const row = rows.find((each) => each.resourceType === RESOURCE_TYPES[type] && each.resourceName === name)
    return { type, name, error: errorOf(row, `alter the configuration of ${type} '${name}'`) }
  })
}

/** What has settings of its own, of these types; of all types that the broker lists unless given. */
export async function listConfigResources(
  cluster: Cluster,
  types: readonly ConfigResourceType[] = [],
): Promise<ConfigResource[]> {
  const connection = await cluster.any()
  const answer = await connection.send(ListConfigResourcesRequest, ListConfigResourcesResponse, {
    resourceTypes: types.map((type) => RESOURCE_TYPES[type]),
  })
  throwIfFailed(answer, 'list what has settings')
  const names = new Map<number, ConfigResourceType>(
    Object.entries(RESOURCE_TYPES).map(([type, number]) => [number, type as ConfigResourceType]),
  )
  return answer.configResources.flatMap(({ resourceType, resourceName: name }) => {
    const type = names.get(resourceType)
    return type === undefined ? [] : [{ type, name }]
  })
}

/** A broker answers for its own settings and loggers; anybody for everything else. */
async function byBroker<R extends ConfigResource>(
  cluster: Cluster,
  resources: readonly R[],
): Promise<[Connection, R[]][]> {
  const groups = Map.groupBy(resources, ({ type, name }) =>
    (type === 'broker' || type === 'broker-logger') && name !== '' ? Number(name) : null,
  )
  if ([...groups.keys()].some((nodeId) => nodeId !== null)) await cluster.metadata([])
  return Promise.all(
    [...groups].map(async ([nodeId, mine]): Promise<[Connection, R[]]> => {
      return [nodeId === null ? await cluster.controller() : await cluster.broker(nodeId), mine]
    }),
  )
}
