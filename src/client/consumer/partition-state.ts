/**
 * What the consumer knows of one partition that it reads: how far it has asked, handed out, processed and committed, and what waits to
 * be handed out. Everything about a partition happens through this object. Offsets are -1 while they are not known.
 *
 * What must hold: processed <= position <= fetchOffset, but for seeks, which set them all. `version` counts the seeks: what was handed out
 * before one says nothing about what comes after. A fetch answer counts only if `fetchVersion` is still the one in which it was asked:
 * a seek, or a repetition of the fetch, makes it void. Of a partition at most one worker has messages in hand.
 */
import type { FetchedChunk } from './fetched-chunk.ts'
import { partitionKey } from './topic-partition.ts'

/** `leaderEpoch` is that of the record before the offset; -1 if not known. */
export interface OffsetAndEpoch {
  readonly offset: number
  readonly leaderEpoch: number
}

export const UNKNOWN_OFFSET = -1

export class PartitionState<V, K> {
  readonly topic: string
  readonly partition: number
  readonly key: string

  /** The next offset to ask the broker for, and the epoch of what was fetched before it. */
  fetchOffset = UNKNOWN_OFFSET
  fetchEpoch = -1
  /** The next offset to hand out. */
  position = UNKNOWN_OFFSET
  positionEpoch = -1
  /** After the last message that the application is done with: what a commit says. */
  processed = UNKNOWN_OFFSET
  processedEpoch = -1
  /** The last offset known to be committed. */
  committed = UNKNOWN_OFFSET
  version = 0
  fetchVersion = 0
  /** The id of the topic that the offsets are of; null before the first fetch, and where topics have none. */
  topicId: string | null = null
  /** Not read from this offset on. */
  readonly until: number

  paused = false
  /** Given up, or about to be: nothing more is handed out or committed by itself. */
  revoking = false
  /** A worker has messages of it in hand since then; null if none has. */
  busySinceMs: number | null = null
  /** The leader's epoch as metadata told it when the position was last known to be right. */
  leaderEpoch = -1
  /** The position has to be checked against the leader's epochs before the next fetch (KIP-320). */
  mustValidate = false
  /** The last chunk ends in what is no batch at all: whoever reads it hears of that, and nothing is fetched behind it. */
  isBroken = false
  /** Not asked for before, after an error. */
  retryAtMs = 0
  /** Where to begin could not be asked: not before. */
  resolving = false
  /** A follower to fetch from (KIP-392) until the given time. */
  preferredReplica: { readonly nodeId: number; readonly untilMs: number } | null = null

  highWatermark = UNKNOWN_OFFSET
  lastStableOffset = UNKNOWN_OFFSET
  logStartOffset = UNKNOWN_OFFSET

  readonly chunks: FetchedChunk<V, K>[] = []
  bufferedBytes = 0
  private idleWaiters: (() => void)[] = []

  constructor(topic: string, partition: number, until = Number.POSITIVE_INFINITY) {
    this.until = until
    this.topic = topic
    this.partition = partition
    this.key = partitionKey(topic, partition)
  }

  get hasPosition(): boolean {
    return this.fetchOffset !== UNKNOWN_OFFSET
  }

  /** Everything that was to be read has been handed out. */
  get isFinished(): boolean {
    return this.position !== UNKNOWN_OFFSET && this.position >= this.until
  }

  get isReady(): boolean {
    return this.chunks.length > 0 && !this.paused && !this.revoking && this.busySinceMs === null
  }

  /** Begin anew at this offset. What was fetched is dropped; answers the bytes that this sets free. */
  moveTo({ offset, leaderEpoch }: OffsetAndEpoch): number {
    this.version += 1
    this.fetchVersion += 1
    this.fetchOffset = offset
    this.fetchEpoch = leaderEpoch
    this.position = offset
    this.positionEpoch = leaderEpoch
    this.processed = offset
    this.processedEpoch = leaderEpoch
    this.mustValidate = offset !== UNKNOWN_OFFSET && leaderEpoch >= 0
    this.retryAtMs = 0
    return this.dropChunks()
  }

  /** Fetch anew what has not been handed out; what has been keeps its place. Answers the bytes that this sets free. */
  refetch(): number {
    this.fetchVersion += 1
    this.fetchOffset = this.position
    this.fetchEpoch = this.positionEpoch
    this.mustValidate = false
    this.retryAtMs = 0
    return this.dropChunks()
  }

  dropChunks(): number {
    const bytes = this.bufferedBytes
    this.chunks.length = 0
    this.bufferedBytes = 0
    this.isBroken = false
    return bytes
  }

  /** Whether a commit would have something new to say. */
  get isCommitted(): boolean {
    return this.processed === UNKNOWN_OFFSET || this.processed === this.committed
  }

  /** The application has committed by itself: up to there it is done, even with what it has in hand. */
  noteCommit({ offset, leaderEpoch }: { readonly offset: number; readonly leaderEpoch?: number | undefined }): void {
    this.committed = offset
    if (offset <= this.processed) return
    this.processed = offset
    this.processedEpoch = leaderEpoch ?? -1
  }

  occupy(nowMs: number): void {
    this.busySinceMs = nowMs
  }

  release(): void {
    this.busySinceMs = null
    const waiting = this.idleWaiters
    this.idleWaiters = []
    for (const resolve of waiting) resolve()
  }

  /** Resolves when no worker has messages of it in hand. */
  whenIdle(): Promise<void> {
    if (this.busySinceMs === null) return Promise.resolve()
    return new Promise((resolve) => this.idleWaiters.push(resolve))
  }

  /** Records between the position and the end of what may be read; null before the first fetch. */
  lag(readCommitted: boolean): number | null {
    const end = readCommitted ? this.lastStableOffset : this.highWatermark
    return this.position === UNKNOWN_OFFSET || end < 0 ? null : Math.max(0, end - this.position)
  }
}
