/**
 * The consumer: reads partitions, given by hand or by a group, and hands their records to loops or handlers. This file is what an
 * application sees; the work is done by the fetcher (fetcher.ts), the membership (membership.ts), the positions (positions.ts) and the
 * commits (group-offsets.ts), which meet in the partition table.
 *
 * What must hold: a record is handed out before its offset is committed, and its offset is committed by itself only after the
 * application was done with it. A partition that is given up is committed first, and nothing of it is handed out after.
 */

import { channel } from 'node:diagnostics_channel'
import { ErrorCode } from '../../protocol/errors.ts'
import { unlessAborted } from '../call.ts'
import { Cluster } from '../cluster.ts'
import { abortedError, asKafkaError, brokerError, KafkaError } from '../errors.ts'
import { Observer } from '../observe/hooks.ts'
import { clientMetrics, type PartitionLag } from '../observe/metrics.ts'
import { EARLIEST_TIMESTAMP, type FoundOffset, LATEST_TIMESTAMP, queryOffsets } from '../offsets.ts'
import { bootstrapOf } from '../producer/options.ts'
import type { GroupMetadata } from '../producer/transactions.ts'
import type {
  CallOptions,
  ConsumerOptions,
  GroupMembership,
  PartitionToRead,
  StartingPoint,
} from './consumer-options.ts'
import { CoordinatorLink } from './coordinator-link.ts'
import { type DeserializersFor, MessagePreparer } from './deserialize.ts'
import { Fetcher } from './fetcher.ts'
import { type CommittedPosition, GroupOffsets, type OffsetToCommit } from './group-offsets.ts'
import { Membership } from './membership.ts'
import type { Message } from './message.ts'
import { type ConnectionOptions, type ResolvedSettings, resolveSettings } from './options.ts'
import { type PartitionState, UNKNOWN_OFFSET } from './partition-state.ts'
import { PartitionTable } from './partition-table.ts'
import { Positions } from './positions.ts'
import { type RunOptions, runHandlers } from './runner.ts'
import {
  type BatchOptions,
  BatchStream,
  type MessageBatch,
  MessageStream,
  type OpenStream,
  type StreamOptions,
  type StreamSource,
} from './streams.ts'
import { SubscriptionKeeper } from './subscription-keeper.ts'
import type { TopicPartition } from './topic-partition.ts'
import { within } from './within.ts'

const DEFAULT_CLOSE_TIMEOUT_MS = 30_000
/** For the last commit and for leaving the group, even where handlers took all the time there was. */
const FAREWELL_MS_MIN = 5_000
/** For connections to end that nobody waits for any more. */
const TEARDOWN_MS = 5_000
/** The partition is somebody else's, or was deleted. */
const NOTHING_TO_COMMIT_TO = new Set<number>([
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
])
const rebalanceChannel = channel('samsa:consumer:rebalance')
const commitChannel = channel('samsa:consumer:commit')
const errorChannel = channel('samsa:consumer:error')

/**
 * Reads records, as a member of a group (`subscribe`) or from partitions of its choice (`assign`). Connects at the first of these calls; is
 * ended by `close` or `await using`.
 */
export class Consumer<V = Buffer, K = Buffer> implements AsyncDisposable {
  /** The connections that it uses. */
  readonly cluster: Cluster
  /** Null without a group. */
  readonly groupId: string | null
  private readonly options: ConsumerOptions<V, K>
  private readonly settings: ResolvedSettings
  private readonly table: PartitionTable<V, K>
  private readonly fetcher: Fetcher<V, K>
  private readonly positions: Positions<V, K>
  private readonly offsets: GroupOffsets | null
  private readonly membership: Membership | null
  private readonly link: CoordinatorLink | null
  private readonly subscriptions: SubscriptionKeeper | null
  private readonly source: StreamSource<V, K>
  private readonly observer: Observer
  private readonly forgetLags: () => void
  private topicCount = 0
  private readonly streams = new Set<OpenStream>()
  private readonly runs = new Set<Promise<void>>()
  private readonly closing = new AbortController()
  private closed: Promise<void> | null = null
  private commitTimer: ReturnType<typeof setInterval> | null = null
  private pollTimer: ReturnType<typeof setInterval> | null = null
  private mode: 'none' | 'assigned' | 'subscribed' = 'none'
  private rebalanceStartMs = 0

  /** Throws ERR_INVALID_OPTION. No connection is made yet. */
  constructor(options: ConsumerOptions<V, K> & DeserializersFor<V, K>) {
    this.options = options
    this.settings = resolveSettings(options)
    this.groupId = this.settings.groupId
    this.observer = new Observer(options.hooks)
    this.cluster = options.cluster ?? this.connectTo(options)
    this.table = new PartitionTable(
      () => performance.now(),
      () => this.fetcher.wake(),
    )
    const fatal = (error: KafkaError): void => this.fatal(error)
    this.fetcher = new Fetcher(this.cluster, this.settings, this.table, {
      positionLost: (state) => this.positions.lost(state),
      positionInDoubt: (state) => this.positions.validate(state),
      topicReplaced: (state) => {
        const what = `${state.topic}-${state.partition}: the topic was deleted and made anew; it is read from its beginning`
        this.warn(new KafkaError('ERR_NO_OFFSET', what))
        this.positions.replaced(state)
      },
      fatal,
      fetched: (bytes) => clientMetrics.add('kafka_consumed_bytes', bytes),
    })
    const { groupId } = this.settings
    this.link = groupId === null ? null : new CoordinatorLink(this.cluster, groupId, { own: false })
    this.membership = groupId === null || this.link === null ? null : this.makeMembership(groupId, this.link)
    this.offsets =
      groupId === null || this.link === null || this.membership === null
        ? null
        : new GroupOffsets(this.cluster, groupId, this.link, this.membership)
    this.positions = new Positions(this.cluster, this.settings, this.table, this.offsets, {
      fatal,
      settled: () => this.settled(),
      skipped: ({ topic, partition }, from, to) => {
        const what = `${topic}-${partition}: records ${from} to ${to - 1} were deleted before they were read`
        this.warn(new KafkaError('ERR_NO_OFFSET', what))
      },
    })
    this.subscriptions =
      this.membership === null ? null : new SubscriptionKeeper(this.cluster, this.settings, this.membership, fatal)
    this.source = this.makeSource()
    clientMetrics.add('kafka_consumers')
    this.forgetLags = clientMetrics.addLagSource(() => this.lags())
  }

  /** Joins the group for these topics, or for all whose name matches; replaces an earlier subscription. */
  async subscribe(topics: string | readonly string[] | RegExp, options: CallOptions = {}): Promise<void> {
    this.assertOpen('subscribe')
    if (this.subscriptions === null)
      throw new KafkaError('ERR_INVALID_STATE', "subscribe: this consumer has no 'groupId'")
    if (this.mode === 'assigned') {
      throw new KafkaError('ERR_INVALID_STATE', 'subscribe: partitions were assigned by hand; unassign them first')
    }
    this.mode = 'subscribed'
    this.startTimers()
    const { signal } = options
    await unlessAborted(
      this.subscriptions.subscribe(typeof topics === 'string' ? [topics] : topics, signal),
      signal,
      'subscribe',
    )
  }

  /** Gives all partitions up, committing as on close, and leaves the group; `subscribe` and `assign` may follow. */
  async unsubscribe(options: CallOptions = {}): Promise<void> {
    this.assertOpen('unsubscribe')
    if (options.signal?.aborted === true) throw abortedError('unsubscribe', options.signal)
    await unlessAborted(this.giveUpAll(), options.signal, 'unsubscribe')
  }

  private async giveUpAll(): Promise<void> {
    this.subscriptions?.pause()
    if (this.mode === 'subscribed') await this.membership?.leave()
    else await this.commitBeforeGoing(this.table.all())
    for (const state of this.table.all()) this.table.remove(state)
    this.table.clearFailure()
    this.countTopics()
    this.mode = 'none'
  }

  /** Reads exactly these partitions, without membership in a group; replaces what was assigned before. Positions are kept. */
  async assign(partitions: readonly PartitionToRead[], options: CallOptions = {}): Promise<void> {
    this.assertOpen('assign')
    if (this.mode === 'subscribed') {
      throw new KafkaError('ERR_INVALID_STATE', 'assign: this consumer has subscribed; a group assigns its partitions')
    }
    this.mode = 'assigned'
    this.startTimers()
    await this.learn(partitions, options.signal)
    for (const state of this.table.all()) {
      const kept = partitions.some((each) => each.topic === state.topic && each.partition === state.partition)
      if (!kept) this.table.remove(state)
    }
    this.table.reopen()
    this.table.clearFailure()
    for (const each of partitions) {
      const known = this.table.get(each)
      if (known !== undefined && each.offset === undefined && known.until === (each.until ?? Infinity)) continue
      if (known !== undefined) this.table.remove(each)
      this.startAt(this.table.add(each, each.until), each.offset ?? 'committed')
    }
    this.countTopics()
    this.settled()
  }

  /** The partitions that this consumer has now. */
  assignment(): TopicPartition[] {
    return this.table.all().map(({ topic, partition }) => ({ topic, partition }))
  }

  /** Messages one by one, of all partitions of this consumer. Asking for the next one says that the one before is processed. */
  messages(options: StreamOptions = {}): MessageStream<V, K> {
    this.assertOpen('consume')
    return new MessageStream(this.source, options)
  }

  /** Messages as they were fetched, of one partition at a time, within `maxMessages` and `maxBytes`. */
  batches(options: BatchOptions = {}): AsyncIterableIterator<MessageBatch<V, K>, undefined> {
    this.assertOpen('consume')
    return new BatchStream(this.source, options)
  }

  /** Resolves when the signal fired or the consumer was closed; rejects with what a handler threw, or a fatal error. */
  run(options: RunOptions<V, K>): Promise<void> {
    this.assertOpen('consume')
    const running = runHandlers(this.source, options, this.closing.signal)
    const tracked = running.catch(() => undefined).finally(() => this.runs.delete(tracked))
    this.runs.add(tracked)
    return running
  }

  /**
   * Commits what the application is done with, these offsets, or everything up to and with this message. Waits for a rebalance to end,
   * and fails for partitions that it took away; the others are committed all the same.
   */
  async commit(what?: Message<V, K> | readonly OffsetToCommit[] | null, options: CallOptions = {}): Promise<void> {
    const offsets = this.needOffsets('commit')
    const { signal } = options
    if (what === undefined || what === null) {
      await this.commitStates(this.table.all(), signal)
      return
    }
    const rows = Array.isArray(what) ? (what as readonly OffsetToCommit[]) : [afterMessage(what as Message<V, K>)]
    await offsets.commit(rows, signal)
    clientMetrics.add('kafka_consumer_commits')
    for (const row of rows) {
      this.table.get(row)?.noteCommit(row)
    }
  }

  /** What the group has committed; partitions without a commit are left out. */
  async committed(
    partitions: readonly TopicPartition[] = this.assignment(),
    options: CallOptions = {},
  ): Promise<CommittedPosition[]> {
    const offsets = this.needOffsets('committed')
    const { signal } = options
    await this.learn(partitions, signal)
    if (partitions.length === 0) return []
    return unlessAborted(offsets.fetch(partitions, this.closing.signal), signal, 'committed')
  }

  /** Nothing more is fetched or handed out of these until `resume`; what is buffered waits. */
  pause(partitions: readonly TopicPartition[] = this.assignment()): void {
    for (const each of partitions) this.table.setPaused(this.stateOf(each, 'pause'), true)
  }

  /** Ends what `pause` began; all partitions unless named. */
  resume(partitions: readonly TopicPartition[] = this.assignment()): void {
    for (const each of partitions) this.table.setPaused(this.stateOf(each, 'resume'), false)
  }

  /** The partitions that are paused. */
  paused(): TopicPartition[] {
    return this.table
      .all()
      .filter((state) => state.paused)
      .map(({ topic, partition }) => ({ topic, partition }))
  }

  /** The next record of this partition is the one at that point. */
  seek(where: TopicPartition & { readonly offset: StartingPoint }): void {
    const state = this.stateOf(where, 'seek')
    this.table.clearFailure()
    this.startAt(state, where.offset)
    this.settled()
  }

  /** The next offset that is handed out; null before it is known where to begin. */
  position(partition: TopicPartition): number | null {
    const { position } = this.stateOf(partition, 'position')
    return position === UNKNOWN_OFFSET ? null : position
  }

  /** Records between position and end, as of the last fetch; null before the first. */
  lag(partition: TopicPartition): number | null {
    return this.stateOf(partition, 'lag').lag(this.settings.readCommitted)
  }

  /** The first offset of each partition. */
  beginningOffsets(
    partitions: readonly TopicPartition[] = this.assignment(),
    options: CallOptions = {},
  ): Promise<FoundOffset[]> {
    return this.lookUp(partitions, EARLIEST_TIMESTAMP, options)
  }

  /** The offset after the last record that may be read. */
  endOffsets(
    partitions: readonly TopicPartition[] = this.assignment(),
    options: CallOptions = {},
  ): Promise<FoundOffset[]> {
    return this.lookUp(partitions, LATEST_TIMESTAMP, options)
  }

  /** The first record of each partition that is at least as young; offset -1 where there is none. */
  offsetsForTimes(
    timestamp: number,
    partitions: readonly TopicPartition[] = this.assignment(),
    options: CallOptions = {},
  ): Promise<FoundOffset[]> {
    return this.lookUp(partitions, timestamp, options)
  }

  /** How the group sees this member; null without one. */
  get member(): GroupMembership | null {
    const { membership } = this
    const identity = membership?.identity ?? null
    if (membership === null || identity === null) return null
    const { leaderId, assignor } = membership
    const { memberId, generation } = identity
    return { memberId, generation, protocol: membership.protocol ?? '', leaderId, assignor }
  }

  /** For `sendOffsets` of a producer's transaction; null without a group. */
  get groupMetadata(): GroupMetadata | null {
    if (this.groupId === null) return null
    const identity = this.membership?.identity
    if (identity === undefined || identity === null) return { groupId: this.groupId }
    const { memberId, generation: generationId, instanceId: groupInstanceId } = identity
    return { groupId: this.groupId, memberId, generationId, groupInstanceId }
  }

  /** After the last message of each partition that the application is done with: what a commit would say. */
  processed(): OffsetToCommit[] {
    return this.table
      .all()
      .filter(({ processed }) => processed !== UNKNOWN_OFFSET)
      .map(({ topic, partition, processed: offset, processedEpoch: leaderEpoch }) => {
        return { topic, partition, offset, leaderEpoch }
      })
  }

  /** The lag of every partition that has been fetched from. */
  lags(): PartitionLag[] {
    return this.table.all().flatMap((state) => {
      const lag = state.lag(this.settings.readCommitted)
      return lag === null ? [] : [{ groupId: this.groupId, topic: state.topic, partition: state.partition, lag }]
    })
  }

  /** What is fetched and not handed out yet. */
  get bufferedBytes(): number {
    return this.table.bufferedBytes
  }

  /**
   * Ends all loops and runs, waits for handlers that are under way, commits what they were done with, leaves the group and closes
   * connections. What a loop has in hand is not waited for and does not count as processed. Ends in bounded time, even where no broker
   * answers: `timeoutMs` in place of the option `closeTimeoutMs`. May be called again.
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.closed ??= this.shutDown(options.timeoutMs ?? this.options.closeTimeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS)
    return this.closed
  }

  /** As `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async shutDown(timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    this.closing.abort()
    for (const stream of this.streams) stream.stop()
    this.table.close()
    this.offsets?.hurry(Math.min(timeoutMs, FAREWELL_MS_MIN))
    await within(timeoutMs, Promise.all(this.runs))
    for (const stream of this.streams) stream.finish()
    if (this.commitTimer !== null) clearInterval(this.commitTimer)
    if (this.pollTimer !== null) clearInterval(this.pollTimer)
    this.subscriptions?.close()
    // Leaving gives all partitions up, and giving up commits. Without membership that is done here.
    const farewell = this.mode === 'subscribed' ? this.membership?.leave() : this.commitBeforeGoing(this.table.all())
    const leftMs = Math.max(Math.min(timeoutMs, FAREWELL_MS_MIN), deadlineMs - performance.now())
    await within(leftMs, Promise.resolve(farewell))
    for (const state of this.table.all()) this.table.remove(state)
    this.offsets?.close()
    const ends = [this.fetcher.stop(), this.positions.close(), this.membership?.close(), this.link?.close()]
    await within(TEARDOWN_MS, Promise.all(ends))
    if (this.options.cluster === undefined) await within(TEARDOWN_MS, this.cluster.close())
    this.forgetLags()
    this.countTopics()
    clientMetrics.add('kafka_consumers', -1)
  }

  private connectTo(options: ConnectionOptions): Cluster {
    return new Cluster({
      ...options,
      bootstrap: bootstrapOf(options.bootstrap),
      observer: (apiKey, elapsedMs, error) => {
        clientMetrics.observeRequest(apiKey, elapsedMs)
        if (error !== null) clientMetrics.add('kafka_request_errors')
        this.observer.request({ clientId: this.cluster.clientId, apiKey, elapsedMs, error })
      },
    })
  }

  private countTopics(): void {
    const count = new Set(this.table.all().map(({ topic }) => topic)).size
    clientMetrics.add('kafka_consumers_topics', count - this.topicCount)
    this.topicCount = count
  }

  private makeMembership(groupId: string, shared: CoordinatorLink): Membership {
    const own = new CoordinatorLink(this.cluster, groupId, { own: true })
    return new Membership(
      this.cluster,
      { ...this.settings, groupId },
      { own, shared },
      {
        revoke: (partitions, lost) => this.revoke(partitions, lost),
        assign: (partitions) => this.assigned(partitions),
        fatal: (error) => this.fatal(error),
        fellBack: (error) => {
          this.warn(error)
          void this.subscriptions?.fellBack()
        },
        rebalancing: (active, joined) => this.rebalancing(active, joined),
      },
    )
  }

  private makeSource(): StreamSource<V, K> {
    const { commit } = this.settings
    const commitOne = (state: PartitionState<V, K>): Promise<void> => this.commitOne(state)
    return {
      table: this.table,
      preparer: MessagePreparer.of(this.options.serdes, this.options.onDeserializeError),
      commitItem: commit === 'message' ? commitOne : null,
      commitTurn: commit === 'batch' ? commitOne : null,
      consumed: (count) => clientMetrics.add('kafka_consumed_messages', count),
      opened: (stream) => {
        this.streams.add(stream)
        clientMetrics.add('kafka_consumers_streams')
      },
      closed: (stream) => {
        this.streams.delete(stream)
        clientMetrics.add('kafka_consumers_streams', -1)
      },
    }
  }

  private startTimers(): void {
    const { commit, commitIntervalMs, maxPollIntervalMs } = this.settings
    if (commit === 'interval' && this.commitTimer === null) {
      this.commitTimer = setInterval(() => void this.commitBeforeGoing(this.table.all()), commitIntervalMs)
    }
    if (Number.isFinite(maxPollIntervalMs) && this.pollTimer === null && this.membership !== null) {
      this.pollTimer = setInterval(() => this.watchHandlers(), Math.max(1, maxPollIntervalMs / 4))
    }
  }

  /** A message in hand for too long: the group is told, and joined again once it is done with. */
  private watchHandlers(): void {
    const nowMs = performance.now()
    const stuck = this.table.all().filter(({ busySinceMs }) => busySinceMs !== null)
    const overdue = stuck.some(({ busySinceMs }) => nowMs - (busySinceMs ?? nowMs) > this.settings.maxPollIntervalMs)
    this.membership?.dispatch({ type: overdue ? 'overdue' : 'polled' })
  }

  private rebalancing(active: boolean, joined: boolean): void {
    const nowMs = performance.now()
    if (active) {
      this.rebalanceStartMs = nowMs
      clientMetrics.add('kafka_consumer_rebalances')
    } else clientMetrics.observeRebalance(nowMs - this.rebalanceStartMs)
    const { member } = this
    rebalanceChannel.publish({ groupId: this.groupId, active, member })
    if (this.closed !== null) return
    if (active) this.options.rebalance?.begun?.()
    else if (joined && member !== null) this.options.rebalance?.joined?.(member)
  }

  private assigned(partitions: readonly TopicPartition[]): void {
    const states = partitions.map((each) => {
      const state = this.table.get(each) ?? this.table.add(each)
      state.resolving = true
      return state
    })
    if (states.length === 0 && this.options.rebalance?.assigned === undefined) return
    void this.beginReading(states).catch((error: unknown) =>
      this.fatal(asKafkaError(error, 'ERR_INVALID_STATE', 'assigned')),
    )
  }

  private async beginReading(states: readonly PartitionState<V, K>[]): Promise<void> {
    const listener = this.options.rebalance
    if (states.length > 0) await listener?.assigned?.(states.map(({ topic, partition }) => ({ topic, partition })))
    // The listener may have sought some of them.
    for (const state of states) {
      if (state.resolving && !state.revoking && !this.positions.isAsked(state)) this.positions.begin(state)
    }
    this.countTopics()
    this.fetcher.wake()
  }

  private async revoke(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    const states = partitions.map((each) => this.table.get(each)).filter((state) => state !== undefined)
    for (const state of states) state.revoking = true
    if (lost) this.offsets?.lose()
    await within(this.settings.rebalanceTimeoutMs, Promise.all(states.map((state) => state.whenIdle())))
    if (lost) clientMetrics.add('kafka_consumer_partitions_lost', states.length)
    else await this.commitBeforeGoing(states)
    const { rebalance } = this.options
    try {
      if (lost && rebalance?.lost !== undefined) await rebalance.lost(partitions)
      else if (partitions.length > 0) await rebalance?.revoked?.(partitions)
    } finally {
      if (lost) this.offsets?.regain()
      for (const state of states) this.table.remove(state)
      this.countTopics()
    }
  }

  /** Commits by itself, where that is the mode; what fails is told and tried again at the next occasion, or by the next owner. */
  private async commitBeforeGoing(states: readonly PartitionState<V, K>[]): Promise<void> {
    if (this.settings.commit === 'manual' || this.offsets === null) return
    try {
      await this.commitStates(states)
    } catch (error) {
      this.warn(asKafkaError(error, 'ERR_INVALID_STATE', 'commit'))
    }
  }

  /**
   * A partition that is taken away meanwhile is no reason to stop: whoever has it next reads it again. Nor are brokers that are away,
   * however long: reading waits for them, too.
   */
  private async commitOne(state: PartitionState<V, K>): Promise<void> {
    for (;;) {
      try {
        await this.commitStates([state])
        return
      } catch (error) {
        const failure = asKafkaError(error, 'ERR_INVALID_STATE', 'commit')
        const isOver = state.revoking || this.closed !== null || NOTHING_TO_COMMIT_TO.has(failure.errorCode)
        if (!isOver && !failure.retriable) throw error
        this.warn(failure)
        if (isOver) return
      }
    }
  }

  private async commitStates(states: readonly PartitionState<V, K>[], signal?: AbortSignal): Promise<void> {
    if (this.offsets === null || states.every((state) => state.isCommitted)) return
    let rows: (OffsetToCommit & { readonly state: PartitionState<V, K> })[] = []
    try {
      await this.offsets.commitLatest(() => {
        // Offsets of a topic that was deleted say nothing about one of the same name.
        const open = states.filter((state) => !state.isCommitted && !this.isReplaced(state))
        rows = open.map((state) => {
          const { topic, partition, processed: offset, processedEpoch: leaderEpoch } = state
          return { state, topic, partition, offset, leaderEpoch }
        })
        return rows
      }, signal)
      clientMetrics.add('kafka_consumer_commits')
      for (const { state, offset } of rows) state.committed = offset
      commitChannel.publish({ groupId: this.groupId, partitions: rows.length })
    } catch (error) {
      clientMetrics.add('kafka_consumer_commit_failures')
      throw error
    }
  }

  private isReplaced({ topic, topicId }: PartitionState<V, K>): boolean {
    const known = this.cluster.knownTopic(topic)?.topicId
    return topicId !== null && known !== undefined && known !== topicId
  }

  private startAt(state: PartitionState<V, K>, where: StartingPoint): void {
    if (typeof where === 'number') {
      this.positions.settle(state)
      this.table.moveTo(state, { offset: where, leaderEpoch: -1 })
      return
    }
    // Nothing of what was fetched before is handed out while the answer is awaited.
    this.table.moveTo(state, { offset: UNKNOWN_OFFSET, leaderEpoch: -1 })
    if (where === 'committed') this.positions.begin(state)
    else this.positions.reset(state, where, 'the application asked for it')
  }

  private settled(): void {
    this.table.closeIfFinished()
    this.fetcher.wake()
  }

  private async lookUp(
    partitions: readonly TopicPartition[],
    timestamp: number,
    { signal }: CallOptions,
  ): Promise<FoundOffset[]> {
    await this.learn(partitions, signal)
    const queries = partitions.map(({ topic, partition }) => ({ topic, partition, timestamp }))
    const { readCommitted } = this.settings
    const asked = queryOffsets(this.cluster, queries, { readCommitted, signal: this.closing.signal })
    const found = await unlessAborted(asked, signal, 'list offsets')
    const failed = found.find(({ errorCode }) => errorCode !== 0)
    if (failed === undefined) return found
    throw brokerError(failed.errorCode, `list offsets of ${failed.topic}-${failed.partition}`)
  }

  /** Metadata of these topics, where they are not known yet. */
  private async learn(partitions: readonly TopicPartition[], signal?: AbortSignal): Promise<void> {
    const unknown = new Set(partitions.map(({ topic }) => topic).filter((topic) => this.cluster.isStale(topic)))
    const create = this.settings.allowAutoTopicCreation
    for (const topic of unknown)
      await unlessAborted(this.cluster.topic(topic, { create, signal }), signal, `find '${topic}'`)
  }

  private stateOf(each: TopicPartition, what: string): PartitionState<V, K> {
    const state = this.table.get(each)
    if (state !== undefined) return state
    throw new KafkaError(
      'ERR_INVALID_STATE',
      `${what}: ${each.topic}-${each.partition} is not assigned to this consumer`,
    )
  }

  private needOffsets(what: string): GroupOffsets {
    if (this.offsets === null) throw new KafkaError('ERR_INVALID_STATE', `${what}: this consumer has no 'groupId'`)
    return this.offsets
  }

  private assertOpen(what: string): void {
    if (this.closed !== null) throw new KafkaError('ERR_CLOSED', `${what}: this consumer is closed`)
  }

  private warn(error: KafkaError): void {
    errorChannel.publish({ groupId: this.groupId, error, fatal: false })
    this.options.onWarning?.(error)
  }

  /** Whoever takes messages is told; nothing goes on by itself after it. */
  private fatal(error: KafkaError): void {
    if (this.closed !== null) return
    errorChannel.publish({ groupId: this.groupId, error, fatal: true })
    this.table.fail(error)
  }
}

function afterMessage<V, K>({ topic, partition, offset, leaderEpoch }: Message<V, K>): OffsetToCommit {
  return { topic, partition, offset: offset + 1, leaderEpoch }
}
