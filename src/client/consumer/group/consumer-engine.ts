/**
 * A member of a consumer group of the new protocol (KIP-848): one request, ConsumerGroupHeartbeat, says what the member
 * wants and has, and its answer what it shall have. The broker assigns. Pure; see engine.ts for what must hold.
 *
 *   idle -> joining -> stable <-> reconciling (revoking, then acknowledging)
 *             ^------- lost (fenced, or the lease ran out)
 *
 * What must hold beyond that: a heartbeat names only what changed since the last one that was answered, and everything after
 * one that was not (its effect is unknown).
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import type { ConsumerGroupHeartbeatResponse } from '../../../protocol/messages/68-consumer-group-heartbeat.ts'
import { PartitionSet, type TopicPartition } from '../topic-partition.ts'
import type { GroupAction, GroupEngine, GroupEvent, GroupSubscription, MemberIdentity } from './engine.ts'

export interface ConsumerEngineOptions {
  readonly groupId: string
  /** Made by the member (KIP-1082). */
  readonly memberId: string
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly retryBackoffMs: number
  /** 'uniform' or 'range'; null leaves it to the broker. */
  readonly serverAssignor: string | null
}

type Phase = 'idle' | 'joining' | 'stable' | 'reconciling' | 'lost' | 'parked' | 'leaving' | 'left' | 'failed'

const NEVER = Number.POSITIVE_INFINITY
/** Beyond that the broker's interval is the shorter one. */
const IDLE_DOUBLINGS_MAX = 16
const JOIN_EPOCH = 0
const LEAVE_EPOCH = -1
/** A static member says that it will be back. */
const STATIC_LEAVE_EPOCH = -2

const FATAL = new Set<number>([
  ErrorCode.GROUP_AUTHORIZATION_FAILED,
  ErrorCode.TOPIC_AUTHORIZATION_FAILED,
  ErrorCode.INVALID_GROUP_ID,
  ErrorCode.INVALID_REQUEST,
  ErrorCode.GROUP_MAX_SIZE_REACHED,
  ErrorCode.UNRELEASED_INSTANCE_ID,
  ErrorCode.FENCED_INSTANCE_ID,
  ErrorCode.UNSUPPORTED_ASSIGNOR,
  ErrorCode.INVALID_REGULAR_EXPRESSION,
])

interface Assigned {
  readonly topicId: string
  readonly partitions: readonly number[]
}

export class ConsumerEngine implements GroupEngine {
  readonly protocol = 'consumer'
  readonly isLeader = false
  readonly leaderId = null
  readonly assignor = null
  phase: Phase = 'idle'

  private readonly options: ConsumerEngineOptions
  private subscription: GroupSubscription = { topics: [], pattern: null }
  private memberId: string
  private epoch = JOIN_EPOCH
  private ownedSet = new PartitionSet()
  /** What the broker wants this member to have; the newest answer that named it. */
  private target: readonly Assigned[] = []
  private readonly names = new Map<string, string>()
  private readonly ids = new Map<string, string>()
  /** The id of the topic that a name stood for when its partitions were taken. */
  private readonly ownedIds = new Map<string, string>()
  private request: { readonly attempt: number; readonly sentMs: number } | null = null
  /**
   * A heartbeat said what is owned and its answer is not in. Until then nothing may be taken: the broker may have given to others what
   * the heartbeat did not name, and only the answer tells.
   */
  private awaitsTarget = false
  /** What the last heartbeat said that did. */
  private saidOwned = new PartitionSet()
  private attempts = 0
  private rounds = 0
  private revoking: readonly TopicPartition[] | null = null
  private leavingAfterRevocation = false
  private parking = false
  private failing = false
  /** What the next heartbeat has to name again. */
  private sayEverything = true
  private saySubscription = false
  private sayOwned = false
  private heartbeatAtMs = NEVER
  /** Answers in a row that left this member without partitions. */
  private idleBeats = 0
  private leaseUntilMs = NEVER
  private actions: GroupAction[] = []

  constructor(options: ConsumerEngineOptions) {
    this.options = options
    this.memberId = options.memberId
  }

  get identity(): MemberIdentity {
    return { memberId: this.memberId, generation: this.epoch, instanceId: this.options.instanceId }
  }

  get canCommit(): boolean {
    return this.phase === 'stable' || this.phase === 'reconciling'
  }

  get deadlineMs(): number {
    const heartbeat = this.request === null && this.beats ? this.heartbeatAtMs : NEVER
    return Math.min(heartbeat, this.ownedSet.size > 0 ? this.leaseUntilMs : NEVER)
  }

  owned(): readonly TopicPartition[] {
    return this.ownedSet.toSorted()
  }

  handle(event: GroupEvent, nowMs: number): GroupAction[] {
    if (this.phase === 'left' || this.phase === 'failed') return []
    this.actions = []
    switch (event.type) {
      case 'subscribe':
        this.subscription = event.subscription
        this.saySubscription = true
        if (this.phase === 'idle') this.join(nowMs)
        else if (this.beats) this.beatSoon(nowMs)
        break
      case 'answered':
        if (event.response.api === 'consumerHeartbeat') this.answered(event.attempt, event.response.body, nowMs)
        break
      case 'unanswered':
        this.unanswered(event.attempt, nowMs)
        break
      case 'resolved':
        this.resolved(event.names, nowMs)
        break
      case 'revoked':
        this.revoked(event.round, nowMs)
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
      case 'computed':
      case 'rejoin':
        break
    }
    return this.actions
  }

  /** Whether heartbeats are sent in this phase. */
  private get beats(): boolean {
    return this.phase === 'joining' || this.phase === 'stable' || this.phase === 'reconciling'
  }

  private join(nowMs: number): void {
    this.phase = 'joining'
    this.epoch = JOIN_EPOCH
    this.target = []
    this.awaitsTarget = false
    this.sayEverything = true
    this.heartbeatAtMs = nowMs
    this.beatSoon(nowMs)
  }

  /** At once, or right after the answer that is awaited. */
  private beatSoon(nowMs: number): void {
    this.heartbeatAtMs = Math.min(this.heartbeatAtMs, nowMs)
    if (this.request === null) this.beat(nowMs)
  }

  private beat(nowMs: number): void {
    const { options, subscription } = this
    const everything = this.sayEverything
    const subscribed = everything || this.saySubscription
    const joining = this.phase === 'joining'
    this.send(
      {
        memberEpoch: this.epoch,
        rackId: everything ? options.rackId : null,
        rebalanceTimeoutMs: everything ? options.rebalanceTimeoutMs : -1,
        subscribedTopicNames: subscribed ? subscription.topics.toSorted() : null,
        // Left out where there is none: the first version of the request has no such field.
        ...(subscribed && subscription.pattern !== null ? { subscribedTopicRegex: subscription.pattern } : {}),
        serverAssignor: everything ? options.serverAssignor : null,
        topicPartitions: joining ? [] : everything || this.sayOwned ? this.ownedById() : null,
      },
      nowMs,
    )
    if (everything || this.sayOwned) {
      this.awaitsTarget = true
      this.saidOwned = new PartitionSet(this.ownedSet.toSorted())
    }
    this.sayEverything = false
    this.saySubscription = false
    this.sayOwned = false
  }

  /** Fields that are left out have not changed. */
  private send(fields: HeartbeatFields, nowMs: number): void {
    const { groupId, instanceId } = this.options
    this.attempts += 1
    this.request = { attempt: this.attempts, sentMs: nowMs }
    this.heartbeatAtMs = NEVER
    const body = { groupId, memberId: this.memberId, instanceId, ...fields }
    this.actions.push({ type: 'send', attempt: this.attempts, request: { api: 'consumerHeartbeat', body } })
  }

  private ownedById(): Assigned[] {
    const rows = new Map<string, number[]>()
    for (const { topic, partition } of this.ownedSet.toSorted()) {
      const topicId = this.ownedIds.get(topic)
      if (topicId === undefined) continue
      const row = rows.get(topicId)
      if (row === undefined) rows.set(topicId, [partition])
      else row.push(partition)
    }
    return [...rows].map(([topicId, partitions]) => ({ topicId, partitions }))
  }

  private answered(attempt: number, answer: ConsumerGroupHeartbeatResponse, nowMs: number): void {
    if (this.request?.attempt !== attempt) return
    const { sentMs } = this.request
    this.request = null
    if (this.phase === 'leaving') {
      this.finishLeaving()
      return
    }
    if (!this.beats) return
    if (answer.errorCode !== 0) {
      this.refused(answer, nowMs)
      return
    }
    this.leaseUntilMs = sentMs + this.options.sessionTimeoutMs - Math.max(0, answer.heartbeatIntervalMs)
    this.memberId = answer.memberId ?? this.memberId
    this.epoch = answer.memberEpoch
    const changed = this.saySubscription || this.sayOwned
    this.heartbeatAtMs = changed ? nowMs : sentMs + answer.heartbeatIntervalMs
    const waited = this.awaitsTarget
    this.awaitsTarget = false
    const joined = this.phase === 'joining'
    if (joined) this.phase = 'stable'
    if (answer.assignment !== null) this.target = answer.assignment.topicPartitions
    this.beatEarlyWhileIdle(sentMs)
    if (answer.assignment !== null || (waited && this.phase === 'reconciling')) this.reconcile(nowMs)
    else if (joined) this.actions.push({ type: 'assign', partitions: [] })
    if (this.request === null && this.beats && this.heartbeatAtMs <= nowMs) this.beat(nowMs)
  }

  /** A group that has just begun, or that waits for others to give something up, has something to give soon, and only tells who asks. */
  private beatEarlyWhileIdle(sentMs: number): void {
    this.idleBeats = this.target.length > 0 || this.ownedSet.size > 0 ? 0 : this.idleBeats + 1
    if (this.idleBeats === 0) return
    const waitMs = this.options.retryBackoffMs * 2 ** Math.min(this.idleBeats, IDLE_DOUBLINGS_MAX)
    this.heartbeatAtMs = Math.min(this.heartbeatAtMs, sentMs + waitMs)
  }

  private unanswered(attempt: number, nowMs: number): void {
    if (this.request?.attempt !== attempt) return
    this.request = null
    this.actions.push({ type: 'forgetCoordinator' })
    if (this.phase === 'leaving') {
      this.finishLeaving()
      return
    }
    this.sayEverything = true
    this.heartbeatAtMs = nowMs + this.options.retryBackoffMs
  }

  private refused(answer: ConsumerGroupHeartbeatResponse, nowMs: number): void {
    const { errorCode } = answer
    this.sayEverything = true
    this.heartbeatAtMs = nowMs + this.options.retryBackoffMs
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID || errorCode === ErrorCode.FENCED_MEMBER_EPOCH) {
      this.lose(nowMs)
      return
    }
    const speaksNot = errorCode === ErrorCode.UNSUPPORTED_VERSION || errorCode === ErrorCode.GROUP_ID_NOT_FOUND
    if (speaksNot && this.phase === 'joining') {
      this.phase = 'failed'
      this.actions.push({ type: 'unsupported', errorCode })
      return
    }
    if (errorCode === ErrorCode.GROUP_ID_NOT_FOUND) {
      this.lose(nowMs)
      return
    }
    if (speaksNot || FATAL.has(errorCode)) {
      const message = answer.errorMessage ?? `member of group '${this.options.groupId}'`
      this.actions.push({ type: 'failed', errorCode, message })
      this.failing = true
      this.lose(nowMs)
      return
    }
    if (errorCode === ErrorCode.NOT_COORDINATOR || errorCode === ErrorCode.COORDINATOR_NOT_AVAILABLE) {
      this.actions.push({ type: 'forgetCoordinator' })
    }
  }

  /** Everything that is owned may be somebody else's. */
  private lose(nowMs: number): void {
    this.phase = 'lost'
    this.request = null
    this.leaseUntilMs = NEVER
    this.target = []
    if (this.ownedSet.size > 0) this.revoke(this.owned(), true)
    else this.afterLoss(nowMs)
  }

  private afterLoss(nowMs: number): void {
    if (this.failing) this.phase = 'failed'
    else if (this.leavingAfterRevocation) this.finishLeaving()
    else if (this.parking) {
      this.parking = false
      this.phase = 'parked'
    } else this.join(nowMs)
  }

  private revoke(partitions: readonly TopicPartition[], lost: boolean): void {
    this.rounds += 1
    this.revoking = partitions
    this.actions.push({ type: 'revoke', round: this.rounds, partitions, lost })
  }

  /** Gives up what the target does not have; once that is done, takes what it has, and says so. */
  private reconcile(nowMs: number): void {
    if (this.revoking !== null) return
    const unknown = [...new Set(this.target.map(({ topicId }) => topicId))].filter((id) => !this.names.has(id))
    if (unknown.length > 0) this.actions.push({ type: 'resolve', topicIds: unknown })
    const wanted = new PartitionSet(
      this.target.flatMap(({ topicId, partitions }) => {
        const topic = this.names.get(topicId)
        return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }))
      }),
    )
    const surplus = this.owned().filter((each) => !wanted.has(each) || this.isReplaced(each))
    if (surplus.length > 0) {
      this.phase = 'reconciling'
      this.revoke(surplus, false)
      return
    }
    const added = wanted.without(this.ownedSet)
    if (added.length > 0 && this.awaitsTarget) {
      this.phase = 'reconciling'
      return
    }
    for (const partition of added) {
      this.ownedSet.add(partition)
      this.ownedIds.set(partition.topic, this.ids.get(partition.topic) ?? '')
    }
    this.phase = 'stable'
    this.actions.push({ type: 'assign', partitions: added })
    if (this.ownedSet.equals(this.saidOwned)) return
    this.sayOwned = true
    this.beatSoon(nowMs)
  }

  /** What is owned is of a topic that was deleted; another one has its name now. */
  private isReplaced({ topic }: TopicPartition): boolean {
    const isTarget = (topicId: string | undefined): boolean => this.target.some((row) => row.topicId === topicId)
    return !isTarget(this.ownedIds.get(topic)) && isTarget(this.ids.get(topic))
  }

  private revoked(round: number, nowMs: number): void {
    if (this.revoking === null || round !== this.rounds) return
    for (const partition of this.revoking) this.ownedSet.delete(partition)
    this.revoking = null
    if (this.phase === 'lost') this.afterLoss(nowMs)
    else if (this.leavingAfterRevocation) this.sendLeave(nowMs)
    else this.reconcile(nowMs)
  }

  private resolved(names: ReadonlyMap<string, string>, nowMs: number): void {
    let news = false
    for (const [topicId, name] of names) {
      if (this.names.has(topicId)) continue
      news = true
      this.names.set(topicId, name)
      this.ids.set(name, topicId)
    }
    if (news && (this.phase === 'stable' || this.phase === 'reconciling')) this.reconcile(nowMs)
  }

  private ticked(nowMs: number): void {
    if (this.ownedSet.size > 0 && nowMs >= this.leaseUntilMs && this.beats) {
      this.actions.push({ type: 'forgetCoordinator' })
      this.lose(nowMs)
      return
    }
    if (this.request === null && this.beats && nowMs >= this.heartbeatAtMs) this.beat(nowMs)
  }

  private overdue(nowMs: number): void {
    if (!this.beats) return
    this.parking = true
    if (this.phase !== 'joining') this.send({ memberEpoch: this.leaveEpoch }, nowMs)
    this.lose(nowMs)
  }

  private get leaveEpoch(): number {
    return this.options.instanceId === null ? LEAVE_EPOCH : STATIC_LEAVE_EPOCH
  }

  private leave(nowMs: number): void {
    if (this.phase === 'leaving' || this.leavingAfterRevocation) return
    this.leavingAfterRevocation = true
    if (this.phase === 'idle' || this.phase === 'parked') {
      this.finishLeaving()
      return
    }
    if (this.phase === 'lost') return
    // A revocation that is under way goes on as part of this one.
    if (this.ownedSet.size > 0) {
      this.phase = 'reconciling'
      this.revoke(this.owned(), false)
    } else this.sendLeave(nowMs)
  }

  private sendLeave(nowMs: number): void {
    this.phase = 'leaving'
    this.send({ memberEpoch: this.leaveEpoch }, nowMs)
  }

  private finishLeaving(): void {
    this.phase = 'left'
    this.actions.push({ type: 'left' })
  }
}

interface HeartbeatFields {
  readonly memberEpoch: number
  readonly rackId?: string | null
  readonly rebalanceTimeoutMs?: number
  readonly subscribedTopicNames?: readonly string[] | null
  readonly subscribedTopicRegex?: string
  readonly serverAssignor?: string | null
  readonly topicPartitions?: readonly Assigned[] | null
}
