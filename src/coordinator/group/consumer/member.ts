/**
 * A member of a consumer group. Members are values: whoever changes one makes a new one, writes the records that say so, and the
 * replay puts it in the place of the old.
 */
import { type HeldPartitions, HOLDS_NOTHING, sameHeld } from './assignment.ts'

/**
 * How far the member is on its way to its target (KIP-848).
 *
 * `stable`: it has what its epoch says. `unrevoked`: it must give partitions up before its epoch may go on. `unreleased`: it is
 * in its new epoch, but partitions are missing that others have not given up yet. `unknown`: written by a later release.
 */
export type MemberState = 'stable' | 'unrevoked' | 'unreleased' | 'unknown'

export interface ClassicProtocol {
  readonly name: string
  readonly metadata: Buffer
}

/** Of a member that speaks the classic protocol in a consumer group. */
export interface ClassicMembership {
  readonly sessionTimeoutMs: number
  readonly protocols: readonly ClassicProtocol[]
}

/** What the member says of itself; one record. */
export interface MemberSubscription {
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** Sorted, each once. */
  readonly topicNames: readonly string[]
  /** null or '': none. */
  readonly topicRegex: string | null
  readonly rebalanceTimeoutMs: number
  readonly serverAssignor: string | null
  /** null: it speaks the consumer protocol. */
  readonly classic: ClassicMembership | null
}

/** What the member has; another record. */
export interface MemberProgress {
  /** -2: a static member that is away and will be back. */
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly state: MemberState
  readonly assigned: HeldPartitions
  readonly pendingRevocation: HeldPartitions
}

export interface ConsumerMember extends MemberSubscription, MemberProgress {
  readonly memberId: string
}

/** In place of a member epoch: the member leaves. */
export const LEAVE_EPOCH = -1
/** In place of a member epoch: a static member goes away and will be back. */
export const LEAVE_STATIC_EPOCH = -2

export function newMember(memberId: string): ConsumerMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    topicNames: [],
    topicRegex: '',
    rebalanceTimeoutMs: -1,
    serverAssignor: null,
    classic: null,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: 'stable',
    assigned: HOLDS_NOTHING,
    pendingRevocation: HOLDS_NOTHING,
  }
}

/** null for '' too. */
export function regexOf(member: MemberSubscription): string | null {
  return member.topicRegex === '' ? null : member.topicRegex
}

export function sortedNames(names: Iterable<string>): string[] {
  return [...new Set(names)].sort()
}

export function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index])
}

export function isReconciledTo(
  member: Pick<MemberProgress, 'state' | 'memberEpoch'>,
  assignmentEpoch: number,
): boolean {
  return member.state === 'stable' && member.memberEpoch === assignmentEpoch
}

export function sameSubscription(one: MemberSubscription, other: MemberSubscription): boolean {
  return (
    one.instanceId === other.instanceId &&
    one.rackId === other.rackId &&
    one.clientId === other.clientId &&
    one.clientHost === other.clientHost &&
    one.topicRegex === other.topicRegex &&
    one.rebalanceTimeoutMs === other.rebalanceTimeoutMs &&
    one.serverAssignor === other.serverAssignor &&
    sameNames(one.topicNames, other.topicNames) &&
    sameClassic(one.classic, other.classic)
  )
}

function sameClassic(one: ClassicMembership | null, other: ClassicMembership | null): boolean {
  if (one === null || other === null) return one === other
  return (
    one.sessionTimeoutMs === other.sessionTimeoutMs &&
    one.protocols.length === other.protocols.length &&
    one.protocols.every(({ name, metadata }, index) => {
      const twin = other.protocols[index]!
      return name === twin.name && metadata.equals(twin.metadata)
    })
  )
}

export function sameProgress(one: MemberProgress, other: MemberProgress): boolean {
  return (
    one.memberEpoch === other.memberEpoch &&
    one.previousMemberEpoch === other.previousMemberEpoch &&
    one.state === other.state &&
    sameHeld(one.assigned, other.assigned) &&
    sameHeld(one.pendingRevocation, other.pendingRevocation)
  )
}
