/**
 * Carries out what a group engine decides: sends its requests, keeps its time, has partitions given up and taken, and reports back.
 * The engine runs beside the application: heartbeats leave while a handler works, however long it takes.
 *
 * What must hold: events reach the engine one at a time and in the order in which they happened; what it answers is begun in order.
 * Revocations are carried out one after the other. Everything ends with `close`.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { JoinGroupRequest, JoinGroupResponse } from '../../protocol/messages/11-join-group.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../protocol/messages/12-heartbeat.ts'
import { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/13-leave-group.ts'
import { SyncGroupRequest, SyncGroupResponse } from '../../protocol/messages/14-sync-group.ts'
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/messages/68-consumer-group-heartbeat.ts'
import type { Cluster } from '../cluster.ts'
import { abortedError, asKafkaError, brokerError, isConnectionLoss, KafkaError } from '../errors.ts'
import { backoffMs, sleep, TIMER_MS_MAX } from '../retry.ts'
import type { CoordinatorLink } from './coordinator-link.ts'
import { ClassicEngine } from './group/classic-engine.ts'
import { ConsumerEngine } from './group/consumer-engine.ts'
import type {
  GroupAction,
  GroupEngine,
  GroupEvent,
  GroupRequest,
  GroupResponse,
  GroupSubscription,
  MemberIdentity,
} from './group/engine.ts'
import type { CommitGuard } from './group-offsets.ts'
import type { ResolvedSettings } from './options.ts'
import type { TopicPartition } from './topic-partition.ts'

export interface MembershipHooks {
  /** Resolves when nothing of these is processed or committed any more; `lost`: nothing can be committed. */
  revoke(partitions: readonly TopicPartition[], lost: boolean): Promise<void>
  /** Partitions beside those that the member has. Called for every new generation, perhaps without any. */
  assign(partitions: readonly TopicPartition[]): void
  fatal(error: KafkaError): void
  /** The group or its coordinator does not speak the new protocol: the member goes on with the classic one. */
  fellBack(error: KafkaError): void
  /** A generation is being made, or is made; `joined`: this member is in it. */
  rebalancing(active: boolean, joined: boolean): void
}

/** A join waits for the other members, a sync for the leader. */
const REBALANCE_ANSWER_MS = 5_000
const LEAVE_TIMEOUT_MS = 5_000
/** From this version on, LeaveGroup names a list of members. */
const FIRST_LEAVE_OF_SEVERAL = 3
/** The first version of ConsumerGroupHeartbeat knows names only. */
const FIRST_WITH_PATTERN = 1

export class Membership implements CommitGuard {
  private readonly cluster: Cluster
  private readonly settings: ResolvedSettings
  private readonly groupId: string
  /** Requests of the member; a join may wait there for minutes. */
  private readonly own: CoordinatorLink
  private readonly shared: CoordinatorLink
  private readonly hooks: MembershipHooks
  private engine: GroupEngine | null = null
  private subscription: GroupSubscription = { topics: [], pattern: null }
  private readonly queue: GroupEvent[] = []
  private handling = false
  private timer: ReturnType<typeof setTimeout> | null = null
  private revocations: Promise<void> = Promise.resolve()
  private readonly waiters = new Set<() => void>()
  private leftGroup = Promise.withResolvers<void>()
  private ended = false
  private rebalancing = false
  private readonly abort = new AbortController()

  constructor(
    cluster: Cluster,
    settings: ResolvedSettings & { readonly groupId: string },
    links: { readonly own: CoordinatorLink; readonly shared: CoordinatorLink },
    hooks: MembershipHooks,
  ) {
    this.cluster = cluster
    this.settings = settings
    this.groupId = settings.groupId
    this.own = links.own
    this.shared = links.shared
    this.hooks = hooks
  }

  get identity(): MemberIdentity | null {
    return this.engine?.identity ?? null
  }

  get protocol(): 'classic' | 'consumer' | null {
    return this.engine?.protocol ?? null
  }

  get isLeader(): boolean {
    return this.engine?.isLeader ?? false
  }

  get leaderId(): string | null {
    return this.engine?.leaderId ?? null
  }

  get assignor(): string | null {
    return this.engine?.assignor ?? null
  }

  /** Joins with this subscription, or changes it. */
  async subscribe(subscription: GroupSubscription, protocol: 'classic' | 'consumer'): Promise<void> {
    this.subscription = subscription
    this.engine ??= protocol === 'classic' ? this.classicEngine() : this.consumerEngine()
    this.dispatch({ type: 'subscribe', subscription })
  }

  /** Whether the coordinator speaks the new protocol; `patterns`: also in subscriptions by an expression. */
  async speaksConsumerProtocol(patterns: boolean): Promise<boolean> {
    const connection = await this.own.connection()
    const served = connection.versions.get(ConsumerGroupHeartbeatRequest.key)
    return served !== undefined && (!patterns || served.max >= FIRST_WITH_PATTERN)
  }

  dispatch(event: GroupEvent): void {
    if (this.ended || this.engine === null) return
    this.queue.push(event)
    if (this.handling) return
    this.handling = true
    try {
      for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) this.handle(next)
    } finally {
      this.handling = false
    }
    this.arm()
  }

  mayCommit(partition: TopicPartition): boolean {
    const owned = this.engine?.owned() ?? []
    return owned.some((each) => each.topic === partition.topic && each.partition === partition.partition)
  }

  async whenCommittable(signal: AbortSignal): Promise<MemberIdentity | null> {
    for (;;) {
      const { engine } = this
      if (engine === null || this.ended) return null
      if (engine.canCommit) return engine.identity
      if (engine.phase === 'left' || engine.phase === 'failed') {
        throw new KafkaError('ERR_INVALID_STATE', `commit in group '${this.groupId}': this consumer is no member of it`)
      }
      if (signal.aborted) throw abortedError('wait for the group', signal)
      await this.nextChange(signal)
    }
  }

  /** Gives everything up, tells the group, and resolves when both are done. `subscribe` makes a new member. */
  async leave(): Promise<void> {
    const { engine, leftGroup } = this
    if (engine === null || this.ended) return
    this.dispatch({ type: 'leave' })
    await leftGroup.promise
    if (this.engine !== engine) return
    this.engine = null
    this.leftGroup = Promise.withResolvers<void>()
    this.arm()
    this.changed()
  }

  async close(): Promise<void> {
    this.ended = true
    if (this.timer !== null) clearTimeout(this.timer)
    this.abort.abort()
    this.leftGroup.resolve()
    this.changed()
    await this.own.close()
  }

  private handle(event: GroupEvent): void {
    const { engine } = this
    if (engine === null) return
    let actions: GroupAction[]
    try {
      actions = engine.handle(event, performance.now())
    } catch (error) {
      this.stop(asKafkaError(error, 'ERR_BAD_RESPONSE', `member of group '${this.groupId}'`))
      return
    }
    for (const action of actions) this.carryOut(action, engine)
    this.noteRebalance(engine)
    // A member that failed for good has left, too.
    if (engine.phase === 'left' || engine.phase === 'failed') this.leftGroup.resolve()
    this.changed()
  }

  private noteRebalance({ phase }: GroupEngine): void {
    const active =
      phase !== 'stable' && phase !== 'left' && phase !== 'failed' && phase !== 'parked' && phase !== 'leaving'
    if (active === this.rebalancing) return
    this.rebalancing = active
    this.hooks.rebalancing(active, phase === 'stable')
  }

  /** What comes of it is told to the engine that asked for it, and only while it is the one in charge. */
  private carryOut(action: GroupAction, engine: GroupEngine): void {
    const tell = (event: GroupEvent): void => {
      if (this.engine === engine) this.dispatch(event)
    }
    switch (action.type) {
      case 'send':
        void this.send(action.attempt, action.request, tell)
        break
      case 'forgetCoordinator':
        this.own.forget()
        this.shared.forget()
        break
      case 'compute':
        void this.compute(action, tell)
        break
      case 'resolve':
        void this.resolve(action.topicIds, tell)
        break
      case 'revoke':
        this.revocations = this.revocations
          .then(() => this.hooks.revoke(action.partitions, action.lost))
          .catch((error: unknown) => this.hooks.fatal(asKafkaError(error, 'ERR_INVALID_STATE', 'give partitions up')))
          .then(() => tell({ type: 'revoked', round: action.round }))
        break
      case 'assign':
        this.hooks.assign(action.partitions)
        break
      case 'unsupported':
        this.fallBack(action.errorCode)
        break
      case 'failed':
        this.hooks.fatal(brokerError(action.errorCode, action.message))
        break
      case 'left':
        this.leftGroup.resolve()
        break
    }
  }

  /** With `auto` the other protocol is tried; otherwise there is nothing to be done. */
  private fallBack(errorCode: number): void {
    const error = brokerError(errorCode, `join group '${this.groupId}' with the consumer protocol`)
    if (this.settings.groupProtocol !== 'auto') {
      this.stop(error)
      return
    }
    this.engine = this.classicEngine()
    // What an expression matches has to be found out here now; the classic protocol knows names only.
    const { subscription } = this
    if (subscription.pattern === null) this.queue.push({ type: 'subscribe', subscription })
    const what = `group '${this.groupId}' is joined with the classic protocol: ${error.message}`
    this.hooks.fellBack(new KafkaError(error.code, what, { cause: error, errorCode }))
  }

  private stop(error: KafkaError): void {
    this.leftGroup.resolve()
    this.hooks.fatal(error)
  }

  private arm(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    const dueMs = this.engine?.deadlineMs ?? Number.POSITIVE_INFINITY
    if (this.ended || !Number.isFinite(dueMs)) return
    const waitMs = Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil(dueMs - performance.now())))
    this.timer = setTimeout(() => this.dispatch({ type: 'tick' }), waitMs)
  }

  private async send(attempt: number, request: GroupRequest, tell: (event: GroupEvent) => void): Promise<void> {
    const { engine } = this
    try {
      const response = await this.exchange(request)
      tell({ type: 'answered', attempt, response })
    } catch (error) {
      if (this.ended) return
      const failure = asKafkaError(error, 'ERR_BAD_RESPONSE', `member of group '${this.groupId}'`)
      if (isConnectionLoss(failure) || failure.retriable) {
        tell({ type: 'unanswered', attempt })
        return
      }
      if (this.engine !== engine) return
      if (failure.code === 'ERR_UNSUPPORTED_VERSION' && request.api === 'consumerHeartbeat') {
        this.fallBack(ErrorCode.UNSUPPORTED_VERSION)
        this.dispatch({ type: 'tick' })
        return
      }
      this.stop(failure)
    }
  }

  private async exchange(request: GroupRequest): Promise<GroupResponse> {
    const { own, shared, abort } = this
    const { signal } = abort
    const { sessionTimeoutMs, rebalanceTimeoutMs, heartbeatIntervalMs } = this.settings
    // A heartbeat that is not answered while the session lasts is of no more use.
    const soon = {
      timeoutMs: Math.max(heartbeatIntervalMs, Math.min(this.cluster.timeoutMs, sessionTimeoutMs)),
      signal,
    }
    const patient = { timeoutMs: Math.max(rebalanceTimeoutMs, sessionTimeoutMs) + REBALANCE_ANSWER_MS, signal }
    switch (request.api) {
      case 'join':
        return { api: 'join', body: await own.send(JoinGroupRequest, JoinGroupResponse, request.body, patient) }
      case 'sync':
        return { api: 'sync', body: await own.send(SyncGroupRequest, SyncGroupResponse, request.body, patient) }
      case 'heartbeat':
        return { api: 'heartbeat', body: await own.send(HeartbeatRequest, HeartbeatResponse, request.body, soon) }
      case 'leave': {
        // Not behind a join that may still be waiting.
        const connection = await shared.connection()
        const several = connection.versionFor(LeaveGroupRequest) >= FIRST_LEAVE_OF_SEVERAL
        const { groupId, memberId, members } = request.body
        const body = several ? { groupId, members } : { groupId, memberId }
        const options = { timeoutMs: LEAVE_TIMEOUT_MS, signal }
        return { api: 'leave', body: await connection.send(LeaveGroupRequest, LeaveGroupResponse, body, options) }
      }
      case 'consumerHeartbeat': {
        const options = request.body.memberEpoch < 0 ? { timeoutMs: LEAVE_TIMEOUT_MS, signal } : soon
        const [ask, answer] = [ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse] as const
        return { api: 'consumerHeartbeat', body: await own.send(ask, answer, request.body, options) }
      }
    }
  }

  /** The leader's work: how many partitions there are, and who gets which. */
  private async compute(
    { attempt: computation, assignor, members }: Extract<GroupAction, { type: 'compute' }>,
    tell: (event: GroupEvent) => void,
  ): Promise<void> {
    const chosen = this.settings.assignors.find(({ name }) => name === assignor)
    if (chosen === undefined) {
      this.stop(
        new KafkaError(
          'ERR_INVALID_STATE',
          `group '${this.groupId}' chose the assignor '${assignor}', which is not known here`,
        ),
      )
      return
    }
    const topics = new Set(members.flatMap(({ subscription }) => subscription.topics))
    const { engine } = this
    // However long no broker answers: if the group has gone on without this member by then, it hears that, and joins again.
    for (let attempt = 0; topics.size > 0; attempt++) {
      try {
        await this.cluster.update(topics)
        break
      } catch (error) {
        if (this.ended || this.engine !== engine) return
        const failure = asKafkaError(error, 'ERR_BAD_RESPONSE', `deal out the partitions of group '${this.groupId}'`)
        if (!isConnectionLoss(failure) && !failure.retriable) {
          this.stop(failure)
          return
        }
        await sleep(backoffMs(this.cluster.retry, attempt), this.abort.signal).catch(() => undefined)
      }
    }
    const partitionCount = (topic: string): number => this.cluster.knownTopic(topic)?.partitions.length ?? 0
    tell({ type: 'computed', attempt: computation, assignments: chosen.assign({ members, partitionCount }) })
  }

  /** Names of topics that an assignment gave by id. A topic may be so new that brokers do not all know it yet. */
  private async resolve(topicIds: readonly string[], tell: (event: GroupEvent) => void): Promise<void> {
    const names = new Map<string, string>()
    for (let missing = topicIds; missing.length > 0 && !this.ended; ) {
      for (const id of missing) {
        const name = this.cluster.topicName(id)
        if (name !== undefined) names.set(id, name)
      }
      missing = missing.filter((id) => !names.has(id))
      if (missing.length === 0) break
      try {
        // What is subscribed to is most likely what was assigned; an expression may match anything.
        await this.cluster.metadata(this.subscription.pattern === null ? this.subscription.topics : null)
        if (missing.every((id) => this.cluster.topicName(id) !== undefined)) continue
      } catch (error) {
        const failure = asKafkaError(error, 'ERR_BAD_RESPONSE', 'find the names of topics')
        if (this.ended || (!isConnectionLoss(failure) && !failure.retriable)) break
      }
      if (names.size > 0) tell({ type: 'resolved', names })
      await sleep(this.cluster.retry.backoffMaxMs, this.abort.signal).catch(() => undefined)
    }
    tell({ type: 'resolved', names })
  }

  private nextChange(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.waiters.add(resolve)
    signal.addEventListener('abort', resolve as () => void, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', resolve as () => void))
  }

  private changed(): void {
    const waiting = [...this.waiters]
    this.waiters.clear()
    for (const resolve of waiting) resolve()
  }

  private classicEngine(): ClassicEngine {
    const { groupInstanceId, rack, sessionTimeoutMs, rebalanceTimeoutMs, heartbeatIntervalMs, assignors } =
      this.settings
    return new ClassicEngine({
      groupId: this.groupId,
      instanceId: groupInstanceId,
      rackId: rack,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      heartbeatIntervalMs,
      retryBackoffMs: this.cluster.retry.backoffMs,
      assignors,
    })
  }

  private consumerEngine(): ConsumerEngine {
    const { groupInstanceId, rack, sessionTimeoutMs, rebalanceTimeoutMs, serverAssignor } = this.settings
    return new ConsumerEngine({
      groupId: this.groupId,
      memberId: newMemberId(),
      instanceId: groupInstanceId,
      rackId: rack,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      retryBackoffMs: this.cluster.retry.backoffMs,
      serverAssignor,
    })
  }
}

/** A random UUID as Kafka writes them: 22 characters of base64url. */
function newMemberId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url')
}
