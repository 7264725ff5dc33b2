/**
 * Metrics that clients push about themselves (KIP-714): who is asked for what, when a client may ask and push again, and the last
 * values of each. What an operator subscribes to are the configs of client metrics (metadata/client-metrics.ts).
 *
 * What must hold: memory is bounded whatever clients send (limits.ts); a client that is told to slow down cannot make the broker
 * decode anything; a changed subscription is noticed with a client's next push, which is then refused.
 */
import {
  type ClientFacts,
  DEFAULT_PUSH_INTERVAL_MS,
  readSubscription,
  type Subscription,
} from '../../metadata/client-metrics.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import { decompress, isCodecId } from '../../records/codecs/index.ts'
import { isReservedUuid, type Random } from '../../storage/random.ts'
import { TELEMETRY_CLIENTS_MAX, TELEMETRY_DECOMPRESSED_BYTES_MAX, TELEMETRY_METRICS_MAX } from '../limits.ts'
import { decodeMetrics, type PushedMetric } from './otlp.ts'

/** Numbers of codecs: zstd, lz4, gzip, snappy; the first one that a client has is used. */
export const ACCEPTED_COMPRESSION: readonly number[] = [4, 3, 1, 2]

export interface TelemetryClient {
  readonly clientInstanceId: string
  readonly facts: ClientFacts
  readonly lastPushMs: number
  readonly metrics: readonly PushedMetric[]
}

export type SubscriptionAnswer =
  | { readonly errorCode: ErrorCode; readonly granted: null }
  | {
      readonly errorCode: typeof ErrorCode.NONE
      readonly granted: {
        readonly clientInstanceId: string
        readonly subscriptionId: number
        readonly pushIntervalMs: number
        readonly metrics: readonly string[]
      }
    }

export interface Push {
  readonly clientInstanceId: string
  readonly subscriptionId: number
  readonly terminating: boolean
  readonly compressionType: number
  readonly metrics: Buffer
}

interface Instance {
  readonly facts: ClientFacts
  readonly subscriptionId: number
  readonly pushIntervalMs: number
  readonly requested: readonly string[]
  /** Of the subscriptions that this was made from. */
  readonly version: number
  lastGetMs: number
  lastPushMs: number
  terminating: boolean
  /** By name and attributes. */
  metrics: Map<string, PushedMetric>
}

export interface ClientTelemetryOptions {
  readonly image: MetadataImage
  readonly random: Random
  readonly maxBytes: () => number
}

const NEVER = Number.NEGATIVE_INFINITY

export class ClientTelemetry {
  readonly #image: MetadataImage
  readonly #random: Random
  readonly #maxBytes: () => number
  /** In the order of their last request: the first one is dropped when there are too many. */
  readonly #instances = new Map<string, Instance>()
  #subscriptions: readonly Subscription[] = []
  /** Grows whenever subscriptions change. */
  #version = 0

  constructor({ image, random, maxBytes }: ClientTelemetryOptions) {
    this.#image = image
    this.#random = random
    this.#maxBytes = maxBytes
    this.#readSubscriptions()
    image.onChange(({ configs }) => {
      if (configs.some(({ kind }) => kind === 'client-metrics')) this.#readSubscriptions()
    })
  }

  get maxBytes(): number {
    return this.#maxBytes()
  }

  /** What was pushed, by client; those who pushed nothing are left out. For an operator's view. */
  clients(): TelemetryClient[] {
    return [...this.#instances]
      .filter(([, { metrics }]) => metrics.size > 0)
      .map(([clientInstanceId, { facts, lastPushMs, metrics }]) => ({
        clientInstanceId,
        facts,
        lastPushMs,
        metrics: [...metrics.values()],
      }))
  }

  /** GetTelemetrySubscriptions. A client without an id gets one. */
  subscribe(givenId: string, factsOf: (id: string) => ClientFacts, nowMs: number): SubscriptionAnswer {
    const clientInstanceId = givenId === ZERO_UUID ? this.#random.uuid() : givenId
    if (isReserved(clientInstanceId)) return { errorCode: ErrorCode.INVALID_REQUEST, granted: null }
    const instance = this.#instanceFor(clientInstanceId, factsOf)
    const lastMs = Math.max(instance.lastGetMs, instance.lastPushMs)
    if (nowMs - lastMs < instance.pushIntervalMs) {
      return { errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED, granted: null }
    }
    instance.lastGetMs = nowMs
    const { subscriptionId, pushIntervalMs, requested: metrics } = instance
    const granted = { clientInstanceId, subscriptionId, pushIntervalMs, metrics }
    return { errorCode: ErrorCode.NONE, granted }
  }

  /** PushTelemetry. */
  push(push: Push, factsOf: (id: string) => ClientFacts, nowMs: number): ErrorCode {
    if (isReserved(push.clientInstanceId)) return ErrorCode.INVALID_REQUEST
    const instance = this.#instanceFor(push.clientInstanceId, factsOf)
    const refusal = this.#refusePush(instance, push, nowMs)
    // As in Kafka: also if it is refused.
    instance.terminating = push.terminating
    if (refusal !== ErrorCode.NONE) return refusal
    if (push.metrics.length === 0) return ErrorCode.NONE
    try {
      const bytes = decompress(push.compressionType, push.metrics, TELEMETRY_DECOMPRESSED_BYTES_MAX)
      keep(instance, decodeMetrics(bytes, TELEMETRY_METRICS_MAX))
      return ErrorCode.NONE
    } catch {
      return ErrorCode.INVALID_RECORD
    }
  }

  #refusePush(instance: Instance, push: Push, nowMs: number): ErrorCode {
    if (instance.terminating) return ErrorCode.INVALID_REQUEST
    // The first push after an answer may come at any time: clients spread them.
    const mayPush = instance.lastGetMs > instance.lastPushMs || nowMs - instance.lastPushMs >= instance.pushIntervalMs
    if (!mayPush && !push.terminating) return ErrorCode.THROTTLING_QUOTA_EXCEEDED
    if (mayPush) instance.lastPushMs = nowMs
    if (push.subscriptionId !== instance.subscriptionId) return ErrorCode.UNKNOWN_SUBSCRIPTION_ID
    if (!isCodecId(push.compressionType)) return ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    return push.metrics.length > this.maxBytes ? ErrorCode.TELEMETRY_TOO_LARGE : ErrorCode.NONE
  }

  /** The instance as the subscriptions are now; a known client keeps its values. */
  #instanceFor(id: string, factsOf: (id: string) => ClientFacts): Instance {
    const known = this.#instances.get(id)
    const instance = known?.version === this.#version ? known : this.#newInstance(id, factsOf(id), known)
    this.#instances.delete(id)
    this.#instances.set(id, instance)
    for (const oldest of this.#instances.keys()) {
      if (this.#instances.size <= TELEMETRY_CLIENTS_MAX) break
      this.#instances.delete(oldest)
    }
    return instance
  }

  #newInstance(id: string, facts: ClientFacts, known: Instance | undefined): Instance {
    const matching = this.#subscriptions.filter((subscription) => subscription.matches(facts))
    const metrics = new Set(matching.flatMap((subscription) => subscription.metrics))
    const requested = metrics.has('*') ? ['*'] : [...metrics].sort()
    const intervals = matching.map(({ intervalMs }) => intervalMs)
    const pushIntervalMs = intervals.length === 0 ? DEFAULT_PUSH_INTERVAL_MS : Math.min(...intervals)
    const hash = Bun.hash.crc32(`${requested.join(',')}/${pushIntervalMs}/${id}`)
    return {
      facts,
      subscriptionId: hash | 0,
      pushIntervalMs,
      requested,
      version: this.#version,
      // What changed is to be fetched at once.
      lastGetMs: NEVER,
      lastPushMs: known?.lastPushMs ?? NEVER,
      terminating: known?.terminating ?? false,
      metrics: requested.length === 0 ? new Map() : (known?.metrics ?? new Map()),
    }
  }

  #readSubscriptions(): void {
    const names = this.#image.configuredNames('client-metrics')
    this.#subscriptions = names.map((name) => readSubscription(name, this.#image.config('client-metrics', name).values))
    this.#version++
  }
}

/** Sums that count from the last push on are added up; of everything else the last value stays. */
function keep(instance: Instance, pushed: readonly PushedMetric[]): void {
  for (const metric of pushed) {
    const key = JSON.stringify([metric.name, metric.attributes])
    const before = instance.metrics.get(key)
    if (before === undefined && instance.metrics.size >= TELEMETRY_METRICS_MAX) continue
    const value = metric.isDelta && before !== undefined ? before.value + metric.value : metric.value
    instance.metrics.set(key, { ...metric, value })
  }
}

function isReserved(id: string): boolean {
  return isReservedUuid(Buffer.from(id, 'base64url'))
}
