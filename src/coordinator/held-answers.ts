/**
 * What the coordinators' shards have in common: their lives, and answers that wait until what they rest on is durable. An answer goes with
 * the newest append that is not settled, so that nobody is told of what a failed write takes back.
 */
import { ErrorCode } from '../protocol/errors.ts'

export type ShardStatus = 'loading' | 'active' | 'draining' | 'failed' | 'closed'

/** What a request is refused with while a shard does not serve; 0 if it does. */
export const UNAVAILABLE: Readonly<Record<ShardStatus, ErrorCode>> = {
  active: ErrorCode.NONE,
  loading: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  draining: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  failed: ErrorCode.COORDINATOR_NOT_AVAILABLE,
  closed: ErrorCode.NOT_COORDINATOR,
}

/** What waiters are told when the log refuses or loses the record of one decision. */
export function refusalOf(appendError: ErrorCode): ErrorCode {
  switch (appendError) {
    case ErrorCode.MESSAGE_TOO_LARGE:
    case ErrorCode.RECORD_LIST_TOO_LARGE:
      return ErrorCode.UNKNOWN_SERVER_ERROR
    case ErrorCode.KAFKA_STORAGE_ERROR:
    case ErrorCode.NOT_LEADER_OR_FOLLOWER:
    case ErrorCode.NOT_COORDINATOR:
      return ErrorCode.NOT_COORDINATOR
    default:
      return ErrorCode.COORDINATOR_NOT_AVAILABLE
  }
}

/** Somebody who waits for a result: a request whose response is built when the result is there. Called exactly once. */
export interface Waiter<Result> {
  answer(result: Result): void
  /** The operation did not take place: the coordinator moved, is loading, or could not write. */
  refuse(errorCode: ErrorCode): void
}

/** One of the two is called, once. */
export interface HeldAnswer {
  deliver(): void
  refuse(errorCode: ErrorCode): void
}

/** An append under way, and who is answered when it is durable. */
export class PendingAppend {
  readonly answers: HeldAnswer[] = []
}

export class HeldAnswers {
  /** Appends that are not settled, of this state or of one that was dropped. */
  #unsettled = 0
  /** Of this state. */
  #newest: PendingAppend | null = null
  readonly #current = new Set<PendingAppend>()

  /** No append is under way, not even one of a state that was dropped. */
  get isSettled(): boolean {
    return this.#unsettled === 0
  }

  /** Delivered with the newest append, or now. */
  hold(...answers: readonly HeldAnswer[]): void {
    if (this.#newest === null) for (const answer of answers) answer.deliver()
    else this.#newest.answers.push(...answers)
  }

  /** The log has taken it. */
  appended(append: PendingAppend): void {
    this.#unsettled++
    this.#current.add(append)
    this.#newest = append
  }

  /** Who waited for it; null if it belongs to a state that was dropped, and its waiters were refused then. */
  settled(append: PendingAppend): readonly HeldAnswer[] | null {
    this.#unsettled--
    if (!this.#current.delete(append)) return null
    if (this.#newest === append) this.#newest = null
    return append.answers
  }

  /** The state is dropped. Whoever waits is the caller's, to be refused. */
  drop(): readonly HeldAnswer[] {
    const waiting = [...this.#current].flatMap(({ answers }) => answers)
    this.#current.clear()
    this.#newest = null
    return waiting
  }
}
