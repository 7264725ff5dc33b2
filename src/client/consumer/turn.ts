/**
 * A worker's hold on one partition: it goes through one fetched chunk, message by message, then lets go, so that other partitions get
 * their turn. Whatever becomes of the partition meanwhile ends the turn at the next message: a seek, a pause, its loss.
 *
 * What must hold: what is handed out counts as processed when `processed` says so, and not when the turn is abandoned before.
 */
import { CodecUnavailableError } from '../../records/codecs/index.ts'
import { RecordError } from '../../records/record-error.ts'
import { KafkaError } from '../errors.ts'
import type { FetchedChunk } from './fetched-chunk.ts'
import type { Message } from './message.ts'
import type { PartitionState } from './partition-state.ts'
import type { PartitionTable } from './partition-table.ts'

export class Turn<V, K> {
  readonly state: PartitionState<V, K>
  private readonly table: PartitionTable<V, K>
  /** None where the partition was moved before its worker could look. */
  private readonly chunk: FetchedChunk<V, K> | undefined
  private readonly version: number
  /** Something was handed out and is not processed yet. */
  private inHand = false
  private released = false

  /** The partition is one that `table.take` gave. */
  constructor(table: PartitionTable<V, K>, state: PartitionState<V, K>) {
    this.table = table
    this.state = state
    this.version = state.version
    this.chunk = state.chunks[0]
  }

  /** Null when the turn is over; then it has to be ended. Throws ERR_CORRUPT_RECORDS. */
  next(): Message<V, K> | null {
    const { state, chunk } = this
    if (chunk === undefined || state.chunks[0] !== chunk || this.isMoved || state.revoking || state.paused) return null
    const message = this.decode(chunk)
    // It cannot be read, and is fetched anew.
    if (state.chunks[0] !== chunk) return null
    if (message === null || message.offset >= state.until) {
      state.position = message === null ? chunk.nextOffset : state.until
      state.positionEpoch = chunk.nextEpoch
      if (!this.inHand) this.countProcessed()
      this.table.drop(state, chunk)
      return null
    }
    state.position = chunk.nextOffset
    state.positionEpoch = chunk.nextEpoch
    this.inHand = true
    return message
  }

  /** What was handed out so far is done with. */
  processed(): void {
    if (!this.inHand) return
    this.inHand = false
    if (!this.isMoved) this.countProcessed()
  }

  /** What was handed out and is not processed is handed out again, to whoever asks next. */
  giveBack(): void {
    if (!this.inHand || this.isMoved) return
    this.inHand = false
    this.table.moveTo(this.state, { offset: this.state.processed, leaderEpoch: -1 })
  }

  /** The message that `next` gave last did not reach the application: reading goes on with it. `others`: earlier ones did. */
  putBack(message: Message<V, K>, others: boolean): void {
    if (this.isMoved) return
    this.inHand = others
    this.state.position = message.offset
    this.state.positionEpoch = -1
    this.table.refetch(this.state)
  }

  /** There was a seek since the turn began. */
  private get isMoved(): boolean {
    return this.state.version !== this.version
  }

  private countProcessed(): void {
    this.state.processed = this.state.position
    this.state.processedEpoch = this.state.positionEpoch
  }

  /** Lets the partition go; a message still in hand does not count as processed. */
  end(): void {
    if (this.released) return
    this.released = true
    this.table.release(this.state)
  }

  private decode(chunk: FetchedChunk<V, K>): Message<V, K> | null {
    try {
      return chunk.next()
    } catch (cause) {
      // Fetched again at the next attempt: it may have been the wire.
      this.table.refetch(this.state)
      // What the caller has gathered before it is handed out first; the next turn begins here.
      if (this.inHand) return null
      throw this.corrupt(chunk, cause)
    }
  }

  private corrupt(chunk: FetchedChunk<V, K>, cause: unknown): KafkaError {
    const { topic, partition, position: offset } = this.state
    const nextOffset = chunk.offsetAfterUnreadable
    const reason = cause instanceof RecordError ? cause.message : String(cause)
    const way = nextOffset === null ? 'seek past it' : `seek to ${nextOffset}`
    const what = `${topic}-${partition} at offset ${offset}: ${reason}; ${way} to go on without it`
    const code = cause instanceof CodecUnavailableError ? 'ERR_CODEC_UNAVAILABLE' : 'ERR_CORRUPT_RECORDS'
    return new KafkaError(code, what, { cause, place: { topic, partition, offset, nextOffset } })
  }
}
