/**
 * What a quota counts with: a rate over a few windows of time, and a bucket of tokens. Pure; the time is an argument, of a clock that only
 * grows: with one that was set back by an hour a window would last for an hour, and a bucket owe an hour of tokens. Both count as Kafka's
 * metrics do, so that a client is throttled for as long as Kafka would.
 *
 * What must hold: memory is a fixed number of windows.
 */

interface Window {
  startMs: number
  lastMs: number
  sum: number
}

export class WindowedRate {
  readonly #windowMs: number
  readonly #count: number
  readonly #windows: Window[] = []
  #current = 0

  /** `count` windows of `windowMs` each; the last one is still filling. */
  constructor(windowMs: number, count: number) {
    this.#windowMs = windowMs
    this.#count = count
  }

  record(value: number, nowMs: number): void {
    let window = this.#windows[this.#current]
    if (window === undefined) {
      window = { startMs: nowMs, lastMs: nowMs, sum: 0 }
      this.#windows[this.#current] = window
    } else if (nowMs - window.startMs >= this.#windowMs) {
      this.#current = (this.#current + 1) % (this.#count + 1)
      window = { startMs: nowMs, lastMs: nowMs, sum: 0 }
      this.#windows[this.#current] = window
    }
    window.sum += value
    window.lastMs = nowMs
  }

  /** Per second. */
  measure(nowMs: number): number {
    const spanMs = this.spanMs(nowMs)
    let sum = 0
    for (const window of this.#windows) sum += window.sum
    return sum / (spanMs / 1000)
  }

  /** The time that `measure` divides by: since the oldest window began, but at least all full windows. */
  spanMs(nowMs: number): number {
    this.#forgetOld(nowMs)
    let oldestMs = nowMs
    for (const { startMs } of this.#windows) oldestMs = Math.min(oldestMs, startMs)
    const elapsedMs = nowMs - oldestMs
    const missing = Math.max(0, this.#count - 1 - Math.floor(elapsedMs / this.#windowMs))
    const spanMs = elapsedMs + missing * this.#windowMs
    return spanMs === 0 ? this.#windowMs : spanMs
  }

  /** Nothing recorded counts any more. */
  isIdle(nowMs: number): boolean {
    return this.#windows.every(({ sum, lastMs }) => sum === 0 || nowMs - lastMs >= this.#count * this.#windowMs)
  }

  #forgetOld(nowMs: number): void {
    for (const window of this.#windows) {
      if (nowMs - window.lastMs < this.#count * this.#windowMs) continue
      window.startMs = nowMs
      window.lastMs = nowMs
      window.sum = 0
    }
  }
}

/** Fills with `rate` tokens a second up to `rate` times the seconds of its windows; may go below zero once. */
export class TokenBucket {
  readonly #burstSeconds: number
  #tokens = 0
  /** The bucket begins full: it has been filling forever. */
  #filledMs = Number.NEGATIVE_INFINITY

  constructor(burstSeconds: number) {
    this.#burstSeconds = burstSeconds
  }

  tokens(rate: number, nowMs: number): number {
    const filled = this.#tokens + (rate * (nowMs - this.#filledMs)) / 1000
    this.#tokens = Math.min(rate * this.#burstSeconds, filled)
    this.#filledMs = nowMs
    return this.#tokens
  }

  take(count: number, rate: number, nowMs: number): void {
    this.#tokens = this.tokens(rate, nowMs) - count
  }

  /** Full, or as good as never used. */
  isIdle(nowMs: number): boolean {
    return nowMs - this.#filledMs >= this.#burstSeconds * 1000
  }
}
