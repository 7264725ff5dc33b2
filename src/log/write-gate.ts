// Whether a directory takes writes at the moment. A full disk refuses writes for a while, then one is tried; if it succeeds all go on.
// Keeps the log (the text one) to one line when writes begin to fail and one when they work again.

import type { DiskError } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'

/** How long writes are refused after one has failed for want of space. */
const PROBE_INTERVAL_MS = 500

export class WriteGate {
  readonly #logger: Logger
  #refuseUntilMs = Number.NEGATIVE_INFINITY
  #failure: DiskError | null = null

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Why writes fail at present, or null. */
  get failure(): DiskError | null {
    return this.#failure
  }

  /** Whether a write need not even be tried now. */
  refuses(nowMs: number): boolean {
    if (this.#failure === null) return false
    // A clock that was set back must not keep the gate shut.
    return nowMs < this.#refuseUntilMs && nowMs >= this.#refuseUntilMs - PROBE_INTERVAL_MS
  }

  failed(error: DiskError, nowMs: number, context: { readonly file: string; readonly position: number }): void {
    const first = this.#failure === null || this.#failure.code !== error.code
    this.#failure = error
    this.#refuseUntilMs = nowMs + PROBE_INTERVAL_MS
    if (first) {
      this.#logger.error('Writes fail and are refused with KAFKA_STORAGE_ERROR; reads go on, writes are tried again', {
        ...context,
        code: error.code,
        reason: error.message,
      })
    }
  }

  succeeded(): void {
    if (this.#failure === null) return
    this.#failure = null
    this.#logger.info('Writes work again')
  }
}
