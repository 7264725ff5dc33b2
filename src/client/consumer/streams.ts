/**
 * What an application iterates over: messages one by one, or in batches as they were fetched. Several streams of one consumer share its
 * partitions: each partition is read by one of them at a time.
 *
 * What must hold: asking for the next item says that the one before is done with; leaving the loop says nothing, so the item in hand
 * is not committed by itself.
 */
import { asKafkaError } from '../errors.ts'
import type { MessagePreparer } from './deserialize.ts'
import type { Message } from './message.ts'
import type { PartitionState } from './partition-state.ts'
import type { PartitionTable } from './partition-table.ts'
import { Turn } from './turn.ts'

export interface StreamSource<V, K> {
  readonly table: PartitionTable<V, K>
  readonly preparer: MessagePreparer<V, K> | null
  /** Commits after every item, where that is the mode; null where it is not. */
  readonly commitItem: ((state: PartitionState<V, K>) => Promise<void>) | null
  /** Commits after a chunk, where that is the mode. */
  readonly commitTurn: ((state: PartitionState<V, K>) => Promise<void>) | null
  consumed(count: number): void
  opened(stream: OpenStream): void
  closed(stream: OpenStream): void
}

export interface OpenStream {
  /** No more items after the one in hand. */
  stop(): void
  /** Lets go of what is in hand, too: it does not count as processed. */
  finish(): void
}

/** How a loop over messages ends. */
export interface StreamOptions {
  /** Ends the stream: the loop is left without an error. */
  readonly signal?: AbortSignal | undefined
}

const DONE = Object.freeze({ done: true, value: undefined }) as IteratorReturnResult<undefined>

/** What both kinds of streams have in common: taking turns, and ending. */
abstract class Stream<Item, V, K> implements AsyncIterableIterator<Item, undefined>, AsyncDisposable, OpenStream {
  protected turn: Turn<V, K> | null = null
  protected readonly source: StreamSource<V, K>
  protected ended = false
  protected stopping = false
  /** Messages handed out in this turn. */
  protected count = 0
  /** The answer that is awaited; who asks before it is there waits in line, as with a generator. */
  protected asking: Promise<unknown> | null = null
  private readonly signal: AbortSignal | undefined
  private readonly aborted = (): void => this.stop()

  /** @internal */
  constructor(source: StreamSource<V, K>, options: StreamOptions) {
    this.source = source
    this.signal = options.signal
    source.opened(this)
    if (options.signal?.aborted === true) this.stop()
    else options.signal?.addEventListener('abort', this.aborted, { once: true })
  }

  abstract next(): Promise<IteratorResult<Item, undefined>>

  /** The stream itself. */
  [Symbol.asyncIterator](): this {
    return this
  }

  /** The loop was left. */
  async return(): Promise<IteratorResult<Item, undefined>> {
    this.finish()
    return DONE
  }

  /** As `return`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.finish()
  }

  /** No more items after the one in hand. */
  stop(): void {
    this.stopping = true
    this.source.table.endWaits()
  }

  /** The item in hand failed: it is handed out again, here or in another stream. */
  giveBack(): void {
    this.turn?.giveBack()
  }

  /** Ends at once: the item in hand does not count as processed. */
  finish(): void {
    if (this.ended) return
    this.ended = true
    // What is being made ready reaches nobody any more.
    if (this.asking !== null) this.turn?.giveBack()
    this.turn?.end()
    this.turn = null
    this.tellCount()
    this.signal?.removeEventListener('abort', this.aborted)
    this.source.closed(this)
  }

  /** The turn is through; its commit is waited for where that is the mode. */
  protected async endTurn(): Promise<void> {
    const { turn } = this
    if (turn === null) return
    this.turn = null
    this.tellCount()
    try {
      await this.source.commitTurn?.(turn.state)
    } finally {
      turn.end()
    }
  }

  /** The next partition's turn; false when the stream is over. */
  protected async beginTurn(): Promise<boolean> {
    while (!this.ended && !this.stopping) {
      const state = await this.source.table.take()
      if (state !== null) {
        this.turn = new Turn(this.source.table, state)
        // The loop was left while this was awaited.
        if (!this.ended) return true
        this.turn.end()
        this.turn = null
        return false
      }
      // Other streams' ends wake all who wait.
      if (this.source.table.isClosed) break
    }
    this.finish()
    return false
  }

  protected inLine<T>(ask: () => Promise<T>): Promise<T> {
    const answer = this.asking === null ? ask() : this.asking.then(ask, ask)
    const over = (): void => {
      if (this.asking === answer) this.asking = null
    }
    this.asking = answer
    answer.then(over, over)
    return answer
  }

  private tellCount(): void {
    this.source.consumed(this.count)
    this.count = 0
  }

  protected fail(error: unknown): never {
    this.finish()
    throw asKafkaError(error, 'ERR_INVALID_STATE', 'consume')
  }
}

/**
 * What `messages()` answers: an async iterator. Leaving the loop, `return` or `await using` ends it; the message in hand then does not
 * count as processed.
 */
export class MessageStream<V, K> extends Stream<Message<V, K>, V, K> {
  /**
   * Says that the message before is done with, and resolves to the next one as soon as it is there. Rejects with a fatal error of the
   * consumer, or what could not be deserialized.
   */
  next(): Promise<IteratorResult<Message<V, K>, undefined>> {
    const { turn, source } = this
    // Nearly always there is a message at hand and nothing to wait for.
    if (
      turn !== null &&
      this.asking === null &&
      !this.stopping &&
      source.commitItem === null &&
      source.preparer === null
    ) {
      let message: Message<V, K> | null
      try {
        turn.processed()
        message = turn.next()
      } catch (error) {
        this.finish()
        return Promise.reject(error)
      }
      if (message !== null) {
        this.count += 1
        return Promise.resolve({ done: false, value: message })
      }
    }
    return this.inLine(() => this.nextSlowly())
  }

  private async nextSlowly(): Promise<IteratorResult<Message<V, K>, undefined>> {
    const { source } = this
    try {
      for (;;) {
        if (this.turn !== null) {
          const { turn } = this
          turn.processed()
          await source.commitItem?.(turn.state)
          const message = this.ended || this.stopping ? null : turn.next()
          if (message !== null) {
            try {
              const readable = source.preparer?.prepare(message) ?? true
              if (readable === false || (readable !== true && !(await readable))) continue
            } catch (error) {
              turn.putBack(message, false)
              throw error
            }
            if (this.ended) return DONE
            this.count += 1
            return { done: false, value: message }
          }
          await this.endTurn()
        }
        if (!(await this.beginTurn())) return DONE
      }
    } catch (error) {
      return this.fail(error)
    }
  }
}

/** Messages of one partition, in order. */
export interface MessageBatch<V, K> {
  /** The topic that it is from. */
  readonly topic: string
  /** The partition that it is from. */
  readonly partition: number
  /** In the order of their offsets; at least one. */
  readonly messages: readonly Message<V, K>[]
  /** After the last offset that may be read, as of the fetch; records up to it lie beyond this batch. */
  readonly highWatermark: number
  /** Where reading goes on after it: also past what is no record for an application, as the markers of transactions. */
  readonly nextOffset: number
}

/** How large the batches of a loop are, and how it ends. */
export interface BatchOptions extends StreamOptions {
  /** Default: what one fetch brought for a partition. */
  readonly maxMessages?: number
  /** Of keys and values: a batch ends with the message that reaches it. */
  readonly maxBytes?: number
}

/** What `batches()` answers: an async iterator of batches, of one partition each. */
export class BatchStream<V, K> extends Stream<MessageBatch<V, K>, V, K> {
  private readonly maxMessages: number
  private readonly maxBytes: number

  /** @internal */
  constructor(source: StreamSource<V, K>, options: BatchOptions) {
    super(source, options)
    this.maxMessages = options.maxMessages ?? Number.POSITIVE_INFINITY
    this.maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY
  }

  /** Says that the batch before is done with, and resolves to the next one as soon as it is there. */
  next(): Promise<IteratorResult<MessageBatch<V, K>, undefined>> {
    return this.inLine(() => this.nextBatch())
  }

  private async nextBatch(): Promise<IteratorResult<MessageBatch<V, K>, undefined>> {
    try {
      for (;;) {
        if (this.turn !== null) {
          const { turn, source } = this
          turn.processed()
          await source.commitItem?.(turn.state)
          const messages = this.ended || this.stopping ? [] : await this.collect(turn)
          if (this.ended) return DONE
          if (messages.length > 0) {
            const { topic, partition, highWatermark, position: nextOffset } = turn.state
            this.count += messages.length
            return { done: false, value: { topic, partition, messages, highWatermark, nextOffset } }
          }
          // None of them could be read, and somebody has dealt with that.
          if (!this.stopping) turn.processed()
          await this.endTurn()
        }
        if (!(await this.beginTurn())) return DONE
      }
    } catch (error) {
      return this.fail(error)
    }
  }

  private async collect(turn: Turn<V, K>): Promise<Message<V, K>[]> {
    const { preparer } = this.source
    const messages: Message<V, K>[] = []
    let bytes = 0
    while (messages.length < this.maxMessages && bytes < this.maxBytes) {
      const message = turn.next()
      if (message === null) break
      try {
        const readable = preparer?.prepare(message) ?? true
        if (readable === false || (readable !== true && !(await readable))) continue
      } catch (error) {
        // What was gathered before it is handed out first; the error comes with the next turn.
        turn.putBack(message, messages.length > 0)
        if (messages.length > 0) break
        throw error
      }
      messages.push(message)
      bytes += message.sizeBytes
    }
    return messages
  }
}
