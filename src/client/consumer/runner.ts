/**
 * The handler way of consuming: so many workers take turns at the partitions. Within a partition one message (or batch) is handled after
 * the other; over partitions up to `concurrency` at once.
 *
 * What must hold: `run` resolves or rejects only after every handler that was begun has ended.
 */

import type { Message } from './message.ts'
import { BatchStream, type MessageBatch, MessageStream, type StreamSource } from './streams.ts'

/** What a handler gets beside its message or batch. */
export interface HandlerContext {
  /** Fires when the consumer is being closed or the run was aborted: long work should come to an end. */
  readonly signal: AbortSignal
}

/** Handles one message. The next one of its partition comes when the promise has resolved; what it throws ends the run. */
export type MessageHandler<V, K> = (message: Message<V, K>, context: HandlerContext) => Promise<void> | void
/** Handles one batch. The next one of its partition comes when the promise has resolved; what it throws ends the run. */
export type BatchHandler<V, K> = (batch: MessageBatch<V, K>, context: HandlerContext) => Promise<void> | void

/** How `run` handles messages: with `eachMessage` or with `eachBatch`. */
export type RunOptions<V, K> = {
  /** Partitions that are worked on at once. Default 1. */
  readonly concurrency?: number
  /** Ends the run after the handlers that are under way. */
  readonly signal?: AbortSignal | undefined
  /** Of `eachBatch`. */
  readonly maxMessages?: number
  /** Of `eachBatch`: bytes of keys and values. */
  readonly maxBytes?: number
} & (
  | {
      /** Called for each message; or `eachBatch`. */
      readonly eachMessage: MessageHandler<V, K>
      readonly eachBatch?: undefined
    }
  | {
      /** Called for each batch, of one partition; or `eachMessage`. */
      readonly eachBatch: BatchHandler<V, K>
      readonly eachMessage?: undefined
    }
)

export async function runHandlers<V, K>(
  source: StreamSource<V, K>,
  options: RunOptions<V, K>,
  closing: AbortSignal,
): Promise<void> {
  const stop = new AbortController()
  const signals = [closing, stop.signal, ...(options.signal === undefined ? [] : [options.signal])]
  const signal = AbortSignal.any(signals)
  const worker = async (): Promise<void> => {
    try {
      if (options.eachMessage !== undefined) {
        const { eachMessage } = options
        const stream = new MessageStream(source, { signal })
        await handleAll(stream, (message) => eachMessage(message, { signal }))
      } else {
        const { eachBatch, maxMessages, maxBytes } = options
        const limits = {
          ...(maxMessages === undefined ? {} : { maxMessages }),
          ...(maxBytes === undefined ? {} : { maxBytes }),
        }
        const stream = new BatchStream(source, { signal, ...limits })
        await handleAll(stream, (batch) => eachBatch(batch, { signal }))
      }
    } catch (error) {
      stop.abort()
      throw error
    }
  }
  const results = await Promise.allSettled(Array.from({ length: options.concurrency ?? 1 }, worker))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** What a handler throws at is not processed: the next run begins with it. */
async function handleAll<Item>(
  stream: AsyncIterable<Item> & { giveBack(): void },
  handle: (item: Item) => Promise<void> | void,
): Promise<void> {
  for await (const item of stream) {
    try {
      const handled = handle(item)
      if (handled !== undefined) await handled
    } catch (error) {
      stream.giveBack()
      throw error
    }
  }
}
