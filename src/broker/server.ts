/**
 * The broker as a whole: wires the parts together over the opened data folder, listens, and takes everything down again in
 * the opposite order.
 *
 * What must hold: nobody can connect before the data is loaded; a stop answers what was accepted, and leaves the folder
 * marked clean only after everything is on disk.
 */
import { OFFSETS_TOPIC } from '../coordinator/config.ts'
import { SHARE_STATE_TOPIC } from '../coordinator/share-state/config.ts'
import { TRANSACTION_TOPIC } from '../coordinator/txn/config.ts'
import type { FolderFailure } from '../log/log-manager.ts'
import { BrokerConfig, ConfigurationError } from '../metadata/broker-config.ts'
import { BrokerRegistration } from '../metadata/brokers.ts'
import { warningFor } from '../metadata/config-effects.ts'
import type { MetadataStore } from '../metadata/store.ts'
import type { BrokerValue } from '../metadata/values.ts'
import type { Logger } from '../storage/logger.ts'
import { advertisedAddress, configuredAddress, type HostAndPort } from './advertised.ts'
import { APIS } from './api/index.ts'
import type { Api, BrokerContext } from './api.ts'
import { Dispatcher } from './dispatch.ts'
import { FetchSessions } from './fetch-sessions.ts'
import { FetchWaits } from './fetch-wait.ts'
import { GroupService } from './group-service.ts'
import { Listener } from './listener.ts'
import {
  type Closer,
  chooseEnvironment,
  type DataOptions,
  dataDirectories,
  type Environment,
  openData,
  startError,
} from './open-data.ts'
import { Partitions } from './partitions.ts'
import { Quotas } from './quotas.ts'
import { ShareService } from './share-service.ts'
import { BrokerStartError } from './start-error.ts'
import { StreamsTopics } from './streams-topics.ts'
import { ClientTelemetry } from './telemetry/client-telemetry.ts'
import { TransactionService } from './transaction-service.ts'

export interface BrokerOptions extends DataOptions {
  readonly listen: HostAndPort
  /** Without it clients are sent to the address they dialled. */
  readonly advertise?: HostAndPort
  /** Kafka's property names. */
  readonly config: ReadonlyMap<string, string>
  /** Every data folder has failed, or the one with the metadata: the broker stops by itself, and this is called when it has. */
  readonly onFailed?: (reason: string) => void
  /** For tests: what stands between the dispatcher and a handler. */
  readonly around?: (api: Api) => Api
}

export { BrokerStartError, type BrokerStartErrorCode } from './start-error.ts'
export type { Environment }

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
      throw startError(error)
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

  /** Breaks every connection, at once. */
  disconnectClients(): void {
    this.#listener.terminateAll()
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

async function assemble(options: BrokerOptions, closers: Closer[], create: (parts: Parts) => Broker): Promise<Broker> {
  let listeningPort = options.listen.port
  const { context, store, random, advertised } = await openServices(options, closers, () => listeningPort)
  const { config, clock, timers, logger } = context
  const apis = options.around === undefined ? APIS : APIS.map(options.around)
  const dispatcher = new Dispatcher(apis, context.quotas)
  const listener = new Listener({ broker: context, dispatcher, config, clock, timers, logger })
  const { host } = options.listen
  listeningPort = listener.listen(host, options.listen.port)
  closers.push(() => listener.stop())
  const address = {
    host: advertised?.host ?? host,
    port: advertised === null || advertised.port === 0 ? listeningPort : advertised.port,
  }
  const registration = await register(context, store, address, random.uuid())
  closers.push(() => registration.stop())
  const broker = create({ host, port: listeningPort, context, listener, closers })
  context.logs.onFolderFailed((failure) => folderFailed(broker, failure, options))
  return broker
}

/** Everything of a broker but the network, ready to serve. A simulation hands requests to it without a socket. */
export async function openServices(options: BrokerOptions, closers: Closer[], listeningPort: () => number) {
  const { nodeId, logger } = options
  const config = readConfig(options)
  config.onChange((names) => warnWithoutEffect(config, names, logger))
  const advertised = configuredAddress(options.advertise, config)
  const environment = chooseEnvironment(options, closers)
  const { disk, clock, timers, random } = environment
  const { logs, metadata } = await openData(options, config, environment, closers)
  const { image, configs, topics, producerIds } = metadata
  if (!logs.cleanStart) {
    const bumped = await topics.bumpLeaderEpochs(nodeId)
    if (bumped > 0) logger.info('the last stop was not clean; leader epochs were raised', { partitions: bumped })
  }
  const partitions = new Partitions({ nodeId, image, logs, logger })
  closers.push(() => partitions.close())
  configs.onTopicSettingsChange((changed) => partitions.updateConfigs(changed))
  const services = { nodeId, config, image, partitions, clock, timers, logger }
  const shareService = new ShareService({ ...services, topics })
  closers.push(() => shareService.close())
  const { shareServices } = shareService
  const groupService = new GroupService({ ...services, shareServices, random })
  closers.push(() => groupService.close())
  const { groups } = groupService
  const transactionService = new TransactionService({ ...services, groups, producerIds, features: metadata.features })
  closers.push(() => transactionService.close())
  const slots = (): number => config.number('max.incremental.fetch.session.cache.slots')
  const context: BrokerContext = {
    nodeId,
    clusterId: logs.meta.clusterId,
    apis: APIS,
    config,
    ...metadata,
    partitions,
    logs,
    groups,
    shareCoordinator: shareService.coordinator,
    sharedPartitions: shareService.sharedPartitions,
    shareSettings: shareService.settings,
    transactions: transactionService.coordinator,
    transactionVerifier: transactionService.verifier,
    markers: transactionService.markers,
    streamsTopics: new StreamsTopics(topics, clock, logger),
    telemetry: new ClientTelemetry({ image, random, maxBytes: () => config.number('telemetry.max.bytes') }),
    quotas: new Quotas({ clientQuotas: metadata.clientQuotas, config, clock }),
    fetchSessions: new FetchSessions({ random, slots }),
    fetchWaits: new FetchWaits(),
    disk,
    clock,
    timers,
    logger,
    advertised: (connection) => advertisedAddress(advertised, connection, listeningPort()),
  }
  await transactionService.finishEnded()
  return { context, store: metadata.store, random, advertised }
}

/** Coordinators whose log was in the folder are none any more. Without any folder left, or the one with the metadata, the broker stops. */
function folderFailed(
  broker: Broker,
  { path, logs, isLast }: FolderFailure,
  { logger, onFailed }: BrokerOptions,
): void {
  const { groups, transactions, shareCoordinator } = broker.context
  for (const { topic, partition } of logs) {
    if (topic === OFFSETS_TOPIC) groups.unload(partition)
    if (topic === TRANSACTION_TOPIC) transactions.unload(partition)
    if (topic === SHARE_STATE_TOPIC) shareCoordinator.unload(partition)
  }
  if (!isLast) return
  const reason = `the data folder ${path} has failed`
  logger.error('the broker stops: there is no data folder left that it can go on with', { reason })
  const ended = (): void => onFailed?.(reason)
  broker.stop().then(ended, (error: unknown) => {
    logger.error('stopping failed', { error })
    ended()
  })
}

/** From here on other brokers and clients know of this one. */
function register(
  { config, image, clock, timers, logger, nodeId }: BrokerContext,
  store: MetadataStore,
  address: HostAndPort,
  incarnation: string,
): Promise<BrokerRegistration> {
  const broker: BrokerValue = { ...address, rack: config.stringOrNull('broker.rack'), incarnation }
  return BrokerRegistration.register({
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

/** Whoever sets what does nothing here while the broker runs is told so where he looks. */
function warnWithoutEffect(config: BrokerConfig, names: ReadonlySet<string>, logger: Logger): void {
  for (const name of names) {
    const isSet = config.levels(name).some(({ level }) => level === 'dynamic-broker' || level === 'dynamic-cluster')
    const warning = isSet ? warningFor(name) : null
    if (warning !== null) logger.warn(`${name} was set, but has no effect in Samsa: ${warning}`)
  }
}

/** What the options say in words of their own, as the properties in which tools look for it. */
function identityOf(options: BrokerOptions): [string, string][] {
  const { nodeId, listen, storage } = options
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  return [
    ['broker.id', String(nodeId)],
    ['node.id', String(nodeId)],
    ['listeners', `PLAINTEXT://${host}:${listen.port}`],
    ...(storage === 'disk' ? ([['log.dirs', dataDirectories(options).join(',')]] as [string, string][]) : []),
  ]
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
