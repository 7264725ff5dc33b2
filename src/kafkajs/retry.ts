/** kafkajs' way of trying again: so often, each time after a longer pause, spread at random. */
import { KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded } from './errors.ts'

export interface RetryOptions {
  /** The longest pause, milliseconds. */
  maxRetryTime?: number
  initialRetryTime?: number
  /** How far a pause may lie from its usual length, as a part of it. */
  factor?: number
  multiplier?: number
  retries?: number
  restartOnFailure?: (error: Error) => Promise<boolean>
}

export interface ResolvedRetry {
  readonly maxRetryTime: number
  readonly initialRetryTime: number
  readonly factor: number
  readonly multiplier: number
  readonly retries: number
}

/** What a timer takes at most. */
export const TIMER_MS_MAX = 0x7fffffff
const DEFAULTS: ResolvedRetry = { maxRetryTime: 30_000, initialRetryTime: 300, factor: 0.2, multiplier: 2, retries: 5 }
/** A mistake in the program does not pass by itself. */
const MISTAKES: ReadonlySet<string> = new Set(['RangeError', 'ReferenceError', 'SyntaxError', 'TypeError'])

export function resolveRetry(...given: (RetryOptions | undefined)[]): ResolvedRetry {
  const { maxRetryTime, initialRetryTime, factor, multiplier, retries } = Object.assign({}, DEFAULTS, ...given)
  return { maxRetryTime, initialRetryTime, factor, multiplier, retries }
}

export function mayRetry(error: unknown): boolean {
  // Programs throw anything, nothing at all included.
  const { retriable, name } = (error ?? {}) as { retriable?: boolean; name?: string }
  return retriable !== false && !MISTAKES.has(name ?? '')
}

/** The pause before each attempt after the first. */
export class Pauses {
  private readonly options: ResolvedRetry
  private next: number
  count = 0

  constructor(options: ResolvedRetry) {
    this.options = options
    this.next = spread(options.factor, options.initialRetryTime)
  }

  get isOver(): boolean {
    return this.count >= this.options.retries
  }

  take(): number {
    const { factor, multiplier, maxRetryTime } = this.options
    const pauseMs = this.next
    this.count += 1
    this.next = Math.min(spread(factor, pauseMs) * multiplier, maxRetryTime)
    return pauseMs
  }

  /** What is thrown instead of another attempt. */
  giveUp(error: unknown): Error {
    const reason = error instanceof Error ? error : new Error(String(error))
    if (!mayRetry(error)) return new KafkaJSNonRetriableError(reason, { cause: reason.cause ?? reason })
    return new KafkaJSNumberOfRetriesExceeded(reason, { retryCount: this.count, retryTime: this.next })
  }
}

export async function retried<T>(options: ResolvedRetry, attempt: () => Promise<T>): Promise<T> {
  const pauses = new Pauses(options)
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (pauses.isOver || !mayRetry(error)) throw pauses.giveUp(error)
      await pause(pauses.take())
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.min(ms, TIMER_MS_MAX)))
}

/** All pauses together, without chance: how long kafkajs would go on trying what fails at once. */
export function patienceMs({ initialRetryTime, multiplier, maxRetryTime, retries }: ResolvedRetry): number {
  let sum = 0
  let next = initialRetryTime
  for (let count = 0; count < retries && sum < TIMER_MS_MAX; count++) {
    sum += next
    next = Math.min(next * multiplier, maxRetryTime)
    if (next === maxRetryTime) {
      sum += (retries - count - 1) * maxRetryTime
      break
    }
  }
  return Math.min(sum, TIMER_MS_MAX)
}

function spread(factor: number, ms: number): number {
  return Math.ceil(ms + (Math.random() * 2 - 1) * factor * ms)
}
