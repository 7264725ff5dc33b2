// Named timers. A name identifies at most one pending timer: scheduling it again replaces the old one, and a timer that was
// cancelled or replaced never fires. `dueMs` is a point on the wall clock (Clock.now()), not a delay.

export interface Timers {
  schedule(name: string, dueMs: number, fire: () => void): void
  cancel(name: string): void
  /** Runs `fire` once after the input that is ready in this turn of the event loop has been handled. */
  endOfTurn(fire: () => void): void
}
