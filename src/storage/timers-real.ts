// Timers on the event loop.

import type { Clock } from './clock.ts'
import type { Timers } from './timers.ts'

/** setTimeout takes a signed 32-bit delay; what is further away is looked at again then. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

export class RealTimers implements Timers {
  readonly #clock: Clock
  readonly #pending = new Map<string, ReturnType<typeof setTimeout>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  schedule(name: string, dueMs: number, fire: () => void): void {
    this.cancel(name)
    const delayMs = Math.max(0, dueMs - this.#clock.now())
    if (delayMs > LONGEST_DELAY_MS) {
      const again = () => this.schedule(name, dueMs, fire)
      this.#pending.set(name, setTimeout(again, LONGEST_DELAY_MS))
      return
    }
    const handle = setTimeout(() => {
      if (this.#pending.get(name) !== handle) return
      this.#pending.delete(name)
      fire()
    }, delayMs)
    this.#pending.set(name, handle)
  }

  cancel(name: string): void {
    const handle = this.#pending.get(name)
    if (handle === undefined) return
    this.#pending.delete(name)
    clearTimeout(handle)
  }

  endOfTurn(fire: () => void): void {
    setImmediate(fire)
  }

  /** Forgets every pending timer, so that the process can end. */
  cancelAll(): void {
    for (const handle of this.#pending.values()) clearTimeout(handle)
    this.#pending.clear()
  }
}
