/**
 * A member of a share group. Members are values: whoever changes one makes a new one, writes the records that say so, and the
 * replay puts it in the place of the old.
 */
import { NO_PARTITIONS, type PartitionSet, samePartitions } from '../consumer/assignment.ts'
import { sameNames } from '../consumer/member.ts'

/** What the member says of itself; one record. */
export interface ShareSubscription {
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** Sorted, each once. */
  readonly topicNames: readonly string[]
}

/** What the member has; another record. Nothing is ever given up in steps: partitions are shared, not owned. */
export interface ShareProgress {
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly assigned: PartitionSet
}

export interface ShareMember extends ShareSubscription, ShareProgress {
  readonly memberId: string
}

/** In place of a member epoch: the member leaves. */
export const LEAVE_EPOCH = -1

export function newShareMember(memberId: string): ShareMember {
  return {
    memberId,
    rackId: null,
    clientId: '',
    clientHost: '',
    topicNames: [],
    memberEpoch: 0,
    previousMemberEpoch: -1,
    assigned: NO_PARTITIONS,
  }
}

export function sameShareSubscription(one: ShareSubscription, other: ShareSubscription): boolean {
  return (
    one.rackId === other.rackId &&
    one.clientId === other.clientId &&
    one.clientHost === other.clientHost &&
    sameNames(one.topicNames, other.topicNames)
  )
}

export function sameShareProgress(one: ShareProgress, other: ShareProgress): boolean {
  return (
    one.memberEpoch === other.memberEpoch &&
    one.previousMemberEpoch === other.previousMemberEpoch &&
    samePartitions(one.assigned, other.assigned)
  )
}
