// Timers that fire only when a test says so, in order of due time, then of scheduling.

import type { ManualClock } from './clock-manual.ts'
import type { Timers } from './timers.ts'

interface Pending {
  readonly dueMs: number
  readonly order: number
  readonly fire: () => void
}

export class ManualTimers implements Timers {
  readonly #clock: ManualClock
  readonly #pending = new Map<string, Pending>()
  #turn: (() => void)[] = []
  #order = 0

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  /** The wall clock knows whole milliseconds: what is due in between fires at the next one. */
  schedule(name: string, dueMs: number, fire: () => void): void {
    this.#pending.set(name, { dueMs: Math.ceil(dueMs), order: this.#order++, fire })
  }

  cancel(name: string): void {
    this.#pending.delete(name)
  }

  endOfTurn(fire: () => void): void {
    this.#turn.push(fire)
  }

  /** Something was left for the end of the current turn. */
  get hasTurn(): boolean {
    return this.#turn.length > 0
  }

  /** When the next timer is due; null without one. */
  nextDueMs(): number | null {
    return this.#nextDue(Number.POSITIVE_INFINITY)?.[1].dueMs ?? null
  }

  /** Ends the current turn: runs what was left for its end, including what that leaves again. */
  runTurn(): void {
    while (this.#turn.length > 0) {
      const turn = this.#turn
      this.#turn = []
      for (const fire of turn) fire()
    }
  }

  /** Moves the clock forward, firing what becomes due on the way at its own time, each followed by the end of its turn. */
  advance(ms: number): void {
    const until = this.#clock.now() + ms
    for (;;) {
      const next = this.#nextDue(until)
      if (next === null) break
      const [name, pending] = next
      this.#pending.delete(name)
      this.#clock.advance(Math.max(0, pending.dueMs - this.#clock.now()))
      pending.fire()
      this.runTurn()
    }
    this.#clock.advance(until - this.#clock.now())
  }

  /** Names of the pending timers, soonest first. */
  names(): string[] {
    return [...this.#pending].sort(([, a], [, b]) => a.dueMs - b.dueMs || a.order - b.order).map(([name]) => name)
  }

  dueMs(name: string): number | null {
    return this.#pending.get(name)?.dueMs ?? null
  }

  #nextDue(untilMs: number): [string, Pending] | null {
    let best: [string, Pending] | null = null
    for (const entry of this.#pending) {
      const pending = entry[1]
      if (pending.dueMs > untilMs) continue
      if (
        best === null ||
        pending.dueMs < best[1].dueMs ||
        (pending.dueMs === best[1].dueMs && pending.order < best[1].order)
      ) {
        best = entry
      }
    }
    return best
  }
}
