/**
 * From what the operator said to what the broker is started with. Four sources, the first that speaks wins: a flag
 * or `--set`, the environment, the configuration file, the default. Pure: files and environment are read by the caller.
 *
 * Properties that a flag also covers (node.id, listeners, advertised.listeners, log.dirs) are honoured under both names,
 * so that a server.properties written for Kafka starts Samsa as well.
 */
import { type HostPort, parseHostPort } from '../../client/address.ts'
import type { KeyValue } from '../options.ts'

export const STORAGES = ['disk', 'memory'] as const
export type Storage = (typeof STORAGES)[number]
export const DURABILITIES = ['memory', 'os', 'fsync'] as const
export type Durability = (typeof DURABILITIES)[number]

export const DEFAULT_LISTEN: HostPort = { host: '127.0.0.1', port: 9092 }
export const DEFAULT_HTTP: HostPort = { host: '127.0.0.1', port: 9080 }
export const DEFAULT_DATA_DIRECTORY = './samsa-data'
export const DEFAULT_NODE_ID = 1

/** Flags that were really given; undefined where none was. */
export interface ServeFlags {
  readonly listen?: HostPort | undefined
  readonly advertise?: HostPort | undefined
  readonly http?: HostPort | 'off' | undefined
  /** Each may name several, separated by commas. */
  readonly data?: readonly string[] | undefined
  readonly storage?: Storage | undefined
  readonly durability?: Durability | undefined
  readonly nodeId?: number | undefined
  readonly set?: readonly KeyValue[] | undefined
  readonly adopt?: boolean | undefined
}

export interface PropertySources {
  readonly environment: ReadonlyMap<string, string>
  readonly file: ReadonlyMap<string, string>
  /** The node whose data a folder holds already; null: nobody's. */
  readonly nodeIdOf: (directory: string) => number | null
}

export interface HttpSettings {
  readonly listen: HostPort
  /** Whether the broker would rather not start than go without. */
  readonly isRequired: boolean
}

export interface ServeSettings {
  readonly listen: HostPort
  readonly advertise: HostPort | null
  /** Null: no HTTP. */
  readonly http: HttpSettings | null
  readonly dataDirectory: string
  /** Where partitions lie as well. */
  readonly furtherDataDirectories: readonly string[]
  readonly storage: Storage
  readonly durability: Durability
  readonly nodeId: number
  /** Whether a folder that a Kafka broker has left may be taken over. */
  readonly adopt: boolean
  readonly properties: Map<string, string>
  /** One line each: what was given and is not used. */
  readonly warnings: readonly string[]
}

/** The settings, or a sentence that says what cannot be meant. */
export function resolveSettings(flags: ServeFlags, sources: PropertySources): ServeSettings | string {
  const set = new Map((flags.set ?? []).map(({ key, value }) => [key, value]))
  const properties = new Map([...sources.file, ...sources.environment, ...set])
  const warnings: string[] = []

  const storage = flags.storage ?? (flags.durability === 'memory' ? 'memory' : 'disk')
  const durability = flags.durability ?? (storage === 'memory' ? 'memory' : 'os')
  if ((storage === 'memory') !== (durability === 'memory')) {
    return storage === 'memory'
      ? `--storage memory keeps no files, so --durability ${durability} cannot be promised; leave it out or use --storage disk`
      : '--durability memory means that nothing is kept in files; use --storage memory, or --durability os'
  }

  const listen = flags.listen ?? listenerFrom(properties, 'listeners', warnings) ?? DEFAULT_LISTEN
  if (typeof listen === 'string') return listen
  const advertise = flags.advertise ?? listenerFrom(properties, 'advertised.listeners', warnings)
  if (typeof advertise === 'string') return advertise
  const givenNodeId = flags.nodeId ?? nodeIdFrom(properties)
  if (typeof givenNodeId === 'string') return givenNodeId
  const directories = dataDirectoriesFrom(flags.data, properties)
  if (typeof directories === 'string') return directories
  const [dataDirectory = DEFAULT_DATA_DIRECTORY, ...furtherDataDirectories] = directories
  const nodeId = givenNodeId ?? (storage === 'disk' ? sources.nodeIdOf(dataDirectory) : null) ?? DEFAULT_NODE_ID
  const http = httpFrom(flags.http)
  const adopt = flags.adopt === true
  return {
    listen,
    advertise,
    http,
    dataDirectory,
    furtherDataDirectories,
    storage,
    durability,
    nodeId,
    adopt,
    properties,
    warnings,
  }
}

/** The flag, else `log.dirs`, else `log.dir`; each folder once. */
function dataDirectoriesFrom(
  flag: readonly string[] | undefined,
  properties: ReadonlyMap<string, string>,
): string[] | string {
  const given = flag?.join(',') ?? properties.get('log.dirs') ?? properties.get('log.dir')
  if (given === undefined || given.trim() === '') return []
  const directories = given.split(',').map((each) => each.trim())
  if (directories.includes('')) return `'${given}' names a data folder without a name`
  return [...new Set(directories)]
}

/** Nobody asked for the default port, so another broker on it is no reason not to start. */
function httpFrom(flag: HostPort | 'off' | undefined): HttpSettings | null {
  if (flag === 'off') return null
  return flag === undefined ? { listen: DEFAULT_HTTP, isRequired: false } : { listen: flag, isRequired: true }
}

/** The first plain listener of a list such as `PLAINTEXT://:9092,CONTROLLER://:9093`; null if there is no list. */
function listenerFrom(
  properties: ReadonlyMap<string, string>,
  name: string,
  warnings: string[],
): HostPort | string | null {
  const list = properties.get(name)
  if (list === undefined || list.trim() === '') return null
  const controllers = (properties.get('controller.listener.names') ?? '').split(',').map((each) => each.trim())
  const protocols = new Map(
    (properties.get('listener.security.protocol.map') ?? '').split(',').map((pair) => {
      const [listener = '', protocol = ''] = pair.split(':')
      return [listener.trim(), protocol.trim()]
    }),
  )
  const plain: HostPort[] = []
  for (const entry of list.split(',').map((each) => each.trim())) {
    const [listener = '', address] = entry.split('://')
    if (address === undefined) return `${name}: '${entry}' is not NAME://HOST:PORT`
    if (controllers.includes(listener)) continue
    const protocol = protocols.get(listener) ?? listener
    if (protocol !== 'PLAINTEXT') {
      warnings.push(`${name}: ${entry} is left out: only PLAINTEXT listeners are served`)
      continue
    }
    // Without a host Kafka means all of them.
    const parsed = parseHostPort(address.startsWith(':') ? `0.0.0.0${address}` : address)
    if (typeof parsed === 'string') return `${name}: ${parsed}`
    plain.push(parsed)
  }
  if (plain.length === 0) return `${name}: no PLAINTEXT listener in '${list}'`
  if (plain.length > 1) warnings.push(`${name}: only the first PLAINTEXT listener is served`)
  return plain[0]!
}

/** Null: it is not given. */
function nodeIdFrom(properties: ReadonlyMap<string, string>): number | string | null {
  const name = properties.has('node.id') ? 'node.id' : 'broker.id'
  const text = properties.get(name)
  if (text === undefined) return null
  if (!/^\d+$/.test(text) || Number(text) > 0x7fffffff) return `${name}: '${text}' is not a node id: 0 to 2147483647`
  return Number(text)
}
