// Timers on the event loop.

import type { Clock } from './clock.ts'
import type { Timers } from './timers.ts'

/** setTimeout takes a signed 32-bit delay; what is further away is looked at again then. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

export class RealTimers implements Timers {
  readonly #clock: Clock
  readonly #pending = new Map<string, ReturnType<typeof setTimeout> | ReturnType<typeof setImmediate>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What is due now fires before the next input is looked at: whoever is answered in this turn finds it done. */
  schedule(name: string, dueMs: number, fire: () => void): void {
    this.cancel(name)
    const delayMs = Math.max(0, dueMs - this.#clock.now())
    if (delayMs > LONGEST_DELAY_MS) {
      const again = () => this.schedule(name, dueMs, fire)
      this.#pending.set(name, setTimeout(again, LONGEST_DELAY_MS))
      return
    }
    const due = () => {
      if (this.#pending.get(name) !== handle) return
      this.#pending.delete(name)
      fire()
    }
    const handle = delayMs === 0 ? setImmediate(due) : setTimeout(due, delayMs)
    this.#pending.set(name, handle)
  }

  cancel(name: string): void {
    const handle = this.#pending.get(name)
    if (handle === undefined) return
    this.#pending.delete(name)
    clear(handle)
  }

  endOfTurn(fire: () => void): void {
    setImmediate(fire)
  }

  /** Forgets every pending timer, so that the process can end. */
  cancelAll(): void {
    for (const handle of this.#pending.values()) clear(handle)
    this.#pending.clear()
  }
}

function clear(handle: ReturnType<typeof setTimeout> | ReturnType<typeof setImmediate>): void {
  clearTimeout(handle as ReturnType<typeof setTimeout>)
  clearImmediate(handle as ReturnType<typeof setImmediate>)
}
