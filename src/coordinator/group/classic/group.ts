/**
 * A classic group as it lives in memory: members, who waits for what, and the state of the rebalance. Operations on it are
 * in the neighbouring files; this class keeps its counts and indexes consistent, and nothing else.
 *
 * What must hold: `waitingJoins` = members with a parked JoinGroup; `protocolMembers` counts, per protocol name, the members
 * that list it; `staticMembers` maps each instance id to the member that holds it; the leader is a member, and there is one
 * if there are members; a member has at most one parked JoinGroup and one parked SyncGroup.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import type { GroupMetadata, MemberMetadata } from '../state.ts'
import type { Waiter } from '../turn.ts'
import { chooseProtocol } from './protocol-choice.ts'
import { type ClassicState, isLegalTransition } from './states.ts'

export interface MemberProtocol {
  readonly name: string
  readonly metadata: Buffer
}

export interface JoinedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly metadata: Buffer
}

export interface JoinResult {
  readonly errorCode: ErrorCode
  readonly generation: number
  readonly protocolType: string | null
  readonly protocol: string | null
  readonly leaderId: string
  readonly skipAssignment: boolean
  readonly memberId: string
  /** Everybody, for the leader; empty for the others. */
  readonly members: readonly JoinedMember[]
}

export interface SyncResult {
  readonly errorCode: ErrorCode
  readonly protocolType: string | null
  readonly protocol: string | null
  readonly assignment: Buffer
}

export const EMPTY_BYTES = Buffer.alloc(0)

export function joinFailure(errorCode: ErrorCode, memberId: string): JoinResult {
  return {
    errorCode,
    generation: -1,
    protocolType: null,
    protocol: null,
    leaderId: '',
    skipAssignment: false,
    memberId,
    members: [],
  }
}

export function syncFailure(errorCode: ErrorCode): SyncResult {
  return { errorCode, protocolType: null, protocol: null, assignment: EMPTY_BYTES }
}

export interface ClassicMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  protocols: readonly MemberProtocol[]
  assignment: Buffer
  /** Its first JoinGroup has not been answered yet. */
  isNew: boolean
  parkedJoin: Waiter<JoinResult> | null
  parkedSync: Waiter<SyncResult> | null
  /** Monotonic time at which the session ends unless something is heard before. */
  sessionEndsAtMs: number
  /** Monotonic time for which the session timer is set; null: it is not set. Never later than `sessionEndsAtMs`. */
  sessionTimerAtMs: number | null
}

export function newMember(
  fields: Pick<ClassicMember, 'memberId' | 'groupInstanceId' | 'clientId' | 'clientHost'> &
    Pick<ClassicMember, 'rebalanceTimeoutMs' | 'sessionTimeoutMs' | 'protocols'>,
): ClassicMember {
  return {
    ...fields,
    assignment: EMPTY_BYTES,
    isNew: false,
    parkedJoin: null,
    parkedSync: null,
    sessionEndsAtMs: 0,
    sessionTimerAtMs: null,
  }
}

export function sameProtocols(one: readonly MemberProtocol[], other: readonly MemberProtocol[]): boolean {
  return (
    one.length === other.length &&
    one.every((protocol, index) => {
      const twin = other[index]
      return twin !== undefined && protocol.name === twin.name && protocol.metadata.equals(twin.metadata)
    })
  )
}

export interface StableGroup {
  readonly generation: number
  readonly protocolType: string
  /** At least one; their assignments are set afterwards. */
  readonly members: readonly ClassicMember[]
  readonly nowMs: number
}

export class ClassicGroup {
  readonly type = 'classic'
  readonly groupId: string
  generation = 0
  /** '' until the first member, and for groups that only commit offsets. */
  protocolType = ''
  protocol: string | null = null
  leaderId: string | null = null
  /** Members that joined the running initial rebalance since its timer was set. */
  newMembersInInitialRebalance = false
  /** The state that the running rebalance started from. */
  previousState: ClassicState = 'Empty'
  /** Member ids handed out with MEMBER_ID_REQUIRED; they hold the join phase open until they join or run out. */
  readonly pendingJoins = new Set<string>()
  /** Members of this generation that have not sent SyncGroup. */
  readonly pendingSyncs = new Set<string>()
  readonly #members = new Map<string, ClassicMember>()
  readonly #staticMembers = new Map<string, string>()
  readonly #protocolMembers = new Map<string, number>()
  #state: ClassicState = 'Empty'
  #stateTimestampMs: number
  #waitingJoins = 0

  constructor(groupId: string, nowMs: number) {
    this.groupId = groupId
    this.#stateTimestampMs = nowMs
  }

  /** A group as it is after a load: in the state that its metadata record tells. */
  static restore(groupId: string, metadata: GroupMetadata): ClassicGroup {
    const group = new ClassicGroup(groupId, metadata.stateTimestampMs)
    group.generation = metadata.generation
    group.protocolType = metadata.protocolType
    group.protocol = metadata.protocol
    for (const stored of metadata.members) {
      const { memberId, groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs } = stored
      const protocols = metadata.protocol === null ? [] : [{ name: metadata.protocol, metadata: stored.subscription }]
      const identity = { memberId, groupInstanceId, clientId, clientHost }
      const member = newMember({ ...identity, rebalanceTimeoutMs, sessionTimeoutMs, protocols })
      member.assignment = stored.assignment
      group.add(member)
    }
    if (metadata.leader !== null && group.#members.has(metadata.leader)) group.leaderId = metadata.leader
    if (metadata.members.length > 0) group.#state = 'Stable'
    return group
  }

  /** A group whose members have been assigned in some other way. */
  static stable(groupId: string, { generation, protocolType, members, nowMs }: StableGroup): ClassicGroup {
    const group = new ClassicGroup(groupId, nowMs)
    group.generation = generation
    group.protocolType = protocolType
    for (const member of members) group.add(member)
    group.protocol = group.chosenProtocol()
    group.#state = 'Stable'
    return group
  }

  get state(): ClassicState {
    return this.#state
  }

  get stateTimestampMs(): number {
    return this.#stateTimestampMs
  }

  get size(): number {
    return this.#members.size
  }

  get waitingJoins(): number {
    return this.#waitingJoins
  }

  /** In join order. */
  get members(): IterableIterator<ClassicMember> {
    return this.#members.values()
  }

  member(memberId: string): ClassicMember | undefined {
    return this.#members.get(memberId)
  }

  has(memberId: string): boolean {
    return this.#members.has(memberId)
  }

  holderOf(groupInstanceId: string): string | undefined {
    return this.#staticMembers.get(groupInstanceId)
  }

  isLeader(memberId: string): boolean {
    return this.leaderId === memberId
  }

  enter(state: ClassicState, nowMs: number): void {
    if (!isLegalTransition(this.#state, state)) {
      throw new Error(`group ${this.groupId} cannot go from ${this.#state} to ${state}`)
    }
    this.previousState = this.#state
    this.#state = state
    this.#stateTimestampMs = nowMs
  }

  /** Whether member id and instance id belong together and to this group. */
  checkMember(memberId: string, groupInstanceId: string | null): ErrorCode {
    if (groupInstanceId !== null) {
      const holder = this.#staticMembers.get(groupInstanceId)
      if (holder === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
      if (holder !== memberId) return ErrorCode.FENCED_INSTANCE_ID
      return ErrorCode.NONE
    }
    return this.#members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
  }

  /** Whether a member with these protocols could be part of the group. */
  supports(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.#state === 'Empty') return protocolType !== '' && protocols.length > 0
    if (protocolType !== this.protocolType) return false
    return protocols.some(({ name }) => (this.#protocolMembers.get(name) ?? 0) === this.#members.size)
  }

  add(member: ClassicMember): void {
    this.pendingJoins.delete(member.memberId)
    this.#members.set(member.memberId, member)
    if (member.groupInstanceId !== null) this.#staticMembers.set(member.groupInstanceId, member.memberId)
    this.leaderId ??= member.memberId
    this.#countProtocols(member.protocols, 1)
    if (member.parkedJoin !== null) this.#waitingJoins++
  }

  /** Takes the member out of everything. Its parked calls must have been answered. */
  remove(member: ClassicMember): void {
    if (member.parkedJoin !== null || member.parkedSync !== null) {
      throw new Error(`member ${member.memberId} of group ${this.groupId} removed with a parked call`)
    }
    if (!this.#members.delete(member.memberId)) return
    this.#countProtocols(member.protocols, -1)
    const { groupInstanceId, memberId } = member
    if (groupInstanceId !== null && this.#staticMembers.get(groupInstanceId) === memberId) {
      this.#staticMembers.delete(groupInstanceId)
    }
    this.pendingSyncs.delete(memberId)
    if (this.leaderId === memberId) this.leaderId = this.#members.keys().next().value ?? null
  }

  updateProtocols(member: ClassicMember, protocols: readonly MemberProtocol[]): void {
    this.#countProtocols(member.protocols, -1)
    this.#countProtocols(protocols, 1)
    member.protocols = protocols
  }

  /** The static member comes back under a new id; role, assignment and instance go with it. */
  replaceStatic(old: ClassicMember, memberId: string): ClassicMember {
    const leads = this.isLeader(old.memberId)
    const syncPending = this.pendingSyncs.has(old.memberId)
    const successor: ClassicMember = { ...old, memberId, sessionTimerAtMs: null }
    this.remove(old)
    this.add(successor)
    if (leads) this.leaderId = memberId
    if (syncPending) this.pendingSyncs.add(memberId)
    return successor
  }

  parkJoin(member: ClassicMember, waiter: Waiter<JoinResult>): void {
    if (member.parkedJoin === null) this.#waitingJoins++
    member.parkedJoin = waiter
  }

  /** Gives the parked JoinGroup back, to be answered. */
  takeJoin(member: ClassicMember): Waiter<JoinResult> | null {
    const waiter = member.parkedJoin
    if (waiter !== null) this.#waitingJoins--
    member.parkedJoin = null
    return waiter
  }

  takeSync(member: ClassicMember): Waiter<SyncResult> | null {
    const waiter = member.parkedSync
    member.parkedSync = null
    return waiter
  }

  get everybodyJoined(): boolean {
    return this.#waitingJoins === this.#members.size && this.pendingJoins.size === 0
  }

  /** The largest rebalance timeout of the members; 0 without members. */
  get rebalanceTimeoutMs(): number {
    let largest = 0
    for (const member of this.#members.values()) largest = Math.max(largest, member.rebalanceTimeoutMs)
    return largest
  }

  /** Keeps the leader if it takes part; else the first member with a waiting join leads. False if nobody can. */
  electJoinedLeader(): boolean {
    const leader = this.leaderId === null ? undefined : this.#members.get(this.leaderId)
    if (leader !== undefined && leader.parkedJoin !== null) return true
    for (const member of this.#members.values()) {
      if (member.parkedJoin === null) continue
      this.leaderId = member.memberId
      return true
    }
    return false
  }

  /** The protocol that the members' lists lead to, null if they have none in common. */
  chosenProtocol(): string | null {
    return chooseProtocol(Array.from(this.#members.values(), (member) => member.protocols.map(({ name }) => name)))
  }

  /** The member's metadata for the chosen protocol. */
  subscription(member: ClassicMember): Buffer {
    return member.protocols.find(({ name }) => name === this.protocol)?.metadata ?? EMPTY_BYTES
  }

  joinedMembers(): JoinedMember[] {
    return Array.from(this.#members.values(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      metadata: this.subscription(member),
    }))
  }

  /** The metadata record of the group as it is. */
  metadata(nowMs: number): GroupMetadata {
    const members: MemberMetadata[] = Array.from(this.#members.values(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      sessionTimeoutMs: member.sessionTimeoutMs,
      subscription: this.subscription(member),
      assignment: member.assignment,
    }))
    return {
      protocolType: this.protocolType,
      generation: this.generation,
      protocol: this.protocol,
      leader: this.leaderId,
      stateTimestampMs: nowMs,
      members,
    }
  }

  #countProtocols(protocols: readonly MemberProtocol[], change: 1 | -1): void {
    // A list may name a protocol twice; the member counts once.
    for (const name of new Set(protocols.map((protocol) => protocol.name))) {
      const count = (this.#protocolMembers.get(name) ?? 0) + change
      if (count === 0) this.#protocolMembers.delete(name)
      else this.#protocolMembers.set(name, count)
    }
  }
}
