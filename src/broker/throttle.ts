/**
 * How long a client is asked to hold back. Every answer passes here once, whatever its API; quotas are the only thing
 * that will ever make the result differ from 0.
 */
import type { Exchange } from './exchange.ts'

export interface Throttle {
  /** Milliseconds for the answer's throttle field; charges the request to whoever sent it. */
  charge(exchange: Exchange): number
}

/** No quota is configured. */
export const unthrottled: Throttle = { charge: () => 0 }
