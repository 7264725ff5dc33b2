/** Waiting that ends in any case: what was begun goes on by itself. */
import { TIMER_MS_MAX } from '../retry.ts'

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
