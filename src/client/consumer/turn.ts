/**
 * A worker's hold on one partition: it goes through one fetched chunk, message by message, then lets go, so that other partitions get
 * their turn. Whatever becomes of the partition meanwhile ends the turn at the next message: a seek, a pause, its loss.
 *
 * What must hold: what is handed out counts as processed when `processed` says so, and not when the turn is abandoned before.
 */
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
    if (chunk === undefined || state.version !== this.version || state.revoking || state.paused) return null
    const message = this.decode(chunk)
    if (state.version !== this.version) return null
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
    if (this.state.version === this.version) this.countProcessed()
  }

  /** What was handed out and is not processed is handed out again, to whoever asks next. */
  giveBack(): void {
    if (!this.inHand || this.state.version !== this.version) return
    this.inHand = false
    this.table.moveTo(this.state, { offset: this.state.processed, leaderEpoch: -1 })
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
      // What the caller has gathered before it is handed out first; the next turn begins here.
      if (this.inHand) {
        this.table.refetch(this.state)
        return null
      }
      const { topic, partition, position } = this.state
      // Fetched again at the next attempt: it may have been the wire.
      this.table.moveTo(this.state, { offset: position, leaderEpoch: -1 })
      const reason = cause instanceof RecordError ? cause.message : String(cause)
      const what = `${topic}-${partition} at offset ${position}: ${reason}; seek past it to go on without it`
      throw new KafkaError('ERR_CORRUPT_RECORDS', what, { cause })
    }
  }
}
