// Files and folders that were taken out of service and wait to be removed. What a stop leaves, the next start finds by the names and removes.

import type { Clock } from '../storage/clock.ts'
import type { Disk } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'

export interface RemovalServices {
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
}

export class Removals {
  readonly #services: RemovalServices
  /** Names of the timers. */
  readonly #pending = new Set<string>()

  constructor(services: RemovalServices) {
    this.#services = services
  }

  /** Removes the file, or the folder with all it holds, after so many milliseconds; on the thread pool, because large files take their time. */
  schedule(path: string, delayMs: number): void {
    const { clock, timers } = this.#services
    const name = `log/remove/${path}`
    this.#pending.add(name)
    timers.schedule(name, clock.now() + delayMs, () => {
      this.#pending.delete(name)
      void this.#remove(path)
    })
  }

  /** Nothing is removed any more. */
  cancelAll(): void {
    for (const name of this.#pending) this.#services.timers.cancel(name)
    this.#pending.clear()
  }

  async #remove(path: string): Promise<void> {
    try {
      await this.#services.disk.removeLater(path)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#services.logger.warn('Cannot remove what was deleted; the next start tries again', { path, reason })
    }
  }
}
