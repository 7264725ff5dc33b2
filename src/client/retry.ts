/** Asks again while a broker says that asking again may help. */
import { isRetriable } from '../protocol/errors.ts'
import { ClientError } from './errors.ts'

export const RETRY_BACKOFF_MS = 100

/** Repeats the attempt while it fails with an error code that passes by itself; after the time, its error is thrown. */
export async function retrying<T>(timeoutMs: number, attempt: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const passing = error instanceof ClientError && isRetriable(error.brokerErrorCode)
      if (!passing || performance.now() > deadlineMs) throw error
      await Bun.sleep(RETRY_BACKOFF_MS)
    }
  }
}
