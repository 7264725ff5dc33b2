/**
 * The client's side of a fetch session with one broker (KIP-227): after a first full request only what changed is said again. Pure.
 *
 * What must hold: `next` and then either `answered` or `failed`, one at a time. After any failure the next request is a full one,
 * which also ends what the broker may still remember of the session.
 */
import { ErrorCode } from '../../protocol/errors.ts'

export interface WantedPartition {
  /** As the request names the topic: id or name. */
  readonly topic: string
  readonly partition: number
  readonly fetchOffset: number
  readonly currentLeaderEpoch: number
  readonly logStartOffset: number
  readonly maxBytes: number
}

export interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  /** What the request names; with an incremental one the broker knows the rest. */
  readonly named: readonly WantedPartition[]
  readonly forgotten: readonly { readonly topic: string; readonly partition: number }[]
}

const NO_SESSION = 0
const INITIAL_EPOCH = 0
export const FINAL_EPOCH = -1
const EPOCH_MAX = 0x7fffffff

export class FetchSession {
  private sessionId = NO_SESSION
  private epoch = INITIAL_EPOCH
  /** What the broker holds of the session, by topic and partition. */
  private held = new Map<string, WantedPartition>()
  private sent = new Map<string, WantedPartition>()

  get id(): number {
    return this.sessionId
  }

  next(wanted: readonly WantedPartition[]): SessionRequest {
    this.sent = new Map(wanted.map((each) => [keyOf(each), each]))
    if (this.epoch === INITIAL_EPOCH) {
      return { sessionId: this.sessionId, sessionEpoch: INITIAL_EPOCH, named: wanted, forgotten: [] }
    }
    const named = wanted.filter((each) => {
      const known = this.held.get(keyOf(each))
      return known === undefined || differs(known, each)
    })
    const forgotten = [...this.held].filter(([key]) => !this.sent.has(key)).map(([, each]) => each)
    return { sessionId: this.sessionId, sessionEpoch: this.epoch, named, forgotten }
  }

  /** The error of the whole answer. True if its partitions count. */
  answered(errorCode: number, sessionId: number): boolean {
    if (errorCode !== 0) {
      if (errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND) this.sessionId = NO_SESSION
      this.failed()
      return false
    }
    this.sessionId = sessionId
    this.epoch = sessionId === NO_SESSION ? INITIAL_EPOCH : this.epoch === EPOCH_MAX ? 1 : this.epoch + 1
    this.held = sessionId === NO_SESSION ? new Map() : this.sent
    return true
  }

  /** No answer, or one that cannot be used. */
  failed(): void {
    this.epoch = INITIAL_EPOCH
    this.held = new Map()
  }
}

function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}:${partition}`
}

function differs(one: WantedPartition, other: WantedPartition): boolean {
  return (
    one.fetchOffset !== other.fetchOffset ||
    one.maxBytes !== other.maxBytes ||
    one.currentLeaderEpoch !== other.currentLeaderEpoch ||
    one.logStartOffset !== other.logStartOffset
  )
}
