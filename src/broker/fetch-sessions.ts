/**
 * Incremental fetch sessions (KIP-227): what a client fetches is remembered, so that later requests name only changes
 * and later answers hold only news. Sessions belong to the broker, not to a connection. Used by the Fetch handler.
 *
 * What must hold: a refused request changes nothing (its epoch does not advance); a partition is left out of an
 * incremental answer only if the client knows everything the answer would say; memory is bounded by slots.
 */
import { ErrorCode } from '../protocol/errors.ts'
import type { FetchRequest } from '../protocol/messages/01-fetch.ts'
import type { Random } from '../storage/random.ts'

const MAX_EPOCH = 0x7fffffff
const NO_SESSION = 0
const EPOCH_NEW = 0
const EPOCH_FINAL = -1

/** One partition a client wants to read, sessionless or remembered by a session. */
export interface FetchPartition {
  /** '' when the request names topics by id. */
  readonly topic: string
  /** The zero id when the request names topics by name. */
  readonly topicId: string
  readonly index: number
  fetchOffset: number
  maxBytes: number
  currentLeaderEpoch: number
  lastFetchedEpoch: number
}

interface CachedPartition extends FetchPartition {
  /** What the client was told last; -1 when it must be told again. */
  toldHighWatermark: number
  toldLogStartOffset: number
}

/** What an answer says about a partition, as far as it decides whether the answer is news. */
export interface PartitionNews {
  readonly errorCode: ErrorCode
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly hasRecords: boolean
  readonly hasDivergingEpoch: boolean
  readonly preferredReadReplica: number
}

export interface FetchTurn {
  /** Goes into the answer. */
  readonly sessionId: number
  readonly partitions: Iterable<FetchPartition>
  /** Whether the answer needs a row for this partition. Called once per partition, in answer order. */
  isNews(partition: FetchPartition, news: PartitionNews): boolean
}

export type OpenedFetch =
  | { readonly errorCode: ErrorCode; readonly turn: null }
  | { readonly errorCode: 0; readonly turn: FetchTurn }

class FetchSession {
  readonly id: number
  readonly usesTopicIds: boolean
  readonly isFollower: boolean
  readonly createdMs: number
  lastUsedMs: number
  nextEpoch = 1
  /** In reading order: what was answered with data moves to the end. */
  readonly partitions = new Map<string, CachedPartition>()

  constructor(id: number, usesTopicIds: boolean, isFollower: boolean, nowMs: number) {
    this.id = id
    this.usesTopicIds = usesTopicIds
    this.isFollower = isFollower
    this.createdMs = nowMs
    this.lastUsedMs = nowMs
  }

  apply(request: FetchRequest): void {
    for (const forgotten of request.forgottenTopicsData) {
      const topic = this.usesTopicIds ? forgotten.topicId : forgotten.topic
      for (const index of forgotten.partitions) this.partitions.delete(partitionKey(topic, index))
    }
    for (const asked of listPartitions(request)) this.#put(asked)
  }

  isNews(partition: CachedPartition, news: PartitionNews): boolean {
    const isNews =
      news.hasRecords ||
      news.hasDivergingEpoch ||
      news.errorCode !== ErrorCode.NONE ||
      news.preferredReadReplica >= 0 ||
      news.highWatermark !== partition.toldHighWatermark ||
      news.logStartOffset !== partition.toldLogStartOffset
    // After an error the client needs the whole truth again, even if it is what it knew before.
    partition.toldHighWatermark = news.errorCode === ErrorCode.NONE ? news.highWatermark : -1
    partition.toldLogStartOffset = news.logStartOffset
    if (news.hasRecords) {
      const key = partitionKey(this.usesTopicIds ? partition.topicId : partition.topic, partition.index)
      if (this.partitions.delete(key)) this.partitions.set(key, partition)
    }
    return isNews
  }

  #put(asked: FetchPartition): void {
    const key = partitionKey(this.usesTopicIds ? asked.topicId : asked.topic, asked.index)
    const cached = this.partitions.get(key)
    if (cached === undefined) {
      this.partitions.set(key, { ...asked, toldHighWatermark: -1, toldLogStartOffset: -1 })
      return
    }
    cached.fetchOffset = asked.fetchOffset
    cached.maxBytes = asked.maxBytes
    cached.currentLeaderEpoch = asked.currentLeaderEpoch
    cached.lastFetchedEpoch = asked.lastFetchedEpoch
  }
}

export interface FetchSessionsOptions {
  readonly random: Random
  /** Current value of `max.incremental.fetch.session.cache.slots`. */
  slots(): number
  /** Idle this long, a session may make room for another. */
  readonly evictionMs?: number
}

const DEFAULT_EVICTION_MS = 120_000

export class FetchSessions {
  readonly #options: FetchSessionsOptions
  readonly #evictionMs: number
  /** Least recently used first. */
  readonly #sessions = new Map<number, FetchSession>()

  constructor(options: FetchSessionsOptions) {
    this.#options = options
    this.#evictionMs = options.evictionMs ?? DEFAULT_EVICTION_MS
  }

  get size(): number {
    return this.#sessions.size
  }

  /** What the request names and what its session remembers, without changing anything. */
  partitionsOf(request: FetchRequest): FetchPartition[] {
    const { sessionId, sessionEpoch } = request
    const isIncremental = sessionEpoch !== EPOCH_NEW && sessionEpoch !== EPOCH_FINAL
    const session = isIncremental ? this.#sessions.get(sessionId) : undefined
    return [...listPartitions(request), ...(session?.partitions.values() ?? [])]
  }

  /** Resolves the request's session fields to what is to be read, or to the error that is the whole answer. */
  open(request: FetchRequest, usesTopicIds: boolean, isFollower: boolean, nowMs: number): OpenedFetch {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch === EPOCH_NEW || sessionEpoch === EPOCH_FINAL) {
      // Either way the request is complete in itself, and an old session of the client ends.
      if (sessionId !== NO_SESSION) this.#sessions.delete(sessionId)
      if (sessionEpoch === EPOCH_NEW) return this.#create(request, usesTopicIds, isFollower, nowMs)
      return { errorCode: 0, turn: fullTurn(NO_SESSION, listPartitions(request)) }
    }
    const session = this.#sessions.get(sessionId)
    if (session === undefined) return { errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND, turn: null }
    if (session.nextEpoch !== sessionEpoch) return { errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, turn: null }
    if (session.usesTopicIds !== usesTopicIds) return { errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR, turn: null }
    session.apply(request)
    session.nextEpoch = sessionEpoch === MAX_EPOCH ? 1 : sessionEpoch + 1
    session.lastUsedMs = nowMs
    this.#sessions.delete(sessionId)
    this.#sessions.set(sessionId, session)
    return {
      errorCode: 0,
      turn: {
        sessionId,
        // Copied: `isNews` moves partitions, and the session may change while this fetch waits.
        partitions: [...session.partitions.values()],
        isNews: (partition, news) => session.isNews(partition as CachedPartition, news),
      },
    }
  }

  #create(request: FetchRequest, usesTopicIds: boolean, isFollower: boolean, nowMs: number): OpenedFetch {
    const asked = listPartitions(request)
    if (!this.#makeRoom(asked.length, isFollower, nowMs)) return { errorCode: 0, turn: fullTurn(NO_SESSION, asked) }
    const session = new FetchSession(this.#newId(), usesTopicIds, isFollower, nowMs)
    session.apply(request)
    this.#sessions.set(session.id, session)
    return {
      errorCode: 0,
      turn: {
        sessionId: session.id,
        partitions: [...session.partitions.values()],
        // The first answer is full; what it says is what the client then knows.
        isNews: (partition, news) => {
          session.isNews(partition as CachedPartition, news)
          return true
        },
      },
    }
  }

  /**
   * A free slot, or one taken from a session that has been idle, or from a less valuable one that had its time: of a
   * consumer where a follower asks, or with fewer partitions.
   */
  #makeRoom(partitionCount: number, isFollower: boolean, nowMs: number): boolean {
    const slots = this.#options.slots()
    if (this.#sessions.size < slots) return true
    const oldest = this.#sessions.values().next().value
    if (oldest === undefined) return false
    if (nowMs - oldest.lastUsedMs > this.#evictionMs) {
      this.#sessions.delete(oldest.id)
      return true
    }
    let cheapest: FetchSession | null = null
    for (const session of this.#sessions.values()) {
      const hadItsTime = nowMs - session.createdMs > this.#evictionMs
      if (!(hadItsTime || (isFollower && !session.isFollower))) continue
      if (cheapest === null || isCheaper(session, cheapest)) cheapest = session
    }
    if (cheapest === null) return false
    const isWorthIt =
      isFollower === cheapest.isFollower
        ? partitionCount > cheapest.partitions.size
        : isFollower && !cheapest.isFollower
    if (isWorthIt) this.#sessions.delete(cheapest.id)
    return isWorthIt
  }

  #newId(): number {
    for (;;) {
      const id = 1 + Math.floor(this.#options.random.next() * (MAX_EPOCH - 1))
      if (!this.#sessions.has(id)) return id
    }
  }
}

function isCheaper(session: FetchSession, other: FetchSession): boolean {
  if (session.isFollower !== other.isFollower) return other.isFollower
  return session.partitions.size < other.partitions.size
}

function fullTurn(sessionId: number, partitions: readonly FetchPartition[]): FetchTurn {
  return { sessionId, partitions, isNews: () => true }
}

function partitionKey(topic: string, index: number): string {
  return `${index}/${topic}`
}

function listPartitions(request: FetchRequest): FetchPartition[] {
  const partitions: FetchPartition[] = []
  for (const { topic, topicId, partitions: asked } of request.topics) {
    for (const { partition, fetchOffset, partitionMaxBytes, currentLeaderEpoch, lastFetchedEpoch } of asked) {
      partitions.push({
        topic,
        topicId,
        index: partition,
        fetchOffset,
        maxBytes: partitionMaxBytes,
        currentLeaderEpoch,
        lastFetchedEpoch,
      })
    }
  }
  return partitions
}
