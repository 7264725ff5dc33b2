/**
 * The schedule of an open loop: request n is due at `start + n / rate`, whatever happened to the requests before it. A
 * latency is counted from that moment and not from the sending, so that a broker that stalls is charged for every request
 * that should have been sent meanwhile (coordinated omission).
 */

export class Pacer {
  private readonly startMs: number
  private readonly intervalMs: number
  private taken = 0

  constructor(options: { requestsPerSecond: number; startMs: number }) {
    this.intervalMs = 1000 / options.requestsPerSecond
    this.startMs = options.startMs
  }

  /** When the next request is due. */
  get nextMs(): number {
    return this.startMs + this.taken * this.intervalMs
  }

  /** Takes the next request and tells when it was due, or null if that is still to come. */
  take(nowMs: number): number | null {
    const dueMs = this.nextMs
    if (dueMs > nowMs) return null
    this.taken++
    return dueMs
  }
}

export interface Clock {
  now(): number
  /** Runs it in the next turn of the event loop. */
  soon(run: () => void): void
  after(milliseconds: number, run: () => void): void
}

export const REAL_CLOCK: Clock = {
  now: () => performance.now(),
  soon: (run) => void setImmediate(run),
  after: (milliseconds, run) => void setTimeout(run, milliseconds),
}

/** Timers are late by up to a millisecond or so; the last stretch is spent in turns of the event loop. */
const TIMER_LATENESS_MS = 2

/**
 * Sends what is due until `stopped`. `send` gets the due time, and refuses (false) when all connections are full: the
 * request stays due and is offered again.
 */
export function runSchedule(options: {
  pacer: Pacer
  clock: Clock
  send: (dueMs: number) => boolean
  stopped: () => boolean
}): void {
  const { pacer, clock, send, stopped } = options
  let refused: number | null = null
  const turn = (): void => {
    if (stopped()) return
    const nowMs = clock.now()
    for (let dueMs = refused ?? pacer.take(nowMs); dueMs !== null; dueMs = pacer.take(nowMs)) {
      refused = send(dueMs) ? null : dueMs
      if (refused !== null) break
    }
    const waitMs = pacer.nextMs - clock.now()
    if (refused === null && waitMs > TIMER_LATENESS_MS) clock.after(waitMs - TIMER_LATENESS_MS, turn)
    else clock.soon(turn)
  }
  turn()
}
