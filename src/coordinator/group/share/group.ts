/**
 * A share group (KIP-932): members that read the same partitions together, each record for one of them at a time. The group knows who
 * reads which partitions; what became of the records is kept elsewhere (`coordinator/share-state`), one state per partition, and the
 * group says which of those states there are (`states`). Only partitions whose state is initialized are assigned.
 *
 * Everything here is what the records say, and the index over it; only replay (`replay.ts`) calls the `put` and `remove` methods.
 * The one exception is `isMetadataStale`, which is lost with the process and true after a load.
 */
import { NO_PARTITIONS, type PartitionSet } from '../consumer/assignment.ts'
import { addTo } from '../consumer/group.ts'
import { NO_SHARE_STATES, type ShareStates } from './initialization.ts'
import { newShareMember, type ShareMember, type ShareProgress, type ShareSubscription } from './member.ts'

export type ShareGroupState = 'Empty' | 'Stable'

/** What a group begins with: the first member that subscribes to something makes it 2. */
const FIRST_EPOCH = 1

export class ShareGroup {
  readonly type = 'share'
  readonly groupId: string
  /** Topics that are subscribed to changed since the hash was made; the next heartbeat compares. */
  isMetadataStale = true
  #epoch = FIRST_EPOCH
  #metadataHash = 0n
  #assignmentEpoch = FIRST_EPOCH
  /** 0: nothing was assigned yet. */
  #assignedAtMs = 0
  #states = NO_SHARE_STATES
  readonly #members = new Map<string, ShareMember>()
  readonly #targets = new Map<string, PartitionSet>()
  readonly #topicCounts = new Map<string, number>()

  constructor(groupId: string) {
    this.groupId = groupId
  }

  get epoch(): number {
    return this.#epoch
  }

  get metadataHash(): bigint {
    return this.#metadataHash
  }

  get assignmentEpoch(): number {
    return this.#assignmentEpoch
  }

  get assignedAtMs(): number {
    return this.#assignedAtMs
  }

  get states(): ShareStates {
    return this.#states
  }

  get size(): number {
    return this.#members.size
  }

  get members(): ReadonlyMap<string, ShareMember> {
    return this.#members
  }

  get targets(): ReadonlyMap<string, PartitionSet> {
    return this.#targets
  }

  /** Topic name -> members that subscribe to it. */
  get topicCounts(): ReadonlyMap<string, number> {
    return this.#topicCounts
  }

  get state(): ShareGroupState {
    return this.#members.size === 0 ? 'Empty' : 'Stable'
  }

  target(memberId: string): PartitionSet {
    return this.#targets.get(memberId) ?? NO_PARTITIONS
  }

  topicsChanged(names: ReadonlySet<string>): void {
    if (this.isMetadataStale) return
    for (const name of this.#topicCounts.keys()) if (names.has(name)) this.isMetadataStale = true
  }

  // From here on: for replay only.

  putEpoch(epoch: number, metadataHash: bigint): void {
    this.#epoch = epoch
    this.#metadataHash = metadataHash
  }

  putAssignmentEpoch(epoch: number, assignedAtMs: number): void {
    this.#assignmentEpoch = epoch
    this.#assignedAtMs = assignedAtMs
  }

  putTarget(memberId: string, target: PartitionSet | null): void {
    if (target === null) this.#targets.delete(memberId)
    else this.#targets.set(memberId, target)
  }

  putStates(states: ShareStates): void {
    this.#states = states
  }

  // Either record of a member may come first: compaction keeps the newest of each.

  putSubscription(memberId: string, subscription: ShareSubscription): void {
    const { rackId, clientId, clientHost, topicNames } = subscription
    const before = this.#members.get(memberId)
    if (before !== undefined) this.#count(before, -1)
    const member = { ...(before ?? newShareMember(memberId)), rackId, clientId, clientHost, topicNames }
    this.#members.set(memberId, member)
    this.#count(member, 1)
  }

  putProgress(memberId: string, { memberEpoch, previousMemberEpoch, assigned }: ShareProgress): void {
    const before = this.#members.get(memberId) ?? newShareMember(memberId)
    this.#members.set(memberId, { ...before, memberEpoch, previousMemberEpoch, assigned })
  }

  removeMember(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) return
    this.#count(member, -1)
    this.#members.delete(memberId)
  }

  #count(member: ShareMember, change: 1 | -1): void {
    for (const name of member.topicNames) addTo(this.#topicCounts, name, change)
  }
}
