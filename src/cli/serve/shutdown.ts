/**
 * How a running broker ends: a signal stops it cleanly, a second one at once, an error that nobody caught as a failure.
 *
 * What must hold: the process ends within the time scripts wait for it, whatever the broker does.
 */
import type { Logger } from '../../storage/logger.ts'
import { EXIT_FAILURE, EXIT_OK } from '../errors.ts'

const STOP_WITHIN_MS = 10_000
/**
 * At a terminal Ctrl-C reaches every process of the group, and npm passes the signal on as well: what comes this soon
 * after the first signal is the same key press.
 */
const SAME_SIGNAL_MS = 500

export function stopOnSignals(stop: () => Promise<void>, logger: Logger): void {
  let stoppingSinceMs: number | null = null
  const onSignal = (signal: string): void => {
    const nowMs = performance.now()
    if (stoppingSinceMs !== null) {
      if (nowMs - stoppingSinceMs < SAME_SIGNAL_MS) return
      logger.warn('second signal: ending without a clean stop', { signal })
      process.exit(EXIT_FAILURE)
    }
    stoppingSinceMs = nowMs
    logger.info('stopping', { signal })
    const watchdog = setTimeout(() => {
      logger.error(`not stopped within ${STOP_WITHIN_MS / 1000} s: ending without a clean stop`)
      process.exit(EXIT_FAILURE)
    }, STOP_WITHIN_MS)
    stop().then(
      () => {
        clearTimeout(watchdog)
        logger.info('stopped', { ms: Math.round(performance.now() - nowMs) })
        process.exit(EXIT_OK)
      },
      (error: unknown) => {
        logger.error('stopping failed', { error })
        process.exit(EXIT_FAILURE)
      },
    )
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal)
}

/** A bug: state may be inconsistent, so the process ends and the next start recovers. */
export function failOnUncaught(logger: Logger): void {
  const fail = (kind: string) => (error: unknown) => {
    logger.error(`${kind}: this is a bug in Samsa; the broker ends and recovers at its next start`, {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
    process.exit(EXIT_FAILURE)
  }
  process.on('uncaughtException', fail('uncaught exception'))
  process.on('unhandledRejection', fail('unhandled rejection'))
}
