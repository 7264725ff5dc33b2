/**
 * The broker as a whole: opens the data folder and the metadata, wires the parts together, listens, and takes everything down
 * again in the opposite order. The only place that chooses real clocks, disks and timers.
 *
 * What must hold: nobody can connect before the data is loaded; a stop answers what was accepted, and leaves the folder
 * marked clean only after everything is on disk.
 */
import { join, resolve } from 'node:path'
import { LogDirectoryError } from '../log/log-directory.ts'
import { LogManager } from '../log/log-manager.ts'
import type { Durability } from '../log/types.ts'
import { BrokerConfig, ConfigurationError } from '../metadata/broker-config.ts'
import { BrokerRegistration } from '../metadata/brokers.ts'
import type { Configs } from '../metadata/configs.ts'
import { type Metadata, openMetadata } from '../metadata/metadata.ts'
import { type MetadataStore, MetadataStoreError } from '../metadata/store.ts'
import { MemoryMetadataStore } from '../metadata/store-memory.ts'
import { METADATA_FILE, SqliteMetadataStore } from '../metadata/store-sqlite.ts'
import type { BrokerValue } from '../metadata/values.ts'
import type { Clock } from '../storage/clock.ts'
import { realClock } from '../storage/clock-real.ts'
import type { Disk } from '../storage/disk.ts'
import { MemoryDisk } from '../storage/disk-memory.ts'
import { RealDisk } from '../storage/disk-real.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import { realRandom } from '../storage/random-real.ts'
import type { Timers } from '../storage/timers.ts'
import { RealTimers } from '../storage/timers-real.ts'
import { advertisedAddress, configuredAddress, type HostAndPort } from './advertised.ts'
import { APIS } from './api/index.ts'
import type { BrokerContext } from './api.ts'
import { Dispatcher } from './dispatch.ts'
import { FetchSessions } from './fetch-sessions.ts'
import { FetchWaits } from './fetch-wait.ts'
import { GroupService } from './group-service.ts'
import { Listener } from './listener.ts'
import { Partitions } from './partitions.ts'
import { BrokerStartError } from './start-error.ts'
import { unthrottled } from './throttle.ts'

export interface BrokerOptions {
  readonly listen: HostAndPort
  /** Without it clients are sent to the address they dialled. */
  readonly advertise?: HostAndPort
  /** Ignored with memory storage, apart from its name in DescribeLogDirs. */
  readonly dataDirectory: string
  readonly storage: 'disk' | 'memory'
  readonly durability: Durability
  readonly nodeId: number
  /** Kafka's property names. */
  readonly config: ReadonlyMap<string, string>
  readonly logger: Logger
  /** For tests; the real ones unless given. */
  readonly environment?: Partial<Environment>
}

export interface Environment {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly disk: Disk
}

export { BrokerStartError, type BrokerStartErrorCode } from './start-error.ts'

/** What is opened one after the other, and closed in the opposite order, also when a later step fails. */
type Closer = () => Promise<void> | void

interface Parts {
  readonly host: string
  readonly port: number
  readonly context: BrokerContext
  readonly listener: Listener
  readonly closers: readonly Closer[]
}

export class Broker {
  readonly host: string
  readonly port: number
  readonly context: BrokerContext
  readonly #listener: Listener
  readonly #closers: readonly Closer[]
  #stopping: Promise<void> | null = null

  private constructor(parts: Parts) {
    this.host = parts.host
    this.port = parts.port
    this.context = parts.context
    this.#listener = parts.listener
    this.#closers = parts.closers
  }

  /** Resolves when clients can connect. Throws BrokerStartError. */
  static async start(options: BrokerOptions): Promise<Broker> {
    const closers: Closer[] = []
    try {
      return await assemble(options, closers, (parts) => new Broker(parts))
    } catch (error) {
      await closeAll(closers, options.logger)
      throw error
    }
  }

  /** For `bootstrap.servers`. */
  get bootstrap(): string {
    return `${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}`
  }

  get topicCount(): number {
    return this.context.image.topics().length
  }

  get connectionCount(): number {
    return this.#listener.connectionCount
  }

  /** Answers what was accepted, writes everything to disk, and leaves the folder marked as cleanly stopped. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.context.fetchWaits.stop()
    this.context.groups.stopWaiting()
    await this.#listener.stop()
    const failure = await closeAll(this.#closers, this.context.logger)
    if (failure !== null) throw failure
  }
}

interface Storage {
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly dataDirectory: string
}

async function assemble(options: BrokerOptions, closers: Closer[], create: (parts: Parts) => Broker): Promise<Broker> {
  const { nodeId, logger } = options
  const config = readConfig(options)
  const advertised = configuredAddress(options.advertise, config)
  const storage = openStorage(options, closers)
  const { disk, clock, timers, random, dataDirectory } = storage
  const store = openStore(options, storage)
  closers.push(() => store.close())
  const { image, configs, topics, producerIds } = await openImage(store, options, config, storage, closers)
  const logs = await openLogs(options, config, storage, configs, closers)
  if (!logs.cleanStart) {
    const bumped = await topics.bumpLeaderEpochs(nodeId)
    if (bumped > 0) logger.info('the last stop was not clean; leader epochs were raised', { partitions: bumped })
  }
  const partitions = new Partitions({ nodeId, image, logs, logger })
  closers.push(() => partitions.close())
  configs.onTopicSettingsChange((changed) => partitions.updateConfigs(changed))
  const groupService = new GroupService({ nodeId, config, image, partitions, clock, timers, random, logger })
  closers.push(() => groupService.close())
  let listeningPort = options.listen.port
  const slots = (): number => config.number('max.incremental.fetch.session.cache.slots')
  const context: BrokerContext = {
    nodeId,
    clusterId: logs.meta.clusterId,
    apis: APIS,
    config,
    image,
    topics,
    configs,
    partitions,
    logs,
    groups: groupService.groups,
    producerIds,
    fetchSessions: new FetchSessions({ random, slots }),
    fetchWaits: new FetchWaits(),
    dataDirectory,
    disk,
    clock,
    timers,
    logger,
    advertised: (connection) => advertisedAddress(advertised, connection, listeningPort),
  }
  const dispatcher = new Dispatcher(APIS, unthrottled)
  const listener = new Listener({ broker: context, dispatcher, config, clock, timers, logger })
  const { host } = options.listen
  listeningPort = listener.listen(host, options.listen.port)
  closers.push(() => listener.stop())
  const broker: BrokerValue = {
    host: advertised?.host ?? host,
    port: advertised === null || advertised.port === 0 ? listeningPort : advertised.port,
    rack: config.stringOrNull('broker.rack'),
    incarnation: random.uuid(),
  }
  const registration = await BrokerRegistration.register({
    store,
    image,
    clock,
    timers,
    logger,
    nodeId,
    broker,
    sessionTimeoutMs: config.number('broker.session.timeout.ms'),
    heartbeatIntervalMs: config.number('broker.heartbeat.interval.ms'),
  })
  closers.push(() => registration.stop())
  return create({ host, port: listeningPort, context, listener, closers })
}

function readConfig(options: BrokerOptions): BrokerConfig {
  try {
    const config = new BrokerConfig({ properties: new Map([...options.config, ...identityOf(options)]) })
    for (const warning of config.warnings) options.logger.warn(warning)
    return config
  } catch (error) {
    if (error instanceof ConfigurationError) throw new BrokerStartError('BAD_CONFIG', error.message, { cause: error })
    throw error
  }
}

/** What the options say in words of their own, as the properties in which tools look for it. */
function identityOf({ nodeId, listen, storage, dataDirectory }: BrokerOptions): [string, string][] {
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  return [
    ['broker.id', String(nodeId)],
    ['node.id', String(nodeId)],
    ['listeners', `PLAINTEXT://${host}:${listen.port}`],
    ...(storage === 'disk' ? ([['log.dirs', resolve(dataDirectory)]] as [string, string][]) : []),
  ]
}

function openStorage(options: BrokerOptions, closers: Closer[]): Storage {
  const { environment = {} } = options
  const clock = environment.clock ?? realClock
  const random = environment.random ?? realRandom
  const timers = environment.timers ?? ownTimers(clock, closers)
  const inMemory = options.storage === 'memory'
  const disk = environment.disk ?? (inMemory ? new MemoryDisk({ now: () => clock.now() }) : new RealDisk())
  const dataDirectory = inMemory ? '/samsa-memory' : resolve(options.dataDirectory)
  try {
    disk.makeDirectory(dataDirectory)
  } catch (error) {
    throw new BrokerStartError(
      'DATA_NOT_WRITABLE',
      `the data folder ${dataDirectory} cannot be created: ${reasonOf(error)}`,
      {
        cause: error,
      },
    )
  }
  return { disk, clock, timers, random, dataDirectory }
}

/** Timers that were forgotten somewhere must not keep the process alive. */
function ownTimers(clock: Clock, closers: Closer[]): Timers {
  const timers = new RealTimers(clock)
  closers.push(() => timers.cancelAll())
  return timers
}

async function openImage(
  store: MetadataStore,
  options: BrokerOptions,
  config: BrokerConfig,
  storage: Storage,
  closers: Closer[],
): Promise<Metadata> {
  const metadata = await openMetadata({
    store,
    config,
    nodeId: options.nodeId,
    random: storage.random,
    logger: options.logger,
  })
  closers.push(() => metadata.close())
  return metadata
}

function openStore({ storage, logger }: BrokerOptions, { clock, timers, dataDirectory }: Storage): MetadataStore {
  if (storage === 'memory') return new MemoryMetadataStore({ clock })
  const path = join(dataDirectory, METADATA_FILE)
  try {
    return new SqliteMetadataStore({ path, clock, timers, logger })
  } catch (error) {
    const cause = error instanceof MetadataStoreError && error.cause !== undefined ? error.cause : error
    const code = isRefusedWrite(cause) ? 'DATA_NOT_WRITABLE' : 'DATA_UNUSABLE'
    const message = error instanceof MetadataStoreError ? error.message : `metadata file ${path}: ${reasonOf(error)}`
    throw new BrokerStartError(code, message, { cause: error })
  }
}

async function openLogs(
  options: BrokerOptions,
  config: BrokerConfig,
  storage: Storage,
  configs: Configs,
  closers: Closer[],
): Promise<LogManager> {
  const { disk, clock, timers, random, dataDirectory } = storage
  try {
    const logs = await LogManager.open({
      disk,
      clock,
      timers,
      random,
      logger: options.logger,
      directories: [dataDirectory],
      durability: options.durability,
      nodeId: options.nodeId,
      configFor: (topic) => configs.logConfig(topic),
      retentionCheckIntervalMs: config.number('log.retention.check.interval.ms'),
    })
    closers.push(() => logs.close())
    return logs
  } catch (error) {
    if (!(error instanceof LogDirectoryError)) throw error
    if (error.isLocked) throw new BrokerStartError('DATA_LOCKED', error.message, { cause: error })
    const code = isRefusedWrite(error.cause) ? 'DATA_NOT_WRITABLE' : 'DATA_UNUSABLE'
    throw new BrokerStartError(code, error.message, { cause: error })
  }
}

/** The errors of a disk that reads but does not take writes. */
const REFUSED_WRITE_CODES: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOSPC',
  'EDQUOT',
  'SQLITE_CANTOPEN',
  'SQLITE_READONLY',
  'SQLITE_FULL',
])

function isRefusedWrite(error: unknown): boolean {
  return error instanceof Error && 'code' in error && REFUSED_WRITE_CODES.has(String(error.code))
}

/** In the opposite order of opening. One that fails does not keep the others open; the first failure is returned. */
async function closeAll(closers: readonly Closer[], logger: Logger): Promise<Error | null> {
  let first: Error | null = null
  for (const close of [...closers].reverse()) {
    try {
      await close()
    } catch (error) {
      logger.error('closing failed', { error })
      first ??= error instanceof Error ? error : new Error(String(error))
    }
  }
  return first
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
