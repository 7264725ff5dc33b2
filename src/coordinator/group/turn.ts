/**
 * One operation on a shard: what goes in beside the request (time, randomness, limits) and what comes out (records,
 * answers, timers). Handlers read the first and fill the second; they do nothing else to the world. The shard appends the
 * records as one batch, replays them, sets the timers, and delivers the answers when the batch is durable.
 */
import type { ErrorCode } from '../../protocol/errors.ts'
import type { Random } from '../../storage/random.ts'
import type { ConsumerGroupSettings, GroupCoordinatorConfig, StreamsGroupSettings } from '../config.ts'
import type { HeldAnswer, Waiter } from '../held-answers.ts'
import type { ClusterTopics, CompileTopicPattern } from '../request-context.ts'
import type { GroupRecord } from './records.ts'

export type { Waiter } from '../held-answers.ts'

class Held<Result> implements HeldAnswer {
  readonly #waiter: Waiter<Result>
  readonly #result: Result

  constructor(waiter: Waiter<Result>, result: Result) {
    this.#waiter = waiter
    this.#result = result
  }

  deliver(): void {
    this.#waiter.answer(this.#result)
  }

  refuse(errorCode: ErrorCode): void {
    this.#waiter.refuse(errorCode)
  }
}

export type TimerEvent =
  | { readonly kind: 'initial-join'; readonly groupId: string; readonly remainingMs: number }
  | { readonly kind: 'join'; readonly groupId: string }
  | { readonly kind: 'sync'; readonly groupId: string; readonly generation: number }
  | { readonly kind: 'session'; readonly groupId: string; readonly memberId: string }
  | { readonly kind: 'pending-join'; readonly groupId: string; readonly memberId: string }
  | ConsumerTimerEvent
  | StreamsTimerEvent
  /** A member of a share group was silent for too long. */
  | { readonly kind: 'share-member'; readonly groupId: string; readonly memberId: string }

/** Of groups that speak the consumer protocol. */
export type ConsumerTimerEvent =
  /** The member was silent for too long, or, a classic one, did not join or sync when it had to. */
  | {
      readonly kind: 'consumer-member'
      readonly what: 'session' | 'join' | 'sync'
      readonly groupId: string
      readonly memberId: string
    }
  /** The member did not give up partitions in this epoch. */
  | {
      readonly kind: 'consumer-rebalance'
      readonly groupId: string
      readonly memberId: string
      readonly memberEpoch: number
    }
  /** The group's regular expressions are to be resolved, for somebody who may see these topics. */
  | {
      readonly kind: 'consumer-regex'
      readonly groupId: string
      /** Those that are still to be resolved; null: all. */
      readonly left: readonly string[] | null
      mayDescribe(topicName: string): boolean
    }

/** Of streams groups. */
export type StreamsTimerEvent =
  /** The member was silent for too long. */
  | { readonly kind: 'streams-session'; readonly groupId: string; readonly memberId: string }
  /** The member did not give up tasks in this epoch. */
  | {
      readonly kind: 'streams-rebalance'
      readonly groupId: string
      readonly memberId: string
      readonly memberEpoch: number
    }
  /** The first assignment has waited for more members long enough. */
  | { readonly kind: 'streams-delay'; readonly groupId: string }

export type TimerChange =
  | {
      readonly name: string
      readonly delayMs: number
      readonly event: TimerEvent
      /** One that is set already stays as it is. */
      readonly ifAbsent: boolean
    }
  | { readonly name: string; readonly event: null }

// The length of the group id makes the names unambiguous, whatever characters the ids hold.
export const timerNames = {
  join: (groupId: string) => `join/${groupId}`,
  sync: (groupId: string) => `sync/${groupId}`,
  session: (groupId: string, memberId: string) => `session/${groupId.length}/${groupId}/${memberId}`,
  pendingJoin: (groupId: string, memberId: string) => `pending-join/${groupId.length}/${groupId}/${memberId}`,
  consumer: (what: 'session' | 'rebalance' | 'join' | 'sync', groupId: string, memberId: string) =>
    `consumer-${what}/${groupId.length}/${groupId}/${memberId}`,
  regex: (groupId: string) => `consumer-regex/${groupId}`,
  share: (groupId: string, memberId: string) => `share-session/${groupId.length}/${groupId}/${memberId}`,
  streams: (what: 'session' | 'rebalance', groupId: string, memberId: string) =>
    `streams-${what}/${groupId.length}/${groupId}/${memberId}`,
  streamsDelay: (groupId: string) => `streams-delay/${groupId}`,
}

export function timerName(event: TimerEvent): string {
  switch (event.kind) {
    // One join phase at a time: the initial timer and the ordinary one replace each other.
    case 'initial-join':
    case 'join':
      return timerNames.join(event.groupId)
    case 'sync':
      return timerNames.sync(event.groupId)
    case 'session':
      return timerNames.session(event.groupId, event.memberId)
    case 'pending-join':
      return timerNames.pendingJoin(event.groupId, event.memberId)
    case 'consumer-member':
      return timerNames.consumer(event.what, event.groupId, event.memberId)
    case 'consumer-rebalance':
      return timerNames.consumer('rebalance', event.groupId, event.memberId)
    case 'consumer-regex':
      return timerNames.regex(event.groupId)
    case 'share-member':
      return timerNames.share(event.groupId, event.memberId)
    case 'streams-session':
      return timerNames.streams('session', event.groupId, event.memberId)
    case 'streams-rebalance':
      return timerNames.streams('rebalance', event.groupId, event.memberId)
    case 'streams-delay':
      return timerNames.streamsDelay(event.groupId)
  }
}

export interface TurnInputs {
  /** Wall clock: goes into records. */
  readonly nowMs: number
  /** Only grows: sessions are measured with it, so that a jumping wall clock expires nobody. */
  readonly monotonicMs: number
  readonly config: GroupCoordinatorConfig
  readonly random: Random
  /** The largest batch that the log takes. */
  readonly batchBytesMax: number
  readonly topics: ClusterTopics
  readonly compilePattern: CompileTopicPattern
  /** As they are set for this group now. */
  consumerSettings(groupId: string): ConsumerGroupSettings
  shareSettings(groupId: string): ConsumerGroupSettings
  streamsSettings(groupId: string): StreamsGroupSettings
  /** Whether a timer of this name is set and has not fired. */
  isScheduled(name: string): boolean
}

export class Turn implements TurnInputs {
  readonly nowMs: number
  readonly monotonicMs: number
  readonly config: GroupCoordinatorConfig
  readonly random: Random
  readonly batchBytesMax: number
  readonly topics: ClusterTopics
  readonly compilePattern: CompileTopicPattern
  readonly #inputs: TurnInputs
  readonly records: GroupRecord[] = []
  readonly answers: HeldAnswer[] = []
  readonly timers: TimerChange[] = []

  constructor(inputs: TurnInputs) {
    this.nowMs = inputs.nowMs
    this.monotonicMs = inputs.monotonicMs
    this.config = inputs.config
    this.random = inputs.random
    this.batchBytesMax = inputs.batchBytesMax
    this.topics = inputs.topics
    this.compilePattern = inputs.compilePattern
    this.#inputs = inputs
  }

  consumerSettings(groupId: string): ConsumerGroupSettings {
    return this.#inputs.consumerSettings(groupId)
  }

  shareSettings(groupId: string): ConsumerGroupSettings {
    return this.#inputs.shareSettings(groupId)
  }

  streamsSettings(groupId: string): StreamsGroupSettings {
    return this.#inputs.streamsSettings(groupId)
  }

  isScheduled(name: string): boolean {
    return this.#inputs.isScheduled(name)
  }

  write(record: GroupRecord): void {
    this.records.push(record)
  }

  answer<Result>(waiter: Waiter<Result>, result: Result): void {
    this.answers.push(new Held(waiter, result))
  }

  schedule(event: TimerEvent, delayMs: number): void {
    this.timers.push({ name: timerName(event), delayMs, event, ifAbsent: false })
  }

  scheduleIfAbsent(event: TimerEvent, delayMs: number): void {
    this.timers.push({ name: timerName(event), delayMs, event, ifAbsent: true })
  }

  cancel(name: string): void {
    this.timers.push({ name, event: null })
  }
}
