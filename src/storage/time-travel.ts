/**
 * Real time that can be moved forward: a clock ahead of the real one by so much, and timers that follow it. For a broker inside somebody's
 * tests, where a session of 45 seconds should end now.
 */
import type { Clock } from './clock.ts'
import { realClock } from './clock-real.ts'
import type { Timers } from './timers.ts'
import { RealTimers } from './timers-real.ts'

class ShiftedClock implements Clock {
  aheadMs = 0

  now(): number {
    return realClock.now() + this.aheadMs
  }

  monotonic(): number {
    return realClock.monotonic() + this.aheadMs
  }
}

interface Pending {
  readonly dueMs: number
  readonly fire: () => void
}

export class TimeTravel implements Timers {
  readonly #clock = new ShiftedClock()
  readonly #timers = new RealTimers(this.#clock)
  readonly #pending = new Map<string, Pending>()
  #advancing: Promise<void> = Promise.resolve()

  get clock(): Clock {
    return this.#clock
  }

  schedule(name: string, dueMs: number, fire: () => void): void {
    this.#pending.set(name, { dueMs, fire })
    this.#timers.schedule(name, dueMs, () => {
      this.#pending.delete(name)
      fire()
    })
  }

  cancel(name: string): void {
    this.#pending.delete(name)
    this.#timers.cancel(name)
  }

  endOfTurn(fire: () => void): void {
    this.#timers.endOfTurn(fire)
  }

  /**
   * What becomes due on the way fires at its own time and in its order; what that sets off gets a turn before time goes on. Several calls at
   * once happen one after the other.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0 && Number.isFinite(ms))) throw new RangeError(`time goes forward only: ${ms} ms`)
    const before = this.#advancing
    this.#advancing = before.catch(() => undefined).then(() => this.#advance(ms))
    await this.#advancing
  }

  async #advance(ms: number): Promise<void> {
    const untilMs = this.#clock.now() + ms
    for (let next = this.#nextDue(untilMs); next !== null; next = this.#nextDue(untilMs)) {
      const [name, { dueMs, fire }] = next
      this.cancel(name)
      this.#moveTo(dueMs)
      fire()
      await turn()
    }
    this.#moveTo(untilMs)
    // What is left is due sooner than the event loop believes.
    for (const [name, { dueMs, fire }] of [...this.#pending]) this.schedule(name, dueMs, fire)
    await turn()
  }

  cancelAll(): void {
    this.#pending.clear()
    this.#timers.cancelAll()
  }

  #moveTo(ms: number): void {
    this.#clock.aheadMs += Math.max(0, ms - this.#clock.now())
  }

  #nextDue(untilMs: number): [string, Pending] | null {
    let best: [string, Pending] | null = null
    for (const entry of this.#pending) {
      if (entry[1].dueMs <= untilMs && (best === null || entry[1].dueMs < best[1].dueMs)) best = entry
    }
    return best
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
