/** Runs a broker until it is told to stop: settings, start, the ready line, the end. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Broker } from '../../broker/server.ts'
import { BrokerStartError, type BrokerStartErrorCode } from '../../broker/start-error.ts'
import { formatHostPort, type HostPort } from '../../client/address.ts'
import type { HttpServer } from '../../http/server.ts'
import { parseMetaProperties } from '../../log/checkpoints.ts'
import { ConfigurationError } from '../../metadata/broker-config.ts'
import { DEVELOPMENT_DEFAULTS } from '../../metadata/development-defaults.ts'
import { LeveledLogger } from '../../metadata/log-level.ts'
import { parseProperties, propertiesFromEnvironment } from '../../metadata/properties-file.ts'
import { realClock } from '../../storage/clock-real.ts'
import type { Logger } from '../../storage/logger.ts'
import { RealTimers } from '../../storage/timers-real.ts'
import { CliError, EXIT_FAILURE, EXIT_USAGE, usageError } from '../errors.ts'
import { createLogger, type LogFormat, type LogLevel } from '../logger.ts'
import type { KeyValue } from '../options.ts'
import { print, wantsColour } from '../output.ts'
import { VERSION } from '../version.ts'
import { type Durability, type HttpSettings, resolveSettings, type ServeSettings, type Storage } from './settings.ts'
import { failOnUncaught, stopOnSignals } from './shutdown.ts'

export interface ServeOptions {
  readonly listen?: HostPort
  readonly advertise?: HostPort
  readonly http?: HostPort | 'off'
  readonly data?: readonly string[]
  readonly storage?: Storage
  readonly durability?: Durability
  readonly nodeId?: number
  readonly config?: string
  readonly set?: readonly KeyValue[]
  readonly adopt?: boolean
  readonly logFormat: LogFormat
  readonly logLevel: LogLevel
}

export async function serve(options: ServeOptions): Promise<void> {
  // The level may be changed while the broker runs, so it is applied outside the writer.
  const writer = createLogger({ format: options.logFormat, level: 'debug', colour: wantsColour(process.stderr) })
  const logger = new LeveledLogger(writer, options.logLevel)
  const settings = settingsFrom(options)
  for (const warning of settings.warnings) logger.warn(warning)
  failOnUncaught(logger)
  const starting = start(settings, logger)
  stopOnSignals(async () => stop(await starting), logger)
  const serving = await starting
  announceDefaults(settings, logger)
  await printReady(serving, settings, options.logFormat)
}

const FIRST_ANSWERS_MS = 20

interface Serving {
  readonly broker: Broker
  readonly http: HttpServer | null
}

/**
 * HTTP first where it was asked for, so that "not ready" can be told while the data is loaded. The port that is open by default comes
 * after the broker, which is what everybody waits for.
 */
async function start(settings: ServeSettings, logger: Logger): Promise<Serving> {
  const wanted = settings.http
  const first = wanted?.isRequired === true ? await startHttp(wanted, logger) : null
  try {
    const broker = await startBroker(settings, logger)
    const http = first ?? (wanted === null ? null : await startHttpLater(wanted, logger))
    http?.ready(broker.context)
    return { broker, http }
  } catch (error) {
    await first?.stop()
    throw error
  }
}

/** Loading what HTTP needs keeps the thread for some 45 ms: whoever has waited for the broker is answered before. */
async function startHttpLater(wanted: HttpSettings, logger: Logger): Promise<HttpServer | null> {
  await Bun.sleep(FIRST_ANSWERS_MS)
  return startHttp(wanted, logger)
}

async function stop({ broker, http }: Serving): Promise<void> {
  await http?.stop()
  await broker.stop()
}

/** Null where nobody asked for it and the port cannot be had. */
async function startHttp({ listen, isRequired }: HttpSettings, logger: Logger): Promise<HttpServer | null> {
  // Loaded only where it is wanted: a start without it stays as short as it was.
  const { HttpServer, isLoopback } = await import('../../http/server.ts')
  if (!isLoopback(listen.host)) {
    logger.warn('the HTTP port knows no passwords: whoever reaches it can read every topic', {
      http: formatHostPort(listen),
    })
  }
  try {
    return await HttpServer.start({ listen, clock: realClock, timers: new RealTimers(realClock), logger })
  } catch (error) {
    if (!(error instanceof BrokerStartError)) throw error
    if (isRequired) throw new CliError(`not started: ${error.message}`, EXIT_FAILURE)
    logger.warn(
      `${error.message}; the broker goes on without HTTP (--http HOST:PORT names another port, --http off none)`,
    )
    return null
  }
}

function settingsFrom(options: ServeOptions): ServeSettings {
  const file = options.config === undefined ? new Map<string, string>() : readProperties(options.config)
  const environment = propertiesFromEnvironment(process.env)
  const settings = resolveSettings(options, { environment, file, nodeIdOf: nodeIdOfFolder })
  if (typeof settings === 'string') throw usageError(settings)
  return settings
}

/** The id of the node whose data the folder holds; null: it is nobody's yet, or does not say. */
function nodeIdOfFolder(directory: string): number | null {
  const path = join(directory, 'meta.properties')
  const parsed = existsSync(path) ? parseMetaProperties(readFileSync(path, 'utf8')) : null
  return parsed?.ok === true ? parsed.value.nodeId : null
}

function readProperties(path: string): Map<string, string> {
  try {
    return parseProperties(readFileSync(path, 'utf8'))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw usageError(
      `configuration file '${path}' cannot be read: ${code === 'ENOENT' ? 'it does not exist' : message}`,
    )
  }
}

async function startBroker(settings: ServeSettings, logger: Logger): Promise<Broker> {
  try {
    return await Broker.start({
      listen: settings.listen,
      ...(settings.advertise === null ? {} : { advertise: settings.advertise }),
      dataDirectory: settings.dataDirectory,
      furtherDataDirectories: settings.furtherDataDirectories,
      storage: settings.storage,
      durability: settings.durability,
      nodeId: settings.nodeId,
      adopt: settings.adopt,
      config: settings.properties,
      onFailed: () => process.exit(EXIT_FAILURE),
      logger,
    })
  } catch (error) {
    if (error instanceof ConfigurationError) throw usageError(`configuration: ${error.problems.join('; ')}`)
    if (!(error instanceof BrokerStartError)) throw error
    if (error.details.length > 0) await print(error.details.join('\n'))
    throw new CliError(`not started: ${error.message}`, USAGE_CODES.has(error.code) ? EXIT_USAGE : EXIT_FAILURE)
  }
}

/** What the operator has to say otherwise: nothing has failed. */
const USAGE_CODES: ReadonlySet<BrokerStartErrorCode> = new Set(['BAD_CONFIG', 'KAFKA_FOLDER'])

/** What a person who knows Kafka would otherwise be surprised by. */
function announceDefaults(settings: ServeSettings, logger: Logger): void {
  const inForce = [...DEVELOPMENT_DEFAULTS].filter(([name]) => !settings.properties.has(name))
  if (inForce.length > 0) logger.info("defaults that differ from Kafka's", Object.fromEntries(inForce))
  if (settings.advertise === null) logger.info('clients are told the address they dialled; --advertise names another')
  if (settings.storage === 'disk' && process.env.UV_THREADPOOL_SIZE === undefined) {
    logger.info('UV_THREADPOOL_SIZE is not set: with 16, slow syncs do not delay reads')
  }
}

/** The one line on stdout that scripts wait for. */
async function printReady({ broker, http }: Serving, settings: ServeSettings, format: LogFormat): Promise<void> {
  const address = formatHostPort({ host: broker.host, port: broker.port })
  const data =
    settings.storage === 'memory' ? 'none' : [settings.dataDirectory, ...settings.furtherDataDirectories].join(',')
  const topics = broker.topicCount
  const ms = Math.round(performance.now())
  const facts = [
    `node ${settings.nodeId}`,
    settings.storage === 'memory' ? 'data in memory' : `data ${data}`,
    `durability ${settings.durability}`,
    `${topics} topic${topics === 1 ? '' : 's'}`,
    ...(http === null ? [] : [`http ${formatHostPort(http)}`]),
    `${ms} ms`,
  ]
  const message = `samsa ${VERSION} ready on ${address} (${facts.join(', ')})`
  if (format === 'text') return print(message)
  const { nodeId, durability, storage } = settings
  const fields = {
    version: VERSION,
    address,
    nodeId,
    storage,
    data,
    durability,
    topics,
    http: http === null ? null : formatHostPort(http),
    ms,
  }
  await print(JSON.stringify({ time: new Date().toISOString(), level: 'info', message, ...fields }))
}
