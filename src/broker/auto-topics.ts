/**
 * Creates topics that clients merely mention, when `auto.create.topics.enable` is set. The client's first answer says
 * that the topic is unknown; it asks again, and by then the topic is there. Used by the Metadata handler.
 */
import type { BrokerConfig } from '../metadata/broker-config.ts'
import type { Topics } from '../metadata/topics.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import type { Logger } from '../storage/logger.ts'

export interface AutoTopicsOptions {
  readonly topics: Topics
  readonly config: BrokerConfig
  readonly logger: Logger
}

export class AutoTopics {
  readonly #options: AutoTopicsOptions
  /** Being created: clients repeat their request within milliseconds. */
  readonly #inFlight = new Set<string>()

  constructor(options: AutoTopicsOptions) {
    this.#options = options
  }

  get isEnabled(): boolean {
    return this.#options.config.boolean('auto.create.topics.enable')
  }

  /** Returns at once. Names must be valid; those that exist by then, or cannot be created, are only logged. */
  create(names: readonly string[]): void {
    const missing = names.filter((name) => !this.#inFlight.has(name))
    if (missing.length === 0) return
    for (const name of missing) this.#inFlight.add(name)
    void this.#createAll(missing).finally(() => {
      for (const name of missing) this.#inFlight.delete(name)
    })
  }

  async #createAll(names: readonly string[]): Promise<void> {
    const { topics, logger } = this.#options
    try {
      for (const outcome of await topics.autoCreate(names)) {
        const { name, errorCode, errorMessage } = outcome
        if (errorCode === ErrorCode.NONE) logger.info('topic created on first use', { topic: name })
        else if (errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS) {
          logger.warn('topic could not be created on first use', {
            topic: name,
            error: errorName(errorCode),
            errorMessage,
          })
        }
      }
    } catch (error) {
      logger.error('topics could not be created on first use', { topics: names, error })
    }
  }
}
