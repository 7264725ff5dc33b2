/**
 * Makes the internal topics of streams groups (KIP-1071): their heartbeats say which are missing, the broker creates them with the rights
 * of whoever sent the heartbeat, and the next heartbeats find them. Nobody waits for it; what went wrong is told with the
 * status of the heartbeats that follow, and tried again after two of them.
 *
 * What must hold: one creation at a time per topic; memory is bounded whatever clients ask for.
 */
import type { InternalTopic } from '../coordinator/group/streams/configure.ts'
import type { ChargePartitions, Topics } from '../metadata/topics.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import type { Clock } from '../storage/clock.ts'
import type { Logger } from '../storage/logger.ts'
import { STREAMS_TOPIC_FAILURES_MAX } from './limits.ts'

interface Failure {
  readonly message: string
  readonly untilMs: number
}

export interface CreationOptions {
  readonly charge: ChargePartitions
  /** For how long a failure is told, and the topic not tried again. */
  readonly failureMs: number
}

/** Kafka's number for "the broker's default". */
const DEFAULT_REPLICATION = -1

export class StreamsTopics {
  readonly #topics: Pick<Topics, 'create'>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #creating = new Set<string>()
  /** The oldest first. */
  readonly #failures = new Map<string, Failure>()

  constructor(topics: Pick<Topics, 'create'>, clock: Clock, logger: Logger) {
    this.#topics = topics
    this.#clock = clock
    this.#logger = logger
  }

  /** Begins to create those that nobody is at already. Never throws. */
  create(wanted: readonly InternalTopic[], options: CreationOptions): void {
    const topics = wanted.filter(({ name }) => !this.#creating.has(name) && this.failure(name) === null)
    if (topics.length === 0) return
    for (const { name } of topics) this.#creating.add(name)
    this.#create(topics, options).catch((error: unknown) => {
      this.#logger.error('internal topics of a streams group were not created', {
        topics: topics.map(({ name }) => name),
        error: error instanceof Error ? error.message : String(error),
      })
    })
  }

  /** Why the topic could not be created just now; null: nothing is known against it. */
  failure(name: string): string | null {
    const failure = this.#failures.get(name)
    if (failure === undefined) return null
    if (failure.untilMs > this.#clock.monotonic()) return failure.message
    this.#failures.delete(name)
    return null
  }

  async #create(topics: readonly InternalTopic[], { charge, failureMs }: CreationOptions): Promise<void> {
    try {
      const results = await this.#topics.create(topics.map(newTopic), { validateOnly: false, charge })
      for (const { name, errorCode, errorMessage } of results) {
        if (errorCode !== ErrorCode.NONE) this.#failed(name, errorMessage ?? errorName(errorCode), failureMs)
      }
    } finally {
      for (const { name } of topics) this.#creating.delete(name)
    }
  }

  #failed(name: string, message: string, failureMs: number): void {
    this.#logger.warn('an internal topic of a streams group was not created', { topic: name, error: message })
    this.#failures.delete(name)
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size < STREAMS_TOPIC_FAILURES_MAX) break
      this.#failures.delete(oldest)
    }
    this.#failures.set(name, { message, untilMs: this.#clock.monotonic() + failureMs })
  }
}

function newTopic({ name, partitions, replicationFactor, topicConfigs }: InternalTopic) {
  return {
    name,
    numPartitions: partitions,
    replicationFactor: replicationFactor === 0 ? DEFAULT_REPLICATION : replicationFactor,
    assignments: [],
    configs: topicConfigs.map(({ key, value }) => ({ name: key, value })),
  }
}
