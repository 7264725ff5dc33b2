/**
 * Who may connect: how many connections at a time, in all and from one address, and how many new ones a second. Asked by the listener for
 * each connection, before anything is read from it.
 *
 * What must hold: every connection that was admitted is given back once, by `closed`.
 */
import type { BrokerConfig } from '../metadata/broker-config.ts'
import type { Clock } from '../storage/clock.ts'
import { WindowedRate } from './quota-sensors.ts'
import type { Quotas } from './quotas.ts'

export type Admission =
  | { readonly kind: 'open' }
  /** Opened after a while: it is not read until then. */
  | { readonly kind: 'later'; readonly delayMs: number }
  /** Closed after a while, or at once. */
  | { readonly kind: 'refused'; readonly delayMs: number; readonly reason: string }

const OPEN: Admission = { kind: 'open' }
/** Without a limit, counts are Java's largest int. */
const NO_LIMIT = 2 ** 31 - 1
/** No connection waits longer than this for its turn. */
const MAX_DELAY_MS = 1_000

export interface ConnectionLimitsOptions {
  readonly config: BrokerConfig
  readonly quotas: Quotas
  readonly clock: Clock
}

export class ConnectionLimits {
  readonly #config: BrokerConfig
  readonly #quotas: Quotas
  readonly #clock: Clock
  readonly #byAddress = new Map<string, number>()
  readonly #rate: WindowedRate
  #total = 0

  constructor({ config, quotas, clock }: ConnectionLimitsOptions) {
    this.#config = config
    this.#quotas = quotas
    this.#clock = clock
    this.#rate = new WindowedRate(config.number('quota.window.size.seconds') * 1000, config.number('quota.window.num'))
  }

  /** Counts the connection unless it is refused. */
  admit(address: string): Admission {
    const config = this.#config
    const fromAddress = this.#byAddress.get(address) ?? 0
    if (this.#total >= config.number('max.connections')) {
      return { kind: 'refused', delayMs: 0, reason: 'max.connections' }
    }
    const limit = overrideFor(config.text('max.connections.per.ip.overrides') ?? '', address)
    if (fromAddress >= (limit ?? config.number('max.connections.per.ip'))) {
      return { kind: 'refused', delayMs: 0, reason: 'max.connections.per.ip' }
    }
    const throttleMs = this.#quotas.chargeConnection(address)
    if (throttleMs > 0) return { kind: 'refused', delayMs: throttleMs, reason: 'connection_creation_rate' }
    this.#total++
    this.#byAddress.set(address, fromAddress + 1)
    return this.#paced()
  }

  closed(address: string): void {
    this.#total--
    const left = (this.#byAddress.get(address) ?? 1) - 1
    if (left > 0) this.#byAddress.set(address, left)
    else this.#byAddress.delete(address)
  }

  /** New connections beyond the broker's rate wait until it is met again. */
  #paced(): Admission {
    const limit = this.#config.number('max.connection.creation.rate')
    if (limit >= NO_LIMIT) return OPEN
    const nowMs = this.#clock.monotonic()
    this.#rate.record(1, nowMs)
    const perSecond = this.#rate.measure(nowMs)
    if (perSecond <= limit) return OPEN
    const overdueMs = Math.round(((perSecond - limit) / limit) * this.#rate.spanMs(nowMs))
    return { kind: 'later', delayMs: Math.min(overdueMs, MAX_DELAY_MS) }
  }
}

/** `10.0.0.1:5,10.0.0.2:7`; null: the address is not named. An IPv6 address has colons of its own. */
function overrideFor(overrides: string, address: string): number | null {
  if (overrides === '') return null
  for (const item of overrides.split(',')) {
    const at = item.lastIndexOf(':')
    if (item.slice(0, at).trim() === address) return Number(item.slice(at + 1))
  }
  return null
}
