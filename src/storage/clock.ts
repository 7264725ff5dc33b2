// Time as an argument: nothing in log, records, protocol or the coordinators reads a clock of its own.

export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump. */
  now(): number
  /** Milliseconds that only grow, for durations. */
  monotonic(): number
}

/** How long ago `sinceMs` was. One function, so that nobody subtracts the wrong way round. */
export function elapsedMs(sinceMs: number, nowMs: number): number {
  return nowMs - sinceMs
}

/**
 * Whether `sinceMs`, a time on the wall clock that was kept, is less than the interval ago. What comes from the future is not: the clock was
 * set back, and nobody waits until it has caught up.
 */
export function isWithin(intervalMs: number, sinceMs: number, nowMs: number): boolean {
  return sinceMs <= nowMs && elapsedMs(sinceMs, nowMs) < intervalMs
}
