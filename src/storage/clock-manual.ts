// A clock that stands still until a test moves it.

import type { Clock } from './clock.ts'

export class ManualClock implements Clock {
  #nowMs: number
  #monotonicMs = 0

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs
  }

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  advance(ms: number): void {
    this.#nowMs += ms
    this.#monotonicMs += ms
  }

  /** Lets the wall clock jump; the monotonic one does not notice. */
  set(nowMs: number): void {
    this.#nowMs = nowMs
  }
}
