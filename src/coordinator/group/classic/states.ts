/**
 * The states of a classic group, and what a member that is already in the group gets when it joins again. Both are tables:
 * the tests walk every cell.
 */

export type ClassicState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

/** From which states each state may be entered. A group that is gone is not in a state; it answers like an unknown one. */
export const LEGAL_PREDECESSORS: Readonly<Record<ClassicState, readonly ClassicState[]>> = {
  // The join phase ended without members.
  Empty: ['PreparingRebalance'],
  // First member, changed metadata, leader rejoined, member gone, somebody did not sync.
  PreparingRebalance: ['Empty', 'CompletingRebalance', 'Stable'],
  // The join phase ended with members: new generation, protocol chosen.
  CompletingRebalance: ['PreparingRebalance'],
  // The leader's assignment is stored.
  Stable: ['CompletingRebalance'],
}

export function isLegalTransition(from: ClassicState, to: ClassicState): boolean {
  return LEGAL_PREDECESSORS[to].includes(from)
}

export function canStartRebalance(state: ClassicState): boolean {
  return isLegalTransition(state, 'PreparingRebalance')
}

/** What a JoinGroup of a known member does. */
export type RejoinAction =
  /** Parks with the others until the join phase ends. */
  | 'wait'
  /** Answered at once with the current generation. */
  | 'current'
  /** Starts a new rebalance. */
  | 'rebalance'
  /** No such member. */
  | 'unknown-member'

export interface RejoinRow {
  readonly leaderSame: RejoinAction
  readonly followerSame: RejoinAction
  readonly changed: RejoinAction
}

/** By state; "same" = the metadata list is identical in names, order and bytes. */
const REJOIN: Readonly<Record<ClassicState, RejoinRow>> = {
  Empty: { leaderSame: 'unknown-member', followerSame: 'unknown-member', changed: 'unknown-member' },
  PreparingRebalance: { leaderSame: 'wait', followerSame: 'wait', changed: 'wait' },
  // The answer was lost on the way: repeat it.
  CompletingRebalance: { leaderSame: 'current', followerSame: 'current', changed: 'rebalance' },
  // A leader joins again to say that the assignment should be made anew (new partitions, for instance).
  Stable: { leaderSame: 'rebalance', followerSame: 'current', changed: 'rebalance' },
}

export function rejoinAction(state: ClassicState, isLeader: boolean, sameMetadata: boolean): RejoinAction {
  const row = REJOIN[state]
  if (!sameMetadata) return row.changed
  return isLeader ? row.leaderSame : row.followerSame
}
