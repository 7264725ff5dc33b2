/**
 * The states of share partitions as the rest of this broker uses them: questions go to the share coordinator, and are asked again for a
 * while if it is still loading or its topic does not exist yet. The first question creates that topic.
 */
import { SHARE_STATE_TOPIC } from '../../coordinator/share-state/config.ts'
import type { ShareCoordinator, StateReply } from '../../coordinator/share-state/coordinator.ts'
import type {
  ReadState,
  SharePartitionKey,
  SharePersister,
  StateFailure,
  StateSummary,
  StateWrite,
} from '../../coordinator/share-state/persister.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { Topics } from '../../metadata/topics.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Logger } from '../../storage/logger.ts'
import type { Timers } from '../../storage/timers.ts'
import { SHARE_STATE_ATTEMPTS_MAX, SHARE_STATE_RETRY_MS, SHARE_STATE_RETRY_MS_MAX } from '../limits.ts'

export interface LocalSharePersisterOptions {
  readonly coordinator: ShareCoordinator
  readonly image: MetadataImage
  readonly topics: Topics
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
}

const NO_STATE = { stateEpoch: 0, startOffset: 0, batches: [] }
const NO_SUMMARY = { stateEpoch: 0, leaderEpoch: 0, startOffset: 0, deliveryCompleteCount: -1 }

export class LocalSharePersister implements SharePersister {
  readonly #options: LocalSharePersisterOptions
  /** Timers of questions that wait to be asked again, and what ends them. */
  readonly #waiting = new Map<string, () => void>()
  #nextId = 0

  constructor(options: LocalSharePersisterOptions) {
    this.#options = options
  }

  initialize(
    key: SharePartitionKey,
    state: { readonly stateEpoch: number; readonly startOffset: number },
    done: (result: StateFailure) => void,
  ): void {
    this.#ask(
      (reply) => this.#options.coordinator.initialize(key, state, reply),
      (failure) => failure,
      done,
    )
  }

  delete(key: SharePartitionKey, done: (result: StateFailure) => void): void {
    this.#ask(
      (reply) => this.#options.coordinator.delete(key, reply),
      (failure) => failure,
      done,
    )
  }

  summarize(key: SharePartitionKey, done: (result: StateSummary) => void): void {
    this.#ask<StateSummary>(
      (reply) => this.#options.coordinator.summarize(key, reply),
      (failure) => ({ ...failure, ...NO_SUMMARY }),
      done,
    )
  }

  read(key: SharePartitionKey, leaderEpoch: number, done: (result: ReadState) => void): void {
    this.#ask<ReadState>(
      (reply) => this.#options.coordinator.read(key, leaderEpoch, reply),
      (failure) => ({ ...failure, ...NO_STATE }),
      done,
    )
  }

  write(key: SharePartitionKey, state: StateWrite, done: (result: StateFailure) => void): void {
    this.#ask(
      (reply) => this.#options.coordinator.write(key, state, reply),
      (failure) => failure,
      done,
    )
  }

  /** Whoever waits is told that there is no coordinator. */
  close(): void {
    for (const [timer, giveUp] of [...this.#waiting]) {
      this.#options.timers.cancel(timer)
      giveUp()
    }
  }

  #ask<Answer extends StateFailure>(
    ask: (reply: StateReply<Answer>) => void,
    failed: (failure: StateFailure) => Answer,
    done: (result: Answer) => void,
    attempt = 1,
  ): void {
    const fail = (errorCode: ErrorCode) => done(failed({ errorCode, errorMessage: null }))
    const retry = () => this.#ask(ask, failed, done, attempt + 1)
    if (this.#options.image.topic(SHARE_STATE_TOPIC) === undefined) {
      this.#createTopic(attempt, retry, () => fail(ErrorCode.COORDINATOR_NOT_AVAILABLE))
      return
    }
    ask((result) => {
      if (typeof result !== 'number') done(result)
      else if (isPassing(result)) this.#later(attempt, retry, () => fail(result))
      else fail(result)
    })
  }

  #createTopic(attempt: number, retry: () => void, giveUp: () => void): void {
    const { topics, logger } = this.#options
    topics.createAutomatically(SHARE_STATE_TOPIC).then(
      () => this.#later(attempt, retry, giveUp),
      (error: unknown) => {
        logger.error('the topic of share states cannot be created', { error })
        giveUp()
      },
    )
  }

  #later(attempt: number, retry: () => void, giveUp: () => void): void {
    if (attempt >= SHARE_STATE_ATTEMPTS_MAX) {
      giveUp()
      return
    }
    const { timers, clock } = this.#options
    const timer = `share-persister/${this.#nextId++}`
    const delayMs = Math.min(SHARE_STATE_RETRY_MS * 2 ** (attempt - 1), SHARE_STATE_RETRY_MS_MAX)
    this.#waiting.set(timer, giveUp)
    timers.schedule(timer, clock.now() + delayMs, () => {
      this.#waiting.delete(timer)
      retry()
    })
  }
}

function isPassing(errorCode: ErrorCode): boolean {
  switch (errorCode) {
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
    case ErrorCode.NOT_COORDINATOR:
      return true
    default:
      return false
  }
}
