/** Waiting that a caller may end: what was begun goes on by itself, only nobody hears of it. */
import { abortedError } from '../errors.ts'
import { TIMER_MS_MAX } from '../retry.ts'

/** The outcome of the promise, or ERR_ABORTED as soon as the signal fires. Leaves no listener behind. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(abortedError(what, signal))
    const over = (): void => signal.removeEventListener('abort', aborted)
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
    promise.then(
      (value) => {
        over()
        resolve(value)
      },
      (error: unknown) => {
        over()
        reject(error)
      },
    )
  })
}

/** Resolves with the promise, whatever comes of it, or when the time is over. */
export async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, TIMER_MS_MAX))
  })
  try {
    await Promise.race([promise, late])
  } catch {
    // Who is interested in the outcome awaits the promise itself.
  } finally {
    clearTimeout(timer)
  }
}
