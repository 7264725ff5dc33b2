/**
 * A consumer group (KIP-848): members, what each is to have (the target assignment), and the epochs that drive everything. The
 * group epoch grows with every change that asks for a new target; the assignment epoch is the group epoch of the target that
 * there is; member epochs follow it.
 *
 * Everything here is what the records say, and the indexes over it; only replay (`replay.ts`) calls the `put` and `remove`
 * methods. The one exception is `isMetadataStale`, which is lost with the process and true after a load.
 *
 * What must hold: `staticMembers` maps each instance id to the member that holds it; `owners` names, for each partition, the member that has it
 * assigned or still to be revoked; `nameCounts` and `regexCounts` count members and resolved expressions.
 */
import { NO_PARTITIONS, type PartitionSet } from './assignment.ts'
import {
  type ConsumerMember,
  isReconciledTo,
  type MemberProgress,
  type MemberSubscription,
  newMember,
  regexOf,
} from './member.ts'

export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable'

export interface ResolvedRegex {
  /** Sorted. */
  readonly topics: readonly string[]
  /** Revision of the cluster's metadata that was looked at. */
  readonly version: number
  readonly timestampMs: number
}

/** How a topic is subscribed to: by so many members by name, and by so many resolved expressions. */
export interface SubscriptionCount {
  readonly byName: number
  readonly byRegex: number
}

/** What a group begins with: the first member that subscribes to something makes it 2. */
const FIRST_EPOCH = 1

export class ConsumerGroup {
  readonly type = 'consumer'
  readonly groupId: string
  /** Topics that are subscribed to changed since the hash was made; the next heartbeat compares. */
  isMetadataStale = true
  #epoch = FIRST_EPOCH
  #metadataHash = 0n
  #assignmentEpoch = FIRST_EPOCH
  /** 0: nothing was assigned yet. */
  #assignedAtMs = 0
  readonly #members = new Map<string, ConsumerMember>()
  readonly #targets = new Map<string, PartitionSet>()
  readonly #regexes = new Map<string, ResolvedRegex>()
  readonly #staticMembers = new Map<string, string>()
  readonly #owners = new Map<string, Map<number, string>>()
  readonly #topicCounts = new Map<string, SubscriptionCount>()
  readonly #regexCounts = new Map<string, number>()
  readonly #assignorVotes = new Map<string, number>()
  #classicMembers = 0
  #hasOldTopicsRecord = false

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

  get size(): number {
    return this.#members.size
  }

  get members(): ReadonlyMap<string, ConsumerMember> {
    return this.#members
  }

  get targets(): ReadonlyMap<string, PartitionSet> {
    return this.#targets
  }

  get regexes(): ReadonlyMap<string, ResolvedRegex> {
    return this.#regexes
  }

  /** Instance id -> member id. */
  get staticMembers(): ReadonlyMap<string, string> {
    return this.#staticMembers
  }

  get topicCounts(): ReadonlyMap<string, SubscriptionCount> {
    return this.#topicCounts
  }

  /** Expression -> members that subscribe to it, resolved or not. */
  get regexCounts(): ReadonlyMap<string, number> {
    return this.#regexCounts
  }

  /** Assignor -> members that ask for it. */
  get assignorVotes(): ReadonlyMap<string, number> {
    return this.#assignorVotes
  }

  get classicMemberCount(): number {
    return this.#classicMembers
  }

  /** There is a record of an old broker that is not needed any more. */
  get hasOldTopicsRecord(): boolean {
    return this.#hasOldTopicsRecord
  }

  get state(): ConsumerGroupState {
    if (this.#members.size === 0) return 'Empty'
    if (this.#epoch > this.#assignmentEpoch) return 'Assigning'
    for (const member of this.#members.values()) {
      if (!isReconciledTo(member, this.#assignmentEpoch)) return 'Reconciling'
    }
    return 'Stable'
  }

  member(memberId: string): ConsumerMember | undefined {
    return this.#members.get(memberId)
  }

  staticMember(instanceId: string): ConsumerMember | undefined {
    const memberId = this.#staticMembers.get(instanceId)
    return memberId === undefined ? undefined : this.#members.get(memberId)
  }

  target(memberId: string): PartitionSet {
    return this.#targets.get(memberId) ?? NO_PARTITIONS
  }

  /** The target of a member, or of the one whose place it takes as the holder of the instance. */
  targetFor({ memberId, instanceId }: Pick<ConsumerMember, 'memberId' | 'instanceId'>): PartitionSet {
    const holder = instanceId === null ? undefined : this.#staticMembers.get(instanceId)
    return this.target(holder ?? memberId)
  }

  /** Who has the partition, or has not given it up yet. */
  ownerOf(topicId: string, partition: number): string | undefined {
    return this.#owners.get(topicId)?.get(partition)
  }

  subscribesTo(topicName: string): boolean {
    return this.#topicCounts.has(topicName)
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

  putOldTopicsRecord(present: boolean): void {
    this.#hasOldTopicsRecord = present
  }

  putAssignmentEpoch(epoch: number, assignedAtMs: number): void {
    this.#assignmentEpoch = epoch
    this.#assignedAtMs = assignedAtMs
  }

  putTarget(memberId: string, target: PartitionSet | null): void {
    if (target === null) this.#targets.delete(memberId)
    else this.#targets.set(memberId, target)
  }

  putMember(member: ConsumerMember): void {
    const { memberId } = member
    const before = this.#members.get(memberId)
    if (before !== undefined) this.#unindex(before)
    this.#members.set(memberId, member)
    if (member.instanceId !== null) this.#staticMembers.set(member.instanceId, memberId)
    this.#count(member, 1)
    this.#own(member.assigned, memberId)
    this.#own(member.pendingRevocation, memberId)
  }

  // Either record of a member may come first: compaction keeps the newest of each.

  putSubscription(memberId: string, subscription: MemberSubscription): void {
    const { instanceId, rackId, clientId, clientHost, topicNames, topicRegex, ...rest } = subscription
    const { rebalanceTimeoutMs, serverAssignor, classic } = rest
    const identity = { memberId, instanceId, rackId, clientId, clientHost }
    const wishes = { topicNames, topicRegex, rebalanceTimeoutMs, serverAssignor, classic }
    this.putMember({ ...(this.#members.get(memberId) ?? newMember(memberId)), ...identity, ...wishes })
  }

  putProgress(memberId: string, progress: MemberProgress): void {
    const { memberEpoch, previousMemberEpoch, state, assigned, pendingRevocation } = progress
    const epochs = { memberEpoch, previousMemberEpoch, state }
    this.putMember({ ...(this.#members.get(memberId) ?? newMember(memberId)), ...epochs, assigned, pendingRevocation })
  }

  removeMember(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) return
    this.#unindex(member)
    this.#members.delete(memberId)
  }

  putRegex(regex: string, resolved: ResolvedRegex | null): void {
    for (const topic of this.#regexes.get(regex)?.topics ?? []) this.#countTopic(topic, 'byRegex', -1)
    if (resolved === null) {
      this.#regexes.delete(regex)
      return
    }
    this.#regexes.set(regex, resolved)
    for (const topic of resolved.topics) this.#countTopic(topic, 'byRegex', 1)
  }

  #unindex(member: ConsumerMember): void {
    const { memberId, instanceId } = member
    if (instanceId !== null && this.#staticMembers.get(instanceId) === memberId) this.#staticMembers.delete(instanceId)
    this.#count(member, -1)
    this.#disown(member.assigned, memberId)
    this.#disown(member.pendingRevocation, memberId)
  }

  #count(member: ConsumerMember, change: 1 | -1): void {
    for (const name of member.topicNames) this.#countTopic(name, 'byName', change)
    const regex = regexOf(member)
    if (regex !== null) addTo(this.#regexCounts, regex, change)
    if (member.serverAssignor !== null) addTo(this.#assignorVotes, member.serverAssignor, change)
    if (member.classic !== null) this.#classicMembers += change
  }

  #countTopic(name: string, how: keyof SubscriptionCount, change: 1 | -1): void {
    addToTopic(this.#topicCounts, name, { how, change })
  }

  #own(held: MemberProgress['assigned'], memberId: string): void {
    for (const [topicId, partitions] of held) {
      let owners = this.#owners.get(topicId)
      if (owners === undefined) {
        owners = new Map()
        this.#owners.set(topicId, owners)
      }
      for (const partition of partitions.keys()) owners.set(partition, memberId)
    }
  }

  #disown(held: MemberProgress['assigned'], memberId: string): void {
    for (const [topicId, partitions] of held) {
      const owners = this.#owners.get(topicId)
      if (owners === undefined) continue
      for (const partition of partitions.keys()) if (owners.get(partition) === memberId) owners.delete(partition)
      if (owners.size === 0) this.#owners.delete(topicId)
    }
  }
}

export function addTo(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change
  if (count <= 0) counts.delete(key)
  else counts.set(key, count)
}

export function addToTopic(
  counts: Map<string, SubscriptionCount>,
  name: string,
  { how, change }: { readonly how: keyof SubscriptionCount; readonly change: number },
): void {
  const before = counts.get(name) ?? { byName: 0, byRegex: 0 }
  const after = { ...before, [how]: before[how] + change }
  if (after.byName <= 0 && after.byRegex <= 0) counts.delete(name)
  else counts.set(name, after)
}
