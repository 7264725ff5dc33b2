// How fast work in the background goes (cleaning, moving a replica): in short slices of the event loop's time, with a rest after each one
// where the loop has other work, and within a rate.

import { type Clock, elapsedMs } from '../storage/clock.ts'
import type { Timers } from '../storage/timers.ts'

/** The event loop is kept for so long at most, one large compressed batch aside. */
const SLICE_MS = 0.5
/** A turn that took longer than this without the work had others to serve. */
const BUSY_TURN_MS = 0.1
/** Then the work stands back for so long, and takes a fifth of a busy loop: a request rarely finds it at work twice. */
const REST_MS = 2
/** The rate is kept as an average of so much time at least. */
const SHORTEST_WAIT_MS = 20
/** After so long it is asked again what the rate is. */
const LONGEST_SLEEP_MS = 1000

export interface PaceOptions {
  readonly clock: Clock
  readonly timers: Timers
  /** Name of the timer, which is nobody else's. */
  readonly timer: string
  /** Asked at every use. */
  readonly bytesPerSecond: () => number
}

export class Pace {
  readonly #options: PaceOptions
  #sliceBeganMs: number
  #wake: (() => void) | null = null
  /** What was read and written beyond what the rate allowed for until then. */
  #owedBytes = 0
  #owedSinceMs: number
  #isWoken = false

  constructor(options: PaceOptions) {
    this.#options = options
    this.#sliceBeganMs = options.clock.monotonic()
    this.#owedSinceMs = this.#sliceBeganMs
  }

  /** The slice is over: `pause` before going on. */
  get isDue(): boolean {
    return elapsedMs(this.#sliceBeganMs, this.#options.clock.monotonic()) >= SLICE_MS
  }

  /** Lets the event loop do what waits. */
  async pause(): Promise<void> {
    const { clock, timers } = this.#options
    const beganMs = clock.monotonic()
    // What the input of the first turn leaves for its end comes after this one's own turn: it is done when the second has ended.
    await new Promise<void>((resolve) => timers.endOfTurn(resolve))
    await new Promise<void>((resolve) => timers.endOfTurn(resolve))
    if (elapsedMs(beganMs, clock.monotonic()) > BUSY_TURN_MS) await this.#sleep(REST_MS)
    this.#sliceBeganMs = clock.monotonic()
  }

  /** So many bytes were read or written: waits until the rate allows for more. The rate may change meanwhile. */
  async spend(bytes: number): Promise<void> {
    const { clock, bytesPerSecond } = this.#options
    this.#owedBytes += bytes
    this.#isWoken = false
    for (;;) {
      const nowMs = clock.monotonic()
      const bytesPerMs = Math.max(bytesPerSecond(), 1) / 1000
      this.#owedBytes = Math.max(0, this.#owedBytes - elapsedMs(this.#owedSinceMs, nowMs) * bytesPerMs)
      this.#owedSinceMs = nowMs
      const waitMs = this.#owedBytes / bytesPerMs
      if (waitMs < SHORTEST_WAIT_MS || this.#isWoken) return
      await this.#sleep(Math.min(waitMs, LONGEST_SLEEP_MS))
      this.#sliceBeganMs = clock.monotonic()
    }
  }

  /** Other work begins, which owes nothing for what was before. */
  begin(): void {
    this.#owedBytes = 0
  }

  /** Ends a rest that is under way. */
  wake(): void {
    this.#options.timers.cancel(this.#options.timer)
    this.#isWoken = true
    this.#wake?.()
  }

  async #sleep(ms: number): Promise<void> {
    const { clock, timers, timer } = this.#options
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      timers.schedule(timer, clock.now() + ms, resolve)
    })
    this.#wake = null
  }
}
