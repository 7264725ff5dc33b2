/**
 * How long a client is asked to hold back. Every answer passes here once, whatever its API; quotas are the only thing
 * that ever makes the result differ from 0.
 */
import type { Exchange } from './exchange.ts'

export interface Throttle {
  /** Whether `busyMs` of exchanges must be counted. */
  readonly measuresTime: boolean
  /** Milliseconds for the answer's throttle field and for muting the connection; charges the request to whoever sent it. */
  charge(exchange: Exchange): number
}

/** No quota is configured. */
export const unthrottled: Throttle = { measuresTime: false, charge: () => 0 }
