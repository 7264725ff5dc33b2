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
