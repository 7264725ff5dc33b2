/**
 * The cluster behind one producer, consumer or admin: kafkajs' configuration put into the client's words, and the life
 * between `connect` and `disconnect`, which may be had several times.
 *
 * What must hold: what the client cannot do is refused when the Kafka object is made, and not passed over in silence.
 */
import type { ConnectionOptions } from 'node:tls'
import { parseBootstrap } from '../client/address.ts'
import { Cluster } from '../client/cluster.ts'
import type { RequestObserver } from '../client/connection.ts'
import type { SaslOptions } from '../client/sasl.ts'
import type { TlsOptions } from '../client/transport/transport.ts'
import {
  KafkaJSConnectionError,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
  KafkaJSSASLAuthenticationError,
} from './errors.ts'
import type { Events } from './events.ts'
import { type ResolvedRetry, retried, TIMER_MS_MAX } from './retry.ts'
import { failureOf } from './translate.ts'
import type { KafkaConfig, Mechanism, SASLOptions } from './types.ts'

const DEFAULT_CONNECTION_TIMEOUT_MS = 1_000
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000
const DEFAULT_CLIENT_ID = 'kafkajs'

/** Of tls.connect's options those that the client has. */
const TLS_OPTIONS = ['ca', 'cert', 'key', 'passphrase', 'servername', 'rejectUnauthorized'] as const

export interface ResolvedConfig {
  readonly brokers: KafkaConfig['brokers']
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly timeoutMs: number
  readonly tls: TlsOptions | boolean
  readonly sasl: SaslOptions | null
}

export function resolveConfig(config: KafkaConfig): ResolvedConfig {
  if (config.socketFactory !== undefined) {
    throw new KafkaJSNotImplemented('socketFactory: connections are made by the client itself; leave it out')
  }
  const isEnforced = config.enforceRequestTimeout !== false
  return {
    brokers: config.brokers,
    clientId: config.clientId ?? DEFAULT_CLIENT_ID,
    connectTimeoutMs: config.connectionTimeout ?? DEFAULT_CONNECTION_TIMEOUT_MS,
    timeoutMs: isEnforced ? (config.requestTimeout ?? DEFAULT_REQUEST_TIMEOUT_MS) : TIMER_MS_MAX,
    tls: tlsOf(config.ssl),
    sasl: saslOf(config.sasl),
  }
}

function tlsOf(ssl: ConnectionOptions | boolean | undefined): TlsOptions | boolean {
  if (ssl === undefined || typeof ssl === 'boolean') return ssl ?? false
  const given = Object.entries(ssl).filter(([, value]) => value !== undefined)
  const unknown = given.map(([name]) => name).filter((name) => !(TLS_OPTIONS as readonly string[]).includes(name))
  if (unknown.length > 0) {
    const message = `ssl.${unknown.join(', ssl.')}: of the options of TLS there are ${TLS_OPTIONS.join(', ')}`
    throw new KafkaJSNotImplemented(message)
  }
  return Object.fromEntries(given) as TlsOptions
}

function saslOf(sasl: SASLOptions | Mechanism | undefined): SaslOptions | null {
  if (sasl === undefined) return null
  if ('authenticationProvider' in sasl) {
    throw new KafkaJSNotImplemented('sasl.authenticationProvider: mechanisms of your own are not supported')
  }
  const mechanism = sasl.mechanism.toUpperCase()
  switch (sasl.mechanism.toLowerCase() as SASLOptions['mechanism']) {
    case 'plain':
    case 'scram-sha-256':
    case 'scram-sha-512': {
      const { username, password } = sasl as Extract<SASLOptions, { username: string }>
      return { mechanism, username, password } as SaslOptions
    }
    case 'oauthbearer': {
      const { oauthBearerProvider } = sasl as Extract<SASLOptions, { mechanism: 'oauthbearer' }>
      return { mechanism: 'OAUTHBEARER', token: async () => (await oauthBearerProvider()).value }
    }
    case 'aws':
      throw new KafkaJSNotImplemented(
        "sasl.mechanism 'aws' is the private mechanism of one broker plug-in; use oauthbearer, which AWS_MSK_IAM also goes through",
      )
  }
  throw new KafkaJSSASLAuthenticationError(`SASL ${mechanism} mechanism is not supported by the client`)
}

export interface LinkOptions {
  readonly retry: ResolvedRetry
  readonly metadataMaxAgeMs?: number
  /** Told of every answered request, beside the listeners. */
  readonly observer?: RequestObserver
}

export class ClusterLink {
  private readonly config: ResolvedConfig
  private readonly events: Events
  private readonly options: LinkOptions
  private connecting: Promise<Cluster> | null = null

  constructor(config: ResolvedConfig, events: Events, options: LinkOptions) {
    this.config = config
    this.events = events
    this.options = options
  }

  get clientId(): string {
    return this.config.clientId
  }

  get retry(): ResolvedRetry {
    return this.options.retry
  }

  get timeoutMs(): number {
    return this.config.timeoutMs
  }

  /** Resolves when a broker answered; at once where that was so already. As in kafkajs, calls connect by themselves, also after a `disconnect`. */
  connect(): Promise<Cluster> {
    if (this.connecting !== null) return this.connecting
    const connecting = retried(this.options.retry, () => this.open()).catch((error: unknown) => {
      // Another attempt may have been begun after a `disconnect`.
      if (this.connecting === connecting) this.connecting = null
      throw error
    })
    this.connecting = connecting
    return connecting
  }

  async disconnect(): Promise<void> {
    const { connecting } = this
    this.connecting = null
    const cluster = await connecting?.catch(() => null)
    await cluster?.close()
  }

  private async open(): Promise<Cluster> {
    const { clientId, connectTimeoutMs, timeoutMs, tls, sasl } = this.config
    const { metadataMaxAgeMs, observer } = this.options
    const cluster = new Cluster({
      bootstrap: await this.addresses(),
      clientId,
      timeoutMs,
      connectTimeoutMs,
      tls,
      ...(sasl === null ? {} : { sasl }),
      ...(metadataMaxAgeMs === undefined ? {} : { metadataMaxAgeMs }),
      observer: (apiKey, elapsedMs, error, details) => {
        this.events.request(clientId, apiKey, elapsedMs, error, details)
        observer?.(apiKey, elapsedMs, error, details)
      },
    })
    try {
      await cluster.metadata([])
      return cluster
    } catch (error) {
      await cluster.close()
      throw failureOf(error)
    }
  }

  private async addresses(): ReturnType<typeof checkedBrokers> {
    const { brokers } = this.config
    if (typeof brokers !== 'function') return checkedBrokers(brokers)
    let found: string[]
    try {
      found = await brokers()
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new KafkaJSConnectionError(`Failed to connect: "config.brokers" threw: ${reason}`)
    }
    return checkedBrokers(found)
  }
}

async function checkedBrokers(brokers: readonly string[] | null | undefined) {
  if (brokers === null || brokers === undefined) {
    throw new KafkaJSNonRetriableError('Failed to connect: brokers should not be null')
  }
  if (brokers.length === 0) throw new KafkaJSNonRetriableError('Failed to connect: brokers array is empty')
  for (const [index, broker] of brokers.entries()) {
    if (typeof broker === 'string' && broker !== '') continue
    throw new KafkaJSNonRetriableError(`Failed to connect: broker at index ${index} is invalid "${typeof broker}"`)
  }
  const addresses = parseBootstrap(brokers.join(','))
  if (typeof addresses === 'string') throw new KafkaJSNonRetriableError(`Failed to connect: ${addresses}`)
  return addresses
}
