/** kafkajs' admin calls about settings of topics and brokers. */
import {
  type ConfigChange,
  type ConfigEntry,
  type ConfigResourceType,
  alterConfigs as changeConfigs,
  describeConfigs as readConfigs,
  type ConfigSource as SourceName,
} from '../client/admin/configs.ts'
import type { Cluster } from '../client/cluster.ts'
import { checkArray, checkOneOf, refused } from './admin-checks.ts'
import { ConfigResourceTypes, ConfigSource } from './constants.ts'
import type { Admin, AlterConfigsResponse, ConfigEntries, ResourceConfigQuery } from './types.ts'

const RESOURCES: ReadonlyMap<number, ConfigResourceType> = new Map([
  [ConfigResourceTypes.TOPIC, 'topic'],
  [ConfigResourceTypes.BROKER, 'broker'],
  [ConfigResourceTypes.BROKER_LOGGER, 'broker-logger'],
] as const)
const SOURCES: Readonly<Partial<Record<SourceName, ConfigSource>>> = {
  topic: ConfigSource.TOPIC_CONFIG,
  broker: ConfigSource.DYNAMIC_BROKER_CONFIG,
  cluster: ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG,
  static: ConfigSource.STATIC_BROKER_CONFIG,
  default: ConfigSource.DEFAULT_CONFIG,
  'broker-logger': ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG,
}

interface Resource {
  readonly type: number
  readonly name: string
}

function checkResources(resources: readonly Resource[]): void {
  checkArray(resources, 'resources')
  if (resources.length === 0) throw refused('Resources array cannot be empty')
  for (const resource of resources) {
    checkOneOf(resource.type, ConfigResourceTypes, 'resource type')
    if (resource.name && typeof resource.name === 'string') continue
    throw refused(`Invalid resource name ${resource.name}: ${JSON.stringify(resource)}`)
  }
}

function typeOf({ type, name }: Resource): ConfigResourceType {
  const known = RESOURCES.get(type)
  if (known === undefined) throw refused(`Invalid resource type ${type}: ${name}`)
  return known
}

export async function describeConfigs(
  cluster: Cluster,
  { resources, includeSynonyms = false }: Parameters<Admin['describeConfigs']>[0],
): ReturnType<Admin['describeConfigs']> {
  checkResources(resources)
  const described = await Promise.all(
    resources.map(async (resource: ResourceConfigQuery) => {
      const { configNames, name } = resource
      if (configNames !== undefined && configNames !== null && !Array.isArray(configNames)) {
        throw refused(`Invalid resource configNames ${configNames}: ${JSON.stringify(resource)}`)
      }
      const options = { synonyms: includeSynonyms, ...(configNames?.length ? { keys: configNames } : {}) }
      const [found] = await readConfigs(cluster, [{ type: typeOf(resource), name }], options)
      const configEntries = found!.configs.map(entryOf)
      return { errorCode: 0, errorMessage: '', resourceType: resource.type, resourceName: name, configEntries }
    }),
  )
  return { resources: described, throttleTime: 0 }
}

function entryOf({ name, value, isReadOnly, isDefault, isSensitive, source, synonyms }: ConfigEntry): ConfigEntries {
  return {
    configName: name,
    // kafkajs' type knows no value that is not shown; its answers do.
    configValue: value as string,
    readOnly: isReadOnly,
    isDefault,
    configSource: numberOf(source),
    isSensitive,
    configSynonyms: synonyms.map((synonym) => ({
      configName: synonym.name,
      configValue: synonym.value as string,
      configSource: numberOf(synonym.source),
    })),
  }
}

function numberOf(source: SourceName): ConfigSource {
  return SOURCES[source] ?? ConfigSource.UNKNOWN
}

/** What is not named goes back to its default, as with the AlterConfigs request that kafkajs sends. */
export async function alterConfigs(
  cluster: Cluster,
  { resources, validateOnly = false }: Parameters<Admin['alterConfigs']>[0],
): Promise<AlterConfigsResponse> {
  checkResources(resources)
  for (const resource of resources) {
    const { configEntries } = resource
    if (!Array.isArray(configEntries)) {
      throw refused(`Invalid resource configEntries ${configEntries}: ${JSON.stringify(resource)}`)
    }
    if (configEntries.some(({ name, value }) => typeof name !== 'string' || typeof value !== 'string')) {
      throw refused(`Invalid resource config value: ${JSON.stringify(resource)}`)
    }
  }
  const wanted = resources.map((resource) => ({ ...resource, type: typeOf(resource), number: resource.type }))
  const before = await readConfigs(cluster, wanted)
  const changes = wanted.map(({ type, name, configEntries }, index) => {
    const named = new Set(configEntries.map((entry) => entry.name))
    const own = before[index]!.configs.filter(({ source }) => source === 'topic' || source === 'broker')
    const set = configEntries.map((entry): ConfigChange => ({ ...entry, operation: 'set' }))
    const dropped = own
      .filter((entry) => !named.has(entry.name))
      .map((entry): ConfigChange => {
        return { name: entry.name, operation: 'delete' }
      })
    return { type, name, changes: [...set, ...dropped] }
  })
  const outcomes = await changeConfigs(cluster, changes, { validateOnly })
  const failed = outcomes.find(({ error }) => error !== null)
  if (failed !== undefined) throw failed.error
  return {
    resources: wanted.map(({ number, name }) => {
      return { errorCode: 0, errorMessage: null, resourceType: number, resourceName: name }
    }),
  }
}
