/**
 * The partitions that a consumer reads, and the queue between fetching and handing out: fetched chunks go in, workers take them
 * partition by partition, in turn, so that a partition with much to read does not keep the others waiting.
 *
 * What must hold: `bufferedBytes` is what all chunks here hold, also those that a worker has in hand.
 */
import type { FetchedChunk } from './fetched-chunk.ts'
import { type OffsetAndEpoch, PartitionState } from './partition-state.ts'
import { partitionKey, type TopicPartition } from './topic-partition.ts'

interface Waiter<V, K> {
  readonly take: (state: PartitionState<V, K> | null) => void
  readonly fail: (error: unknown) => void
}

export class PartitionTable<V, K> {
  bufferedBytes = 0
  private readonly states = new Map<string, PartitionState<V, K>>()
  /** The order in which partitions are looked at; whose turn was had goes to the end. */
  private turns: PartitionState<V, K>[] = []
  private readonly waiters: Waiter<V, K>[] = []
  private readonly now: () => number
  /** Told when memory becomes free or a partition changes: there may be something to fetch. */
  private readonly changed: () => void
  private failure: unknown = null
  private closed = false

  constructor(now: () => number, changed: () => void) {
    this.now = now
    this.changed = changed
  }

  get isClosed(): boolean {
    return this.closed
  }

  all(): PartitionState<V, K>[] {
    return [...this.states.values()]
  }

  get({ topic, partition }: TopicPartition): PartitionState<V, K> | undefined {
    return this.states.get(partitionKey(topic, partition))
  }

  add(each: TopicPartition, until?: number): PartitionState<V, K> {
    const state = new PartitionState<V, K>(each.topic, each.partition, until)
    this.states.set(state.key, state)
    this.turns.push(state)
    return state
  }

  remove(each: TopicPartition): void {
    const state = this.get(each)
    if (state === undefined) return
    state.revoking = true
    state.version += 1
    state.fetchVersion += 1
    this.bufferedBytes -= state.dropChunks()
    this.states.delete(state.key)
    this.turns = this.turns.filter((other) => other !== state)
    this.changed()
  }

  moveTo(state: PartitionState<V, K>, to: OffsetAndEpoch): void {
    this.bufferedBytes -= state.moveTo(to)
    this.changed()
  }

  refetch(state: PartitionState<V, K>): void {
    this.bufferedBytes -= state.refetch()
    this.changed()
  }

  setPaused(state: PartitionState<V, K>, paused: boolean): void {
    state.paused = paused
    if (!paused) this.offer()
    this.changed()
  }

  push(state: PartitionState<V, K>, chunk: FetchedChunk<V, K>): void {
    state.chunks.push(chunk)
    state.bufferedBytes += chunk.sizeBytes
    this.bufferedBytes += chunk.sizeBytes
    this.offer()
  }

  /** The chunk is used up. */
  drop(state: PartitionState<V, K>, chunk: FetchedChunk<V, K>): void {
    if (state.chunks[0] !== chunk) return
    state.chunks.shift()
    state.bufferedBytes -= chunk.sizeBytes
    this.bufferedBytes -= chunk.sizeBytes
    this.changed()
  }

  /** The worker is through with its turn. */
  release(state: PartitionState<V, K>): void {
    state.release()
    if (state.isFinished) this.closeIfFinished()
    else if (state.chunks.length > 0) this.offer()
  }

  /** Where every partition has an end and all have been reached, there is nothing to wait for. */
  closeIfFinished(): void {
    if (this.states.size > 0 && this.all().every((state) => state.isFinished)) this.close()
  }

  /**
   * A partition with messages to hand out, occupied for the caller, who releases it. Null once closed. Rejects with what makes
   * going on impossible, or with the signal's error.
   */
  take(): Promise<PartitionState<V, K> | null> {
    if (this.failure !== null) return Promise.reject(this.failure)
    if (this.closed) return Promise.resolve(null)
    const ready = this.waiters.length === 0 ? this.nextReady() : null
    if (ready !== null) return Promise.resolve(ready)
    return new Promise((resolve, reject) => this.waiters.push({ take: resolve, fail: reject }))
  }

  /** Ends the oldest waits: their workers have been told to stop. */
  endWaits(): void {
    for (const { take } of this.waiters.splice(0)) take(null)
  }

  fail(error: unknown): void {
    this.failure ??= error
    for (const { fail } of this.waiters.splice(0)) fail(error)
  }

  /** What was to be looked at has been looked at: going on is possible again. */
  clearFailure(): void {
    this.failure = null
  }

  close(): void {
    this.closed = true
    this.endWaits()
  }

  /** After a close because everything was read: there is more again. */
  reopen(): void {
    this.closed = false
  }

  /** Hands ready partitions to whoever waits for one. */
  offer(): void {
    while (this.waiters.length > 0) {
      const ready = this.nextReady()
      if (ready === null) return
      this.waiters.shift()!.take(ready)
    }
  }

  private nextReady(): PartitionState<V, K> | null {
    const { turns } = this
    for (let index = 0; index < turns.length; index++) {
      const state = turns[index]!
      if (!state.isReady) continue
      turns.splice(index, 1)
      turns.push(state)
      state.occupy(this.now())
      return state
    }
    return null
  }
}
