/** What a producer can be told, with its defaults; `resolveOptions` refuses what makes no sense. */
import { CODEC_NONE } from '../../records/batch.ts'
import { CODEC_NAMES, type CodecName, codecId } from '../../records/codecs/index.ts'
import { type HostPort, parseBootstrap } from '../address.ts'
import type { Cluster, ClusterOptions } from '../cluster.ts'
import type { SecurityOptions } from '../connection.ts'
import { KafkaError } from '../errors.ts'
import type { ClientHooks } from '../observe/hooks.ts'
import { type RetryPolicy, retryPolicy } from '../retry.ts'
import { defaultSerializer } from '../serdes/default-serializer.ts'
import type { Bytes, SerdePair, Serializer } from '../serdes/serde.ts'
import type { Compression } from './batch.ts'
import type { Partitioner } from './partitioners.ts'

/** 'all': every in-sync replica has the record. 1: the leader has it. 0: nobody is asked, offsets stay -1. */
export type Acks = 'all' | 1 | 0

/** What a producer can be told. Either `bootstrap` or `cluster` is given; a combination that makes no sense throws ERR_INVALID_OPTION. */
export interface ProducerOptions<V = Bytes, K = Bytes> extends SecurityOptions {
  /** `host:port`, several of them separated by commas or as a list. */
  readonly bootstrap?: string | readonly string[]
  /** A cluster that is open already, in place of `bootstrap`: the producer shares its connections and leaves it open. */
  readonly cluster?: Cluster
  /** How brokers name this client. Default `samsa`. */
  readonly clientId?: string
  /** What turns values and keys into bytes. Without one, text and bytes are taken as they are. */
  readonly serdes?: SerdePair<Serializer<V>, Serializer<K>>
  /** Default 'all'. */
  readonly acks?: Acks
  /** The broker stores repeated batches once, and in order. Default true with acks 'all'. */
  readonly idempotence?: boolean
  /** Makes `transaction` possible; whoever uses the same id later fences this producer. */
  readonly transactionalId?: string
  /** After this time the coordinator aborts a transaction that is still open, milliseconds. Default 60,000. */
  readonly transactionTimeoutMs?: number
  /** Default 'none'. A function is asked for every batch. */
  readonly compression?: CodecName | 'none' | ((topic: string) => CodecName | 'none')
  /** gzip 1 to 9, zstd -131072 to 22; lz4 and snappy have none. Without it the codec's own default. */
  readonly compressionLevel?: number
  /** How long a record waits for others, milliseconds. With 0, the default, all records of one event-loop turn share a batch. */
  readonly lingerMs?: number
  /** A batch of one partition is closed at this size before compression. Default 262,144. */
  readonly batchBytes?: number
  /** The largest request, and so the largest record. Default 1,048,576. */
  readonly maxRequestBytes?: number
  /** All records that are not acknowledged yet; above it `send` waits. Default 33,554,432. */
  readonly bufferBytes?: number
  /** How long `send` waits for memory or for a topic's partitions, milliseconds. Default 60,000. */
  readonly maxBlockMs?: number
  /** From `send` to the last attempt, milliseconds. Default 120,000. */
  readonly deliveryTimeoutMs?: number
  /** For one request, milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number
  /** Requests under way per broker. Default 5, which is also the most that idempotence allows. */
  readonly maxInFlight?: number
  /** Pauses between attempts. Default 100 to 1,000 ms. */
  readonly retry?: Partial<RetryPolicy>
  /** Default 'murmur2'. */
  readonly partitioner?: Partitioner
  /** Let the broker create topics, if it is configured to. Default true. */
  readonly createTopics?: boolean
  /** After this time what is known of a topic is asked anew, milliseconds. Default 300,000. */
  readonly metadataMaxAgeMs?: number
  /** Called as things happen. Default: none. */
  readonly hooks?: ClientHooks
}

/** With everything filled in. */
export interface ResolvedOptions {
  readonly acks: Acks
  readonly idempotence: boolean
  readonly transactionalId: string | null
  readonly transactionTimeoutMs: number
  readonly compression: (topic: string) => Compression
  readonly lingerMs: number
  readonly batchBytes: number
  readonly maxRequestBytes: number
  readonly bufferBytes: number
  readonly maxBlockMs: number
  readonly deliveryTimeoutMs: number
  readonly requestTimeoutMs: number
  /** Batches of one partition under way. */
  readonly maxInFlightPerPartition: number
  readonly maxInFlight: number
  readonly retry: RetryPolicy
  readonly partitioner: Partitioner
  readonly createTopics: boolean
}

const IDEMPOTENT_IN_FLIGHT_MAX = 5

export function resolveOptions<V, K>(options: ProducerOptions<V, K>): ResolvedOptions {
  const acks = options.acks ?? 'all'
  const transactionalId = options.transactionalId ?? null
  const idempotence = options.idempotence ?? acks === 'all'
  const maxInFlight = positive('maxInFlight', options.maxInFlight ?? IDEMPOTENT_IN_FLIGHT_MAX)
  if (idempotence && acks !== 'all') throw invalid(`idempotence needs acks 'all', not ${acks}`)
  if (idempotence && maxInFlight > IDEMPOTENT_IN_FLIGHT_MAX) {
    throw invalid(`idempotence allows at most ${IDEMPOTENT_IN_FLIGHT_MAX} requests in flight, not ${maxInFlight}`)
  }
  if (transactionalId !== null && !idempotence) throw invalid('transactions need idempotence')
  const requestTimeoutMs = positive('requestTimeoutMs', options.requestTimeoutMs ?? 30_000)
  const lingerMs = notNegative('lingerMs', options.lingerMs ?? 0)
  const deliveryTimeoutMs = positive('deliveryTimeoutMs', options.deliveryTimeoutMs ?? 120_000)
  if (deliveryTimeoutMs < lingerMs) throw invalid(`deliveryTimeoutMs ${deliveryTimeoutMs} is less than lingerMs`)
  return {
    acks,
    idempotence,
    transactionalId,
    transactionTimeoutMs: positive('transactionTimeoutMs', options.transactionTimeoutMs ?? 60_000),
    compression: compressionBy(options.compression ?? 'none', options.compressionLevel),
    lingerMs,
    batchBytes: positive('batchBytes', options.batchBytes ?? 256 * 1024),
    maxRequestBytes: positive('maxRequestBytes', options.maxRequestBytes ?? 1024 * 1024),
    bufferBytes: positive('bufferBytes', options.bufferBytes ?? 32 * 1024 * 1024),
    maxBlockMs: notNegative('maxBlockMs', options.maxBlockMs ?? 60_000),
    deliveryTimeoutMs,
    requestTimeoutMs,
    maxInFlight,
    // Without sequences a later batch could overtake an earlier one that has to be repeated.
    maxInFlightPerPartition: idempotence ? maxInFlight : 1,
    retry: retryPolicy(options.retry),
    partitioner: options.partitioner ?? 'murmur2',
    createTopics: options.createTopics ?? true,
  }
}

export function serializersOf<V, K>(
  options: ProducerOptions<V, K>,
): { readonly value: Serializer<V>; readonly key: Serializer<K> } {
  return {
    value: options.serdes?.value ?? defaultSerializer,
    key: options.serdes?.key ?? defaultSerializer,
  }
}

export function clusterOptionsOf<V, K>(
  options: ProducerOptions<V, K>,
  observer: ClusterOptions['observer'],
): ClusterOptions {
  return {
    bootstrap: bootstrapOf(options.bootstrap),
    timeoutMs: options.requestTimeoutMs ?? 30_000,
    ...(options.clientId === undefined ? {} : { clientId: options.clientId }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
    ...(options.retry === undefined ? {} : { retry: options.retry }),
    ...(options.metadataMaxAgeMs === undefined ? {} : { metadataMaxAgeMs: options.metadataMaxAgeMs }),
    ...(observer === undefined ? {} : { observer }),
  }
}

export function bootstrapOf(bootstrap: string | readonly string[] | undefined): readonly HostPort[] {
  if (bootstrap === undefined) throw invalid('bootstrap names no broker')
  const addresses = parseBootstrap(typeof bootstrap === 'string' ? bootstrap : bootstrap.join(','))
  if (typeof addresses === 'string') throw invalid(`bootstrap: ${addresses}`)
  return addresses
}

function compressionBy(
  choice: NonNullable<ProducerOptions['compression']>,
  level: number | undefined,
): ResolvedOptions['compression'] {
  if (typeof choice === 'function') return (topic) => compressionOf(choice(topic), level)
  const compression = compressionOf(choice, level)
  return () => compression
}

function compressionOf(name: CodecName | 'none', level: number | undefined): Compression {
  if (name === 'none' || name === 'uncompressed') return { codec: CODEC_NONE, level: undefined }
  if (!CODEC_NAMES.includes(name)) throw invalid(`compression '${name}' is none of none, gzip, snappy, lz4, zstd`)
  return { codec: codecId(name), level }
}

function positive(name: string, value: number): number {
  if (!(value > 0)) throw invalid(`${name} must be above 0, not ${value}`)
  return value
}

function notNegative(name: string, value: number): number {
  if (!(value >= 0)) throw invalid(`${name} must be 0 or above, not ${value}`)
  return value
}

function invalid(reason: string): KafkaError {
  return new KafkaError('ERR_INVALID_OPTION', reason)
}
