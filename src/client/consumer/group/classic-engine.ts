/**
 * A member of a classic group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup (KIP-62, KIP-345 static members, KIP-394 member
 * ids, KIP-429 cooperative rebalances, KIP-814 static leaders). Pure; see engine.ts for what must hold.
 *
 *   idle -> joining -> computing (leader) -> syncing -> stable
 *             ^----------- revoking <-------------------- |
 *
 * An eager member gives everything up before it joins again. A cooperative one joins with what it has, hears what it must
 * give up, gives it up, and joins once more.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { PartitionSet, type TopicPartition } from '../topic-partition.ts'
import type { Assignor, GroupMember } from './assignors/assignor.ts'
import {
  CONSUMER_PROTOCOL_TYPE,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './consumer-protocol.ts'
import type {
  GroupAction,
  GroupEngine,
  GroupEvent,
  GroupRequest,
  GroupResponse,
  GroupSubscription,
  MemberIdentity,
} from './engine.ts'

export interface ClassicEngineOptions {
  readonly groupId: string
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly retryBackoffMs: number
  /** In order of preference; all cooperative or all eager. */
  readonly assignors: readonly Assignor[]
}

type Phase =
  | 'idle'
  | 'revoking'
  | 'joining'
  | 'computing'
  | 'syncing'
  | 'stable'
  | 'parked'
  | 'leaving'
  | 'left'
  | 'failed'
type AfterRevocation = 'join' | 'park' | 'leave' | 'fail'

interface UnderWay {
  readonly attempt: number
  readonly api: GroupRequest['api']
  readonly sentMs: number
}

const NO_GENERATION = -1
const NEVER = Number.POSITIVE_INFINITY

/** What ends the membership for good. */
const FATAL = new Set<number>([
  ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
  ErrorCode.INVALID_SESSION_TIMEOUT,
  ErrorCode.INVALID_GROUP_ID,
  ErrorCode.GROUP_AUTHORIZATION_FAILED,
  ErrorCode.GROUP_MAX_SIZE_REACHED,
  ErrorCode.FENCED_INSTANCE_ID,
  ErrorCode.UNSUPPORTED_VERSION,
  ErrorCode.INVALID_REQUEST,
])

export class ClassicEngine implements GroupEngine {
  readonly protocol = 'classic'
  phase: Phase = 'idle'
  isLeader = false
  leaderId: string | null = null
  assignor: string | null = null

  private readonly options: ClassicEngineOptions
  private readonly cooperative: boolean
  private subscription: GroupSubscription = { topics: [], pattern: null }
  private memberId = ''
  private generation = NO_GENERATION
  private ownedSet = new PartitionSet()
  /** Join, sync or leave; beside it there may be a heartbeat. */
  private request: UnderWay | null = null
  private heartbeat: UnderWay | null = null
  private attempts = 0
  private rounds = 0
  private revokingPartitions: readonly TopicPartition[] = []
  private afterRevocation: AfterRevocation = 'join'
  /** Something changed while a generation was being made. */
  private joinAgain = false
  private retryAtMs = NEVER
  private heartbeatAtMs = NEVER
  /**
   * Until then the broker counts this member as alive: a session timeout after the last request that it answered was sent, less
   * a heartbeat's interval for what lies between the two clocks. No lease runs while the broker holds a join or a sync.
   */
  private leaseUntilMs = NEVER
  private actions: GroupAction[] = []

  constructor(options: ClassicEngineOptions) {
    this.options = options
    this.cooperative = options.assignors.every(({ cooperative }) => cooperative)
  }

  get identity(): MemberIdentity {
    return { memberId: this.memberId, generation: this.generation, instanceId: this.options.instanceId }
  }

  get canCommit(): boolean {
    return this.generation !== NO_GENERATION && (this.phase === 'stable' || this.phase === 'revoking')
  }

  get deadlineMs(): number {
    const heartbeat = this.heartbeat === null && this.isAlive ? this.heartbeatAtMs : NEVER
    return Math.min(this.retryAtMs, heartbeat, this.leaseRuns ? this.leaseUntilMs : NEVER)
  }

  owned(): readonly TopicPartition[] {
    return this.ownedSet.toSorted()
  }

  handle(event: GroupEvent, nowMs: number): GroupAction[] {
    if (this.phase === 'left' || this.phase === 'failed') return []
    this.actions = []
    switch (event.type) {
      case 'subscribe':
        this.subscribed(event.subscription, nowMs)
        break
      case 'answered':
        this.answered(event.attempt, event.response, nowMs)
        break
      case 'unanswered':
        this.unanswered(event.attempt, nowMs)
        break
      case 'computed':
        if (this.phase === 'computing' && event.attempt === this.attempts) this.sync(event.assignments, nowMs)
        break
      case 'revoked':
        this.revoked(event.round, nowMs)
        break
      case 'rejoin':
        this.rejoin(nowMs)
        break
      case 'overdue':
        this.overdue(nowMs)
        break
      case 'polled':
        if (this.phase === 'parked') this.join(nowMs)
        break
      case 'tick':
        this.ticked(nowMs)
        break
      case 'leave':
        this.leave(nowMs)
        break
      case 'resolved':
        break
    }
    return this.actions
  }

  /** Whether the broker expects heartbeats of this member. */
  private get isAlive(): boolean {
    return this.generation !== NO_GENERATION && (this.phase === 'stable' || this.phase === 'revoking')
  }

  private get leaseRuns(): boolean {
    return this.ownedSet.size > 0 && this.request === null && this.phase !== 'computing'
  }

  private renewLease(sentMs: number): void {
    const { sessionTimeoutMs, heartbeatIntervalMs } = this.options
    this.leaseUntilMs = sentMs + sessionTimeoutMs - heartbeatIntervalMs
  }

  private subscribed(subscription: GroupSubscription, nowMs: number): void {
    this.subscription = subscription
    if (this.phase === 'idle') this.join(nowMs)
    else this.rejoin(nowMs)
  }

  private rejoin(nowMs: number): void {
    if (this.phase === 'stable') this.prepareJoin(nowMs)
    else if (this.phase === 'joining' || this.phase === 'computing' || this.phase === 'syncing') this.joinAgain = true
  }

  /** Gives up what must be given up before a join: everything, or in a cooperative group what is no longer subscribed to. */
  private prepareJoin(nowMs: number): void {
    const topics = new Set(this.subscription.topics)
    const partitions = this.cooperative ? this.owned().filter(({ topic }) => !topics.has(topic)) : this.owned()
    if (partitions.length === 0) this.join(nowMs)
    else this.revoke(partitions, { lost: false, next: 'join' })
  }

  private revoke(partitions: readonly TopicPartition[], how: { lost: boolean; next: AfterRevocation }): void {
    this.phase = 'revoking'
    this.retryAtMs = NEVER
    this.rounds += 1
    this.revokingPartitions = partitions
    this.afterRevocation = how.next
    this.actions.push({ type: 'revoke', round: this.rounds, partitions, lost: how.lost })
  }

  private revoked(round: number, nowMs: number): void {
    if (this.phase !== 'revoking' || round !== this.rounds) return
    for (const partition of this.revokingPartitions) this.ownedSet.delete(partition)
    this.revokingPartitions = []
    switch (this.afterRevocation) {
      case 'join':
        this.join(nowMs)
        return
      case 'leave':
        this.sendLeave(nowMs)
        return
      case 'park':
        this.phase = 'parked'
        return
      case 'fail':
        this.phase = 'failed'
    }
  }

  private join(nowMs: number): void {
    const { groupId, sessionTimeoutMs, rebalanceTimeoutMs, instanceId, rackId, assignors } = this.options
    this.phase = 'joining'
    this.joinAgain = false
    this.heartbeat = null
    const protocols = assignors.map(({ name, userData }) => ({
      name,
      metadata: encodeSubscription({
        topics: this.subscription.topics.toSorted(),
        owned: this.owned(),
        generation: this.generation,
        rackId,
        userData: userData?.(this.generation) ?? null,
      }),
    }))
    this.send(
      {
        api: 'join',
        body: {
          groupId,
          sessionTimeoutMs,
          rebalanceTimeoutMs,
          memberId: this.memberId,
          ...(instanceId === null ? {} : { groupInstanceId: instanceId }),
          protocolType: CONSUMER_PROTOCOL_TYPE,
          protocols,
        },
      },
      nowMs,
    )
  }

  private send(request: GroupRequest, nowMs: number): void {
    this.attempts += 1
    this.retryAtMs = NEVER
    this.request = { attempt: this.attempts, api: request.api, sentMs: nowMs }
    this.actions.push({ type: 'send', attempt: this.attempts, request })
  }

  private answered(attempt: number, response: GroupResponse, nowMs: number): void {
    if (this.heartbeat?.attempt === attempt) {
      const { sentMs } = this.heartbeat
      this.heartbeat = null
      this.heartbeatAnswered(response.body.errorCode, sentMs, nowMs)
      return
    }
    if (this.request?.attempt !== attempt || this.request.api !== response.api) return
    // A join may have waited long for others, and only its answer starts the session anew.
    this.renewLease(response.api === 'join' ? nowMs : this.request.sentMs)
    this.request = null
    if (response.api === 'join') this.joinAnswered(response.body, nowMs)
    else if (response.api === 'sync') this.syncAnswered(response.body, nowMs)
    else if (response.api === 'leave') this.finishLeaving()
  }

  private unanswered(attempt: number, nowMs: number): void {
    if (this.heartbeat?.attempt === attempt) {
      this.heartbeat = null
      this.heartbeatAtMs = nowMs + this.options.retryBackoffMs
      this.actions.push({ type: 'forgetCoordinator' })
      return
    }
    if (this.request?.attempt !== attempt) return
    // Whether it was executed is not known, so the lease is still the one from before.
    this.request = null
    this.actions.push({ type: 'forgetCoordinator' })
    if (this.phase === 'leaving') {
      this.finishLeaving()
      return
    }
    this.retryAtMs = nowMs + this.options.retryBackoffMs
  }

  private joinAnswered(answer: Extract<GroupResponse, { api: 'join' }>['body'], nowMs: number): void {
    if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.memberId = answer.memberId
      this.join(nowMs)
      return
    }
    if (answer.errorCode !== 0) {
      this.refused(answer.errorCode, nowMs)
      return
    }
    this.memberId = answer.memberId
    this.generation = answer.generationId
    this.assignor = answer.protocolName ?? ''
    this.leaderId = answer.leader
    this.isLeader = answer.leader === answer.memberId
    if (!this.isLeader || answer.skipAssignment) {
      this.sync(null, nowMs)
      return
    }
    this.phase = 'computing'
    const members: GroupMember[] = answer.members.map(({ memberId, groupInstanceId: instanceId, metadata }) => {
      return { memberId, instanceId, subscription: decodeSubscription(metadata) }
    })
    this.attempts += 1
    this.actions.push({ type: 'compute', attempt: this.attempts, assignor: this.assignor, members })
  }

  private sync(assignments: ReadonlyMap<string, readonly TopicPartition[]> | null, nowMs: number): void {
    const { groupId, instanceId } = this.options
    this.phase = 'syncing'
    this.send(
      {
        api: 'sync',
        body: {
          groupId,
          generationId: this.generation,
          memberId: this.memberId,
          ...(instanceId === null ? {} : { groupInstanceId: instanceId }),
          protocolType: CONSUMER_PROTOCOL_TYPE,
          protocolName: this.assignor,
          assignments: [...(assignments ?? [])].map(([memberId, partitions]) => {
            return { memberId, assignment: encodeAssignment(partitions) }
          }),
        },
      },
      nowMs,
    )
  }

  private syncAnswered(answer: Extract<GroupResponse, { api: 'sync' }>['body'], nowMs: number): void {
    if (answer.errorCode !== 0) {
      this.refused(answer.errorCode, nowMs)
      return
    }
    this.heartbeatAtMs = nowMs + this.options.heartbeatIntervalMs
    this.phase = 'stable'
    const assigned = new PartitionSet(decodeAssignment(answer.assignment))
    const added = assigned.without(this.ownedSet)
    const surplus = this.ownedSet.without(assigned)
    for (const partition of added) this.ownedSet.add(partition)
    this.actions.push({ type: 'assign', partitions: added })
    if (surplus.length > 0) this.revoke(surplus, { lost: false, next: 'join' })
    else if (this.joinAgain) this.prepareJoin(nowMs)
  }

  /** What a broker says to a join or a sync that it does not carry out. */
  private refused(errorCode: number, nowMs: number): void {
    switch (errorCode) {
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.ILLEGAL_GENERATION:
        this.lose(errorCode, 'join', nowMs)
        return
      case ErrorCode.REBALANCE_IN_PROGRESS:
        this.join(nowMs)
        return
      case ErrorCode.NOT_COORDINATOR:
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
        this.actions.push({ type: 'forgetCoordinator' })
        break
      default:
        if (FATAL.has(errorCode)) {
          this.fail(errorCode)
          return
        }
    }
    this.retryAtMs = nowMs + this.options.retryBackoffMs
  }

  private heartbeatAnswered(errorCode: number, sentMs: number, nowMs: number): void {
    this.heartbeatAtMs = sentMs + this.options.heartbeatIntervalMs
    switch (errorCode) {
      case 0:
        this.renewLease(sentMs)
        return
      case ErrorCode.REBALANCE_IN_PROGRESS:
        this.renewLease(sentMs)
        if (this.phase === 'stable') this.prepareJoin(nowMs)
        return
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.ILLEGAL_GENERATION:
        this.lose(errorCode, 'join', nowMs)
        return
      case ErrorCode.NOT_COORDINATOR:
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
        this.actions.push({ type: 'forgetCoordinator' })
        break
      default:
        if (FATAL.has(errorCode)) {
          this.fail(errorCode)
          return
        }
    }
    this.heartbeatAtMs = nowMs + this.options.retryBackoffMs
  }

  /** The broker has given this member up, or must have by now. */
  private lose(errorCode: number, next: AfterRevocation, nowMs: number): void {
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = ''
    this.generation = NO_GENERATION
    this.isLeader = false
    this.heartbeat = null
    this.request = null
    // What is being revoked is no longer only revoked: it is lost, and the earlier round counts for nothing.
    const ending = this.phase === 'revoking' && this.afterRevocation === 'leave' ? 'leave' : next
    if (this.ownedSet.size > 0) this.revoke(this.owned(), { lost: true, next: ending })
    else if (ending === 'join') this.join(nowMs)
    else if (ending === 'leave') this.finishLeaving()
    else this.phase = 'parked'
  }

  private fail(errorCode: number): void {
    this.generation = NO_GENERATION
    this.request = null
    this.heartbeat = null
    this.actions.push({ type: 'failed', errorCode, message: `member of group '${this.options.groupId}'` })
    if (this.ownedSet.size > 0) this.revoke(this.owned(), { lost: true, next: 'fail' })
    else this.phase = 'failed'
  }

  private ticked(nowMs: number): void {
    if (this.leaseRuns && nowMs >= this.leaseUntilMs) {
      this.leaseUntilMs = NEVER
      this.actions.push({ type: 'forgetCoordinator' })
      this.lose(ErrorCode.UNKNOWN_MEMBER_ID, 'join', nowMs)
      return
    }
    if (nowMs >= this.retryAtMs) {
      this.retryAtMs = NEVER
      if (this.phase === 'joining') this.join(nowMs)
      // Without its leader's assignment a sync would end the generation; a new one is made instead.
      else if (this.phase === 'syncing') this.join(nowMs)
    }
    if (this.isAlive && this.heartbeat === null && nowMs >= this.heartbeatAtMs) this.sendHeartbeat(nowMs)
  }

  private sendHeartbeat(nowMs: number): void {
    const { groupId, instanceId } = this.options
    this.attempts += 1
    this.heartbeat = { attempt: this.attempts, api: 'heartbeat', sentMs: nowMs }
    const body = {
      groupId,
      generationId: this.generation,
      memberId: this.memberId,
      ...(instanceId === null ? {} : { groupInstanceId: instanceId }),
    }
    this.actions.push({ type: 'send', attempt: this.attempts, request: { api: 'heartbeat', body } })
  }

  private overdue(nowMs: number): void {
    if (this.phase === 'leaving' || this.phase === 'parked' || this.phase === 'idle') return
    if (this.options.instanceId === null && this.memberId !== '') this.announceLeave()
    this.lose(ErrorCode.UNKNOWN_MEMBER_ID, 'park', nowMs)
  }

  private leave(nowMs: number): void {
    if (this.phase === 'leaving') return
    if (this.phase === 'revoking') {
      this.afterRevocation = 'leave'
      const rest = this.ownedSet.without(new PartitionSet(this.revokingPartitions))
      if (rest.length > 0) this.revoke(this.owned(), { lost: this.generation === NO_GENERATION, next: 'leave' })
      return
    }
    this.request = null
    if (this.ownedSet.size > 0) this.revoke(this.owned(), { lost: false, next: 'leave' })
    else this.sendLeave(nowMs)
  }

  /** Static members stay: their session runs out unless they come back (KIP-345). */
  private sendLeave(nowMs: number): void {
    if (this.options.instanceId !== null || this.memberId === '') {
      this.finishLeaving()
      return
    }
    this.phase = 'leaving'
    this.heartbeat = null
    this.send({ api: 'leave', body: this.leaveBody() }, nowMs)
  }

  /** For the broker's sake only; nobody waits for the answer. */
  private announceLeave(): void {
    this.attempts += 1
    this.actions.push({ type: 'send', attempt: this.attempts, request: { api: 'leave', body: this.leaveBody() } })
  }

  private leaveBody(): Extract<GroupRequest, { api: 'leave' }>['body'] {
    const { groupId } = this.options
    return { groupId, memberId: this.memberId, members: [{ memberId: this.memberId }] }
  }

  private finishLeaving(): void {
    this.phase = 'left'
    this.generation = NO_GENERATION
    this.actions.push({ type: 'left' })
  }
}
