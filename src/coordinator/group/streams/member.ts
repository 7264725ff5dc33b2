/**
 * A member of a streams group: one thread of a Streams application. Members are values, as those of consumer groups: whoever changes
 * one makes a new one, writes the records that say so, and the replay puts it in the place of the old.
 */
import type { MemberState } from '../consumer/member.ts'
import { type HeldTasks, HOLDS_NO_TASKS, sameHeldTasks } from './tasks.ts'

/** Where the application answers questions about its state stores (interactive queries). */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** What the member says of itself; one record. */
export interface StreamsMemberDescription {
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  /** Of the topology that the member runs; -1: it did not say. */
  readonly topologyEpoch: number
  /** The process that the thread belongs to; its threads share their state folder. */
  readonly processId: string
  readonly userEndpoint: Endpoint | null
  readonly clientTags: ReadonlyMap<string, string>
}

/**
 * What the member has; another record. States as of consumers: `unrevoked` has tasks to give up first, `unreleased` waits for tasks
 * that others have not given up.
 */
export interface StreamsMemberProgress {
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly state: MemberState
  readonly assigned: HeldTasks
  readonly pendingRevocation: HeldTasks
}

export interface StreamsMember extends StreamsMemberDescription, StreamsMemberProgress {
  readonly memberId: string
}

export function newStreamsMember(memberId: string): StreamsMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    rebalanceTimeoutMs: -1,
    topologyEpoch: -1,
    processId: '',
    userEndpoint: null,
    clientTags: new Map(),
    memberEpoch: 0,
    previousMemberEpoch: 0,
    state: 'stable',
    assigned: HOLDS_NO_TASKS,
    pendingRevocation: HOLDS_NO_TASKS,
  }
}

export function sameDescription(one: StreamsMemberDescription, other: StreamsMemberDescription): boolean {
  return (
    one.instanceId === other.instanceId &&
    one.rackId === other.rackId &&
    one.clientId === other.clientId &&
    one.clientHost === other.clientHost &&
    one.rebalanceTimeoutMs === other.rebalanceTimeoutMs &&
    one.topologyEpoch === other.topologyEpoch &&
    one.processId === other.processId &&
    one.userEndpoint?.host === other.userEndpoint?.host &&
    one.userEndpoint?.port === other.userEndpoint?.port &&
    one.clientTags.size === other.clientTags.size &&
    [...one.clientTags].every(([key, value]) => other.clientTags.get(key) === value)
  )
}

export function sameStreamsProgress(one: StreamsMemberProgress, other: StreamsMemberProgress): boolean {
  return (
    one.memberEpoch === other.memberEpoch &&
    one.previousMemberEpoch === other.previousMemberEpoch &&
    one.state === other.state &&
    sameHeldTasks(one.assigned, other.assigned) &&
    sameHeldTasks(one.pendingRevocation, other.pendingRevocation)
  )
}
