/**
 * The batches of one partition on their way to its leader, and their place in the sequence by which the broker tells a
 * repetition from a new batch (KIP-98).
 *
 * What must hold:
 * - Batches leave in the order they were filled. Several may be under way at once only with an idempotent producer: then
 *   the broker refuses what comes too early.
 * - After a failure nothing new leaves until everything under way has been answered; what has to be repeated then goes one
 *   at a time, oldest first, with the sequence it had.
 * - A batch gets a new sequence only if the broker has said that it does not have it: OUT_OF_ORDER_SEQUENCE_NUMBER to the
 *   oldest one. The epoch goes up with that (KIP-360), so that a copy still on the wire is older than what the log has
 *   seen. Anything else could store a record twice.
 */
import type { PartitionMetadata } from '../cluster.ts'
import type { KafkaError } from '../errors.ts'
import { ANONYMOUS, type Batch, type ProducerIdentity } from './batch.ts'

const EPOCH_MAX = 0x7fff
const SEQUENCE_MASK = 0x7fffffff

/**
 * idle: nothing to send, or waiting for answers. lingering: waits for more records. ready: in its leader's list.
 * waiting: for a new attempt, or for a leader.
 */
export type LanePhase = 'idle' | 'lingering' | 'ready' | 'waiting'

export class Lane {
  readonly topic: string
  readonly partition: number
  /** Being filled. */
  open: Batch | null = null
  /** Full, or hurried; never sent. */
  readonly queue: Batch[] = []
  /** Sent without success; by order. */
  readonly retries: Batch[] = []
  readonly inFlight: Batch[] = []
  phase: LanePhase = 'idle'
  /** Repetitions in a row without success, for the backoff. */
  failures = 0
  private identity: ProducerIdentity = ANONYMOUS
  private nextSequence = 0
  private nextOrder = 0
  private needsNewEpoch = false
  /**
   * The log knows this producer id. Before that it takes any first sequence: a second batch that overtook a refused first
   * one would be stored before it.
   */
  private isEstablished = false
  private topicId: string | null = null

  private readonly lingerMs: number

  constructor(topic: string, partition: number, lingerMs: number) {
    this.topic = topic
    this.partition = partition
    this.lingerMs = lingerMs
  }

  get name(): string {
    return `${this.topic}-${this.partition}`
  }

  /** Batches that wait, the open one included. */
  get waitingBatches(): number {
    return this.queue.length + this.retries.length + (this.open === null ? 0 : 1)
  }

  get isEmpty(): boolean {
    return this.waitingBatches === 0 && this.inFlight.length === 0
  }

  /**
   * What leaves goes to the topic of this id. False if something is under way to an earlier topic of the name: it comes back, and comes first.
   */
  enter(topicId: string): boolean {
    if (topicId === this.topicId) return true
    if (this.inFlight.length > 0) return false
    this.topicId = topicId
    this.isEstablished = false
    return true
  }

  /** What may leave now, if anything; `take` takes it. */
  next(inFlightMax: number): Batch | null {
    if (this.retries.length > 0) return this.inFlight.length === 0 ? this.retries[0]! : null
    const oldest = this.inFlight[0]
    if (oldest !== undefined) {
      // The log knows a producer's last five batches again, not more: those after the oldest count, answered or not.
      const span = this.nextOrder - Math.floor(oldest.order)
      if (span >= (this.isEstablished ? inFlightMax : 1)) return null
    }
    return this.queue[0] ?? (this.openDueMs > 0 ? null : this.open)
  }

  /** How long the open batch still waits for more records; 0 or less if it may leave. */
  get openDueMs(): number {
    if (this.lingerMs === 0 || this.open === null) return 0
    return this.open.createdMs + this.lingerMs - performance.now()
  }

  /** The batch that `next` answered leaves: it has its identity and sequence from here on. */
  take(current: ProducerIdentity): Batch {
    if (this.needsNewEpoch) this.beginNewEpoch(current)
    const retry = this.retries.shift()
    const batch = retry ?? this.queue.shift() ?? this.open!
    if (batch === this.open) this.open = null
    if (retry === undefined) {
      if (this.inFlight.length === 0) this.adopt(current)
      batch.order = this.nextOrder++
      this.assign(batch)
    }
    this.inFlight.push(batch)
    batch.attempts += 1
    return batch
  }

  /** The batch is stored. */
  stored(batch: Batch): void {
    this.isEstablished ||= batch.identity.producerId === this.identity.producerId
    this.failures = 0
    this.settled(batch)
  }

  /** The batch is stored, or has failed for good. */
  settled(batch: Batch): void {
    this.removeInFlight(batch)
  }

  /** The batch has to be sent again. */
  failed(batch: Batch): void {
    this.removeInFlight(batch)
    this.retries.push(batch)
    this.retries.sort((a, b) => a.order - b.order)
  }

  /** Nobody could be asked about what waits. */
  notReached(error: KafkaError): void {
    for (const batch of this.queue) batch.lastError = error
    for (const batch of this.retries) batch.lastError ??= error
    if (this.open !== null) this.open.lastError = error
  }

  /** The broker does not have this batch, and expects another sequence. True if it was the oldest: a new epoch follows. */
  outOfOrder(batch: Batch): boolean {
    const isOldest = [...this.inFlight, ...this.retries].every((other) => other === batch || other.order > batch.order)
    if (isOldest) this.needsNewEpoch = true
    return isOldest
  }

  /** The parts of a refused batch take its place and its sequence. */
  split(batch: Batch, parts: readonly Batch[]): void {
    const { identity, baseSequence } = batch
    this.settled(batch)
    const step = batch.orderStep / parts.length
    let sequence = baseSequence
    for (const [index, part] of parts.entries()) {
      part.order = batch.order + index * step
      part.orderStep = step
      part.identity = identity
      part.baseSequence = sequence
      if (sequence >= 0) sequence = (sequence + part.recordCount) & SEQUENCE_MASK
      this.retries.push(part)
    }
    this.retries.sort((a, b) => a.order - b.order)
  }

  /** No epoch is left for this producer id: it takes another one to begin a new sequence. */
  get needsNewProducerId(): boolean {
    return this.needsNewEpoch && this.identity.producerEpoch === EPOCH_MAX
  }

  /** Closes the batch that is being filled. */
  seal(): void {
    if (this.open === null) return
    this.queue.push(this.open)
    this.open = null
  }

  /** Takes out what waits and satisfies the condition. */
  removeWaiting(condition: (batch: Batch) => boolean): Batch[] {
    const removed: Batch[] = []
    for (const list of [this.retries, this.queue]) {
      for (let index = list.length - 1; index >= 0; index--) {
        if (condition(list[index]!)) removed.unshift(...list.splice(index, 1))
      }
    }
    if (this.open !== null && condition(this.open)) {
      removed.push(this.open)
      this.open = null
    }
    return removed
  }

  private removeInFlight(batch: Batch): void {
    const index = this.inFlight.indexOf(batch)
    if (index >= 0) this.inFlight.splice(index, 1)
  }

  private assign(batch: Batch): void {
    if (this.identity.producerId < 0) return
    batch.identity = this.identity
    batch.baseSequence = this.nextSequence
    this.nextSequence = (this.nextSequence + batch.recordCount) & SEQUENCE_MASK
  }

  /** A new transaction's epoch, or the first identity. A lane that had to raise its own epoch keeps it. */
  private adopt(current: ProducerIdentity): void {
    const known = this.identity
    const isNewer = known.producerId !== current.producerId || known.producerEpoch < current.producerEpoch
    if (!isNewer) return
    if (known.producerId !== current.producerId) this.isEstablished = false
    this.identity = current
    this.nextSequence = 0
  }

  private beginNewEpoch(current: ProducerIdentity): void {
    this.needsNewEpoch = false
    const { producerId, producerEpoch } = this.identity
    const hasOther = current.producerId !== producerId || producerEpoch === EPOCH_MAX
    if (current.producerId !== producerId) this.isEstablished = false
    this.identity = hasOther ? current : { producerId, producerEpoch: producerEpoch + 1 }
    this.nextSequence = 0
    for (const batch of this.retries) this.assign(batch)
  }
}

export function leaderIdOf(row: PartitionMetadata | undefined): number {
  return row?.leaderId ?? -1
}
