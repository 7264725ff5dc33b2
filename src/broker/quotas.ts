/**
 * Enforces client quotas: says for how long an answer's client must hold back, and which topic requests are refused. The connection
 * mutes itself for that time (KIP-219). The limits are those of metadata/client-quotas.ts.
 *
 * What must hold: without any quota nothing is counted and no clock is read; a wall clock that jumps throttles nobody; the counters of
 * clients that are gone are dropped (QUOTA_COUNTERS_MAX).
 *
 * A byte rate that is exceeded costs (rate - limit) / limit times the span it was measured over: after that time it is met again.
 */
import type { BrokerConfig } from '../metadata/broker-config.ts'
import { type ClientQuotaKey, type ClientQuotas, CONNECTION_RATE_KEY } from '../metadata/client-quotas.ts'
import type { ChargePartitions } from '../metadata/topics.ts'
import type { Clock } from '../storage/clock.ts'
import type { RequestContext } from './api.ts'
import type { Exchange } from './exchange.ts'
import { QUOTA_COUNTERS_MAX } from './limits.ts'
import { TokenBucket, WindowedRate } from './quota-sensors.ts'
import type { Throttle } from './throttle.ts'

const PRODUCE_KEY = 0
const FETCH_KEY = 1
const FRAME_PREFIX_BYTES = 4
const PERCENT = 100
const NEVER_LIMITED = Number.POSITIVE_INFINITY

/** Who is counted. */
interface Client {
  readonly principal: string
  readonly clientId: string | null
}

export interface QuotasOptions {
  readonly clientQuotas: ClientQuotas
  readonly config: BrokerConfig
  readonly clock: Clock
}

export class Quotas implements Throttle {
  readonly #limits: ClientQuotas
  readonly #clock: Clock
  readonly #windowMs: number
  readonly #windowCount: number
  readonly #burstSeconds: number
  readonly #rates = new Map<string, WindowedRate>()
  readonly #buckets = new Map<string, TokenBucket>()
  #isActive = false
  #measuresTime = false

  constructor({ clientQuotas, config, clock }: QuotasOptions) {
    this.#limits = clientQuotas
    this.#clock = clock
    this.#windowMs = config.number('quota.window.size.seconds') * 1000
    this.#windowCount = config.number('quota.window.num')
    this.#burstSeconds =
      config.number('controller.quota.window.size.seconds') * config.number('controller.quota.window.num')
    this.#follow()
    clientQuotas.onChange(() => this.#follow())
  }

  /** Whether requests must be timed. */
  get measuresTime(): boolean {
    return this.#measuresTime
  }

  /** A Throttle: what the answer to this request costs, now that it is there. */
  charge(exchange: Exchange): number {
    if (!this.#isActive) return exchange.throttleMs
    let throttleMs = exchange.throttleMs
    const key = exchange.api?.key
    if (key === PRODUCE_KEY) {
      throttleMs = Math.max(
        throttleMs,
        this.#chargeBytes('producer_byte_rate', exchange, exchange.sizeBytes - FRAME_PREFIX_BYTES),
      )
    }
    // A Produce without an answer is exempt, and a Fetch has paid before it knew what to answer.
    if (exchange.response !== null && key !== FETCH_KEY) throttleMs = Math.max(throttleMs, this.#chargeTime(exchange))
    return throttleMs
  }

  /**
   * What a Fetch answer of this size costs. Above 0 the answer must be empty instead, and its bytes are not counted: the client
   * asks again after that time.
   */
  chargeFetch(context: RequestContext, sizeBytes: number): number {
    if (!this.#isActive) return 0
    const bytesMs = this.#chargeBytes('consumer_byte_rate', context, sizeBytes)
    const timeMs = this.#chargeTime(context)
    if (timeMs > 0 || bytesMs > 0) this.#recordBytes('consumer_byte_rate', context, -sizeBytes)
    return Math.max(bytesMs, timeMs)
  }

  /** No Fetch may answer more than its windows can ever allow, or it would be throttled forever. */
  fetchBytesMax(context: Client): number {
    if (!this.#limits.has('consumer_byte_rate')) return NEVER_LIMITED
    const found = this.#limits.limitOf('consumer_byte_rate', userOf(context), context.clientId ?? '')
    if (found === null) return NEVER_LIMITED
    return Math.floor((found.limit * (this.#windowCount - 1) * this.#windowMs) / 1000)
  }

  /**
   * Counts partitions that are created or deleted. False: the strict kind of request must not do it (THROTTLING_QUOTA_EXCEEDED);
   * others go on and are throttled. One request may overdraw, so that one above the burst passes at all.
   */
  chargeMutations(context: RequestContext, partitions: number, strict: boolean): boolean {
    if (!this.#limits.has('controller_mutation_rate')) return true
    const found = this.#limits.limitOf('controller_mutation_rate', userOf(context), context.clientId ?? '')
    if (found === null) return true
    const nowMs = this.#clock.monotonic()
    const bucket = this.#bucketOf(found.bucket)
    const overdrawn = bucket.tokens(found.limit, nowMs) < 0
    if (!(strict && overdrawn)) bucket.take(partitions, found.limit, nowMs)
    const left = bucket.tokens(found.limit, nowMs)
    const isThrottled = strict ? overdrawn : left < 0
    if (isThrottled) context.throttle(Math.round((-left / found.limit) * 1000))
    return !(strict && overdrawn)
  }

  /** Milliseconds for which a connection from this address must wait before it is closed again; 0: it is accepted. */
  chargeConnection(address: string): number {
    if (!this.#limits.has(CONNECTION_RATE_KEY)) return 0
    const limit = this.#limits.connectionRate(address)
    if (limit === null) return 0
    const nowMs = this.#clock.monotonic()
    const rate = this.#rateOf(`${CONNECTION_RATE_KEY} ${address}`)
    rate.record(1, nowMs)
    const throttleMs = Math.min(overdueMs(rate, limit, nowMs), this.#windowMs)
    if (throttleMs > 0) rate.record(-1, nowMs)
    return throttleMs
  }

  #chargeBytes(key: ClientQuotaKey, client: Client, sizeBytes: number): number {
    const recorded = this.#recordBytes(key, client, sizeBytes)
    return recorded === null ? 0 : overdueMs(recorded.rate, recorded.limit, this.#clock.monotonic())
  }

  #recordBytes(key: ClientQuotaKey, client: Client, value: number): { rate: WindowedRate; limit: number } | null {
    if (!this.#limits.has(key)) return null
    const found = this.#limits.limitOf(key, userOf(client), client.clientId ?? '')
    if (found === null) return null
    const rate = this.#rateOf(`${key} ${found.bucket}`)
    rate.record(value, this.#clock.monotonic())
    return { rate, limit: found.limit }
  }

  /** 100 percent is one thread; no answer waits longer than one window for it. */
  #chargeTime(context: RequestContext): number {
    if (!this.#measuresTime) return 0
    const recorded = this.#recordBytes('request_percentage', context, (context.busyMs / 1000) * PERCENT)
    if (recorded === null) return 0
    return Math.min(overdueMs(recorded.rate, recorded.limit, this.#clock.monotonic()), this.#windowMs)
  }

  #rateOf(name: string): WindowedRate {
    let rate = this.#rates.get(name)
    if (rate === undefined) {
      dropIdle(this.#rates, this.#clock.monotonic())
      rate = new WindowedRate(this.#windowMs, this.#windowCount)
      this.#rates.set(name, rate)
    }
    return rate
  }

  #bucketOf(name: string): TokenBucket {
    let bucket = this.#buckets.get(name)
    if (bucket === undefined) {
      dropIdle(this.#buckets, this.#clock.monotonic())
      bucket = new TokenBucket(this.#burstSeconds)
      this.#buckets.set(name, bucket)
    }
    return bucket
  }

  #follow(): void {
    this.#measuresTime = this.#limits.has('request_percentage')
    const bytes = this.#limits.has('producer_byte_rate') || this.#limits.has('consumer_byte_rate')
    this.#isActive = this.#measuresTime || bytes
  }
}

/** How the topics of one request are charged: each once. */
export function chargeMutations(context: RequestContext, strict: boolean): ChargePartitions {
  const charged = new Map<string, boolean>()
  return (topic, partitions) => {
    let isPaid = charged.get(topic)
    if (isPaid === undefined) {
      isPaid = context.broker.quotas.chargeMutations(context, partitions, strict)
      charged.set(topic, isPaid)
    }
    return isPaid
  }
}

function overdueMs(rate: WindowedRate, limit: number, nowMs: number): number {
  const perSecond = rate.measure(nowMs)
  return perSecond > limit ? Math.round(((perSecond - limit) / limit) * rate.spanMs(nowMs)) : 0
}

/** Makes room for one more: what is idle first, or else what was made first. */
function dropIdle(counters: Map<string, { isIdle(nowMs: number): boolean }>, nowMs: number): void {
  if (counters.size < QUOTA_COUNTERS_MAX) return
  for (const [name, counter] of counters) if (counter.isIdle(nowMs)) counters.delete(name)
  for (const name of counters.keys()) {
    if (counters.size < QUOTA_COUNTERS_MAX) return
    counters.delete(name)
  }
}

/** `User:alice` -> `alice`. */
function userOf({ principal }: Client): string {
  return principal.slice(principal.indexOf(':') + 1)
}
