/**
 * What may become of a record that a share group has been shown: the table of its states, and records with the same fate kept as runs.
 *
 * | state        | event                        | next                                                                 |
 * |--------------|------------------------------|----------------------------------------------------------------------|
 * | available    | fetched                      | acquired by the member, one delivery more                            |
 * | acquired     | accepted                     | acknowledged                                                         |
 * | acquired     | rejected, or is a gap        | archived                                                             |
 * | acquired     | released, or its lock is due | available; archived if it was delivered as often as the group allows |
 * | available    | the log lost it              | archived                                                             |
 * | acknowledged | –                            | for ever                                                             |
 * | archived     | –                            | for ever                                                             |
 *
 * Accepting, rejecting and releasing hold when they are written down. Until then a run is `changing`: it shows its new state, nobody
 * else may touch it, and it remembers the one before in case that the write fails.
 */

export type RecordState = 'available' | 'acquired' | 'acknowledged' | 'archived'

export interface RunBefore {
  readonly state: RecordState
  readonly memberId: string | null
}

/** Consecutive offsets that share everything. */
export interface Run {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly state: RecordState
  readonly deliveryCount: number
  /** Of the member that has acquired it; null in every other state. */
  readonly memberId: string | null
  /** Monotonic time at which the member loses it; only if acquired, or changing from it. */
  readonly lockedUntilMs: number
  /** The change that is being written; 0: none. */
  readonly change: number
  readonly before: RunBefore | null
}

/** What a member says of records that it has acquired. The numbers are those of the requests; gap is 0. */
export type AcknowledgeType = 'gap' | 'accept' | 'release' | 'reject' | 'renew'

export type Verdict = Exclude<AcknowledgeType, 'renew'>

export function isTerminal(state: RecordState): boolean {
  return state === 'acknowledged' || state === 'archived'
}

/** The state that a verdict on an acquired record leads to. */
export function stateAfter(verdict: Verdict, deliveryCount: number, deliveryLimit: number): RecordState {
  switch (verdict) {
    case 'accept':
      return 'acknowledged'
    case 'reject':
    case 'gap':
      return 'archived'
    case 'release':
      return deliveryCount >= deliveryLimit ? 'archived' : 'available'
  }
}

export function freshRun(firstOffset: number, lastOffset: number, state: RecordState, deliveryCount: number): Run {
  return { firstOffset, lastOffset, state, deliveryCount, memberId: null, lockedUntilMs: 0, change: 0, before: null }
}

export interface Lock {
  readonly memberId: string
  readonly lockedUntilMs: number
}

export function acquired(run: Run, { memberId, lockedUntilMs }: Lock): Run {
  return { ...run, state: 'acquired', deliveryCount: run.deliveryCount + 1, memberId, lockedUntilMs }
}

/** A change begins: what is to hold once it is written. */
export function changing(run: Run, state: RecordState, change: number): Run {
  const before = { state: run.state, memberId: run.memberId }
  return { ...run, state, memberId: null, change, before }
}

export function changed(run: Run): Run {
  return { ...run, change: 0, before: null, lockedUntilMs: 0 }
}

/** The change was not written. A lock that has become due meanwhile is due now. */
export function unchanged(run: Run, nowMs: number, deliveryLimit: number): Run {
  const { before } = run
  if (before === null) return run
  const settled = { ...run, change: 0, before: null }
  if (run.lockedUntilMs <= nowMs) return unlocked(settled, deliveryLimit)
  return { ...settled, state: before.state, memberId: before.memberId }
}

export function unlocked(run: Run, deliveryLimit: number): Run {
  const state = stateAfter('release', run.deliveryCount, deliveryLimit)
  return { ...run, state, memberId: null, lockedUntilMs: 0 }
}

/** Free to be acquired. */
export function isFree(run: Run): boolean {
  return run.state === 'available' && run.change === 0
}

/** The part of the run within the bounds; null: none. */
export function clipped(run: Run, firstOffset: number, lastOffset: number): Run | null {
  const first = Math.max(run.firstOffset, firstOffset)
  const last = Math.min(run.lastOffset, lastOffset)
  if (first > last) return null
  return first === run.firstOffset && last === run.lastOffset ? run : { ...run, firstOffset: first, lastOffset: last }
}

export function sameFate(one: Run, other: Run): boolean {
  return (
    one.state === other.state &&
    one.deliveryCount === other.deliveryCount &&
    one.memberId === other.memberId &&
    one.lockedUntilMs === other.lockedUntilMs &&
    one.change === other.change &&
    one.before?.state === other.before?.state &&
    one.before?.memberId === other.before?.memberId
  )
}
