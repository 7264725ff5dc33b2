/**
 * Keeps every readable partition fetched: deals partitions out to one fetcher per broker, keeps the sum of what is buffered and what
 * is asked for within `bufferBytes`, and turns answers into chunks or repairs.
 *
 * What must hold: a partition is asked for at one broker at a time, and not at all while it is paused, given up, full, without a
 * position, or while its position is being checked.
 */
import { ErrorCode, isRetriable } from '../../protocol/errors.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { Cluster } from '../cluster.ts'
import { brokerError, KafkaError } from '../errors.ts'
import { backoffMs } from '../retry.ts'
import { type Asked, BrokerFetcher, type FetchAnswer, type FetchOwner, type PartitionAnswer } from './broker-fetcher.ts'
import { FetchedChunk } from './fetched-chunk.ts'
import type { ResolvedSettings } from './options.ts'
import type { PartitionState } from './partition-state.ts'
import type { PartitionTable } from './partition-table.ts'

export interface FetcherHooks<V, K> {
  /** The position is not in the log, or has to be checked: whoever knows positions is to look. */
  positionLost(state: PartitionState<V, K>): void
  positionInDoubt(state: PartitionState<V, K>): void
  /** The topic was deleted and made anew. */
  topicReplaced(state: PartitionState<V, K>): void
  fatal(error: KafkaError): void
  fetched(bytes: number): void
}

/** Answers that a look at the metadata repairs. */
const MOVED = new Set<number>([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.INCONSISTENT_TOPIC_ID,
  ErrorCode.LEADER_NOT_AVAILABLE,
])
const PREFERRED_REPLICA_MS = 300_000
/** An answer smaller than this is not worth asking for while memory is short. */
const ANSWER_BYTES_MIN = 64 * 1024

export class Fetcher<V, K> implements FetchOwner<V, K> {
  private readonly cluster: Cluster
  private readonly settings: ResolvedSettings
  private readonly table: PartitionTable<V, K>
  private readonly hooks: FetcherHooks<V, K>
  private readonly brokers = new Map<number, BrokerFetcher<V, K>>()
  private reservedBytes = 0
  private turn = 0
  private stopped = false
  private updating = false
  private updateFailures = 0
  private readonly stale = new Set<string>()

  constructor(cluster: Cluster, settings: ResolvedSettings, table: PartitionTable<V, K>, hooks: FetcherHooks<V, K>) {
    this.cluster = cluster
    this.settings = settings
    this.table = table
    this.hooks = hooks
  }

  /** Something changed: partitions, positions, memory, leaders. */
  wake(): void {
    if (this.stopped) return
    const nowMs = performance.now()
    for (const state of this.table.all()) {
      const nodeId = this.nodeOf(state, nowMs)
      if (nodeId < 0) this.lookUp(state.topic)
      else if (!this.brokers.has(nodeId)) {
        this.brokers.set(nodeId, new BrokerFetcher(nodeId, this.cluster, this.settings, this))
      }
    }
    for (const broker of this.brokers.values()) broker.wake()
  }

  async stop(): Promise<void> {
    this.stopped = true
    await Promise.all([...this.brokers.values()].map((broker) => broker.stop()))
    this.brokers.clear()
  }

  wanted(nodeId: number): { partitions: PartitionState<V, K>[]; held: boolean } {
    const nowMs = performance.now()
    const limit = this.settings.fetch.bufferBytesPerPartition
    const partitions: PartitionState<V, K>[] = []
    let held = false
    let retryAtMs = Number.POSITIVE_INFINITY
    for (const state of this.table.all()) {
      if (!state.hasPosition || state.paused || state.revoking || state.mustValidate || state.resolving) continue
      if (state.fetchOffset >= state.until || state.isBroken || this.isAnotherTopic(state)) continue
      if (this.nodeOf(state, nowMs) !== nodeId || this.leaderChanged(state)) continue
      if (state.bufferedBytes >= limit) held = true
      else if (state.retryAtMs > nowMs) retryAtMs = Math.min(retryAtMs, state.retryAtMs)
      else partitions.push(state)
    }
    if (Number.isFinite(retryAtMs)) this.wakeLater(nodeId, retryAtMs - nowMs)
    // Whoever is named first gets room first.
    this.turn = (this.turn + 1) % Math.max(1, partitions.length)
    return { partitions: [...partitions.slice(this.turn), ...partitions.slice(0, this.turn)], held }
  }

  reserve(bytes: number): number {
    const free = this.settings.fetch.bufferBytes - this.table.bufferedBytes - this.reservedBytes
    const granted = Math.min(bytes, free)
    // With nothing buffered even a tiny limit lets one answer through: its first batch may be larger anyway.
    const least = Math.min(ANSWER_BYTES_MIN, this.settings.fetch.bufferBytes, bytes)
    if (granted < least) return 0
    this.reservedBytes += granted
    return granted
  }

  unreserve(bytes: number): void {
    this.reservedBytes -= bytes
    // Another broker may have waited for it.
    for (const broker of this.brokers.values()) broker.wake()
  }

  take(nodeId: number, { state, fetchVersion, fetchOffset }: Asked<V, K>, answer: PartitionAnswer): void {
    if (state.fetchVersion !== fetchVersion || state.fetchOffset !== fetchOffset) return
    if (answer.errorCode !== 0) {
      this.takeError(nodeId, state, answer)
      return
    }
    state.highWatermark = answer.highWatermark
    state.lastStableOffset = answer.lastStableOffset
    state.logStartOffset = answer.logStartOffset
    if (answer.preferredReadReplica >= 0) {
      const untilMs = performance.now() + PREFERRED_REPLICA_MS
      state.preferredReplica = { nodeId: answer.preferredReadReplica, untilMs }
      this.wake()
    }
    const records = answer.records ?? []
    if (records.length === 0) return
    const { checkCrcs, maxDecompressedBytes } = this.settings.fetch
    const chunk = new FetchedChunk<V, K>({
      topic: state.topic,
      partition: state.partition,
      records,
      fetchOffset,
      abortedTransactions: this.settings.readCommitted ? (answer.abortedTransactions ?? []) : null,
      checkCrcs,
      maxDecompressedBytes,
    })
    const { offset, leaderEpoch, isBroken } = chunk.end()
    if (offset <= fetchOffset && !isBroken) return
    if (offset > fetchOffset) state.fetchEpoch = leaderEpoch
    state.fetchOffset = offset
    state.isBroken = isBroken
    this.hooks.fetched(chunk.sizeBytes)
    this.table.push(state, chunk)
  }

  takeEndpoints(answer: FetchAnswer): void {
    this.cluster.noteBrokers(answer.nodeEndpoints)
  }

  failed(nodeId: number, _error: KafkaError): void {
    const nowMs = performance.now()
    for (const state of this.table.all()) {
      if (state.preferredReplica?.nodeId === nodeId) state.preferredReplica = null
      if (this.nodeOf(state, nowMs) === nodeId) this.lookUp(state.topic)
    }
  }

  private takeError(nodeId: number, state: PartitionState<V, K>, answer: PartitionAnswer): void {
    const { errorCode, currentLeader } = answer
    const fromFollower = state.preferredReplica?.nodeId === nodeId
    if (fromFollower) state.preferredReplica = null
    if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
      // A follower may only be behind; its leader decides.
      if (fromFollower) this.wake()
      else this.hooks.positionLost(state)
      return
    }
    state.retryAtMs = performance.now() + this.cluster.retry.backoffMs
    if (errorCode === ErrorCode.CORRUPT_MESSAGE) {
      this.hooks.fatal(this.unreadable(state))
      return
    }
    if (MOVED.has(errorCode)) {
      const { partition } = state
      this.cluster.noteLeader(state.topic, { partition, ...currentLeader })
      this.lookUp(state.topic)
      return
    }
    if (isRetriable(errorCode) || errorCode === ErrorCode.UNKNOWN_SERVER_ERROR) return
    this.hooks.fatal(brokerError(errorCode, `fetch ${state.topic}-${state.partition} at offset ${state.fetchOffset}`))
  }

  /** The broker itself cannot read its log there. */
  private unreadable({ topic, partition, fetchOffset: offset }: PartitionState<V, K>): KafkaError {
    const what = `${topic}-${partition} at offset ${offset}: the broker finds its log corrupt; seek past it to go on without it`
    const cause = brokerError(ErrorCode.CORRUPT_MESSAGE, `fetch ${topic}-${partition}`)
    return new KafkaError('ERR_CORRUPT_RECORDS', what, { cause, place: { topic, partition, offset, nextOffset: null } })
  }

  private nodeOf(state: PartitionState<V, K>, nowMs: number): number {
    const { preferredReplica } = state
    if (preferredReplica !== null) {
      if (preferredReplica.untilMs > nowMs) return preferredReplica.nodeId
      state.preferredReplica = null
    }
    return this.cluster.partition(state.topic, state.partition)?.leaderId ?? -1
  }

  /** A topic of the same name, made anew: its offsets have nothing to do with those that were read. */
  private isAnotherTopic(state: PartitionState<V, K>): boolean {
    const topicId = this.cluster.knownTopic(state.topic)?.topicId ?? ZERO_UUID
    if (topicId === ZERO_UUID || topicId === state.topicId) return false
    const isAnother = state.topicId !== null
    state.topicId = topicId
    if (isAnother) this.hooks.topicReplaced(state)
    return isAnother
  }

  /** A new leader may have less than the old one had: what was read is checked before reading on (KIP-320). */
  private leaderChanged(state: PartitionState<V, K>): boolean {
    const epoch = this.cluster.partition(state.topic, state.partition)?.leaderEpoch ?? -1
    if (epoch === state.leaderEpoch) return false
    state.leaderEpoch = epoch
    if (state.fetchEpoch < 0 || epoch < 0) return false
    state.mustValidate = true
    this.hooks.positionInDoubt(state)
    return true
  }

  private wakeLater(nodeId: number, ms: number): void {
    setTimeout(() => this.brokers.get(nodeId)?.wake(), ms)
  }

  /** Asks for the topic's leaders, again and again until somebody answers. */
  private lookUp(topic: string): void {
    this.stale.add(topic)
    if (this.updating || this.stopped) return
    this.updating = true
    setTimeout(
      () => {
        void this.update()
      },
      this.updateFailures === 0 ? 0 : backoffMs(this.cluster.retry, this.updateFailures - 1),
    )
  }

  private async update(): Promise<void> {
    const topics = [...this.stale]
    this.stale.clear()
    try {
      if (!this.stopped) await this.cluster.update(topics)
      const open = topics.filter((topic) => this.hasNoLeader(topic))
      this.updateFailures = open.length === 0 ? 0 : this.updateFailures + 1
    } catch {
      // Nobody answers: asked again below.
      this.updateFailures += 1
      for (const topic of topics) this.stale.add(topic)
    } finally {
      this.updating = false
    }
    this.wake()
    const [again] = this.stale
    if (again !== undefined) this.lookUp(again)
  }

  private hasNoLeader(topic: string): boolean {
    return this.table.all().some((state) => state.topic === topic && this.nodeOf(state, performance.now()) < 0)
  }
}
