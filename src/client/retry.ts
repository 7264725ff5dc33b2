/**
 * Waiting and asking again. Delays grow exponentially and are spread at random, so that a thousand clients which lost
 * the same broker do not come back in the same millisecond.
 */
import { abortedError, KafkaError } from './errors.ts'

/** The pause before something is tried again: doubled each time, at most `backoffMaxMs`, and spread by 20 percent at random. */
export interface RetryPolicy {
  /** Before the first repetition, milliseconds. */
  readonly backoffMs: number
  /** The longest wait between two repetitions, milliseconds. */
  readonly backoffMaxMs: number
}

const DEFAULT_RETRY: RetryPolicy = { backoffMs: 100, backoffMaxMs: 1_000 }

/** What was left out takes its default; the longest wait is never below the first. */
export function retryPolicy(given: Partial<RetryPolicy> = {}): RetryPolicy {
  const { backoffMs = DEFAULT_RETRY.backoffMs, backoffMaxMs = DEFAULT_RETRY.backoffMaxMs } = given
  return { backoffMs, backoffMaxMs: Math.max(backoffMs, backoffMaxMs) }
}

/** The longest wait that a timer takes; a longer one would be over at once. */
export const TIMER_MS_MAX = 0x7fffffff

const JITTER = 0.2
const EXPONENT_MAX = 16

/** The wait before repetition `attempt` (the first is 0): doubled each time, within 20 % of that, at most the maximum. */
export function backoffMs(policy: RetryPolicy, attempt: number, random: () => number = Math.random): number {
  const plain = Math.min(policy.backoffMaxMs, policy.backoffMs * 2 ** Math.min(attempt, EXPONENT_MAX))
  return Math.min(policy.backoffMaxMs, plain * (1 - JITTER + 2 * JITTER * random()))
}

/** Resolves after the time; rejects with ERR_ABORTED when the signal fires first. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortedError('wait', signal))
      return
    }
    const aborted = (): void => {
      clearTimeout(timer)
      if (signal !== undefined) reject(abortedError('wait', signal))
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted)
      resolve()
    }, ms)
    signal?.addEventListener('abort', aborted, { once: true })
  })
}

export interface RetryingOptions {
  readonly policy?: RetryPolicy
  readonly signal?: AbortSignal | undefined
  /** Which failures are worth another attempt; by default those that pass by themselves at the broker. */
  readonly mayRetry?: (error: KafkaError) => boolean
}

/** Repeats the attempt while it fails with an error code that passes by itself; after the time, its error is thrown. */
export async function retrying<T>(
  timeoutMs: number,
  attempt: () => Promise<T>,
  options: RetryingOptions = {},
): Promise<T> {
  const mayRetry = options.mayRetry ?? ((error) => error.retriable && error.errorCode !== 0)
  const deadlineMs = performance.now() + timeoutMs
  for (let repetition = 0; ; repetition++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof KafkaError) || !mayRetry(error) || performance.now() > deadlineMs) throw error
      await sleep(backoffMs(options.policy ?? DEFAULT_RETRY, repetition), options.signal)
    }
  }
}
